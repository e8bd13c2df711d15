-- Versions of a customer are numbered 1 to n, begin before they end, and do not overlap. A gap is allowed only where
-- the customer was gone from the sources.
with versions as (

    select
        customer_id,
        version_number,
        effective_from,
        effective_to,
        is_current,
        row_number() over (partition by customer_id order by effective_from) as position,
        lag(effective_to) over (partition by customer_id order by effective_from) as former_effective_to
    from {{ ref('dim_customer') }}

)

select *
from versions
where version_number != position
    or effective_from >= effective_to
    or former_effective_to > effective_from
    or (position > 1 and former_effective_to is null)
    or is_current != (effective_to is null)
