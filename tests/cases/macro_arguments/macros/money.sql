{% macro cents(column, decimals=2) %}round({{ column }}, {{ decimals }}){% endmacro %}

{% macro plain(column) %}{{ column }}{% endmacro %}

{% macro sum_of(columns, by) %}sum({{ columns | join(' + ') }}){% endmacro %}
