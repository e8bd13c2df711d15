{#- What a model asks of its session: a tag for its queries, and a warehouse. -#}

{#- The tag of the model is set; the one that stood is given, for unset_query_tag(). Projects override these two. -#}
{% macro set_query_tag() -%}
  {{ return(adapter.dispatch('set_query_tag', 'dbt')()) }}
{%- endmacro %}

{% macro default__set_query_tag() -%}
  {{ return(none) }}
{%- endmacro %}

{% macro snowflake__set_query_tag() -%}
  {%- set tag = config.get('query_tag') -%}
  {%- if not tag -%}
    {{ return(none) }}
  {%- endif -%}
  {%- set original = get_current_query_tag() -%}
  {%- do run_query('alter session set query_tag = ' ~ snowflake_text(tag)) -%}
  {{ return(original) }}
{%- endmacro %}

{% macro unset_query_tag(original_query_tag) -%}
  {{ return(adapter.dispatch('unset_query_tag', 'dbt')(original_query_tag)) }}
{%- endmacro %}

{% macro default__unset_query_tag(original_query_tag) -%}
  {{ return(none) }}
{%- endmacro %}

{% macro snowflake__unset_query_tag(original_query_tag) -%}
  {%- if config.get('query_tag') and original_query_tag -%}
    {%- do run_query('alter session set query_tag = ' ~ snowflake_text(original_query_tag)) -%}
  {%- elif config.get('query_tag') -%}
    {%- do run_query('alter session unset query_tag') -%}
  {%- endif -%}
{%- endmacro %}

{% macro get_current_query_tag() -%}
  {{ return(run_query("show parameters like 'query_tag' in session").rows[0]['value']) }}
{%- endmacro %}

{#- Before a node runs: it gets the warehouse of its config. Gives what end_node_session() needs. -#}
{% macro snowflake__begin_node_session() -%}
  {%- set warehouse = config.get('snowflake_warehouse') -%}
  {%- if not warehouse or warehouse | upper == (target.warehouse or '') | upper -%}
    {{ return(none) }}
  {%- endif -%}
  {%- set original = run_query('select current_warehouse() as warehouse').rows[0][0] -%}
  {%- do run_query('use warehouse ' ~ warehouse) -%}
  {{ return(original) }}
{%- endmacro %}

{#- After it, however it ended: the next node of this session finds what it expects. -#}
{% macro snowflake__end_node_session(original, failed) -%}
  {%- if original -%}
    {%- do run_query('use warehouse ' ~ original) -%}
  {%- endif -%}
  {%- if failed -%}
    {%- do unset_query_tag(target.query_tag) -%}
  {%- endif -%}
{%- endmacro %}

{#- What has to change so that warehouses are as the project wants them: a list of statements, each with the one that puts
    back what was there, as JSON. What is so already is left alone. -#}
{% macro snowflake__warehouse_changes(warehouses) -%}
  {%- set changes = [] -%}
  {%- for wanted in warehouses -%}
    {%- set rows = run_query('show warehouses like ' ~ snowflake_text(wanted.name)).rows -%}
    {%- if rows | length == 0 -%}
      {%- do exceptions.raise_compiler_error(
        'the warehouse `' ~ wanted.name ~ '` of `warehouses:` does not exist, or the role may not see it'
      ) -%}
    {%- endif -%}
    {%- set found = rows[0] -%}
    {%- set before, after = [], [] -%}
    {%- for key, option, column in [
      ('size', 'warehouse_size', 'size'), ('min_clusters', 'min_cluster_count', 'min_cluster_count'),
      ('max_clusters', 'max_cluster_count', 'max_cluster_count'), ('auto_suspend', 'auto_suspend', 'auto_suspend')
    ] if wanted[key] is not none and wanted[key] | string != found[column] | string | lower -%}
      {%- do after.append(option ~ ' = ' ~ snowflake_warehouse_value(wanted[key])) -%}
      {%- do before.append(option ~ ' = ' ~ snowflake_warehouse_value(found[column])) -%}
    {%- endfor -%}
    {%- if after -%}
      {%- set alter = 'alter warehouse ' ~ wanted.name ~ ' set ' -%}
      {%- do changes.append({'apply': alter ~ after | join(' '), 'restore': alter ~ before | join(' ')}) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(tojson(changes)) }}
{%- endmacro %}

{% macro snowflake_warehouse_value(value) -%}
  {%- if value is none -%}
    {{ return('null') }}
  {%- elif value is number -%}
    {{ return(value | string) }}
  {%- endif -%}
  {{ return(snowflake_text(value | upper)) }}
{%- endmacro %}
