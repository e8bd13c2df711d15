{{ config(materialized='table', snowflake_warehouse='loading_wh') }}
select id, current_warehouse() as warehouse from {{ ref('current_customers') }}
