{{ config(materialized='table', grants={'select': ['reporter', 'analyst'] if var('day') == 1 else ['reporter'], 'insert': ['loader']}) }}
select id, name from {{ ref('current_customers') }}
