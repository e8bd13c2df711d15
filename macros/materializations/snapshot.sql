{#- dbt's snapshots, with dbt's columns, so that a table which dbt has made continues. What strata does more carefully
    stands in docs/differences.md; the config `dbt_compatible: true` gives dbt's own behaviour. -#}
{% materialization snapshot, default %}
  {%- set unique_key = config.get('unique_key') -%}
  {%- set grant_config = config.get('grants') -%}
  {%- if not unique_key -%}
    {%- do exceptions.raise_compiler_error('a snapshot needs `unique_key`') -%}
  {%- elif not config.get('strategy') -%}
    {%- do exceptions.raise_compiler_error('a snapshot needs a `strategy`: timestamp or check') -%}
  {%- endif -%}
  {%- set target_exists, target_relation = get_or_create_relation(
    database=model.database, schema=model.schema, identifier=model.get('alias', model.get('name')), type='table'
  ) -%}
  {%- if not target_relation.is_table -%}
    {%- do exceptions.relation_wrong_type(target_relation, 'table') -%}
  {%- endif -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}

  {#- The query is asked once, so that all that follows sees the same rows. -#}
  {%- set source_relation = make_temp_relation(target_relation.incorporate(type='table'), suffix='__dbt_source') -%}
  {%- do run_query(create_table_as(true, source_relation, sql)) -%}
  {%- if not snapshot_is_dbt_compatible() -%}
    {%- do assert_unique_keys(source_relation, unique_key, 'the snapshot `' ~ model.name ~ '`') -%}
  {%- endif -%}
  {%- set source_sql = 'select * from ' ~ source_relation -%}
  {%- set strategy_macro = strategy_dispatch(config.get('strategy')) -%}
  {%- set strategy = strategy_macro(model, 'snapshotted_data', 'source_data', model['config'], target_exists) -%}

  {%- if target_exists -%}
    {%- do snapshot_continue(strategy, source_sql, source_relation, target_relation) -%}
  {%- else -%}
    {%- call statement('main') -%}
      {{ create_table_as(false, target_relation, build_snapshot_table(strategy, source_sql)) }}
    {%- endcall -%}
    {%- do create_indexes(target_relation) -%}
  {%- endif -%}
  {%- do adapter.drop_relation(source_relation) -%}

  {%- do apply_grants(target_relation, grant_config, should_revoke=should_revoke(target_exists, full_refresh_mode=false)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Every run but the first. -#}
{% macro snapshot_continue(strategy, source_sql, source_relation, target_relation) %}
  {%- do adapter.assert_valid_snapshot_target_given_strategy(target_relation, snapshot_columns(), strategy) -%}
  {%- set staging_relation = build_snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {%- do adapter.expand_target_column_types(from_relation=staging_relation, to_relation=target_relation) -%}
  {%- set internal = ['dbt_change_type'] + snapshot_key_columns(strategy.unique_key) -%}
  {%- set internal = internal + internal | map('upper') | list -%}
  {%- set new_columns = adapter.get_missing_columns(staging_relation, target_relation)
    | rejectattr('name', 'in', internal) | list -%}
  {%- do create_columns(target_relation, new_columns) -%}
  {%- set insert_columns = [] -%}
  {%- for column in adapter.get_columns_in_relation(staging_relation) if column.name not in internal -%}
    {%- do insert_columns.append(adapter.quote(column.name)) -%}
  {%- endfor -%}
  {%- call statement('main') -%}
    {{ snapshot_merge_sql(target=target_relation, source=staging_relation, insert_cols=insert_columns) }}
  {%- endcall -%}
  {%- if new_columns and not snapshot_is_dbt_compatible() -%}
    {%- do snapshot_fill_new_columns(target_relation, source_relation, strategy.unique_key, new_columns) -%}
  {%- endif -%}
  {%- do post_snapshot(staging_relation) -%}
{% endmacro %}
