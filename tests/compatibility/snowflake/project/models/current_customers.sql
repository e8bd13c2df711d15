{{ config(materialized='view') }}
select id, name, country, updated_at
from {{ ref('customers') }}
where day <= {{ var('day') }}
qualify row_number() over (partition by id order by day desc) = 1
