{#- Unit tests: rows that people wrote become queries, and what a model makes of them is put beside what it should. -#}

{#- The rows of an input, as wide as the relation that it stands for: what a row does not say is NULL. -#}
{% macro get_fixture_sql(rows, column_name_to_data_types) %}
-- Fixture for {{ model.name }}
{%- set types = column_name_to_data_types -%}
{%- set quoted = {} -%}
{%- if not types -%}
  {%- set types = {} -%}
  {%- set known = defer_relation if defer_relation and not load_relation(this) else this -%}
  {%- for column in adapter.get_columns_in_relation(known) -%}
    {%- do types.update({column.name | lower: column.data_type}) -%}
    {%- do quoted.update({column.name | lower: column.quoted}) -%}
  {%- endfor -%}
{%- endif -%}
{%- if not types -%}
  {%- do exceptions.raise_unknown_columns(model.name, this) -%}
{%- endif -%}
{%- set empty = {} -%}
{%- for column, type in types.items() -%}
  {%- do empty.update({column: safe_cast('null', type) | trim}) -%}
{%- endfor -%}
{{ validate_fixture_rows(rows, row_number) }}
{%- for row in rows -%}
  {%- set values = empty.copy() -%}
  {%- do values.update(format_row(row, types)) %}
select
  {%- for column, value in values.items() %} {{ value | trim }} as {{ quoted.get(column, column) }}{{ ',' if not loop.last }}
  {%- endfor %}
  {%- if not loop.last %}
union all
  {%- endif -%}
{%- else %}
select
  {%- for column, value in empty.items() %} {{ value }} as {{ quoted.get(column, column) }}{{ ',' if not loop.last }}
  {%- endfor %}
limit 0
{%- endfor -%}
{% endmacro %}

{#- The rows that are expected, with the columns of the first: those that it leaves out are not compared. -#}
{% macro get_expected_sql(rows, column_name_to_data_types, column_name_to_quoted) -%}
  {%- for row in rows -%}
    {%- set values = format_row(row, column_name_to_data_types) %}
select
    {%- for column in rows[0] | map('lower') %} {{ values[column] | trim }} as {{ column_name_to_quoted[column] }}{{ ',' if not loop.last }}
    {%- endfor %}
    {%- if not loop.last %}
union all
    {%- endif -%}
  {%- else -%}
select * from dbt_internal_unit_test_actual limit 0
  {%- endfor -%}
{%- endmacro %}

{#- A row's values as SQL of the columns' types, by column in lower case. -#}
{%- macro format_row(row, column_name_to_data_types) -%}
  {%- set values = {} -%}
  {%- for name, value in row.items() -%}
    {%- set column = name | lower -%}
    {%- set type = column_name_to_data_types.get(column) -%}
    {%- if type is none -%}
      {%- set whose = 'what the model gives' if model.resource_type == 'unit_test' else '`' ~ model.name ~ '`' -%}
      {%- do exceptions.raise_unknown_column(name, column_name_to_data_types.keys() | list, whose) -%}
    {%- endif -%}
    {%- if value is string -%}
      {#- The length of the column's texts must not cut what is compared. -#}
      {%- if 'varying' in type -%}
        {%- set type = type.split('(')[0] -%}
      {%- endif -%}
      {%- set value = dbt.string_literal(dbt.escape_single_quotes(value)) -%}
    {%- elif value is none -%}
      {%- set value = 'null' -%}
    {%- endif -%}
    {%- do values.update({column: safe_cast(value, type)}) -%}
  {%- endfor -%}
  {{ return(values) }}
{%- endmacro -%}

{#- For adapters that have something to say about the rows of an input. -#}
{%- macro validate_fixture_rows(rows, row_number) -%}
  {{ return(adapter.dispatch('validate_fixture_rows', 'dbt')(rows, row_number)) }}
{%- endmacro -%}

{%- macro default__validate_fixture_rows(rows, row_number) -%}
{%- endmacro -%}

{% macro get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
  {{ adapter.dispatch('get_unit_test_sql', 'dbt')(main_sql, expected_fixture_sql, expected_column_names) }}
{%- endmacro %}

{#- Both sets of rows in one, each marked with what it is. -#}
{% macro default__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
  {%- set columns = expected_column_names | join(', ') -%}
  {%- set kind = adapter.quote('actual_or_expected') -%}
-- What the model gives
with dbt_internal_unit_test_actual as (
  select {{ columns }}, {{ dbt.string_literal('actual') }} as {{ kind }}
  from (
{{ main_sql }}
  ) _dbt_internal_unit_test_actual
),
-- What it should give
dbt_internal_unit_test_expected as (
  select {{ columns }}, {{ dbt.string_literal('expected') }} as {{ kind }}
  from (
{{ expected_fixture_sql }}
  ) _dbt_internal_unit_test_expected
)
select * from dbt_internal_unit_test_actual
union all
select * from dbt_internal_unit_test_expected
{%- endmacro %}
