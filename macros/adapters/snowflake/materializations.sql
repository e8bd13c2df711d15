{#- Views and tables of Snowflake: one statement puts the new one in the old one's place. -#}

{% materialization view, adapter='snowflake' %}
  {{ return(snowflake_publish('view')) }}
{% endmaterialization %}

{% materialization table, adapter='snowflake' %}
  {{ return(snowflake_publish('table')) }}
{% endmaterialization %}

{% macro snowflake_publish(type) %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type=type) -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}
  {#- CREATE OR REPLACE does not replace a relation of another kind. -#}
  {%- if existing_relation is not none and existing_relation.type != type -%}
    {%- do adapter.drop_relation(existing_relation) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ get_create_sql(target_relation, compiled_code) }}
  {%- endcall -%}
  {%- do apply_grants(
    target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)
  ) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmacro %}
