{#-
  The customers with their history: one row a version.

  - `changed_at` says when a version began, not whether there is one: that is decided by comparing the tracked columns,
    NULL-safe. A record that was only written again makes no version.
  - `customer_status` depends on the day one looks from, so a difference in it makes no version; it is overwritten
    in the current one.
  - A customer that is gone from the source is closed; one that comes back gets a new version.
  - If more than 5 % of the customers were to be closed in one run, the run is refused: that is a broken extraction
    rather than a bad day.
-#}
{{ config(
    materialized='scd2',
    unique_key='customer_id',
    updated_at='changed_at',
    ignored_columns=['customer_status'],
    surrogate_key='customer_key',
    max_delete_pct=5
) }}

select
    customer_id,
    first_name,
    last_name,
    full_name,
    email,
    phone,
    street,
    city,
    country_code,
    country_name,
    source_systems,
    customer_segment,
    customer_status,
    changed_at
from {{ ref('int_customers_final') }}
