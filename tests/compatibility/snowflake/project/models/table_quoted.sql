{{ config(materialized='table', alias='another_name') }}
select id, name as "Full Name" from {{ ref('current_customers') }}
