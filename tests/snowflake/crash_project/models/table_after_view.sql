{{ config(materialized='view' if var('day') | int == 1 else 'table') }}
select id, name, {{ var('day') }} as as_of from {{ ref('raw') }}
