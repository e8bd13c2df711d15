{{ config(materialized='incremental', incremental_strategy='append') }}
select event_id, customer_id, amount, happened_at
from {{ ref('current_events') }}
{% if is_incremental() %}
where happened_at >= (select max(happened_at) from {{ this }})
{% endif %}
