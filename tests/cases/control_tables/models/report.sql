select * from {{ ref('strata', 'runs') }} join {{ ref('node_runs') }} using (run_id)
