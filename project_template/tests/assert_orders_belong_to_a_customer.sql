-- Every order of a customer that is in the dimension has found the version that was valid when it was placed.
select orders.order_id
from {{ ref('fct_orders') }} as orders
inner join {{ ref('dim_customer') }} as customers
    on orders.customer_id = customers.customer_id
    and customers.is_current
where orders.customer_key is null
