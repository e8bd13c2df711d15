{#- The batch of an extract model: the temporary table that its SQL selects from. -#}

{#- Removes from a batch what a later row of the same key replaces: the row with the greatest value of `order_by`
    stays, of equal ones the one that arrived last. `key` is a list of columns of the batch, `columns` has all of
    them, `order_by` is an expression or none. -#}
{% macro newest_batch_rows_sql(batch, key, order_by, columns) -%}
  {{ return(adapter.dispatch('newest_batch_rows_sql', 'strata')(batch, key, order_by, columns)) }}
{%- endmacro %}

{% macro duckdb__newest_batch_rows_sql(batch, key, order_by, columns) -%}
delete from {{ batch }}
where rowid in (
    select arrival
    from (
        select
            rowid as arrival,
            row_number() over (
                partition by {{ key | join(', ') }}
                order by {% if order_by %}{{ order_by }} desc nulls last, {% endif %}rowid desc
            ) as age
        from {{ batch }}
    ) as ranked
    where age > 1
)
{%- endmacro %}
