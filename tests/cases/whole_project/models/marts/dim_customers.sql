{{ config(
    materialized='incremental', unique_key=['customer_id'],
    post_hook=["analyze {{ this }}", {"sql": "select count(*) from {{ ref('stg_orders') }}", "transaction": false}]
) }}
select {{ cents('amount') }} from {{ ref('stg_orders') }} join {{ ref('shop', 'stg_customers') }} using (id)
{% if is_incremental() %} where x > (select max(x) from {{ this }}) {% endif %}
