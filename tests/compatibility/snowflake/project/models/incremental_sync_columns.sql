{{ config(materialized='incremental', unique_key='event_id', on_schema_change='sync_all_columns') }}
select event_id, customer_id, amount, happened_at{{ ', 1 as one, 2 as two' if var('day') == 1 else ", 'x'::varchar as three" }}
from {{ ref('current_events') }}
{% if is_incremental() %}
where happened_at >= (select max(happened_at) from {{ this }})
{% endif %}
