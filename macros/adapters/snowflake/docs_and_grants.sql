{#- Descriptions as comments, and grants. -#}

{#- A text between dollar signs; what would end it is broken up. -#}
{% macro snowflake_dollar_text(text) -%}
  $${{ (text or '') | string | replace('$', '[$]') }}$$
{%- endmacro %}

{#- A text literal: Snowflake reads backslashes as escapes. -#}
{% macro snowflake_text(text) -%}
  '{{ (text or '') | string | replace('\\', '\\\\') | replace("'", "''") }}'
{%- endmacro %}

{% macro snowflake__alter_relation_comment(relation, relation_comment) -%}
  {%- if relation.is_iceberg_format -%}
  alter iceberg table {{ relation.render() }} set comment = {{ snowflake_dollar_text(relation_comment) }};
  {%- else -%}
  comment on {{ relation.type | replace('_', ' ') }} {{ relation.render() }} is {{ snowflake_dollar_text(relation_comment) }};
  {%- endif -%}
{%- endmacro %}

{#- Every column gets its comment, or none: what a column was said to be does not outlive its description. -#}
{% macro snowflake__alter_column_comment(relation, column_dict) -%}
  {%- set comments = [] -%}
  {%- for column in adapter.get_columns_in_relation(relation) -%}
    {%- do comments.append(get_column_comment_sql(column.name, column_dict)) -%}
  {%- endfor -%}
  alter {{ relation.get_ddl_prefix_for_alter() }} {{ 'table' if relation.is_dynamic_table else relation.type }}
    {{ relation.render() }} alter {{ comments | join(', ') }};
{%- endmacro %}

{% macro get_column_comment_sql(column_name, column_dict) -%}
  {%- set names = [column_name | upper, column_name | lower, column_name] -%}
  {%- set known = names | select('in', column_dict) | list -%}
  {{ adapter.quote(column_name) }} comment {{ snowflake_dollar_text(column_dict[known[0]]['description'] if known else '') }}
{%- endmacro %}

{#- The columns of a view with their comments: they can be given only when it is made. -#}
{% macro get_persist_docs_column_list(model_columns, query_columns) -%}
  {%- set comments = [] -%}
  {%- for name in query_columns -%}
    {%- do comments.append(get_column_comment_sql(name, model_columns)) -%}
  {%- endfor -%}
  ({{ comments | join(', ') }})
{%- endmacro %}

{% macro snowflake__copy_grants() %}
  {{ return(config.get('copy_grants', false)) }}
{% endmacro %}

{% macro snowflake__support_multiple_grantees_per_dcl_statement() -%}
  {{ return(false) }}
{%- endmacro %}
