{#- The incremental strategies of DuckDB. -#}

{#- Without a unique key nothing is deleted, so that the default appends then. -#}
{% macro duckdb__get_incremental_default_sql(arg_dict) %}
  {%- do return(get_incremental_delete_insert_sql(arg_dict)) -%}
{% endmacro %}

{% macro duckdb__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set predicates = normalize_incremental_predicates(incremental_predicates) -%}
  {%- set conditions = [] -%}
  {%- if unique_key is string -%}
    {#- It may be an expression over several columns. -#}
    {%- do conditions.append('(' ~ unique_key ~ ') in (select (' ~ unique_key ~ ') from ' ~ source ~ ')') -%}
  {%- else -%}
    {%- for key in unique_key or [] -%}
      {%- do conditions.append(source ~ '.' ~ key ~ ' = DBT_INCREMENTAL_TARGET.' ~ key) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- if unique_key is string and unique_key %}
  delete from {{ target }}
  where {{ (conditions + predicates) | join('\n  and ') }};
  {%- elif unique_key %}
  delete from {{ target }} as DBT_INCREMENTAL_TARGET
  using {{ source }}
  where ({{ (conditions + predicates) | join('\n  and ') }});
  {%- endif %}
  insert into {{ target }} ({{ columns }})
  (
    select {{ columns }}
    from {{ source }}
  )
{%- endmacro %}

{% macro duckdb__get_incremental_merge_sql(arg_dict) %}
  {%- do return(get_merge_sql(
    arg_dict['target_relation'],
    arg_dict['temp_relation'],
    arg_dict['unique_key'],
    arg_dict['dest_columns'],
    arg_dict['incremental_predicates']
  )) -%}
{% endmacro %}

{% macro normalize_incremental_predicates(incremental_predicates) %}
  {%- if incremental_predicates is none -%}
    {{ return([]) }}
  {%- elif incremental_predicates is string -%}
    {{ return([incremental_predicates]) }}
  {%- elif incremental_predicates is mapping or incremental_predicates is not sequence -%}
    {%- do exceptions.raise_compiler_error('`incremental_predicates` is a condition or a list of conditions') -%}
  {%- endif -%}
  {{ return(incremental_predicates | list) }}
{% endmacro %}

{#- A batch replaces what the table holds for its span of event time, by rows of that span only. -#}
{% macro duckdb__get_incremental_microbatch_sql(arg_dict) %}
  {%- set event_time = config.get('event_time') -%}
  {%- set batch = model.get('batch') -%}
  {%- if not event_time or not batch -%}
    {%- do exceptions.raise_compiler_error(
      'the strategy microbatch needs `event_time`, and a run that gives the model its batches'
    ) -%}
  {%- elif arg_dict.get('unique_key') -%}
    {%- do exceptions.raise_compiler_error(
      'the strategy microbatch replaces whole batches and looks at no keys: leave `unique_key` out, or use merge'
    ) -%}
  {%- endif -%}
  {%- set of_batch = event_time ~ " >= '" ~ batch.event_time_start ~ "' and "
    ~ event_time ~ " < '" ~ batch.event_time_end ~ "'" -%}
  {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
  delete from {{ arg_dict['target_relation'] }}
  where {{ of_batch }}
  {%- for predicate in normalize_incremental_predicates(arg_dict.get('incremental_predicates')) %}
    and ({{ predicate }})
  {%- endfor %};
  insert into {{ arg_dict['target_relation'] }} ({{ columns }})
  select {{ columns }}
  from {{ arg_dict['temp_relation'] }}
  where {{ of_batch }};
{% endmacro %}
