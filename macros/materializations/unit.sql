{%- materialization unit, default -%}
  {%- set header = config.get('sql_header') if flags.REQUIRE_SQL_HEADER_IN_TEST_CONFIGS else none -%}
  {%- set expected_rows = config.get('expected_rows') -%}
  {%- set expected_sql = config.get('expected_sql') -%}

  {#- The types of the columns are those of a table that the model's query would make. -#}
  {%- set temp_relation = make_temp_relation(this.incorporate(type='table')) -%}
  {%- do run_query(get_create_table_as_sql(True, temp_relation, get_empty_subquery_sql(sql))) -%}
  {%- set types = {} -%}
  {%- set quoted = {} -%}
  {%- for column in adapter.get_columns_in_relation(temp_relation) -%}
    {%- do types.update({column.name | lower: column.data_type}) -%}
    {%- do quoted.update({column.name | lower: column.quoted}) -%}
  {%- endfor -%}

  {%- if expected_rows -%}
    {%- set compared = expected_rows[0].keys() | map('lower') | list -%}
    {%- for column in compared if column not in types -%}
      {%- do exceptions.raise_unknown_column(column, types.keys() | list, 'what the model gives') -%}
    {%- endfor -%}
  {%- else -%}
    {%- set compared = types.keys() | list -%}
  {%- endif -%}
  {%- if not expected_sql -%}
    {%- set expected_sql = get_expected_sql(expected_rows, types, quoted) -%}
  {%- endif -%}
  {%- set columns = [] -%}
  {%- for column in compared -%}
    {%- do columns.append(quoted[column]) -%}
  {%- endfor -%}

  {%- call statement('main', fetch_result=True) -%}
    {{ header if header }}
    {{ get_unit_test_sql(sql, expected_sql, columns) }}
  {%- endcall -%}
  {%- do adapter.drop_relation(temp_relation) -%}
  {{ return({'relations': []}) }}
{%- endmaterialization -%}
