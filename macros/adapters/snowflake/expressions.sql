{#- Expressions in Snowflake's words. -#}

{% macro snowflake__current_timestamp() -%}
  convert_timezone('UTC', current_timestamp())
{%- endmacro %}

{% macro snowflake__snapshot_get_time() -%}
  to_timestamp_ntz({{ current_timestamp() }})
{%- endmacro %}

{% macro snowflake__snapshot_string_as_time(timestamp) -%}
  {{ return("to_timestamp_ntz('" ~ timestamp ~ "')") }}
{%- endmacro %}

{% macro snowflake__current_timestamp_backcompat() %}
    current_timestamp::timestamp_ntz
{% endmacro %}

{% macro snowflake__type_timestamp() %}
  {{ return('timestamp_ntz') }}
{% endmacro %}

{% macro snowflake__array_construct(inputs, data_type) -%}
  array_construct({{ inputs | join(', ') }})
{%- endmacro %}

{% macro snowflake__bool_or(expression) -%}
  boolor_agg({{ expression }})
{%- endmacro %}

{% macro snowflake__escape_single_quotes(expression) -%}
  {{ expression | replace("'", "\\'") }}
{%- endmacro %}

{% macro snowflake__right(string_text, length_expression) -%}
  case when {{ length_expression }} = 0 then '' else right({{ string_text }}, {{ length_expression }}) end
{%- endmacro %}

{#- Only a text can be tried; what is not one is cast. -#}
{% macro snowflake__safe_cast(field, type) -%}
  {%- if type | lower | trim in ['variant', 'object', 'array'] -%}
    cast({{ field }} as {{ type }})
  {%- else -%}
    try_cast({{ field }} as {{ type }})
  {%- endif -%}
{%- endmacro %}

{% macro snowflake__generate_series(upper_bound) %}
    select row_number() over (order by 1) as generated_number
    from table(generator(rowcount => {{ upper_bound }}))
{% endmacro %}

{% macro snowflake__last_day(date, datepart) -%}
  last_day({{ date }}, {{ datepart }})
{%- endmacro %}
