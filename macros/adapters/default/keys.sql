{#- Keys of a batch of rows, on which everything that keeps history or merges depends. -#}

{#- Refuses rows without a key and rows that share one, naming up to ten of the keys. -#}
{% macro assert_unique_keys(relation, unique_key, what) %}
  {%- set keys = unique_key_list(unique_key) -%}
  {%- set bad_keys -%}
    select {{ keys | join(', ') }}, count(*) as "rows"
    from {{ relation }}
    group by {{ keys | join(', ') }}
    having count(*) > 1 or {% for key in keys %}({{ key }}) is null{{ ' or ' if not loop.last }}{% endfor %}
  {%- endset -%}
  {%- set shown = run_query(bad_keys ~ '\norder by ' ~ range(1, keys | length + 1) | join(', ') ~ '\nlimit 10') -%}
  {%- if shown | length > 0 -%}
    {%- set total = run_query('select count(*) from (\n' ~ bad_keys ~ '\n) as bad_keys').rows[0][0] -%}
    {%- set lines = [] -%}
    {%- for row in shown -%}
      {%- set parts = [] -%}
      {%- for key in keys -%}
        {%- do parts.append(key ~ ' = ' ~ ('NULL' if row[loop.index0] is none else row[loop.index0])) -%}
      {%- endfor -%}
      {%- set count = row[keys | length] | int -%}
      {%- do lines.append('  ' ~ parts | join(', ') ~ ' (' ~ count ~ (' row)' if count == 1 else ' rows)')) -%}
    {%- endfor -%}
    {%- do exceptions.raise_compiler_error(
      what ~ ' needs rows that `unique_key` tells apart (' ~ keys | join(', ') ~ '), but ' ~ total
      ~ (' key is' if total == 1 else ' keys are') ~ ' NULL or shared:\n' ~ lines | join('\n')
      ~ ('\n  …' if total > 10 else '') ~ '\nnothing was changed; keep one row for each key in the query'
    ) -%}
  {%- endif -%}
{% endmacro %}

{#- A point in time just after another one. -#}
{% macro next_instant(expression) -%}
  {{ return(dateadd('microsecond', 1, expression) | trim) }}
{%- endmacro %}

{#- The conditions under which two relations have the same key. -#}
{% macro same_key(unique_key, left, right) -%}
  {%- set conditions = [] -%}
  {%- for key in unique_key_list(unique_key) -%}
    {%- do conditions.append(left ~ '.' ~ key ~ ' = ' ~ right ~ '.' ~ key) -%}
  {%- endfor -%}
  {{ return(conditions | join(' and ')) }}
{%- endmacro %}
