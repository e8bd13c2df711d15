{% macro plain(x) %}[{{ x }}]{% endmacro %}

{% macro with_default(x='d') %}[{{ x }}]{% endmacro %}
