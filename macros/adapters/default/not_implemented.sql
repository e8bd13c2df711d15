{#- What only some warehouses have: called on another one, each of these says so by its name. -#}

{% macro not_implemented(name) -%}
  {%- do exceptions.raise_not_implemented('`' ~ name ~ '` is not implemented on ' ~ adapter.type()) -%}
{%- endmacro %}

{% macro default__get_columns_in_relation(relation) -%}
  {{- not_implemented('get_columns_in_relation') -}}
{%- endmacro %}

{% macro default__list_relations_without_caching(schema_relation) -%}
  {{- not_implemented('list_relations_without_caching') -}}
{%- endmacro %}

{% macro default__get_catalog(information_schema, schemas) -%}
  {{- not_implemented('get_catalog') -}}
{%- endmacro %}

{% macro get_catalog_relations(information_schema, relations) -%}
  {{ return(adapter.dispatch('get_catalog_relations', 'dbt')(information_schema, relations)) }}
{%- endmacro %}

{% macro default__get_catalog_relations(information_schema, relations) -%}
  {{- not_implemented('get_catalog_relations') -}}
{%- endmacro %}

{% macro get_catalog_for_single_relation(relation) -%}
  {{ return(adapter.dispatch('get_catalog_for_single_relation', 'dbt')(relation)) }}
{%- endmacro %}

{% macro default__get_catalog_for_single_relation(relation) -%}
  {{- not_implemented('get_catalog_for_single_relation') -}}
{%- endmacro %}

{% macro get_relations() -%}
  {{ return(adapter.dispatch('get_relations', 'dbt')()) }}
{%- endmacro %}

{% macro default__get_relations() -%}
  {{- not_implemented('get_relations') -}}
{%- endmacro %}

{% macro get_show_indexes_sql(relation) -%}
  {{- adapter.dispatch('get_show_indexes_sql', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__get_show_indexes_sql(relation) -%}
  {{- not_implemented('get_show_indexes_sql') -}}
{%- endmacro %}

{% macro get_drop_index_sql(relation, index_name) -%}
  {{- adapter.dispatch('get_drop_index_sql', 'dbt')(relation, index_name) -}}
{%- endmacro %}

{% macro default__get_drop_index_sql(relation, index_name) -%}
  {{- not_implemented('get_drop_index_sql') -}}
{%- endmacro %}

{% macro get_rename_materialized_view_sql(relation, new_name) -%}
  {{- adapter.dispatch('get_rename_materialized_view_sql', 'dbt')(relation, new_name) -}}
{%- endmacro %}

{% macro default__get_rename_materialized_view_sql(relation, new_name) -%}
  {{- not_implemented('get_rename_materialized_view_sql') -}}
{%- endmacro %}

{% macro get_create_materialized_view_as_sql(relation, sql) -%}
  {{- adapter.dispatch('get_create_materialized_view_as_sql', 'dbt')(relation, sql) -}}
{%- endmacro %}

{% macro default__get_create_materialized_view_as_sql(relation, sql) -%}
  {{- not_implemented('get_create_materialized_view_as_sql') -}}
{%- endmacro %}

{% macro get_alter_materialized_view_as_sql(
  relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation
) -%}
  {{- adapter.dispatch('get_alter_materialized_view_as_sql', 'dbt')(
    relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation
  ) -}}
{%- endmacro %}

{% macro default__get_alter_materialized_view_as_sql(
  relation, configuration_changes, sql, existing_relation, backup_relation, intermediate_relation
) -%}
  {{- not_implemented('get_alter_materialized_view_as_sql') -}}
{%- endmacro %}

{% macro get_materialized_view_configuration_changes(existing_relation, new_config) -%}
  {{ return(
    adapter.dispatch('get_materialized_view_configuration_changes', 'dbt')(existing_relation, new_config)
  ) }}
{%- endmacro %}

{% macro default__get_materialized_view_configuration_changes(existing_relation, new_config) -%}
  {{- not_implemented('get_materialized_view_configuration_changes') -}}
{%- endmacro %}

{% macro refresh_materialized_view(relation) -%}
  {{- adapter.dispatch('refresh_materialized_view', 'dbt')(relation) -}}
{%- endmacro %}

{% macro default__refresh_materialized_view(relation) -%}
  {{- not_implemented('refresh_materialized_view') -}}
{%- endmacro %}
