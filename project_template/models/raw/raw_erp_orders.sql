{{ config(
    materialized='extract',
    unique_key='order_id',
    updated_at='modified_date',
    lookback='15 minutes',
    audit_columns=['extracted_at'],
    on_schema_change='append_new_columns'
) }}

select
    order_id,
    customer_id,
    order_date,
    amount,
    status,
    modified_date,
    '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}'::timestamp_ntz as extracted_at
from {{ source('erp', 'orders') }}
