{#-
  The batch that was just fetched; strata merges it into the table by `unique_key`, newest row a key.

  Watermark, rows and audit row are committed together, so a run that dies loses and doubles nothing. `lookback` is how
  far before the watermark the CRM is asked again: rows stamped up to 15 minutes before the last extraction are found
  even if they became visible after it. What comes later than that is found by `strata build --full-refresh -s raw`.
-#}
{{ config(
    materialized='extract',
    unique_key='id',
    updated_at='last_modified',
    lookback='15 minutes',
    audit_columns=['extracted_at'],
    on_schema_change='append_new_columns'
) }}

select
    id,
    first_name,
    last_name,
    email,
    phone,
    address_json,
    is_deleted,
    created_at,
    last_modified,
    -- When we read it, for people. No decision depends on it.
    '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}'::timestamp_ntz as extracted_at
from {{ source('crm', 'customers') }}
