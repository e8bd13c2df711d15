{{ config(materialized='table' if var('day') | int == 1 else 'view') }}
select id, name, {{ var('day') }} as as_of from {{ ref('raw') }}
