{#-
  What each run did, from strata's own control tables. A view, so that it also shows the run that is going on.
  An error log that nobody reads is no better than none: put this on the wall.
-#}
{{ config(materialized='view') }}

with runs as (

    select * from {{ ref('strata', 'runs') }}

),

node_runs as (

    select
        run_id,
        count(*) as node_count,
        count_if(status in ('error', 'fail')) as failure_count,
        sum(rows_affected) as rows_affected
    from {{ ref('strata', 'node_runs') }}
    group by run_id

),

errors as (

    select
        run_id,
        count(*) as error_count,
        max(error_timestamp) as last_error_at
    from {{ ref('strata', 'error_log') }}
    group by run_id

),

final as (

    select
        runs.run_id,
        runs.command,
        runs.target,
        runs.status,
        runs.started_at,
        datediff('second', runs.started_at, runs.finished_at) as duration_seconds,
        nvl(node_runs.node_count, 0) as node_count,
        nvl(node_runs.failure_count, 0) as failure_count,
        nvl(node_runs.rows_affected, 0) as rows_affected,
        nvl(errors.error_count, 0) as error_count,
        errors.last_error_at
    from runs
    left join node_runs
        on runs.run_id = node_runs.run_id
    left join errors
        on runs.run_id = errors.run_id

)

select * from final
