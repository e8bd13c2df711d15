{{ config(materialized='table') }}
select 1 as id, 2 as amount, '{{ model.version }} of {{ model.latest_version }}' as told
