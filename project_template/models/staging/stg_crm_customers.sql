with source as (

    select * from {{ ref('raw_crm_customers') }}

),

-- Parsed once. TRY_PARSE_JSON gives NULL for JSON that breaks off; PARSE_JSON would fail every customer for one.
parsed as (

    select
        *,
        try_parse_json(address_json) as address
    from source

),

final as (

    select
        upper(trim(id)) as customer_id,
        'CRM' as source_system,

        {{ clean_name('first_name') }} as first_name,
        {{ clean_name('last_name') }} as last_name,
        {{ clean_email('email') }} as email,
        {{ clean_phone('phone') }} as phone,

        {{ clean_text('address:street::string') }} as street,
        {{ clean_text('address:city::string') }} as city,
        upper({{ clean_text('address:country::string') }}) as country_code,

        nvl(is_deleted, false) as is_deleted,
        try_to_date(created_at) as created_at,
        try_to_timestamp_ntz(last_modified) as modified_at
    from parsed

)

select * from final
