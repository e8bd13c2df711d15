with source as (

    select * from {{ ref('raw_erp_orders') }}

),

final as (

    select
        upper(trim(order_id)) as order_id,
        upper(trim(customer_id)) as customer_id,
        try_to_timestamp_ntz(order_date) as ordered_at,
        -- What is no number (`#REF!`) is NULL and counted by a test, rather than failing all orders.
        try_to_number(amount, 12, 2) as amount,
        lower(trim(status)) as status,
        try_to_timestamp_ntz(modified_date) as modified_at
    from source

)

select * from final
