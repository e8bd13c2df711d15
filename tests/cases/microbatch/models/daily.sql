select * from {{ source('shop', 'visits') }}
