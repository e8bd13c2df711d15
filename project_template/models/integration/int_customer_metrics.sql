{#- One row a customer who ever ordered. Customers without orders are absent: their value is unknown, not zero. -#}

with orders as (

    select * from {{ ref('int_orders_enriched') }}
    where customer_id is not null

),

final as (

    select
        customer_id,
        count(*) as order_count,
        -- NULL if none of the amounts could be read.
        sum(net_amount) as lifetime_value,
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at,
        max(modified_at) as modified_at
    from orders
    group by customer_id

)

select * from final
