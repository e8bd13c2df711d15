{{ config(materialized='table', sql_header="alter session set week_start = 1;", pre_hook="select 'before {{ this }}'", post_hook=["select 'after'", {"sql": "select 'outside'", "transaction": false}]) }}
select id from {{ ref('current_customers') }}
