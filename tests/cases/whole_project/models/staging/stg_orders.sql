{{ config(alias='orders', tags=['own'], meta={'owner': var('currency')}) }}
select * from {{ source('erp', 'orders') }} where age < {{ var('days') }}
