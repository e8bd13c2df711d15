{{ config(materialized='control', schema='strata_control') }}
-- Its columns are declared in control.yml; strata writes its rows.
select * from {{ this }}
