{#- Rows whose column does not look like the pattern, a regular expression for the whole text. -#}
{% test matches(model, column_name, pattern) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} is not null
    and not regexp_like({{ column_name }}, '{{ pattern }}')

{% endtest %}


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
