select 1 from {{ ref('orders') }} join {{ ref('orders', v=1) }} using (id) join {{ ref('shop', 'orders', version='3') }} using (id)
