{#- Seeds: their rows replace those of the table in one transaction, or of a table beside it that then takes its place. Where
    a project has macros of its own for a part of this, the usual order holds, in which they expect to be called. -#}

{#- Whether the rows are loaded, and the table made, by the macros below. -#}
{% macro snowflake_loads_seed(agate_table) %}
  {{ return(
    (agate_table.rows | length) > 0
    and load_csv_rows == dbt.load_csv_rows
    and adapter.dispatch('load_csv_rows', 'dbt') == dbt_snowflake.snowflake__load_csv_rows
  ) }}
{% endmacro %}

{% macro snowflake_makes_seed_table() %}
  {{ return(
    create_csv_table == dbt.create_csv_table
    and adapter.dispatch('create_csv_table', 'dbt') == dbt_snowflake.snowflake__create_csv_table
  ) }}
{% endmacro %}

{% macro snowflake__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {%- if not snowflake_loads_seed(agate_table) or full_refresh and not snowflake_makes_seed_table() -%}
    {{ return(default__reset_csv_table(model, full_refresh, old_relation, agate_table)) }}
  {%- endif -%}
  {%- do snowflake_drop_leftovers(this) -%}
  {%- if full_refresh -%}
    {{ return(snowflake_create_csv_table_as(snowflake_new_relation(this), model, agate_table)) }}
  {%- endif -%}
  {{ return('-- the rows of ' ~ old_relation.render() ~ ' are replaced') }}
{% endmacro %}

{% macro snowflake__create_csv_table(model, agate_table) %}
  {{ return(snowflake_create_csv_table_as(this, model, agate_table)) }}
{% endmacro %}

{% macro snowflake_create_csv_table_as(relation, model, agate_table) %}
  {%- set create_table = csv_table_sql(relation, model, agate_table) -%}
  {%- call statement('_') -%}
    {{ create_table }}
  {%- endcall -%}
  {{ return(create_table) }}
{% endmacro %}

{% macro snowflake__load_csv_rows(model, agate_table) %}
  {%- set old_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- if should_full_refresh() and old_relation is not none and snowflake_makes_seed_table() -%}
    {%- set new_relation = snowflake_new_relation(target_relation) -%}
    {%- do adapter.load_seed(new_relation) -%}
    {%- call statement('main') -%}
      {{ snowflake_take_place_sql(old_relation, new_relation, target_relation, with_rows=true) }}
    {%- endcall -%}
  {%- else -%}
    {%- do adapter.load_seed(this) -%}
  {%- endif -%}
  {{ return('-- ' ~ (agate_table.rows | length) ~ ' rows of ' ~ model.original_file_path) }}
{% endmacro %}
