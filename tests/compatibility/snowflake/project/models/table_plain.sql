{{ config(materialized='table') }}
select id, name from {{ ref('current_customers') }}
