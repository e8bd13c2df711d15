{#- Segment and status of every customer. Both are `Unknown` where nothing is known: NULL is neither Bronze nor Churned. -#}

with customers as (

    select customer_id from {{ ref('int_customers_deduplicated') }}

),

metrics as (

    select * from {{ ref('int_customer_metrics') }}

),

thresholds as (

    select * from {{ ref('segment_thresholds') }}

),

-- The day on which "the last 30 days" end: data, not the clock, so that a rerun gives the same and no version of a
-- customer is made by the mere passing of time.
as_of as (

    {% if var('as_of') %}
    select '{{ var("as_of") }}'::date as as_of_date
    {% else %}
    select max(ordered_at)::date as as_of_date
    from {{ ref('int_orders_enriched') }}
    {% endif %}

),

valued as (

    select
        customers.customer_id,
        metrics.lifetime_value,
        metrics.last_ordered_at,
        datediff('day', metrics.last_ordered_at, as_of.as_of_date) as days_since_last_order
    from customers
    cross join as_of
    left join metrics
        on customers.customer_id = metrics.customer_id

),

final as (

    select
        valued.customer_id,
        valued.lifetime_value,
        valued.last_ordered_at,
        nvl(thresholds.customer_segment, 'Unknown') as customer_segment,
        case
            when valued.days_since_last_order is null then 'Unknown'
            when valued.days_since_last_order < 30 then 'Active'
            when valued.days_since_last_order < 90 then 'At Risk'
            else 'Churned'
        end as customer_status
    from valued
    left join thresholds
        -- Without this condition the segment that has no lower bound would take the unknown values.
        on valued.lifetime_value is not null
        and (thresholds.above_value is null or valued.lifetime_value > thresholds.above_value)
    qualify row_number() over (
        partition by valued.customer_id
        order by thresholds.above_value desc nulls last
    ) = 1

)

select * from final
