{#- Text without blanks around it; the empty text is NULL. -#}
{% macro clean_text(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}


{#-
  A name with a capital at the beginning of each word, where it was typed in one case only. `McLean` and `de la Cruz`
  were typed with care and stay: INITCAP would make them `Mclean` and `De La Cruz`.
-#}
{% macro clean_name(column) -%}
    case
        when trim({{ column }}) in (upper(trim({{ column }})), lower(trim({{ column }}))) then initcap({{ clean_text(column) }})
        else {{ clean_text(column) }}
    end
{%- endmacro %}


{#-
  A mail address in small letters, or NULL if it is none: one `@`, no blanks, a dot in the domain.
  In a Snowflake literal the backslash is an escape: `'\\.'` reaches the regular expression as `\.`, and `'\.'` would
  reach it as `.`, which any character satisfies. REGEXP_LIKE matches the whole text.
-#}
{% macro clean_email(column) -%}
    iff(
        regexp_like(trim({{ column }}), '[^@\\s]+@[^@\\s.]+(\\.[^@\\s.]+)+'),
        lower(trim({{ column }})),
        null
    )
{%- endmacro %}


{#-
  The digits of a telephone number. One without digits (`n/a`, `-`) is NULL: as an empty text, all customers who have
  none would look like one.
-#}
{% macro clean_phone(column) -%}
    nullif(regexp_replace({{ column }}, '[^0-9]', ''), '')
{%- endmacro %}


{#- First and last name as one. CONCAT_WS gives NULL as soon as one part is NULL, so each part is made a text first. -#}
{% macro full_name(first_name, last_name) -%}
    nullif(trim(concat_ws(' ', nvl({{ first_name }}, ''), nvl({{ last_name }}, ''))), '')
{%- endmacro %}
