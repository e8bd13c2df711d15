{{ config(materialized='extract') }}
select id, what, seen from {{ source('files', 'events') }}
