select * from {{ source('shop', 'countries') }}
