{{ config(materialized='view' if var('day') == 1 else 'table') }}
select id from {{ ref('current_customers') }}
