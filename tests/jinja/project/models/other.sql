select * from {{ ref('subject') }}
