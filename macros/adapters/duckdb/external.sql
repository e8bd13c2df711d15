{#- Models that are files: written beside the database, read through a view. -#}

{% materialization external, adapter='duckdb' %}
  {%- set location = render(config.get('location', default=external_location(this, config))) -%}
  {%- set options = render_write_options(config) -%}
  {%- set format = external_format(config.get('format'), location) -%}
  {%- if config.get('plugin') is not none or config.get('glue_register') -%}
    {%- do exceptions.raise_not_implemented('plugins of dbt-duckdb (`plugin`, `glue_register`) are not supported') -%}
  {%- endif -%}
  {%- set write_options = adapter.external_write_options(location, options) -%}
  {%- set read_location = adapter.external_read_location(location, options) -%}

  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set rows_relation = make_intermediate_relation(this.incorporate(type='table'), suffix='__dbt_tmp') -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation, suffix='__dbt_int') -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}
  {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
  {%- do drop_relation_if_exists(load_cached_relation(rows_relation)) -%}

  {%- call statement('create_table', language=model['language']) -%}
    {{ create_table_as(false, rows_relation, compiled_code, model['language']) }}
  {%- endcall -%}
  {#- A file without rows would have no types: one row of NULLs is written, which the view leaves out. -#}
  {%- set columns = [] -%}
  {%- set is_empty = run_query('select 1 from ' ~ rows_relation ~ ' limit 1').rows | length == 0 -%}
  {%- if is_empty -%}
    {%- for column in get_columns_in_relation(rows_relation) -%}
      {%- do columns.append(adapter.quote(column.name)) -%}
    {%- endfor -%}
    {%- do run_query(
      'insert into ' ~ rows_relation ~ ' values (' ~ (['null'] * (columns | length)) | join(', ') ~ ')'
    ) -%}
  {%- endif -%}
  {%- do write_to_file(rows_relation, location, write_options) -%}
  {%- call statement('main') -%}
    create view {{ intermediate_relation }} as (
      select * from {{ external_reader(format, read_location, config) }}
      {%- if is_empty %}
      where {{ columns | join(' is not null and ') }} is not null
      {%- endif %}
    )
  {%- endcall -%}

  {%- set existing_relation = load_cached_relation(this) -%}
  {%- do drop_relation_if_exists(existing_relation) -%}
  {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
  {%- do drop_relation_if_exists(rows_relation) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do apply_grants(
    target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, full_refresh_mode=true)
  ) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- `csv`, `json` or `parquet`: as configured, else as the file's name says. -#}
{% macro external_format(configured, location) -%}
  {%- set known = ['csv', 'parquet', 'json'] -%}
  {%- if configured and configured not in known -%}
    {%- do exceptions.raise_compiler_error(
      'an external model is written as ' ~ known | join(', ') ~ ', not as `' ~ configured ~ '`'
    ) -%}
  {%- endif -%}
  {%- set ending = location.split('.')[-1] | lower -%}
  {{ return(configured or (ending if ending in known else 'parquet')) }}
{%- endmacro %}

{#- The table function that reads the files, with the options of the config. -#}
{% macro external_reader(format, location, config) -%}
  {%- set usual = {'parquet': {'union_by_name': false}, 'json': {'auto_detect': true}, 'csv': {'auto_detect': true}} -%}
  {%- set options = config.get(format ~ '_read_options', usual[format]) -%}
  read_{{ format }}({{ duckdb_literal(location) }}
  {%- for name, value in options.items() -%}
    , {{ name }}={{ duckdb_literal(value) if value is string else value }}
  {%- endfor -%}
  )
{%- endmacro %}

{% macro external_location(relation, config) -%}
  {%- set path = adapter.external_root() ~ '/' ~ relation.identifier -%}
  {%- if config.get('options', {}).get('partition_by') is none -%}
    {{- path }}.{{ config.get('format', 'parquet') -}}
  {%- else -%}
    {{- path -}}
  {%- endif -%}
{%- endmacro %}

{#- The options of `copy … to`, each rendered. -#}
{% macro render_write_options(config) -%}
  {%- set options = config.get('options', {}) -%}
  {%- if options is not mapping -%}
    {%- do exceptions.raise_compiler_error('`options` of an external model is a mapping') -%}
  {%- endif -%}
  {%- set rendered = {} -%}
  {%- for name, value in options.items() -%}
    {%- do rendered.update({name: render(value)}) -%}
  {%- endfor -%}
  {%- for name in ['format', 'delimiter'] if config.get(name) -%}
    {%- do rendered.update({name: render(config.get(name))}) -%}
  {%- endfor -%}
  {{ return(rendered) }}
{%- endmacro %}

{% macro location_exists(location) -%}
  {{ return(adapter.location_exists(location)) }}
{%- endmacro %}

{% macro write_to_file(relation, location, options) -%}
  {%- call statement('write_to_file') -%}
    copy {{ relation }} to {{ duckdb_literal(location) }} ({{ options }})
  {%- endcall -%}
{%- endmacro %}

{% macro store_relation(plugin, relation, location, format, config) -%}
  {%- do exceptions.raise_not_implemented('plugins of dbt-duckdb are not supported: `' ~ plugin ~ '`') -%}
{%- endmacro %}

{#- For databases that do not last: views on the files of external models that are not selected, but that selected
    nodes read. Meant for `on-run-start`. -#}
{% macro register_upstream_external_models() -%}
  {%- if execute -%}
    {%- set known = [] -%}
    {%- for unique_id in selected_resources if unique_id in graph.nodes -%}
      {%- for upstream_id in graph.nodes[unique_id].depends_on.nodes
          if upstream_id not in known and upstream_id not in selected_resources -%}
        {%- do known.append(upstream_id) -%}
        {%- set upstream = graph.nodes.get(upstream_id) -%}
        {%- if upstream and upstream.resource_type == 'model' and upstream.config.materialized == 'external' -%}
          {%- set relation = api.Relation.create(
            database=upstream.database, schema=upstream.schema, identifier=upstream.alias
          ) -%}
          {%- set location = render(upstream.config.get('location', external_location(relation, upstream.config))) -%}
          {%- set read_location = adapter.external_read_location(location, render_write_options(upstream.config)) -%}
          {%- do run_query('create schema if not exists ' ~ relation.without_identifier()) -%}
          {%- do run_query(
            'create or replace view ' ~ relation ~ ' as (select * from ' ~ duckdb_literal(read_location) ~ ')'
          ) -%}
        {%- endif -%}
      {%- endfor -%}
    {%- endfor -%}
  {%- endif -%}
{%- endmacro %}
