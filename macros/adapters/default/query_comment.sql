{#- What stands beside every statement in the warehouse's history. `query-comment:` of a project takes its place. -#}
{% macro query_comment_macro(connection_name, node) -%}
  {%- set comment = {
    'app': 'dbt', 'dbt_version': dbt_version, 'profile_name': target.get('profile_name'),
    'target_name': target.get('target_name')
  } -%}
  {%- if node is not none -%}
    {%- do comment.update({'node_id': node.unique_id}) -%}
  {%- else -%}
    {%- do comment.update({'connection_name': connection_name}) -%}
  {%- endif -%}
  {{ return(tojson(comment)) }}
{%- endmacro %}
