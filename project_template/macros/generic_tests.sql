{#- Rows whose column does not look like the pattern, a regular expression for the whole text. -#}
{% test matches(model, column_name, pattern) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
    and not {{ whole_text_matches(column_name, pattern) }}

{% endtest %}


{#- Generic tests run in the warehouse's own SQL, so what has another name in each is dispatched. -#}
{% macro whole_text_matches(column, pattern) -%}
    {{ return(adapter.dispatch('whole_text_matches')(column, pattern)) }}
{%- endmacro %}

{% macro default__whole_text_matches(column, pattern) -%}
    regexp_like({{ column }}, '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__whole_text_matches(column, pattern) -%}
    regexp_full_match({{ column }}, '{{ pattern }}')
{%- endmacro %}


{#- One row if the two relations do not have the same number of rows. -#}
{% test same_row_count_as(model, other) %}

select *
from (
    select
        (select count(*) from {{ model }}) as row_count,
        (select count(*) from {{ other }}) as other_row_count
) as counts
where row_count != other_row_count

{% endtest %}
