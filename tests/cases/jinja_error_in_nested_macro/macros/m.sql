{% macro outer_macro(x) %}
  {{ inner_macro(x, 2) }}
{% endmacro %}
{% macro inner_macro(x) %}
  {{ x }}
{% endmacro %}
