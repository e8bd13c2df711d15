{#- Seeds: CSV files of the project as tables. -#}

{% macro create_csv_table(model, agate_table) -%}
  {{ adapter.dispatch('create_csv_table', 'dbt')(model, agate_table) }}
{%- endmacro %}

{% macro default__create_csv_table(model, agate_table) %}
  {%- set create_table = csv_table_sql(this, model, agate_table) -%}
  {%- call statement('_') -%}
    {{ create_table }}
  {%- endcall -%}
  {{ return(create_table) }}
{% endmacro %}

{#- The definition of a seed's table. -#}
{% macro csv_table_sql(relation, model, agate_table) %}
  {%- set declared = model['config'].get('column_types') or {} -%}
  {%- set quote_columns = model['config'].get('quote_columns', none) -%}
  {%- set lines = [] -%}
  {%- for name in agate_table.column_names -%}
    {%- set type = declared.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
    {%- do lines.append(adapter.quote_seed_column(name | string, quote_columns) ~ ' ' ~ type) -%}
  {%- endfor -%}
  {{ return('create table ' ~ relation.render() ~ ' (' ~ lines | join(', ') ~ ')') }}
{% endmacro %}

{% macro reset_csv_table(model, full_refresh, old_relation, agate_table) -%}
  {{ adapter.dispatch('reset_csv_table', 'dbt')(model, full_refresh, old_relation, agate_table) }}
{%- endmacro %}

{% macro default__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {%- if full_refresh -%}
    {%- do adapter.drop_relation(old_relation) -%}
    {{ return(create_csv_table(model, agate_table)) }}
  {%- endif -%}
  {%- do adapter.truncate_relation(old_relation) -%}
  {{ return('truncate table ' ~ old_relation.render()) }}
{% endmacro %}

{% macro load_csv_rows(model, agate_table) -%}
  {{ adapter.dispatch('load_csv_rows', 'dbt')(model, agate_table) }}
{%- endmacro %}

{#- The warehouse reads the file itself; no row passes through a template. -#}
{% macro default__load_csv_rows(model, agate_table) %}
  {%- do adapter.load_seed(this) -%}
  {{ return('-- ' ~ (agate_table.rows | length) ~ ' rows of ' ~ model.original_file_path) }}
{% endmacro %}

{% macro get_csv_sql(create_or_truncate_sql, insert_sql) %}
  {{ adapter.dispatch('get_csv_sql', 'dbt')(create_or_truncate_sql, insert_sql) }}
{% endmacro %}

{% macro default__get_csv_sql(create_or_truncate_sql, insert_sql) %}
{{ create_or_truncate_sql }};
{{ insert_sql }}
{% endmacro %}

{% macro get_seed_column_quoted_csv(model, column_names) %}
  {%- set quote_columns = model['config'].get('quote_columns', none) -%}
  {%- set quoted = [] -%}
  {%- for name in column_names -%}
    {%- do quoted.append(adapter.quote_seed_column(name, quote_columns)) -%}
  {%- endfor -%}
  {{ return(quoted | join(', ')) }}
{% endmacro %}

{% macro get_binding_char() -%}
  {{ adapter.dispatch('get_binding_char', 'dbt')() }}
{%- endmacro %}

{% macro default__get_binding_char() %}
  {{ return('%s') }}
{% endmacro %}

{% macro get_batch_size() -%}
  {{ return(adapter.dispatch('get_batch_size', 'dbt')()) }}
{%- endmacro %}

{% macro default__get_batch_size() %}
  {{ return(10000) }}
{% endmacro %}
