{{ config(materialized='incremental', unique_key='id') }}
select id, name, amount {{ ', 1 as added' if var('day') | int == 2 }} from {{ ref('raw') }}
