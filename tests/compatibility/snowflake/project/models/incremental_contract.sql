{{ config(materialized='incremental', unique_key='event_id', contract={'enforced': true}, on_schema_change='append_new_columns') }}
select event_id::number(38, 0) as event_id, amount::number(10, 2) as amount from {{ ref('current_events') }}
