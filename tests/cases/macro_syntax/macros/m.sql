{% macro a() %}
{% if x %}
{% endmacro %}
