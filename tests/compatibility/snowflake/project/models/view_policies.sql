{{ config(materialized='view', row_access_policy='stage_policy on (id)', table_tag="stage_tag = 'pii'", query_tag='nightly') }}
select id, name from {{ ref('current_customers') }}
