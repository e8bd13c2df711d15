{{ config(materialized='table', tags=['one', 'two'], grants={'select': ['reader']}, pre_hook="select 'before'", a_key='a value', a_number=5, an_empty_text='') }}
-- depends_on: {{ ref('base') }} {{ ref('fruits') }} {{ source('crm', 'customers') }} {{ source('crm', 'orders') }}
select 1 as id, 'a' as name
