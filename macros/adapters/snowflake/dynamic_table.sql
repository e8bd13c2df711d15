{#- Dynamic tables: Snowflake itself keeps them up to date, so that a run only makes or changes them. -#}

{% materialization dynamic_table, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type=this.DynamicTable) -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks) }}
  {%- set new_relation = snowflake_relation_to_make(existing_relation, target_relation) -%}
  {%- set build_sql = get_create_sql(new_relation, sql) if new_relation.identifier != target_relation.identifier
    else dynamic_table_get_build_sql(existing_relation, target_relation) -%}
  {%- if build_sql | trim -%}
    {%- call statement('main') -%}
      {{ build_sql }}
    {%- endcall -%}
    {%- do snowflake_publish(existing_relation, new_relation, target_relation) -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, true)) -%}
    {%- do persist_docs(target_relation, model) -%}
  {%- else -%}
    {%- do store_raw_result('main', message='skip ' ~ target_relation, code='skip', rows_affected=none) -%}
  {%- endif -%}
  {{ run_hooks(post_hooks) }}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Making it, replacing it, changing its settings, or nothing. -#}
{% macro dynamic_table_get_build_sql(existing_relation, target_relation) %}
  {%- if existing_relation is none -%}
    {{ return(get_create_sql(target_relation, sql)) }}
  {%- elif should_full_refresh() or not existing_relation.is_dynamic_table -%}
    {{ return(snowflake__get_replace_sql(existing_relation, target_relation, sql)) }}
  {%- endif -%}
  {%- set changes = snowflake__get_dynamic_table_configuration_changes(existing_relation, config) -%}
  {%- set on_change = config.get('on_configuration_change') -%}
  {%- if not changes -%}
    {{ return('') }}
  {%- elif on_change == 'continue' -%}
    {%- do exceptions.warn(
      'the settings of ' ~ target_relation ~ ' differ (' ~ changes | join(', ') ~ ') and stay as they are, since '
      ~ '`on_configuration_change` is `continue`'
    ) -%}
    {{ return('') }}
  {%- elif on_change == 'fail' -%}
    {%- do exceptions.raise_fail_fast_error(
      'the settings of ' ~ target_relation ~ ' differ (' ~ changes | join(', ') ~ '), and `on_configuration_change` is `fail`'
    ) -%}
  {%- elif on_change != 'apply' -%}
    {%- do exceptions.raise_compiler_error('`on_configuration_change` is apply, continue or fail, not ' ~ on_change) -%}
  {%- endif -%}
  {{ return(snowflake__get_alter_dynamic_table_as_sql(existing_relation, changes, target_relation, sql)) }}
{% endmacro %}

{#- What differs between the table and the config: names of settings, each with the value that it is to have. Names of
    warehouses are compared as Snowflake does. -#}
{% macro snowflake__get_dynamic_table_configuration_changes(existing_relation, new_config) -%}
  {%- set found = snowflake__describe_dynamic_table(existing_relation)['dynamic_table'].rows[0] -%}
  {%- set changes = {} -%}
  {%- if new_config.get('target_lag') != found['target_lag'] -%}
    {%- do changes.update({'target_lag': new_config.get('target_lag')}) -%}
  {%- endif -%}
  {%- set warehouse = new_config.get('snowflake_warehouse') or target.warehouse -%}
  {%- if warehouse | upper != found['warehouse'] | upper -%}
    {%- do changes.update({'snowflake_warehouse': warehouse}) -%}
  {%- endif -%}
  {%- set refresh_mode = (new_config.get('refresh_mode') or 'AUTO') | upper -%}
  {%- if refresh_mode not in ['AUTO', found['refresh_mode'] | upper] -%}
    {%- do changes.update({'refresh_mode': refresh_mode}) -%}
  {%- endif -%}
  {%- do return(changes) -%}
{%- endmacro %}

{% macro snowflake__describe_dynamic_table(relation) %}
  {%- do return({'dynamic_table': run_query(
    'show dynamic tables like ' ~ snowflake_text(relation.identifier) ~ ' in schema ' ~ relation.include(identifier=false)
  )}) -%}
{% endmacro %}

{% macro snowflake__get_alter_dynamic_table_as_sql(existing_relation, configuration_changes, target_relation, sql) -%}
  {%- if 'refresh_mode' in configuration_changes -%}
    {{ snowflake__get_replace_sql(existing_relation, target_relation, sql) }}
  {%- else -%}
  alter dynamic table {{ existing_relation }} set
    {{ optional('target_lag', configuration_changes.get('target_lag'), "'") }}
    {{ optional('warehouse', configuration_changes.get('snowflake_warehouse')) }}
  {%- endif -%}
{%- endmacro %}

{% macro snowflake__get_create_dynamic_table_as_sql(relation, sql) -%}
  create {{ snowflake_dynamic_table_sql(relation, sql) }}
{%- endmacro %}

{% macro snowflake__get_replace_dynamic_table_sql(relation, sql) -%}
  create or replace {{ snowflake_dynamic_table_sql(relation, sql) }}
{%- endmacro %}

{% macro snowflake_dynamic_table_sql(relation, sql) -%}
  {%- set catalog_relation = adapter.build_catalog_relation(model) -%}
  {%- set is_iceberg = catalog_relation.table_format == 'iceberg' -%}
  {%- set refresh_mode = config.get('refresh_mode') -%}
  {%- set initialize = config.get('initialize') -%}
  {%- if not config.get('target_lag') -%}
    {%- do exceptions.raise_compiler_error('a dynamic table needs `target_lag`: a span of time, or downstream') -%}
  {%- endif -%}
  dynamic {{ 'iceberg ' if is_iceberg }}table {{ relation }}
    target_lag = '{{ config.get('target_lag') }}'
    warehouse = {{ config.get('snowflake_warehouse') or target.warehouse }}
    {%- if is_iceberg %}
    {{ optional('external_volume', catalog_relation.external_volume, "'") }}
    catalog = 'SNOWFLAKE'
    base_location = '{{ catalog_relation.base_location }}'
    {%- endif %}
    refresh_mode = {{ (refresh_mode or 'AUTO') | upper }}
    initialize = {{ (initialize or 'ON_CREATE') | upper }}
    {{ optional('with row access policy', config.get('row_access_policy'), equals_char='') }}
    {{ optional('with tag', config.get('table_tag'), quote_char='(', equals_char='') }}
    as (
{{ sql }}
    )
{%- endmacro %}

{% macro snowflake__get_drop_dynamic_table_sql(relation) %}
  drop dynamic table if exists {{ relation }}
{% endmacro %}

{% macro snowflake__refresh_dynamic_table(relation) -%}
  alter dynamic table {{ relation }} refresh
{%- endmacro %}

{#- A dynamic table replaces one in a single statement; what is of another kind has to go first. -#}
{% macro snowflake__get_replace_sql(existing_relation, target_relation, sql) -%}
  {%- if existing_relation.type == target_relation.type and target_relation.is_dynamic_table -%}
    {{ snowflake__get_replace_dynamic_table_sql(target_relation, sql) }}
  {%- elif existing_relation.type == target_relation.type -%}
    {{ get_create_sql(target_relation, sql) }}
  {%- else -%}
    {{ get_drop_sql(existing_relation) }};
    {{ get_create_sql(target_relation, sql) }}
  {%- endif -%}
{%- endmacro %}
