{#- strata's own materializations on Snowflake: definitions first, since they commit by themselves, then one explicit
    transaction for the rows, in which the runner's own rows (watermark, audit) stand too. -#}

{#- A temporary table in place of the batch; the order of arrival is not kept, so of equal rows any one will do, but
    always the same. -#}
{% macro snowflake__newest_batch_rows_sql(batch, key, order_by, columns) -%}
create or replace temporary table {{ batch }} as
select * from {{ batch }}
qualify row_number() over (
  partition by {{ key | join(', ') }}
  order by {% if order_by %}{{ order_by }} desc nulls last, {% endif %}{{ columns | join(' desc nulls last, ') }} desc nulls last
) = 1
{%- endmacro %}

{#- The first rows, or all rows anew, are made beside what stands there. They take its place in one request with the
    watermark: it moves if and only if they are there. -#}
{% macro snowflake__extract_create(existing_relation, target_relation, intermediate_relation, batch_relation) %}
  {%- do snowflake_drop_leftovers(target_relation) -%}
  {%- set new_relation = snowflake_new_relation(target_relation) -%}
  {%- call statement('create_new_table') -%}
    {{ create_table_as(false, new_relation, 'select * from ' ~ batch_relation) }}
  {%- endcall -%}
  {%- call statement('main') -%}
    {{ snowflake_take_place_sql(existing_relation, new_relation, target_relation, with_rows=true) }}
  {%- endcall -%}
  {{ return({'inserted': row_count(target_relation), 'updated': 0}) }}
{% endmacro %}

{% macro snowflake__extract_merge_sql(target_relation, batch_relation, unique_key, columns) -%}
  {{ return(snowflake_dml_explicit_transaction(
    default__extract_merge_sql(target_relation, batch_relation, unique_key, columns)
  )) }}
{%- endmacro %}

{#- Snowflake lengthens texts and widens numbers of one scale in place; no column changes its kind. -#}
{% macro snowflake__extract_widen_columns(batch_relation, target_relation, unique_key) %}
  {%- set batch_columns = adapter.get_columns_in_relation(batch_relation) -%}
  {%- for column in adapter.get_columns_in_relation(target_relation) -%}
    {%- for other in batch_columns if other.name | lower == column.name | lower and other.data_type != column.data_type -%}
      {%- if column.is_string() and other.is_string() -%}
        {%- if column.can_expand_to(other) -%}
          {%- do alter_column_type(target_relation, column.name, other.data_type) -%}
        {%- endif -%}
      {%- elif column.is_numeric() and other.is_numeric() and column.numeric_scale == other.numeric_scale -%}
        {%- if other.numeric_precision > column.numeric_precision -%}
          {%- do alter_column_type(target_relation, column.name, other.data_type) -%}
        {%- endif -%}
      {%- else -%}
        {%- do exceptions.raise_compiler_error(
          'the column `' ~ column.name ~ '` of ' ~ target_relation ~ ' is ' ~ column.data_type ~ ', but the batch has '
          ~ other.data_type ~ ': cast it in the model, or run with --full-refresh'
        ) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
{% endmacro %}

{% macro snowflake__scd2_apply_sql(source_relation, target_relation, changes_relation, settings, new_columns) -%}
  {{ return(snowflake_dml_explicit_transaction(
    default__scd2_apply_sql(source_relation, target_relation, changes_relation, settings, new_columns)
  )) }}
{%- endmacro %}

{% macro snowflake__scd2_make_room(existing_relation) %}{% endmacro %}
