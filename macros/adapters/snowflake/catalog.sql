{#- What catalog.json says: a row for each column of each table and view, asked of a database's information schema by
    schemas or, where they are few, by the relations themselves. The names of the columns are dbt's. -#}

{% macro snowflake__get_catalog(information_schema, schemas) -%}
  {{ return(run_query(snowflake_catalog_query(
    information_schema, snowflake__get_catalog_schemas_where_clause_sql(schemas)
  ))) }}
{%- endmacro %}

{% macro snowflake__get_catalog_relations(information_schema, relations) -%}
  {{ return(run_query(snowflake_catalog_query(
    information_schema, snowflake__get_catalog_relations_where_clause_sql(relations)
  ))) }}
{%- endmacro %}

{% macro snowflake_catalog_query(information_schema, condition) -%}
  with tables as (
    {{ snowflake__get_catalog_tables_sql(information_schema) }}
    {{ condition }}
  ),
  columns as (
    {{ snowflake__get_catalog_columns_sql(information_schema) }}
    {{ condition }}
  )
  {{ snowflake__get_catalog_results_sql() }}
{%- endmacro %}

{% macro snowflake__get_catalog_tables_sql(information_schema) -%}
  {%- set statistics = [
    ('clustering_key', 'Clustering Key', 'clustering_key', 'The key used to cluster this table',
      'clustering_key is not null'),
    ('row_count', 'Row Count', 'row_count', 'An approximate count of rows in this table', 'row_count is not null'),
    ('bytes', 'Approximate Size', 'bytes', 'Approximate size of the table as reported by Snowflake',
      'bytes is not null'),
    ('last_modified', 'Last Modified',
      "to_varchar(convert_timezone('UTC', last_altered), 'yyyy-mm-dd HH24:MI' || 'UTC')",
      'The timestamp for last update/change', "last_altered is not null and table_type = 'BASE TABLE'"),
  ] -%}
  select
    table_catalog as "table_database",
    table_schema as "table_schema",
    table_name as "table_name",
    case when is_dynamic = 'YES' and table_type = 'BASE TABLE' then 'DYNAMIC TABLE' else table_type end as "table_type",
    comment as "table_comment",
    table_owner as "table_owner"
    {%- for id, label, value, description, condition in statistics %},
    '{{ label }}' as "stats:{{ id }}:label",
    {{ value }} as "stats:{{ id }}:value",
    '{{ description }}' as "stats:{{ id }}:description",
    ({{ condition }}) as "stats:{{ id }}:include"
    {%- endfor %}
  from {{ information_schema }}.tables
{%- endmacro %}

{% macro snowflake__get_catalog_columns_sql(information_schema) -%}
  select
    table_catalog as "table_database",
    table_schema as "table_schema",
    table_name as "table_name",
    column_name as "column_name",
    ordinal_position as "column_index",
    data_type as "column_type",
    comment as "column_comment"
  from {{ information_schema }}.columns
{%- endmacro %}

{% macro snowflake__get_catalog_results_sql() -%}
  select *
  from tables
  join columns using ("table_database", "table_schema", "table_name")
  order by "column_index"
{%- endmacro %}

{#- Snowflake narrows its information schema down by `ilike` on a plain column; the comparison makes it exact. -#}
{% macro snowflake__catalog_equals(field, value) -%}
  {%- set text = value | replace("'", "''") -%}
  "{{ field }}" ilike '{{ text }}' and upper("{{ field }}") = upper('{{ text }}')
{%- endmacro %}

{% macro snowflake__get_catalog_schemas_where_clause_sql(schemas) -%}
  where (
    {%- for schema in schemas %}
    ({{ snowflake__catalog_equals('table_schema', schema) }}){{ ' or' if not loop.last }}
    {%- endfor %}
  )
{%- endmacro %}

{% macro snowflake__get_catalog_relations_where_clause_sql(relations) -%}
  where (
    {%- for relation in relations %}
      {%- if not relation.schema -%}
        {%- do exceptions.raise_compiler_error('`get_catalog_relations` needs relations with a schema, not ' ~ relation) -%}
      {%- endif %}
    ({{ snowflake__catalog_equals('table_schema', relation.schema) }}
      {%- if relation.identifier %} and {{ snowflake__catalog_equals('table_name', relation.identifier) }}{% endif -%}
    ){{ ' or' if not loop.last }}
    {%- endfor %}
  )
{%- endmacro %}
