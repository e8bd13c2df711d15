{#- Both systems' records with the same columns. Staging has already brought each into this shape. -#}
{{ config(materialized='view') }}

with crm_customers as (

    select * from {{ ref('stg_crm_customers') }}

),

erp_customers as (

    select * from {{ ref('stg_erp_customers') }}

),

{% set columns = [
    'customer_id', 'source_system', 'first_name', 'last_name', 'email', 'phone',
    'street', 'city', 'country_code', 'is_deleted', 'created_at', 'modified_at',
] %}

unioned as (

    {% for relation in ['crm_customers', 'erp_customers'] %}
    select
        {{ columns | join(',\n        ') }}
    from {{ relation }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}

),

final as (

    select
        -- A record's name over both systems: `CRM:C-00017`.
        source_system || ':' || customer_id as record_id,
        source_system,
        customer_id as source_customer_id,
        first_name,
        last_name,
        {{ full_name('first_name', 'last_name') }} as full_name,
        email,
        phone,
        street,
        city,
        country_code,
        is_deleted,
        created_at,
        modified_at
    from unioned

)

select * from final
