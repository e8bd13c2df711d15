-- What is current in the dimension is what integration gives, both ways. EXCEPT compares NULLs as equal.
{% set columns = 'customer_id, full_name, email, phone, street, city, country_code, source_systems, customer_segment, customer_status' %}

(
    select {{ columns }} from {{ ref('int_customers_final') }}
    except
    select {{ columns }} from {{ ref('dim_customer') }} where is_current
)
union all
(
    select {{ columns }} from {{ ref('dim_customer') }} where is_current
    except
    select {{ columns }} from {{ ref('int_customers_final') }}
)
