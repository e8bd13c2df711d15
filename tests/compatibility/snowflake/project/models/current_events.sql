{{ config(materialized='view') }}
select "event_id" as event_id, "customer_id" as customer_id, "amount" as amount, "happened_at" as happened_at
from {{ ref('events') }}
where "day" <= {{ var('day') }}
qualify row_number() over (partition by "event_id" order by "day" desc) = 1
