{{ config(materialized='table') }}
select id, name, {{ var('day') }} as as_of from {{ ref('raw') }}
