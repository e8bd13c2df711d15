{#- Orders, each with the version of its customer that was valid when it was placed. -#}

with orders as (

    select * from {{ ref('int_orders_enriched') }}

),

-- The versions as orders see them: the first reaches back to before we knew the customer, each lasts until the next,
-- and the last for ever, so that an order finds exactly one.
customer_versions as (

    select
        customer_key,
        customer_id,
        iff(version_number = 1, '0001-01-01'::timestamp_ntz, effective_from) as valid_from,
        lead(effective_from) over (partition by customer_id order by version_number) as valid_to
    from {{ ref('dim_customer') }}

),

final as (

    select
        orders.order_id,
        -- NULL if the customer was never in the dimension: deleted before the first run.
        customer_versions.customer_key,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_at::date as order_date,
        orders.status,
        orders.amount,
        orders.net_amount
    from orders
    left join customer_versions
        on orders.customer_id = customer_versions.customer_id
        and orders.ordered_at >= customer_versions.valid_from
        and (orders.ordered_at < customer_versions.valid_to or customer_versions.valid_to is null)

)

select * from final
