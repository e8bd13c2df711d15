{{ config(materialized='incremental', incremental_strategy='insert_overwrite') }}
select id, name, amount from {{ ref('raw') }}
