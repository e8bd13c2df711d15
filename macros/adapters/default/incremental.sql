{#- How an incremental model brings its new rows into its table: one macro a strategy. A strategy's argument is a
    dict with target_relation, temp_relation, unique_key, dest_columns and incremental_predicates. -#}

{% macro get_incremental_append_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_append_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_append_sql(arg_dict) %}
  {%- do return(get_insert_into_sql(
    arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']
  )) -%}
{% endmacro %}

{% macro get_incremental_delete_insert_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_delete_insert_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_delete_insert_sql(arg_dict) %}
  {%- do return(get_delete_insert_merge_sql(
    arg_dict['target_relation'],
    arg_dict['temp_relation'],
    arg_dict['unique_key'],
    arg_dict['dest_columns'],
    arg_dict['incremental_predicates']
  )) -%}
{% endmacro %}

{% macro get_incremental_merge_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_merge_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_merge_sql(arg_dict) %}
  {%- do return(get_merge_sql(
    arg_dict['target_relation'],
    arg_dict['temp_relation'],
    arg_dict['unique_key'],
    arg_dict['dest_columns'],
    arg_dict['incremental_predicates']
  )) -%}
{% endmacro %}

{% macro get_incremental_insert_overwrite_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_insert_overwrite_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_insert_overwrite_sql(arg_dict) %}
  {%- do return(get_insert_overwrite_merge_sql(
    arg_dict['target_relation'],
    arg_dict['temp_relation'],
    arg_dict['dest_columns'],
    arg_dict['incremental_predicates']
  )) -%}
{% endmacro %}

{% macro get_incremental_default_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_default_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_default_sql(arg_dict) %}
  {%- do return(get_incremental_append_sql(arg_dict)) -%}
{% endmacro %}

{#- A batch replaces what the table holds for its span of event time. -#}
{% macro get_incremental_microbatch_sql(arg_dict) %}
  {{ return(adapter.dispatch('get_incremental_microbatch_sql', 'dbt')(arg_dict)) }}
{% endmacro %}

{% macro default__get_incremental_microbatch_sql(arg_dict) %}
  {%- set event_time = config.get('event_time') -%}
  {%- set batch = model.get('batch') -%}
  {%- if not event_time or not batch -%}
    {%- do exceptions.raise_compiler_error(
      'the strategy microbatch needs `event_time`, and a run that gives the model its batches'
    ) -%}
  {%- endif -%}
  {%- set predicates = [] + (arg_dict.get('incremental_predicates') or []) -%}
  {%- if batch.get('event_time_start') -%}
    {%- do predicates.append(event_time ~ ' >= ' ~ snapshot_string_as_time(batch.event_time_start)) -%}
  {%- endif -%}
  {%- if batch.get('event_time_end') -%}
    {%- do predicates.append(event_time ~ ' < ' ~ snapshot_string_as_time(batch.event_time_end)) -%}
  {%- endif -%}
  delete from {{ arg_dict['target_relation'] }}
  where {{ '(' ~ predicates | join(')\n    and (') ~ ')' }};
  {{ get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']) }}
{% endmacro %}

{% macro get_insert_into_sql(target_relation, temp_relation, dest_columns) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  insert into {{ target_relation }} ({{ columns }})
  (
    select {{ columns }}
    from {{ temp_relation }}
  )
{%- endmacro %}

{#- The three statements behind the strategies; packages call and override them by these names. -#}

{% macro get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set incremental_predicates = kwargs.get('predicates', incremental_predicates) -%}
  {{ adapter.dispatch('get_merge_sql', 'dbt')(target, source, unique_key, dest_columns, incremental_predicates) }}
{%- endmacro %}

{% macro default__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set keys = unique_key_list(unique_key) -%}
  {%- set conditions = [] + (incremental_predicates or []) -%}
  {%- for key in keys -%}
    {%- set source_key, target_key = 'DBT_INTERNAL_SOURCE.' ~ key, 'DBT_INTERNAL_DEST.' ~ key -%}
    {#- As in dbt, several keys are compared as they are, and a single one by a macro that can be overridden. -#}
    {%- do conditions.append(
      get_merge_unique_key_match(source_key, target_key) | trim if unique_key is string
      else source_key ~ ' = ' ~ target_key
    ) -%}
  {%- endfor -%}
  {%- if not keys -%}
    {%- do conditions.append('false') -%}
  {%- endif -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set updated = get_merge_update_columns(
    config.get('merge_update_columns'), config.get('merge_exclude_columns'), dest_columns
  ) -%}
  {%- set header = config.get('sql_header', none) -%}
  {{ header if header is not none }}
  merge into {{ target }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  on {{ '(' ~ conditions | join(') and (') ~ ')' }}
  {%- if keys %}
  when matched then update set
    {% for column in updated -%}
    {{ column }} = DBT_INTERNAL_SOURCE.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor %}
  {%- endif %}
  when not matched then insert ({{ columns }})
  values ({{ columns }})
{%- endmacro %}

{% macro get_merge_unique_key_match(source_unique_key, target_unique_key) -%}
  {{ return(adapter.dispatch('get_merge_unique_key_match', 'dbt')(source_unique_key, target_unique_key)) }}
{%- endmacro %}

{% macro default__get_merge_unique_key_match(source_unique_key, target_unique_key) -%}
  {{ equals(source_unique_key, target_unique_key) | trim }}
{%- endmacro %}

{#- The columns that a merge overwrites, quoted: all, those that are named, or all but those that are excluded. -#}
{% macro get_merge_update_columns(merge_update_columns, merge_exclude_columns, dest_columns) %}
  {{ return(adapter.dispatch('get_merge_update_columns', 'dbt')(
    merge_update_columns, merge_exclude_columns, dest_columns
  )) }}
{% endmacro %}

{% macro default__get_merge_update_columns(merge_update_columns, merge_exclude_columns, dest_columns) %}
  {%- if merge_update_columns and merge_exclude_columns -%}
    {%- do exceptions.raise_compiler_error(
      'a model has either `merge_update_columns` or `merge_exclude_columns`, not both'
    ) -%}
  {%- endif -%}
  {%- if merge_update_columns -%}
    {{ return(merge_update_columns) }}
  {%- endif -%}
  {%- set excluded = (merge_exclude_columns or []) | map('lower') | list -%}
  {%- set updated = [] -%}
  {%- for column in dest_columns if column.column | lower not in excluded -%}
    {%- do updated.append(column.quoted) -%}
  {%- endfor -%}
  {{ return(updated) }}
{% endmacro %}

{% macro get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {{ adapter.dispatch('get_delete_insert_merge_sql', 'dbt')(
    target, source, unique_key, dest_columns, incremental_predicates
  ) }}
{%- endmacro %}

{% macro default__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set keys = unique_key_list(unique_key) | join(', ') -%}
  {%- if keys %}
  delete from {{ target }} as DBT_INTERNAL_DEST
  where ({{ keys }}) in (
    select distinct {{ keys }}
    from {{ source }} as DBT_INTERNAL_SOURCE
  )
  {%- for predicate in incremental_predicates or [] %}
    and {{ predicate }}
  {%- endfor %};
  {%- endif %}

  insert into {{ target }} ({{ columns }})
  (
    select {{ columns }}
    from {{ source }}
  )
{%- endmacro %}

{% macro get_insert_overwrite_merge_sql(target, source, dest_columns, predicates, include_sql_header=false) -%}
  {{ adapter.dispatch('get_insert_overwrite_merge_sql', 'dbt')(
    target, source, dest_columns, predicates, include_sql_header
  ) }}
{%- endmacro %}

{% macro default__get_insert_overwrite_merge_sql(target, source, dest_columns, predicates, include_sql_header) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set header = config.get('sql_header', none) -%}
  {{ header if header is not none and include_sql_header }}
  merge into {{ target }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  on false
  when not matched by source {{ 'and ' ~ predicates | join(' and ') if predicates }} then delete
  when not matched then insert ({{ columns }})
  values ({{ columns }})
{%- endmacro %}

{#- A unique key as a list of columns or expressions. -#}
{% macro unique_key_list(unique_key) %}
  {%- if not unique_key -%}
    {{ return([]) }}
  {%- elif unique_key is string -%}
    {{ return([unique_key]) }}
  {%- endif -%}
  {{ return(unique_key | list) }}
{% endmacro %}
