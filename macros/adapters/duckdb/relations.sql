{#- Relations on DuckDB. Everything about a node is one transaction, so nothing is ever seen half made. -#}

{% macro duckdb__create_schema(relation) -%}
  {%- call statement('create_schema') -%}
    create schema if not exists {{ relation.without_identifier() }}
  {%- endcall -%}
{%- endmacro %}

{% macro duckdb__drop_schema(relation) -%}
  {%- call statement('drop_schema') -%}
    drop schema if exists {{ relation.without_identifier() }} cascade
  {%- endcall -%}
{%- endmacro %}

{% macro duckdb__list_schemas(database) -%}
  {{ return(run_query(
    'select schema_name from duckdb_schemas()'
    ~ (' where lower(database_name) = ' ~ duckdb_literal(database | lower) if database else '')
    ~ ' order by schema_name'
  )) }}
{%- endmacro %}

{% macro duckdb__check_schema_exists(information_schema, schema) -%}
  {{ return(run_query(
    'select count(*) from duckdb_schemas() where lower(schema_name) = ' ~ duckdb_literal(schema | lower)
    ~ ' and lower(database_name) = ' ~ duckdb_literal(information_schema.database | lower)
  )) }}
{%- endmacro %}

{#- Columns as dbt wants them: database, name, schema, type. -#}
{% macro duckdb__list_relations_without_caching(schema_relation) %}
  {%- set place -%}
    lower(schema_name) = {{ duckdb_literal(schema_relation.schema | lower) }}
    {%- if schema_relation.database %} and lower(database_name) = {{ duckdb_literal(schema_relation.database | lower) }}
    {%- else %} and database_name = current_database()
    {%- endif -%}
  {%- endset -%}
  {%- call statement('list_relations_without_caching', fetch_result=true) -%}
    select database_name as "database", table_name as "name", schema_name as "schema", 'table' as "type"
    from duckdb_tables() where {{ place }}
    union all
    select database_name, view_name, schema_name, 'view'
    from duckdb_views() where {{ place }}
    order by 2
  {%- endcall -%}
  {{ return(load_result('list_relations_without_caching').table) }}
{% endmacro %}

{#- A relation without a schema is a temporary one. -#}
{% macro duckdb__get_columns_in_relation(relation) -%}
  {%- call statement('get_columns_in_relation', fetch_result=true) -%}
    select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale
    from duckdb_columns()
    where lower(table_name) = {{ duckdb_literal(relation.identifier | lower) }}
    {%- if relation.schema %}
    and lower(schema_name) = {{ duckdb_literal(relation.schema | lower) }}
    {%- endif %}
    {%- if relation.database %}
    and lower(database_name) = {{ duckdb_literal(relation.database | lower) }}
    {%- elif relation.schema %}
    and database_name = current_database()
    {%- else %}
    and database_name = 'temp'
    {%- endif %}
    order by column_index
  {%- endcall -%}
  {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}

{% macro duckdb__drop_relation(relation) -%}
  {%- call statement('drop_relation', auto_begin=false) -%}
    drop {{ relation.type or 'table' }} if exists {{ relation }} cascade
  {%- endcall -%}
{%- endmacro %}

{% macro duckdb__rename_relation(from_relation, to_relation) -%}
  {%- call statement('rename_relation') -%}
    alter {{ to_relation.type or 'table' }} {{ from_relation }}
    rename to {{ adapter.quote_as_configured(to_relation.identifier, 'identifier') }}
  {%- endcall -%}
{%- endmacro %}

{#- Temporary tables belong to the session and have no schema. -#}
{% macro duckdb__make_temp_relation(base_relation, suffix) %}
  {{ return(base_relation.incorporate(
    path={'identifier': base_relation.identifier ~ suffix, 'schema': none, 'database': none}
  )) }}
{% endmacro %}

{% macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {%- set enforced = contract and contract.enforced -%}
  {%- if enforced -%}
    {{ get_assert_columns_equivalent(compiled_code) }}
  {%- endif -%}
  {{ header if header is not none }}
  {%- if temporary %}
  create or replace temporary table {{ relation.include(database=false, schema=false) }} as (
{{ compiled_code }}
  );
  {%- elif enforced %}
  create table {{ relation }} {{ get_table_columns_and_constraints() }};
  insert into {{ relation }} {{ get_column_names() }} (
    {{ get_select_subquery(compiled_code) }}
  );
  {%- else %}
  create table {{ relation }} as (
{{ compiled_code }}
  );
  {%- endif -%}
{%- endmacro %}

{#- The names of the declared columns in parentheses. -#}
{% macro get_column_names() -%}
  ({{ default__get_column_names() }})
{%- endmacro %}

{% macro duckdb__create_view_as(relation, sql) -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set contract = config.get('contract') -%}
  {%- if contract and contract.enforced -%}
    {{ get_assert_columns_equivalent(sql) }}
  {%- endif -%}
  {{ header if header is not none }}
  create view {{ relation }} as (
{{ sql }}
  );
{%- endmacro %}

{#- An index is named after its table and columns, so that the same config gives the same name. -#}
{% macro duckdb__get_create_index_sql(relation, index_dict) -%}
  {%- set columns = unique_key_list(index_dict.get('columns')) -%}
  {%- if not columns -%}
    {%- do exceptions.raise_compiler_error('an entry of `indexes` needs `columns`: ' ~ tojson(index_dict)) -%}
  {%- endif -%}
  {%- set name = relation.identifier ~ '__' ~ columns | join('_') ~ '__index' -%}
  create {{ 'unique ' if index_dict.get('unique') }}index {{ adapter.quote(name) }}
  on {{ relation }} ({{ columns | join(', ') }});
{%- endmacro %}

{#- A table with indexes cannot be altered or renamed. -#}
{% macro drop_indexes_on_relation(relation) -%}
  {%- set indexes = run_query(
    'select schema_name, index_name from duckdb_indexes() where lower(table_name) = '
    ~ duckdb_literal(relation.identifier | lower)
    ~ ' and lower(schema_name) = ' ~ duckdb_literal(relation.schema | lower)
    ~ ' and lower(database_name) = ' ~ duckdb_literal(relation.database | lower)
  ) -%}
  {%- for row in indexes -%}
    {%- do run_query(
      'drop index ' ~ adapter.quote(relation.database) ~ '.' ~ adapter.quote(row[0]) ~ '.' ~ adapter.quote(row[1])
    ) -%}
  {%- endfor -%}
{%- endmacro %}

{% macro duckdb__get_catalog(information_schema, schemas) -%}
  {%- set names = [] -%}
  {%- for schema in schemas -%}
    {%- do names.append(duckdb_literal(schema | lower)) -%}
  {%- endfor -%}
  {%- call statement('catalog', fetch_result=true) -%}
    with relations as (
      select database_name, schema_name, table_name, 'BASE TABLE' as table_type, comment from duckdb_tables()
      union all
      select database_name, schema_name, view_name, 'VIEW', comment from duckdb_views()
    )

    select
      relations.database_name as table_database,
      relations.schema_name as table_schema,
      relations.table_name,
      relations.table_type,
      relations.comment as table_comment,
      columns.column_name,
      columns.column_index,
      columns.data_type as column_type,
      columns.comment as column_comment,
      cast(null as varchar) as table_owner
    from relations
    inner join duckdb_columns() as columns using (database_name, schema_name, table_name)
    where lower(relations.database_name) = {{ duckdb_literal(information_schema.database | lower) }}
    and lower(relations.schema_name) in ({{ names | join(', ') or "''" }})
    order by relations.schema_name, relations.table_name, columns.column_index
  {%- endcall -%}
  {{ return(load_result('catalog').table) }}
{%- endmacro %}

{% macro duckdb__alter_relation_comment(relation, comment) %}
  comment on {{ relation.type }} {{ relation }} is {{ comment_literal(comment) }};
{% endmacro %}

{% macro duckdb__apply_grants(relation, grant_config, should_revoke=true) %}
  {%- if grant_config -%}
    {%- do exceptions.warn('DuckDB has no users, so `grants` have no effect') -%}
  {%- endif -%}
{% endmacro %}

{#- A name as a text literal. -#}
{% macro duckdb_literal(text) -%}
  '{{ text | string | replace("'", "''") }}'
{%- endmacro %}
