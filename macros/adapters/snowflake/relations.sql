{#- What exists, and making, renaming and dropping it. -#}

{#- SHOW gives 10,000 objects at most, so a schema is read page by page, each after the last name of the one before. -#}
{% macro snowflake__list_relations_without_caching(schema_relation, max_iter=10000, max_results_per_iter=10000) %}
  {%- set schema = schema_relation if schema_relation is string else schema_relation.include(identifier=false) -%}
  {%- set size = adapter.config.flags.get('list_relations_per_page', max_results_per_iter) -%}
  {%- set pages = adapter.config.flags.get('list_relations_page_limit', max_iter) -%}
  {%- set state = namespace(found=none, last=none, complete=false) -%}
  {%- for page in range(pages) -%}
    {%- set rows = run_query(snowflake__show_objects_sql(schema, size, state.last)) -%}
    {%- set state.found = rows if state.found is none else state.found.merge([state.found, rows]) -%}
    {%- if rows | length < size -%}
      {%- set state.complete = true -%}
      {%- break -%}
    {%- endif -%}
    {%- set state.last = rows.columns['name'].values() | last -%}
  {%- endfor -%}
  {%- if not state.complete -%}
    {%- do exceptions.warn(
      'the schema ' ~ schema ~ ' has more than ' ~ (size * pages) ~ ' objects; only these were looked at. The flags '
      ~ '`list_relations_per_page` and `list_relations_page_limit` set how many there may be'
    ) -%}
  {%- endif -%}
  {{ return(state.found) }}
{% endmacro %}

{% macro snowflake__show_objects_sql(schema, max_results_per_iter=10000, watermark=none) -%}
  {%- do return(
    'show objects in ' ~ schema ~ ' limit ' ~ max_results_per_iter
    ~ (' from ' ~ snowflake_text(watermark) if watermark is not none else '')
  ) -%}
{%- endmacro %}

{% macro snowflake__list_schemas(database) -%}
  {%- set limit = 10000 -%}
  {%- set schemas = run_query('show terse schemas in database ' ~ database ~ ' limit ' ~ limit) -%}
  {%- if schemas | length >= limit -%}
    {%- do exceptions.raise_compiler_error(
      'the database ' ~ database ~ ' has ' ~ limit ~ ' schemas or more, which Snowflake does not list'
    ) -%}
  {%- endif -%}
  {{ return(schemas.select(['name'])) }}
{%- endmacro %}

{% macro snowflake__check_schema_exists(information_schema, schema) -%}
  {{ return(run_query(
    'select count(*) from ' ~ information_schema ~ '.schemata where upper(schema_name) = upper(' ~ snowflake_text(schema)
    ~ ') and upper(catalog_name) = upper(' ~ snowflake_text(information_schema.database) ~ ')'
  )) }}
{%- endmacro %}

{% macro snowflake__get_columns_in_relation(relation) -%}
  {%- set columns = [] -%}
  {%- for row in run_query('describe table ' ~ relation.render()) -%}
    {%- do columns.append(api.Column.from_description(row['name'], row['type'])) -%}
  {%- endfor -%}
  {{ return(columns) }}
{%- endmacro %}

{% macro snowflake__get_drop_sql(relation) -%}
  {%- if relation.is_dynamic_table -%}
    {{ snowflake__get_drop_dynamic_table_sql(relation) }}
  {%- else -%}
    {{ default__get_drop_sql(relation) }}
  {%- endif -%}
{%- endmacro %}

{#- The new name is written in full: without its schema it would be one in the session's own. -#}
{% macro snowflake__rename_relation(from_relation, to_relation) -%}
  {%- call statement('rename_relation') -%}
    alter table {{ from_relation }} rename to {{ to_relation }}
  {%- endcall -%}
{%- endmacro %}

{% macro snowflake__get_rename_table_sql(relation, new_name) -%}
  alter table {{ relation }} rename to {{ new_name }}
{%- endmacro %}

{% macro snowflake__get_rename_view_sql(relation, new_name) -%}
  alter view {{ relation }} rename to {{ new_name }}
{%- endmacro %}

{% macro snowflake__truncate_relation(relation) -%}
  {%- call statement('truncate_relation') -%}
    {{ snowflake_dml_explicit_transaction('truncate table ' ~ relation.render()) }}
  {%- endcall -%}
{%- endmacro %}

{% macro snowflake__alter_column_type(relation, column_name, new_column_type) -%}
  {%- call statement('alter_column_type') -%}
    alter {{ relation.get_ddl_prefix_for_alter() }} table {{ relation.render() }}
    alter {{ adapter.quote(column_name) }} set data type {{ new_column_type }}
  {%- endcall -%}
{%- endmacro %}

{% macro snowflake__alter_relation_add_remove_columns(relation, add_columns, remove_columns) -%}
  {%- set altered = 'alter ' ~ relation.get_ddl_prefix_for_alter() ~ ' ' ~ (relation.type | replace('_', ' ')) ~ ' '
    ~ relation.render() -%}
  {%- set added = [] -%}
  {%- for column in add_columns or [] -%}
    {%- do added.append(column.quoted ~ ' ' ~ snowflake__get_column_data_type_for_alter(relation, column)) -%}
  {%- endfor -%}
  {%- if added -%}
    {%- do run_query(altered ~ ' add column ' ~ added | join(', ')) -%}
  {%- endif -%}
  {%- if remove_columns -%}
    {%- do run_query(altered ~ ' drop column ' ~ remove_columns | map(attribute='quoted') | join(', ')) -%}
  {%- endif -%}
{%- endmacro %}

{#- Tables in Iceberg's format know no texts with a length. -#}
{% macro snowflake__get_column_data_type_for_alter(relation, column) -%}
  {%- if relation.is_iceberg_format and column.is_string() -%}
    {{ return('STRING') }}
  {%- endif -%}
  {{ return(column.data_type) }}
{%- endmacro %}

{#- When each table last changed, as Snowflake itself knows it. -#}
{% macro snowflake__get_relation_last_modified(information_schema, relations) -%}
  {%- set wanted = [] -%}
  {%- for relation in relations -%}
    {%- do wanted.append(
      '(upper(table_schema) = upper(' ~ snowflake_text(relation.schema) ~ ') and upper(table_name) = upper('
      ~ snowflake_text(relation.identifier) ~ '))'
    ) -%}
  {%- endfor -%}
  {%- call statement('last_modified', fetch_result=true) -%}
    select table_schema as schema, table_name as identifier, last_altered as last_modified,
      {{ current_timestamp() }} as snapshotted_at
    from {{ information_schema }}.tables
    where ({{ wanted | join(' or ') }})
  {%- endcall -%}
  {{ return(load_result('last_modified')) }}
{%- endmacro %}
