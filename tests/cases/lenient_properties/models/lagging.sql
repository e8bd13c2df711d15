{{ config(materialized='dynamic_table', target_lag='1 hour') }}
select 1
