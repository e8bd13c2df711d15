{{ config(
    materialized='extract',
    unique_key='customer_id',
    updated_at='modified_date',
    lookback='15 minutes',
    audit_columns=['extracted_at'],
    on_schema_change='append_new_columns'
) }}

select
    customer_id,
    customer_name,
    email,
    phone,
    address,
    credit_limit,
    status,
    created_date,
    modified_date,
    '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}'::timestamp_ntz as extracted_at
from {{ source('erp', 'customers') }}
