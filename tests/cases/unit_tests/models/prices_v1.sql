select id from {{ ref('totals') }}
