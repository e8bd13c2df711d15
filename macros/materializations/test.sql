{% materialization test, default %}
  {%- set relations = [] -%}
  {%- set header = config.get('sql_header') if flags.REQUIRE_SQL_HEADER_IN_TEST_CONFIGS else none -%}
  {%- set limited_sql = get_limit_subquery_sql(sql, config.get('limit')) -%}
  {%- if should_store_failures() -%}
    {%- set kept_as = config.get('store_failures_as') or 'table' -%}
    {%- if kept_as not in ['table', 'view'] -%}
      {%- do exceptions.raise_compiler_error('`store_failures_as` is ephemeral, table or view, not ' ~ kept_as) -%}
    {%- endif -%}
    {%- set target_relation = this.incorporate(type=kept_as) -%}
    {%- do drop_relation_if_exists(load_cached_relation(this)) -%}
    {%- call statement(auto_begin=true) -%}
      {{ header if header }}
      {{ get_create_sql(target_relation, limited_sql) }}
    {%- endcall -%}
    {%- do relations.append(target_relation) -%}
    {%- set main_sql = 'select * from ' ~ target_relation -%}
    {%- do adapter.commit() -%}
  {%- else -%}
    {%- set main_sql = limited_sql -%}
  {%- endif -%}

  {%- call statement('main', fetch_result=true) -%}
    {{ header if header }}
    {{ get_test_sql(main_sql, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) }}
  {%- endcall -%}
  {{ return({'relations': relations}) }}
{% endmaterialization %}
