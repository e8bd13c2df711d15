{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened_at', begin='2024-01-01', batch_size='year', lookback=9) }}
select event_id, customer_id, amount, happened_at from {{ ref('current_events') }}
