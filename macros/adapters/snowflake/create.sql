{#- Tables, views and clones. DDL commits by itself, so each is published by one CREATE OR REPLACE. -#}

{% macro snowflake__create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {%- set catalog_relation = adapter.build_catalog_relation(model) -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set is_iceberg = catalog_relation.table_format == 'iceberg' and not temporary -%}
  {%- set kind = 'temporary table' if temporary else ('iceberg table' if is_iceberg
    else ('transient table' if catalog_relation.is_transient else 'table')) -%}
  {{ header if header is not none }}
  {%- if enforced %}
  {{ get_assert_columns_equivalent(compiled_code) }}
  {%- set compiled_code = get_select_subquery(compiled_code) %}
  {%- endif %}
  create or replace {{ kind }} {{ relation }}
  {{ get_table_columns_and_constraints() if enforced }}
  {{ snowflake_iceberg_options(catalog_relation) if is_iceberg }}
  {{ snowflake_governance(relation) if not temporary }}
  as (
  {%- if catalog_relation.cluster_by and not temporary %}
    select * from (
{{ compiled_code }}
    )
    order by ({{ catalog_relation.cluster_by }})
  {%- else %}
{{ compiled_code }}
  {%- endif %}
  );
  {%- if catalog_relation.cluster_by and not temporary %}
  {%- set altered = 'iceberg table' if is_iceberg else 'table' %}
  alter {{ altered }} {{ relation }} cluster by ({{ catalog_relation.cluster_by }});
  {{ 'alter ' ~ altered ~ ' ' ~ relation ~ ' resume recluster;' if catalog_relation.automatic_clustering }}
  {%- endif %}
{%- endmacro %}

{#- What makes a table one in Iceberg's format, in a catalog that Snowflake keeps itself. -#}
{% macro snowflake_iceberg_options(catalog_relation) -%}
  {{ optional('external_volume', catalog_relation.external_volume, "'") }}
  catalog = 'SNOWFLAKE'
  base_location = '{{ catalog_relation.base_location }}'
  {{ optional('storage_serialization_policy', catalog_relation.storage_serialization_policy, "'") }}
  {{ optional('max_data_extension_time_in_days', catalog_relation.max_data_extension_time_in_days) }}
  {{ optional('data_retention_time_in_days', catalog_relation.data_retention_time_in_days) }}
  {{ optional('change_tracking', catalog_relation.change_tracking) }}
{%- endmacro %}

{#- Who may read which rows, in the order in which Snowflake wants it for the kind of relation. -#}
{% macro snowflake_governance(relation) -%}
  {%- set copied = 'copy grants' if config.get('copy_grants', false) -%}
  {%- set policies = optional('with row access policy', config.get('row_access_policy'), equals_char='') ~ ' '
    ~ optional('with tag', config.get('table_tag'), quote_char='(', equals_char='') -%}
  {{ policies ~ ' ' ~ (copied or '') if relation.is_iceberg_format else (copied or '') ~ ' ' ~ policies }}
{%- endmacro %}

{#- An option of DDL, where it has a value. -#}
{% macro optional(name, value, quote_char='', equals_char='= ') -%}
  {%- if value is not none -%}
    {{ name }} {{ equals_char }}{{ quote_char }}{{ value }}{{ ')' if quote_char == '(' else quote_char }}
  {%- endif -%}
{%- endmacro %}

{% macro snowflake__create_view_as(relation, sql) -%}
  {{ snowflake__create_view_as_with_temp_flag(relation, sql) }}
{%- endmacro %}

{% macro snowflake__create_view_as_with_temp_flag(relation, sql, is_temporary=false) -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {{ header if header is not none }}
  {%- if contract and contract.enforced %}
  {{ get_assert_columns_equivalent(sql) }}
  {%- endif %}
  create or replace {{ 'secure ' if config.get('secure', false) }}{{ 'temporary ' if is_temporary }}view {{ relation }}
  {{ get_persist_docs_column_list(model.columns, get_columns_in_query(sql)) if config.persist_column_docs() }}
  {{ snowflake_governance(relation) }}
  as (
{{ sql }}
  );
{%- endmacro %}

{% macro snowflake__get_create_sql(relation, sql) -%}
  {%- if relation.is_dynamic_table -%}
    {{ snowflake__get_create_dynamic_table_as_sql(relation, sql) }}
  {%- else -%}
    {{ default__get_create_sql(relation, sql) }}
  {%- endif -%}
{%- endmacro %}

{#- Clones. -#}

{% macro snowflake__can_clone_table() %}
  {{ return(true) }}
{% endmacro %}

{% macro snowflake__create_or_replace_clone(this_relation, defer_relation) %}
  create or replace {{ 'transient ' if config.get('transient', true) }}table {{ this_relation }}
  clone {{ defer_relation }}
  {{ 'copy grants' if config.get('copy_grants', false) }}
{% endmacro %}

{% macro snowflake__publish_clone(existing_relation, target_relation, defer_relation) %}
  {%- set new_relation = snowflake_relation_to_make(existing_relation, target_relation) -%}
  {%- call statement('main') -%}
    {{ create_or_replace_clone(new_relation, defer_relation) }}
  {%- endcall -%}
  {%- do snowflake_publish(existing_relation, new_relation, target_relation) -%}
{% endmacro %}
