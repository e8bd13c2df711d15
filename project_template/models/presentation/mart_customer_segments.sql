{#- The current customers with what they are worth: one row a customer, ready for a report. -#}

with customers as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

metrics as (

    select * from {{ ref('int_customer_metrics') }}

),

final as (

    select
        customers.customer_key,
        customers.customer_id,
        customers.full_name,
        customers.country_name,
        customers.customer_segment,
        customers.customer_status,
        nvl(metrics.order_count, 0) as order_count,
        -- NULL stays NULL: a customer without orders has no known value.
        metrics.lifetime_value,
        metrics.last_ordered_at
    from customers
    left join metrics
        on customers.customer_id = metrics.customer_id

)

select * from final
