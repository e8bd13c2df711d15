{#-
  Which records are one customer. Deleted records take part, so that a customer keeps its id when one of its records
  dies, and so that old orders still find their customer.
-#}

with records as (

    select * from {{ ref('int_customers_unioned') }}

),

-- Telephone numbers on whose mail address all records agree.
phone_owners as (

    select
        phone,
        min(email) as email
    from records
    where phone is not null and email is not null
    group by phone
    having count(distinct email) = 1

),

keyed as (

    select
        records.*,
        case
            when records.email is not null then 'email'
            when phone_owners.email is not null then 'phone of a mail address'
            when records.phone is not null then 'phone'
            else 'record'
        end as match_rule,
        -- Each kind of key has a namespace of its own: no telephone number can equal a customer number.
        case
            when records.email is not null then 'email:' || records.email
            when phone_owners.email is not null then 'email:' || phone_owners.email
            when records.phone is not null then 'phone:' || records.phone
            else 'record:' || records.record_id
        end as match_key
    from records
    left join phone_owners
        on records.phone = phone_owners.phone

),

final as (

    select
        *,
        -- Neither changes nor deletes move it: only what a record keeps for ever decides, and the order is total.
        first_value(record_id) over (
            partition by match_key
            order by source_system, created_at nulls last, source_customer_id
        ) as customer_id
    from keyed

)

select * from final
