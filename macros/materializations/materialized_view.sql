{#- A view whose rows the warehouse keeps: created, replaced, altered or refreshed. What these mean is up to the
    warehouse's macros; DuckDB has none. -#}
{% materialization materialized_view, default %}
  {%- set target_relation = this.incorporate(type=this.MaterializedView) -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set backup_relation = make_backup_relation(
    target_relation, target_relation.type if existing_relation is none else existing_relation.type
  ) -%}
  {{ materialized_view_setup(backup_relation, intermediate_relation, pre_hooks) }}
  {%- set build_sql = materialized_view_get_build_sql(
    existing_relation, target_relation, backup_relation, intermediate_relation
  ) -%}
  {%- if build_sql == '' -%}
    {{ materialized_view_execute_no_op(target_relation) }}
  {%- else -%}
    {{ materialized_view_execute_build_sql(build_sql, existing_relation, target_relation, post_hooks) }}
  {%- endif -%}
  {{ materialized_view_teardown(backup_relation, intermediate_relation, post_hooks) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro materialized_view_setup(backup_relation, intermediate_relation, pre_hooks) -%}
  {%- do drop_relation_if_exists(load_cached_relation(backup_relation)) -%}
  {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
{%- endmacro %}

{% macro materialized_view_teardown(backup_relation, intermediate_relation, post_hooks) -%}
  {%- do drop_relation_if_exists(backup_relation) -%}
  {%- do drop_relation_if_exists(intermediate_relation) -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
{%- endmacro %}

{#- The SQL that brings the view up to date; an empty text if nothing is to be done. -#}
{% macro materialized_view_get_build_sql(
  existing_relation, target_relation, backup_relation, intermediate_relation
) -%}
  {%- if existing_relation is none -%}
    {%- do return(get_create_materialized_view_as_sql(target_relation, sql)) -%}
  {%- elif should_full_refresh() or not existing_relation.is_materialized_view -%}
    {%- do return(get_replace_sql(existing_relation, target_relation, sql)) -%}
  {%- endif -%}
  {%- set changes = get_materialized_view_configuration_changes(existing_relation, config) -%}
  {%- set on_configuration_change = config.get('on_configuration_change') -%}
  {%- if changes is none -%}
    {%- do return(refresh_materialized_view(target_relation)) -%}
  {%- elif on_configuration_change == 'apply' -%}
    {%- do return(get_alter_materialized_view_as_sql(
      target_relation, changes, sql, existing_relation, backup_relation, intermediate_relation
    )) -%}
  {%- endif -%}
  {%- set found = 'the configuration of ' ~ target_relation ~ ' has changed, and `on_configuration_change` is `'
    ~ on_configuration_change ~ '`' -%}
  {%- if on_configuration_change == 'continue' -%}
    {%- do exceptions.warn(found) -%}
    {%- do return('') -%}
  {%- endif -%}
  {%- do exceptions.raise_fail_fast_error(found) -%}
{%- endmacro %}

{% macro materialized_view_execute_no_op(target_relation) -%}
  {%- do store_raw_result(name='main', message='skip ' ~ target_relation, code='skip', rows_affected='-1') -%}
{%- endmacro %}

{% macro materialized_view_execute_build_sql(build_sql, existing_relation, target_relation, post_hooks) -%}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}
  {%- call statement('main') -%}
    {{ build_sql }}
  {%- endcall -%}
  {%- do apply_grants(
    target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)
  ) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do adapter.commit() -%}
{%- endmacro %}
