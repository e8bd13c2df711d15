{#- Relations on Snowflake. DDL commits by itself, so tables and views are published by CREATE OR REPLACE. -#}

{% macro snowflake__list_relations_without_caching(schema_relation) %}
  {%- set place = schema_relation.without_identifier() -%}
  {%- call statement('list_relations_without_caching', fetch_result=true) -%}
    select table_catalog as "database", table_name as "name", table_schema as "schema",
      case table_type when 'VIEW' then 'view' when 'MATERIALIZED VIEW' then 'materialized_view'
        when 'EXTERNAL TABLE' then 'external' else iff(is_dynamic = 'YES', 'dynamic_table', 'table') end as "type"
    from {{ schema_relation.database }}.information_schema.tables
    where table_schema ilike '{{ schema_relation.schema }}'
    order by table_name
  {%- endcall -%}
  {{ return(load_result('list_relations_without_caching').table) }}
{% endmacro %}

{% macro snowflake__list_schemas(database) -%}
  {{ return(run_query('show terse schemas in database ' ~ database ~ ' limit 10000')) }}
{%- endmacro %}

{% macro snowflake__check_schema_exists(information_schema, schema) -%}
  {{ return(run_query(
    'select count(*) from ' ~ information_schema.database ~ ".information_schema.schemata where schema_name ilike '"
    ~ schema ~ "'"
  )) }}
{%- endmacro %}

{% macro snowflake__get_columns_in_relation(relation) -%}
  {%- set columns = [] -%}
  {%- for row in run_query('describe table ' ~ relation.render()) -%}
    {%- do columns.append(api.Column.from_description(row['name'], row['type'])) -%}
  {%- endfor -%}
  {{ return(columns) }}
{%- endmacro %}

{% macro snowflake__drop_relation(relation) -%}
  {%- call statement('drop_relation', auto_begin=false) -%}
    drop {{ relation.type | replace('_', ' ') if relation.type else 'table' }} if exists {{ relation }} cascade
  {%- endcall -%}
{%- endmacro %}

{% macro snowflake__rename_relation(from_relation, to_relation) -%}
  {%- call statement('rename_relation') -%}
    alter {{ from_relation.type or 'table' }} {{ from_relation }} rename to {{ to_relation }}
  {%- endcall -%}
{%- endmacro %}

{% macro snowflake__alter_column_type(relation, column_name, new_column_type) -%}
  {%- call statement('alter_column_type') -%}
    alter table {{ relation.render() }} alter {{ adapter.quote(column_name) }} set data type {{ new_column_type }}
  {%- endcall -%}
{%- endmacro %}

{#- Tables are transient unless `transient: false` says that their past must be kept. -#}
{% macro snowflake__create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- set cluster_by = unique_key_list(config.get('cluster_by')) -%}
  {%- set kind = 'temporary ' if temporary else ('transient ' if config.get('transient', true) else '') -%}
  {{ header if header is not none }}
  {%- if enforced and not temporary %}
  {{ get_assert_columns_equivalent(compiled_code) }}
  create or replace {{ kind }}table {{ relation }} {{ get_table_columns_and_constraints() }}
  {%- else %}
  create or replace {{ kind }}table {{ relation }}
  {%- endif %}
  {{ 'cluster by (' ~ cluster_by | join(', ') ~ ')' if cluster_by and not temporary }}
  {{ 'copy grants' if config.get('copy_grants', false) and not temporary }}
  as (
{{ get_select_subquery(compiled_code) if enforced and not temporary else compiled_code }}
  );
{%- endmacro %}

{% macro snowflake__create_view_as(relation, sql) -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {{ header if header is not none }}
  {%- if contract and contract.enforced %}
  {{ get_assert_columns_equivalent(sql) }}
  {%- endif %}
  create or replace {{ 'secure ' if config.get('secure', false) }}view {{ relation }}
  {{ 'copy grants' if config.get('copy_grants', false) }}
  as (
{{ sql }}
  );
{%- endmacro %}

{% macro snowflake__copy_grants() %}
  {{ return(config.get('copy_grants', false)) }}
{% endmacro %}

{% macro snowflake__alter_relation_comment(relation, relation_comment) -%}
  comment on {{ relation.type | replace('_', ' ') }} {{ relation }} is {{ snowflake_text(relation_comment) }}
{%- endmacro %}

{% macro snowflake__alter_column_comment(relation, column_dict) -%}
  {%- set existing = {} -%}
  {%- for column in adapter.get_columns_in_relation(relation) -%}
    {%- do existing.update({column.name | lower: column.name}) -%}
  {%- endfor -%}
  {%- set comments = [] -%}
  {%- for name, column in column_dict.items() if name | lower in existing -%}
    {%- do comments.append(adapter.quote(existing[name | lower]) ~ ' comment ' ~ snowflake_text(column['description'])) -%}
  {%- endfor -%}
  {%- if comments -%}
  alter {{ 'table' if relation.is_table else relation.type }} {{ relation }} alter {{ comments | join(', ') }}
  {%- endif -%}
{%- endmacro %}

{#- A text literal: Snowflake reads backslashes as escapes. -#}
{% macro snowflake_text(text) -%}
  '{{ (text or '') | string | replace('\\', '\\\\') | replace("'", "''") }}'
{%- endmacro %}
