{#- What a snapshot does in a run: which versions open, which close. The staging table has a row for each, told apart
    by dbt_change_type (insert, update, delete). -#}

{% macro snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {{ adapter.dispatch('snapshot_staging_table', 'dbt')(strategy, source_sql, target_relation) }}
{%- endmacro %}

{% macro default__snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {%- set columns = snapshot_columns() -%}
  {%- set exact = not snapshot_is_dbt_compatible() -%}
  {%- set source_columns = get_columns_in_query(source_sql) -%}
  {%- set known_columns = get_list_of_column_names(adapter.get_columns_in_relation(target_relation)) -%}
  {%- set tombstones = strategy.hard_deletes == 'new_record' -%}
  {%- set key_columns = snapshot_key_columns(strategy.unique_key) -%}
  {%- set is_open = snapshot_is_open(columns) -%}
  with snapshot_query as (
{{ source_sql }}
  ),

  snapshotted_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }}
    from {{ target_relation }}
    where {{ is_open }}
  ),

  {%- if exact %}

  closed_data as (
    select {{ key_columns | join(', ') }}, max({{ columns.dbt_valid_to }}) as dbt_closed_until
    from (
      select {{ columns.dbt_valid_to }}, {{ unique_key_fields(strategy.unique_key) }}
      from {{ target_relation }}
      where not {{ is_open }}
    ) as closed_versions
    group by {{ key_columns | join(', ') }}
  ),
  {%- endif %}

  source_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }},
      {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
      {{ strategy.scd_id }} as {{ columns.dbt_scd_id }}
    from snapshot_query
  ),

  changed_data as (
    select
      {% for name in source_columns %}source_data.{{ adapter.quote(name) }}, {% endfor %}
      {% for name in key_columns %}source_data.{{ name }}, {% endfor %}
      source_data.{{ columns.dbt_updated_at }},
      {{ snapshot_opening_stamp(columns, exact) }} as {{ columns.dbt_valid_from }},
      source_data.{{ columns.dbt_scd_id }},
      snapshotted_data.{{ columns.dbt_scd_id }} as dbt_open_scd_id
    from source_data
    left join snapshotted_data on {{ unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') }}
    {%- if exact %}
    left join closed_data on {{ unique_key_join_on(strategy.unique_key, 'closed_data', 'source_data') }}
    {%- endif %}
    where {{ unique_key_is_null(strategy.unique_key, 'snapshotted_data') }}
      or {{ strategy.row_changed }}
      {{ 'or snapshotted_data.' ~ columns.dbt_is_deleted ~ " = 'True'" if tombstones }}
  )

  {%- if strategy.hard_deletes != 'ignore' %},

  deleted_data as (
    select snapshotted_data.*, {{ snapshot_closing_stamp(columns, exact) }} as dbt_closed_at
    from snapshotted_data
    left join source_data on {{ unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') }}
    where {{ unique_key_is_null(strategy.unique_key, 'source_data') }}
      {{ 'and snapshotted_data.' ~ columns.dbt_is_deleted ~ " is distinct from 'True'" if tombstones }}
  )
  {%- endif %}

  {%- set source_list = snapshot_column_list(source_columns, none) %}
  {%- set known_list = snapshot_column_list(source_columns, known_columns) %}

  select 'insert' as dbt_change_type, {{ source_list }}, {{ key_columns | join(', ') }},
    {{ columns.dbt_updated_at }}, {{ columns.dbt_valid_from }}, {{ snapshot_open_end() }} as {{ columns.dbt_valid_to }},
    {{ snapshot_version_id(columns, exact) }} as {{ columns.dbt_scd_id }}{{ ", 'False' as " ~ columns.dbt_is_deleted if tombstones }}
  from changed_data
  union all
  select 'update', {{ source_list }}, {{ key_columns | join(', ') }},
    {{ columns.dbt_updated_at }}, {{ columns.dbt_valid_from }}, {{ columns.dbt_valid_from }},
    dbt_open_scd_id{{ ", 'False'" if tombstones }}
  from changed_data
  where dbt_open_scd_id is not null
  {%- if strategy.hard_deletes != 'ignore' %}
  union all
  select 'delete', {{ known_list }}, {{ key_columns | join(', ') }},
    {{ columns.dbt_updated_at }}, {{ columns.dbt_valid_from }}, dbt_closed_at,
    {{ columns.dbt_scd_id }}{{ ", 'False'" if tombstones }}
  from deleted_data
  {%- endif %}
  {%- if tombstones %}
  union all
  select 'insert', {{ known_list }}, {{ key_columns | join(', ') }},
    dbt_closed_at, dbt_closed_at, {{ snapshot_open_end() }},
    {{ snapshot_hash_arguments([columns.dbt_scd_id, 'dbt_closed_at']) }}, 'True'
  from deleted_data
  {%- endif %}
{%- endmacro %}

{#- The stamp at which a version opens. It is the row's own, unless that lies in the future or before what the table
    already says of the key: then it is this run's. -#}
{% macro snapshot_opening_stamp(columns, exact) -%}
  {%- set own = 'source_data.' ~ columns.dbt_updated_at -%}
  {%- if not exact -%}
    {{ return(own) }}
  {%- endif -%}
  {%- set own = 'cast(' ~ own ~ ' as ' ~ type_timestamp() ~ ')' -%}
  {%- set now = snapshot_get_time() -%}
  {%- set opened = 'cast(snapshotted_data.' ~ columns.dbt_valid_from ~ ' as ' ~ type_timestamp() ~ ')' -%}
  case
    when snapshotted_data.{{ columns.dbt_scd_id }} is not null and {{ own }} > {{ opened }} and {{ own }} <= {{ now }} then {{ own }}
    when snapshotted_data.{{ columns.dbt_scd_id }} is not null and {{ now }} > {{ opened }} then {{ now }}
    when snapshotted_data.{{ columns.dbt_scd_id }} is not null then {{ next_instant(opened) }}
    when closed_data.dbt_closed_until >= {{ now }} then {{ next_instant('closed_data.dbt_closed_until') }}
    when closed_data.dbt_closed_until >= {{ own }} or {{ own }} > {{ now }} or {{ own }} is null then {{ now }}
    else {{ own }}
  end
{%- endmacro %}

{#- The stamp at which a version closes whose row is gone: now, but never before it opened. -#}
{% macro snapshot_closing_stamp(columns, exact) -%}
  {%- set now = snapshot_get_time() -%}
  {%- if not exact -%}
    {{ return(now) }}
  {%- endif -%}
  {%- set opened = 'cast(snapshotted_data.' ~ columns.dbt_valid_from ~ ' as ' ~ type_timestamp() ~ ')' -%}
  case when {{ now }} > {{ opened }} then {{ now }} else {{ next_instant(opened) }} end
{%- endmacro %}

{#- A version is named by its key and its stamp; where it opens at another stamp, that one must tell it apart. -#}
{% macro snapshot_version_id(columns, exact) -%}
  {%- if not exact -%}
    {{ return(columns.dbt_scd_id) }}
  {%- endif -%}
  case
    when {{ columns.dbt_valid_from }} is distinct from cast({{ columns.dbt_updated_at }} as {{ type_timestamp() }})
      then {{ snapshot_hash_arguments([columns.dbt_scd_id, columns.dbt_valid_from]) }}
    else {{ columns.dbt_scd_id }}
  end
{%- endmacro %}

{#- The source's columns; of those that the table does not have yet, there is nothing to take from it. -#}
{% macro snapshot_column_list(source_columns, known_columns) -%}
  {%- set list = [] -%}
  {%- for name in source_columns -%}
    {%- do list.append(adapter.quote(name) if known_columns is none or name in known_columns else 'null') -%}
  {%- endfor -%}
  {{ return(list | join(', ')) }}
{%- endmacro %}

{#- What stands in dbt_valid_to of an open version, and whether a version is one. -#}
{% macro snapshot_open_end() -%}
  {{ return('cast(' ~ (config.get('dbt_valid_to_current') or 'null') ~ ' as ' ~ type_timestamp() ~ ')') }}
{%- endmacro %}

{% macro snapshot_is_open(columns) -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  {%- if current -%}
    {{ return('(' ~ columns.dbt_valid_to ~ ' is null or ' ~ columns.dbt_valid_to ~ ' = ' ~ current ~ ')') }}
  {%- endif -%}
  {{ return('(' ~ columns.dbt_valid_to ~ ' is null)') }}
{%- endmacro %}

{% macro get_dbt_valid_to_current(strategy, columns) -%}
  {{ snapshot_open_end() }} as {{ columns.dbt_valid_to }}
{%- endmacro %}

{#- The first run: every row is a version. -#}
{% macro build_snapshot_table(strategy, sql) -%}
  {{ adapter.dispatch('build_snapshot_table', 'dbt')(strategy, sql) }}
{%- endmacro %}

{% macro default__build_snapshot_table(strategy, sql) %}
  {%- set columns = snapshot_columns() -%}
  {%- set own = 'cast(' ~ strategy.updated_at ~ ' as ' ~ type_timestamp() ~ ')' -%}
  {%- if snapshot_is_dbt_compatible() -%}
    {%- set valid_from = strategy.updated_at -%}
  {%- else -%}
    {%- set now = snapshot_get_time() -%}
    {%- set valid_from = 'case when ' ~ own ~ ' <= ' ~ now ~ ' then ' ~ own ~ ' else ' ~ now ~ ' end' -%}
  {%- endif -%}
  select *,
    {{ strategy.scd_id }} as {{ columns.dbt_scd_id }},
    {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
    {{ valid_from }} as {{ columns.dbt_valid_from }},
    {{ get_dbt_valid_to_current(strategy, columns) }}
    {{ ", 'False' as " ~ columns.dbt_is_deleted if strategy.hard_deletes == 'new_record' }}
  from (
{{ sql }}
  ) sbq
{% endmacro %}

{% macro build_snapshot_staging_table(strategy, sql, target_relation) %}
  {%- set staging_relation = make_temp_relation(target_relation) -%}
  {%- call statement('build_snapshot_staging_relation') -%}
    {{ create_table_as(true, staging_relation, snapshot_staging_table(strategy, sql, target_relation)) }}
  {%- endcall -%}
  {{ return(staging_relation) }}
{% endmacro %}

{#- Closes and opens versions. -#}
{% macro snapshot_merge_sql(target, source, insert_cols) -%}
  {{ adapter.dispatch('snapshot_merge_sql', 'dbt')(target, source, insert_cols) }}
{%- endmacro %}

{% macro default__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = snapshot_columns() -%}
  update {{ target.render() }} as DBT_INTERNAL_DEST
  set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
  from {{ source }} as DBT_INTERNAL_SOURCE
  where DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_DEST.{{ columns.dbt_scd_id }}
    and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
    {%- set current = config.get('dbt_valid_to_current') %}
    and (DBT_INTERNAL_DEST.{{ columns.dbt_valid_to }} is null
      {{- ' or DBT_INTERNAL_DEST.' ~ columns.dbt_valid_to ~ ' = ' ~ current if current }});

  insert into {{ target.render() }} ({{ insert_cols | join(', ') }})
  select {{ insert_cols | join(', ') }}
  from {{ source }} as DBT_INTERNAL_SOURCE
  where DBT_INTERNAL_SOURCE.dbt_change_type = 'insert';
{%- endmacro %}

{% macro post_snapshot(staging_relation) %}
  {{ adapter.dispatch('post_snapshot', 'dbt')(staging_relation) }}
{% endmacro %}

{% macro default__post_snapshot(staging_relation) %}
  {%- do adapter.drop_relation(staging_relation) -%}
{% endmacro %}

{#- A new column opens no version: the open ones take its value. Closed versions never knew it. -#}
{% macro snapshot_fill_new_columns(target_relation, source_relation, unique_key, new_columns) %}
  {%- set columns = snapshot_columns() -%}
  {%- set settings = [] -%}
  {%- set differences = [] -%}
  {%- for column in new_columns -%}
    {%- do settings.append(column.quoted ~ ' = source_data.' ~ column.quoted) -%}
    {%- do differences.append('target_data.' ~ column.quoted ~ ' is distinct from source_data.' ~ column.quoted) -%}
  {%- endfor -%}
  {%- call statement('fill_new_columns') -%}
    update {{ target_relation }} as target_data
    set {{ settings | join(', ') }}
    from (select *, {{ unique_key_fields(unique_key) }} from {{ source_relation }}) as source_data,
      (select {{ columns.dbt_scd_id }}, {{ unique_key_fields(unique_key) }} from {{ target_relation }}
        where {{ snapshot_is_open(columns) }}) as open_data
    where target_data.{{ columns.dbt_scd_id }} = open_data.{{ columns.dbt_scd_id }}
      and {{ unique_key_join_on(unique_key, 'open_data', 'source_data') }}
      and ({{ differences | join(' or ') }})
  {%- endcall -%}
{% endmacro %}

{#- Keys under names of their own, so that an expression can be one. -#}

{% macro snapshot_key_columns(unique_key) -%}
  {%- if unique_key is string -%}
    {{ return(['dbt_unique_key']) }}
  {%- endif -%}
  {%- set names = [] -%}
  {%- for key in unique_key -%}
    {%- do names.append('dbt_unique_key_' ~ loop.index) -%}
  {%- endfor -%}
  {{ return(names) }}
{%- endmacro %}

{% macro unique_key_fields(unique_key) -%}
  {%- set fields = [] -%}
  {%- for key in unique_key_list(unique_key) -%}
    {%- do fields.append(key ~ ' as ' ~ snapshot_key_columns(unique_key)[loop.index0]) -%}
  {%- endfor -%}
  {{ fields | join(', ') }}
{%- endmacro %}

{% macro unique_key_join_on(unique_key, identifier, from_identifier) -%}
  {%- set conditions = [] -%}
  {%- for name in snapshot_key_columns(unique_key) -%}
    {%- do conditions.append(equals(identifier ~ '.' ~ name, from_identifier ~ '.' ~ name) | trim) -%}
  {%- endfor -%}
  {{ conditions | join(' and ') }}
{%- endmacro %}

{% macro unique_key_is_null(unique_key, identifier) -%}
  {{ identifier }}.{{ snapshot_key_columns(unique_key)[0] }} is null
{%- endmacro %}

{% macro unique_key_is_not_null(unique_key, identifier) -%}
  {{ identifier }}.{{ snapshot_key_columns(unique_key)[0] }} is not null
{%- endmacro %}
