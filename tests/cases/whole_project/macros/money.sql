{% macro cents(column) %}({{ column }} / 100){% endmacro %}
{% macro log_end() %}{{ log('end') }}select 1{% endmacro %}
{% test is_sorted_by_a_rather_long_name_of_a_test(model, by) %}select * from {{ model }}{% endtest %}
