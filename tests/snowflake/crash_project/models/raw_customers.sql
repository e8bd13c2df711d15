{{ config(materialized='extract', unique_key='id') }}
select id, name, changed from {{ source('files', 'customers') }}
