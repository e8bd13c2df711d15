{#- When the last batch of an extract model was taken over, by the control table `batches`; none where there is no such
    table in the warehouse yet. A batch without new rows counts: the source was asked, and had nothing. -#}
{% macro collect_extract_freshness(batches, model) %}
  {%- set known = load_relation(batches) -%}
  {%- if known is none -%}
    {{ return(none) }}
  {%- endif -%}
  {%- call statement('collect_extract_freshness', fetch_result=true, auto_begin=false) -%}
    select max(created_at) as max_loaded_at, {{ current_timestamp() }} as snapshotted_at
    from {{ known }}
    where model = {{ dbt.string_literal(model) }}
  {%- endcall -%}
  {{ return(load_result('collect_extract_freshness')) }}
{% endmacro %}
