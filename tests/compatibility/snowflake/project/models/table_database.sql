{{ config(materialized='table', database=target.database ~ '_archive') }}
select id from {{ ref('current_customers') }}
