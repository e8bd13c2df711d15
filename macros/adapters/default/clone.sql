{#- Clones: tables that share their rows with the ones that they were made from, until either changes. -#}

{% macro can_clone_table() %}
  {{ return(adapter.dispatch('can_clone_table', 'dbt')()) }}
{% endmacro %}

{% macro default__can_clone_table() %}
  {{ return(false) }}
{% endmacro %}

{% macro create_or_replace_clone(this_relation, defer_relation) %}
  {{ return(adapter.dispatch('create_or_replace_clone', 'dbt')(this_relation, defer_relation)) }}
{% endmacro %}

{% macro default__create_or_replace_clone(this_relation, defer_relation) %}
  create or replace table {{ this_relation.render() }} clone {{ defer_relation.render() }}
{% endmacro %}

{#- Makes a clone and puts it into the place of what is there. -#}
{% macro publish_clone(existing_relation, target_relation, defer_relation) %}
  {{ return(adapter.dispatch('publish_clone', 'dbt')(existing_relation, target_relation, defer_relation)) }}
{% endmacro %}

{% macro default__publish_clone(existing_relation, target_relation, defer_relation) %}
  {%- if existing_relation is not none and not existing_relation.is_table -%}
    {%- do adapter.drop_relation(existing_relation) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ create_or_replace_clone(target_relation, defer_relation) }}
  {%- endcall -%}
{% endmacro %}
