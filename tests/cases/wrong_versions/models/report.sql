select * from {{ ref('orders', v=9) }}
