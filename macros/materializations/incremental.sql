{#- The first run, a full refresh and a view in the table's place make the table anew; every other run brings the
    rows of the query into it by the strategy. -#}
{% materialization incremental, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set temp_relation = make_temp_relation(target_relation) -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set rebuild = existing_relation is not none and (should_full_refresh() or not existing_relation.is_table) -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}
  {%- set grant_config = config.get('grants') -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}

  {%- if existing_relation is none -%}
    {%- set build_sql = get_create_table_as_sql(false, target_relation, sql) -%}
  {%- elif rebuild -%}
    {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
    {%- set build_sql = get_create_table_as_sql(false, intermediate_relation, sql) -%}
  {%- else -%}
    {%- set build_sql = incremental_build_sql(existing_relation, target_relation, temp_relation, on_schema_change) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ build_sql }}
  {%- endcall -%}

  {%- if rebuild -%}
    {%- do adapter.drop_relation(existing_relation) -%}
    {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
  {%- elif existing_relation is not none -%}
    {%- do adapter.drop_relation(temp_relation) -%}
  {%- endif -%}
  {%- if existing_relation is none or rebuild -%}
    {%- do create_indexes(target_relation) -%}
  {%- endif -%}

  {%- do apply_grants(target_relation, grant_config, should_revoke=should_revoke(existing_relation, rebuild)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Puts the query's rows into the temporary relation, brings the table's columns in line, and gives the SQL of the
    strategy. -#}
{% macro incremental_build_sql(existing_relation, target_relation, temp_relation, on_schema_change) %}
  {%- set strategy = config.get('incremental_strategy') or 'default' -%}
  {%- set strategy_macro = adapter.get_incremental_strategy_macro(context, strategy) -%}
  {%- set contract = config.get('contract') -%}
  {%- do run_query(get_create_table_as_sql(true, temp_relation, sql)) -%}
  {%- if not (contract and contract.enforced) -%}
    {%- do adapter.expand_target_column_types(from_relation=temp_relation, to_relation=target_relation) -%}
  {%- endif -%}
  {%- set dest_columns = process_schema_changes(on_schema_change, temp_relation, existing_relation)
    or adapter.get_columns_in_relation(existing_relation) -%}
  {{ return(strategy_macro({
    'target_relation': target_relation,
    'temp_relation': temp_relation,
    'unique_key': config.get('unique_key'),
    'dest_columns': dest_columns,
    'incremental_predicates': config.get('predicates', none) or config.get('incremental_predicates', none)
  })) }}
{% endmacro %}
