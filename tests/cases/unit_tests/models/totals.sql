select id, amount * {{ var('rate') }} as amount, {{ greeting() }} as said from {{ ref('payments') }} join {{ source('raw', 'orders') }} using (id)
