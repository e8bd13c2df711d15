select id, amount from {{ ref('totals') }}
