{% macro greeting() %}'hello'{% endmacro %}
