{#- The incremental strategies of Snowflake. -#}

{% macro snowflake__get_incremental_default_sql(arg_dict) %}
  {%- do return(get_incremental_merge_sql(arg_dict)) -%}
{% endmacro %}

{#- A merge without a key can only insert. -#}
{% macro snowflake__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- if unique_key -%}
    {{ return(default__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates)) }}
  {%- endif -%}
  {{ return(get_insert_into_sql(target, source, dest_columns)) }}
{%- endmacro %}

{#- The whole table is replaced by the query's rows in one statement. -#}
{% macro snowflake__get_incremental_insert_overwrite_sql(arg_dict) -%}
  {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
  insert overwrite into {{ arg_dict['target_relation'] }} ({{ columns }})
  select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}
