{{ config(materialized='incremental', incremental_strategy='append') }}
select id, {{ var('day') }} as as_of from {{ ref('raw') }}
