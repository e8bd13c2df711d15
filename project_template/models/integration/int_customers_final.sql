{#- The customers as the dimension takes them, one row each. -#}

with customers as (

    select * from {{ ref('int_customers_deduplicated') }}

),

segments as (

    select * from {{ ref('int_customer_segments') }}

),

metrics as (

    select * from {{ ref('int_customer_metrics') }}

),

countries as (

    select * from {{ ref('country_codes') }}

),

final as (

    select
        customers.customer_id,
        customers.first_name,
        customers.last_name,
        customers.full_name,
        customers.email,
        customers.phone,
        customers.street,
        customers.city,
        customers.country_code,
        countries.country_name,
        customers.source_systems,
        segments.customer_segment,
        segments.customer_status,
        -- When something last changed that the customer is made of: its records or its orders.
        greatest(customers.modified_at, nvl(metrics.modified_at, customers.modified_at)) as changed_at
    from customers
    inner join segments
        on customers.customer_id = segments.customer_id
    left join metrics
        on customers.customer_id = metrics.customer_id
    left join countries
        on customers.country_code = countries.country_code

)

select * from final
