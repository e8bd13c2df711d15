{{ config(materialized='incremental', unique_key='event_id', on_schema_change='append_new_columns') }}
select event_id, customer_id, amount, happened_at{{ ', amount * 2 as doubled' if var('day') == 2 }}
from {{ ref('current_events') }}
{% if is_incremental() %}
where happened_at >= (select max(happened_at) from {{ this }})
{% endif %}
