{#- The incremental strategies of Snowflake. What they write is one explicit transaction: a session whose
    parameter AUTOCOMMIT is off would keep the rows to itself. -#}

{% macro snowflake_dml_explicit_transaction(dml) %}
  {%- do return('begin;\n' ~ (dml | trim | trim(';')) ~ ';\ncommit;') -%}
{% endmacro %}

{% macro snowflake__get_incremental_default_sql(arg_dict) %}
  {%- do return(get_incremental_merge_sql(arg_dict)) -%}
{% endmacro %}

{#- A merge without a key can only insert. -#}
{% macro snowflake__get_merge_sql(target, source_sql, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- if unique_key -%}
    {%- set dml = default__get_merge_sql(target, source_sql, unique_key, dest_columns, incremental_predicates) -%}
  {%- else -%}
    {%- set dml = (header or '') ~ get_insert_into_sql(target, source_sql, dest_columns) -%}
  {%- endif -%}
  {%- do return(snowflake_dml_explicit_transaction(dml)) -%}
{%- endmacro %}

{% macro snowflake__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) %}
  {%- do return(snowflake_dml_explicit_transaction(
    default__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates)
  )) -%}
{% endmacro %}

{% macro snowflake__get_incremental_append_sql(arg_dict) %}
  {%- do return(snowflake_dml_explicit_transaction(default__get_incremental_append_sql(arg_dict))) -%}
{% endmacro %}

{#- The whole table is replaced by the query's rows in one statement. -#}
{% macro snowflake__get_incremental_insert_overwrite_sql(arg_dict) -%}
  {{ return(adapter.dispatch('insert_overwrite_get_sql', 'dbt')(
    arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], arg_dict['dest_columns']
  )) }}
{%- endmacro %}

{% macro snowflake__insert_overwrite_get_sql(target, source, unique_key, dest_columns) -%}
  {%- set columns = config.get('overwrite_columns') or [] -%}
  {%- set dml -%}
  {{ config.get('sql_header') or '' }}
  insert overwrite into {{ target.render() }} {{ '(' ~ columns | join(', ') ~ ')' if columns }}
    select {{ columns | join(', ') if columns else '*' }}
    from {{ source.render() }}
  {%- endset -%}
  {%- do return(snowflake_dml_explicit_transaction(dml)) -%}
{%- endmacro %}

{#- A batch replaces what the table holds for its span of event time. -#}
{% macro snowflake__get_incremental_microbatch_sql(arg_dict) %}
  {%- set event_time = config.get('event_time') -%}
  {%- set batch = model.get('batch') -%}
  {%- if not event_time or not batch -%}
    {%- do exceptions.raise_compiler_error(
      'the strategy microbatch needs `event_time`, and a run that gives the model its batches'
    ) -%}
  {%- endif -%}
  {%- set predicates = [] + (arg_dict.get('incremental_predicates') or []) -%}
  {%- if batch.get('event_time_start') -%}
    {%- do predicates.append('DBT_INTERNAL_TARGET.' ~ event_time ~ " >= to_timestamp_tz('" ~ batch.event_time_start ~ "')") -%}
  {%- endif -%}
  {%- if batch.get('event_time_end') -%}
    {%- do predicates.append('DBT_INTERNAL_TARGET.' ~ event_time ~ " < to_timestamp_tz('" ~ batch.event_time_end ~ "')") -%}
  {%- endif -%}
  {%- set dml -%}
  delete from {{ arg_dict['target_relation'] }} DBT_INTERNAL_TARGET
  where ({{ predicates | join(' and ') }});
  {{ get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns']) }}
  {%- endset -%}
  {%- do return(snowflake_dml_explicit_transaction(dml)) -%}
{% endmacro %}

{#- Closes and opens the versions of a snapshot in one statement. -#}
{% macro snowflake__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = snapshot_columns() -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  {%- set open = 'DBT_INTERNAL_DEST.' ~ columns.dbt_valid_to -%}
  {%- set dml -%}
  merge into {{ target.render() }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  on DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_DEST.{{ columns.dbt_scd_id }}
  when matched
    and {{ '(' ~ open ~ ' = ' ~ current ~ ' or ' ~ open ~ ' is null)' if current else open ~ ' is null' }}
    and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
  then update set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
  when not matched and DBT_INTERNAL_SOURCE.dbt_change_type = 'insert'
  then insert ({{ insert_cols | join(', ') }})
  values ({{ insert_cols | join(', ') }})
  {%- endset -%}
  {%- do return(snowflake_dml_explicit_transaction(dml)) -%}
{%- endmacro %}

{#- Where the rows of a query wait for the statement that writes them. A view will do where that is only one; what is
    both deleted by and inserted must be the same rows, so that needs a table. -#}
{% macro dbt_snowflake_get_tmp_relation_type(strategy, unique_key, language) %}
  {%- set asked = config.get('tmp_relation_type') -%}
  {%- set reads_twice = strategy in ['delete+insert', 'microbatch'] and unique_key is not none -%}
  {%- if asked not in [none, 'table', 'view'] -%}
    {%- do exceptions.raise_compiler_error('`tmp_relation_type` is table or view, not ' ~ asked) -%}
  {%- elif reads_twice and asked == 'view' -%}
    {%- do exceptions.raise_compiler_error(
      '`tmp_relation_type: view` does not go together with the strategy `' ~ strategy ~ '` and a `unique_key`: the query '
      ~ 'would be asked twice, and could give other rows the second time'
    ) -%}
  {%- endif -%}
  {%- if asked is not none -%}
    {{ return(asked) }}
  {%- endif -%}
  {%- set one_statement = strategy in ['default', 'merge', 'append', 'insert_overwrite'] -%}
  {{ return('view' if one_statement or (strategy in ['delete+insert', 'microbatch'] and not reads_twice) else 'table') }}
{% endmacro %}
