{% snapshot history_block %}
{{ config(unique_key='id', strategy='check', check_cols='all', target_schema='history', query_tag='snapshots') }}
select id, name from {{ ref('customers_left') }}
{% endsnapshot %}
