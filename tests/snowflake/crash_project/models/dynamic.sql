{{ config(materialized='dynamic_table', target_lag=var('day') ~ ' minutes', snowflake_warehouse='compute_wh') }}
select 1 as id
