{{ config(materialized='scd2', unique_key='id') }}
select id, name from {{ ref('raw_customers') }}
