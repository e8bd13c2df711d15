{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }}
select id, name, country as "Country" from {{ ref('current_customers') }}
