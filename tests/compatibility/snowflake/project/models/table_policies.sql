{{ config(materialized='table', row_access_policy='stage_policy on (id)', table_tag="stage_tag = 'pii'", query_tag="it's tagged") }}
select id, name from {{ ref('current_customers') }}
