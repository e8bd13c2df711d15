{{ config(materialized='table', transient=false, cluster_by=['country', 'id'], automatic_clustering=true, copy_grants=true) }}
select id, country from {{ ref('current_customers') }}
