{{ config(materialized='view', secure=true, copy_grants=true, grants={'select': ['reporter', 'analyst'] if var('day') == 1 else ['reporter']}) }}
select id, name from {{ ref('current_customers') }}
