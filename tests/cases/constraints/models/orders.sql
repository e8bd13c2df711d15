{{ config(materialized='table') }} select 1 as id, 1 as customer_id, 2.5 as amount
