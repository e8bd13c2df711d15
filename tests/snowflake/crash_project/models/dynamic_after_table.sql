{{ config(materialized='table' if var('day') | int == 1 else 'dynamic_table', target_lag='1 minute', snowflake_warehouse='compute_wh') }}
select {{ var('day') }} as as_of
