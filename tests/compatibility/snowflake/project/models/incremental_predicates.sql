{{ config(materialized='incremental', unique_key='event_id', incremental_predicates=["DBT_INTERNAL_DEST.happened_at > '2020-01-01'::timestamp_ntz"]) }}
select event_id, customer_id, amount, happened_at
from {{ ref('current_events') }}
{% if is_incremental() %}
where happened_at >= (select max(happened_at) from {{ this }})
{% endif %}
