{#- How a node becomes a relation: in its own words where one statement puts the new in the old one's place. -#}

{% materialization view, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks) }}
  {%- set new_relation = snowflake_relation_to_make(existing_relation, target_relation) -%}
  {%- call statement('main') -%}
    {{ get_create_view_as_sql(new_relation, sql) }}
  {%- endcall -%}
  {%- do snowflake_publish(existing_relation, new_relation, target_relation) -%}
  {%- set replaces_view = existing_relation is not none and existing_relation.is_view -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(replaces_view, true)) -%}
  {{ run_hooks(post_hooks) }}
  {%- do persist_docs(target_relation, model, for_columns=false) -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% materialization table, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = snowflake_target_table() -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks) }}
  {%- set new_relation = snowflake_relation_to_make(existing_relation, target_relation) -%}
  {%- call statement('main', language=model['language']) -%}
    {{ create_table_as(false, new_relation, compiled_code, model['language']) }}
  {%- endcall -%}
  {%- do snowflake_publish(existing_relation, new_relation, target_relation) -%}
  {{ run_hooks(post_hooks) }}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, true)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- The table that a model is to be, in the format that its config asks for. -#}
{% macro snowflake_target_table() %}
  {{ return(this.incorporate(type='table', table_format=adapter.build_catalog_relation(model).table_format)) }}
{% endmacro %}

{% materialization incremental, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = snowflake_target_table() -%}
  {%- set full_refresh = should_full_refresh() -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}
  {%- set strategy = config.get('incremental_strategy') or 'default' -%}
  {%- set temp_type = dbt_snowflake_get_tmp_relation_type(strategy, config.get('unique_key'), model['language']) -%}
  {%- set temp_relation = make_temp_relation(this).incorporate(type=temp_type) -%}
  {%- set rebuild = existing_relation is none or full_refresh or not existing_relation.is_table -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks) }}

  {%- if rebuild -%}
    {%- set new_relation = snowflake_relation_to_make(existing_relation, target_relation) -%}
    {%- call statement('main', language=model['language']) -%}
      {{ create_table_as(false, new_relation, compiled_code, model['language']) }}
    {%- endcall -%}
    {%- do snowflake_publish(existing_relation, new_relation, target_relation) -%}
  {%- elif target_relation.is_iceberg_format != existing_relation.is_iceberg_format -%}
    {%- do exceptions.raise_compiler_error(
      target_relation ~ ' is of another table format than `table_format` says, and Snowflake cannot change that: run with '
      ~ '--full-refresh'
    ) -%}
  {%- else -%}
    {%- set build_sql = snowflake_incremental_build_sql(
      existing_relation, target_relation, temp_relation, strategy, on_schema_change
    ) -%}
    {%- call statement('main') -%}
      {{ build_sql }}
    {%- endcall -%}
    {%- do adapter.drop_relation(temp_relation) -%}
  {%- endif -%}

  {{ run_hooks(post_hooks) }}
  {%- set replaced = existing_relation is not none and existing_relation.is_table -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(replaced, full_refresh)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Puts the query into the temporary relation, brings the table's columns in line, and gives the SQL of the strategy.
    Each relation is described once, unless columns were added. -#}
{% macro snowflake_incremental_build_sql(existing_relation, target_relation, temp_relation, strategy, on_schema_change) %}
  {%- set strategy_macro = adapter.get_incremental_strategy_macro(context, strategy) -%}
  {%- call statement('create_tmp_relation') -%}
    {%- if temp_relation.is_view -%}
      {{ snowflake__create_view_as_with_temp_flag(temp_relation, compiled_code, true) }}
    {%- else -%}
      {{ create_table_as(true, temp_relation, compiled_code) }}
    {%- endif -%}
  {%- endcall -%}
  {%- set temp_columns = adapter.get_columns_in_relation(temp_relation) -%}
  {%- set target_columns = adapter.get_columns_in_relation(existing_relation) -%}
  {%- do snowflake_expand_columns(target_relation, target_columns, temp_columns) -%}
  {%- set dest_columns = process_schema_changes(on_schema_change, temp_relation, existing_relation) or target_columns -%}
  {{ return(strategy_macro({
    'target_relation': target_relation,
    'temp_relation': temp_relation,
    'unique_key': config.get('unique_key'),
    'dest_columns': dest_columns,
    'incremental_predicates': config.get('predicates', none) or config.get('incremental_predicates', none)
  })) }}
{% endmacro %}

{#- Texts of the table take the length that the query needs. -#}
{% macro snowflake_expand_columns(target_relation, target_columns, temp_columns) %}
  {%- for column in target_columns -%}
    {%- for other in temp_columns if other.name == column.name and column.can_expand_to(other) -%}
      {%- do alter_column_type(target_relation, column.name, api.Column.string_type(other.string_size())) -%}
    {%- endfor -%}
  {%- endfor -%}
{% endmacro %}

{% materialization seed, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set made = materialization_seed_default() -%}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return(made) }}
{% endmaterialization %}

{% materialization snapshot, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set made = materialization_snapshot_default() -%}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return(made) }}
{% endmaterialization %}

{% materialization test, adapter='snowflake' %}
  {%- set original_query_tag = set_query_tag() -%}
  {%- set made = materialization_test_default() -%}
  {%- do unset_query_tag(original_query_tag) -%}
  {{ return(made) }}
{% endmaterialization %}
