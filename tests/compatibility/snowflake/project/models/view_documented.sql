{{ config(materialized='view', persist_docs={'relation': true, 'columns': true}) }}
select id, name, country from {{ ref('current_customers') }}
