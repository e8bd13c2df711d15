{#- Orders with the customer that they belong to over all systems. -#}

with orders as (

    select * from {{ ref('stg_erp_orders') }}

),

erp_records as (

    select
        source_customer_id,
        customer_id
    from {{ ref('int_customers_matched') }}
    where source_system = 'ERP'

),

final as (

    select
        orders.order_id,
        erp_records.customer_id,
        orders.ordered_at,
        orders.status,
        orders.amount,
        -- What counts for a customer's value: nothing for what was cancelled or sent back.
        iff(orders.status in ('completed', 'shipped'), orders.amount, 0) as net_amount,
        orders.modified_at
    from orders
    left join erp_records
        on orders.customer_id = erp_records.source_customer_id

)

select * from final
