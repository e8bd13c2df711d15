{{ config(materialized='view') }}
select * from {{ ref('current_customers') }} {% if var('day') == 2 %} where id <> 1 {% endif %}
