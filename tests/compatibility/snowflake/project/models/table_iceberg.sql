{{ config(materialized='table', table_format='iceberg', external_volume='stage_volume', base_location_subpath='one', cluster_by='id') }}
select id from {{ ref('current_customers') }}
