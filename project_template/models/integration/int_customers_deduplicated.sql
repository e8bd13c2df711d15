{#-
  One row a customer: the surviving values of its live records.

  Survivorship: name and address come together from one record, so that no address is put together from two. That record
  is the CRM's before the ERP's, then the one changed last, then the one with the smaller number: a total order, so that
  the same records always give the same customer. Mail address and telephone number come from the first record in this
  order that has one.
-#}

with records as (

    select * from {{ ref('int_customers_matched') }}

),

live_records as (

    select * from records
    where not is_deleted

),

survivors as (

    select
        customer_id,
        source_system,
        source_customer_id,
        first_name,
        last_name,
        full_name,
        first_value(email) ignore nulls over (
            partition by customer_id
            order by source_system, modified_at desc nulls last, source_customer_id
            rows between unbounded preceding and unbounded following
        ) as email,
        first_value(phone) ignore nulls over (
            partition by customer_id
            order by source_system, modified_at desc nulls last, source_customer_id
            rows between unbounded preceding and unbounded following
        ) as phone,
        street,
        city,
        country_code
    from live_records
    qualify row_number() over (
        partition by customer_id
        order by source_system, modified_at desc nulls last, source_customer_id
    ) = 1

),

systems as (

    select
        customer_id,
        listagg(distinct source_system, '+') within group (order by source_system) as source_systems,
        count(*) as live_record_count
    from live_records
    group by customer_id

),

-- A deleted record changes the customer too: its other records take over.
stamps as (

    select
        customer_id,
        max(modified_at) as modified_at
    from records
    group by customer_id

),

final as (

    select
        survivors.customer_id,
        survivors.first_name,
        survivors.last_name,
        survivors.full_name,
        survivors.email,
        survivors.phone,
        survivors.street,
        survivors.city,
        survivors.country_code,
        systems.source_systems,
        systems.live_record_count,
        stamps.modified_at
    from survivors
    inner join systems
        on survivors.customer_id = systems.customer_id
    inner join stamps
        on survivors.customer_id = stamps.customer_id

)

select * from final
