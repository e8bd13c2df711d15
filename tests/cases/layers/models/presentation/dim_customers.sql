select * from {{ ref('customers') }}
join {{ ref('crm_customers') }} using (id)