{{ config(materialized='incremental', unique_key='event_id') }}
select event_id, customer_id, amount, happened_at
from {{ ref('current_events') }}
{% if is_incremental() %}
where happened_at >= (select max(happened_at) from {{ this }})
{% endif %}
