{{ config(materialized='table', schema='marts') }}
select id from {{ ref('current_customers') }}
