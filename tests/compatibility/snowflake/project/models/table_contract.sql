{{ config(materialized='table', contract={'enforced': true}) }}
select id::number(38, 0) as id, name::varchar as name from {{ ref('current_customers') }}
