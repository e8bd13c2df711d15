with source as (

    select * from {{ ref('raw_erp_customers') }}

),

final as (

    select
        upper(trim(customer_id)) as customer_id,
        'ERP' as source_system,

        -- The ERP keeps `Last, First`; without a comma there is only a last name.
        {{ clean_name("split_part(customer_name, ',', 2)") }} as first_name,
        {{ clean_name("split_part(customer_name, ',', 1)") }} as last_name,
        {{ clean_email('email') }} as email,
        {{ clean_phone('phone') }} as phone,

        {{ clean_text("split_part(address, ';', 1)") }} as street,
        {{ clean_text("split_part(address, ';', 2)") }} as city,
        upper({{ clean_text("split_part(address, ';', 3)") }}) as country_code,

        credit_limit,
        status,
        -- The ERP never deletes: a customer that left is closed.
        nvl(status = 'closed', false) as is_deleted,
        try_to_date(created_date) as created_at,
        try_to_timestamp_ntz(modified_date) as modified_at
    from source

)

select * from final
