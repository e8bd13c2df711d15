select * from {{ ref('totals') }} {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}
