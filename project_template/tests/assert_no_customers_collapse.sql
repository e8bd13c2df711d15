-- Records without mail address and telephone number stay customers of their own: no key is shared by two of them.
select match_key
from {{ ref('int_customers_matched') }}
where email is null
    and phone is null
group by match_key
having count(*) > 1
