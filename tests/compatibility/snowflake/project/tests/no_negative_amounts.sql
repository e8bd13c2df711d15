select * from {{ ref('current_events') }} where amount < 0
