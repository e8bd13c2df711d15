{{ config(materialized='dynamic_table', target_lag='1 hour' if var('day') == 1 else '2 hours', snowflake_warehouse='compute_wh', on_configuration_change='apply') }}
select customer_id, sum(amount) as amount from {{ ref('current_events') }} group by customer_id
