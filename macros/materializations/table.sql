{#- The new table is made beside the old one, which it replaces in the same transaction: readers see the old one or
    the new one, whole. -#}
{% materialization table, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set grant_config = config.get('grants') -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}
  {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}

  {%- call statement('main', language=model['language']) -%}
    {{ create_table_as(false, intermediate_relation, compiled_code, model['language']) }}
  {%- endcall -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- do drop_relation_if_exists(existing_relation) -%}
  {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}

  {%- do create_indexes(target_relation) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do apply_grants(target_relation, grant_config, should_revoke=should_revoke(existing_relation, full_refresh_mode=true)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
