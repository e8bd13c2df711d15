{#- When a row of a snapshot has changed. A strategy is a macro `snapshot_<name>_strategy` that gives a dict with
    unique_key, updated_at, row_changed, scd_id, hard_deletes and invalidate_hard_deletes. -#}

{% macro strategy_dispatch(name) -%}
  {%- set parts = name.split('.', 1) -%}
  {%- set strategy = parts | last -%}
  {%- set package = parts[0] if parts | length > 1 else none -%}
  {%- if package is not none and package not in context -%}
    {%- do exceptions.raise_compiler_error('the snapshot strategy `' ~ name ~ '` is of a package that is not there') -%}
  {%- endif -%}
  {%- set macros = context if package is none else context[package] -%}
  {%- set wanted = 'snapshot_' ~ strategy ~ '_strategy' -%}
  {%- if wanted not in macros -%}
    {%- do exceptions.raise_compiler_error(
      'there is no snapshot strategy `' ~ name ~ '`: use timestamp or check, or write a macro `' ~ wanted ~ '`'
    ) -%}
  {%- endif -%}
  {{ return(macros[wanted]) }}
{%- endmacro %}

{#- Changed is what differs in any column, the stamp among them: the stamp says when, not whether. dbt looks at the
    stamp alone. -#}
{% macro snapshot_timestamp_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
  {%- set updated_at = config.get('updated_at') -%}
  {%- if not updated_at -%}
    {%- do exceptions.raise_compiler_error('the snapshot strategy timestamp needs `updated_at`') -%}
  {%- endif -%}
  {%- if snapshot_is_dbt_compatible() or not target_exists -%}
    {%- set opened = snapshotted_rel ~ '.' ~ snapshot_columns().dbt_valid_from -%}
    {{ return(snapshot_strategy(updated_at, '(' ~ opened ~ ' < ' ~ current_rel ~ '.' ~ updated_at ~ ')')) }}
  {%- endif -%}
  {%- set column_added, columns = snapshot_check_all_get_existing_columns(node, target_exists, 'all') -%}
  {{ return(snapshot_strategy(updated_at, snapshot_differences(columns, snapshotted_rel, current_rel))) }}
{% endmacro %}

{#- Changed is what differs in a column; NULL is a value like any other. -#}
{% macro snapshot_check_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) %}
  {%- set updated_at = config.get('updated_at') or snapshot_get_time() -%}
  {%- set column_added, check_columns = snapshot_check_all_get_existing_columns(node, target_exists, config.get('check_cols')) -%}
  {#- A new column is no change of every row: open versions take its value, see `snapshot_fill_new_columns`. -#}
  {%- if column_added and snapshot_is_dbt_compatible() -%}
    {%- set row_changed = '(' ~ get_true_sql() ~ ')' -%}
  {%- else -%}
    {%- set row_changed = snapshot_differences(check_columns or [], snapshotted_rel, current_rel) -%}
  {%- endif -%}
  {{ return(snapshot_strategy(updated_at, row_changed)) }}
{% endmacro %}

{% macro snapshot_differences(columns, snapshotted_rel, current_rel) %}
  {%- set differences = [] -%}
  {%- for column in columns -%}
    {%- do differences.append(snapshotted_rel ~ '.' ~ column ~ ' is distinct from ' ~ current_rel ~ '.' ~ column) -%}
  {%- endfor -%}
  {{ return('(' ~ (differences | join(' or ') or 'false') ~ ')') }}
{% endmacro %}

{% macro snapshot_strategy(updated_at, row_changed) %}
  {%- set unique_key = config.get('unique_key') -%}
  {%- set hard_deletes = adapter.get_hard_deletes_behavior(config) -%}
  {{ return({
    'unique_key': unique_key,
    'updated_at': updated_at,
    'row_changed': row_changed,
    'scd_id': snapshot_hash_arguments(api.Relation.scd_args(unique_key, updated_at)),
    'invalidate_hard_deletes': hard_deletes == 'invalidate',
    'hard_deletes': hard_deletes
  }) }}
{% endmacro %}

{#- The columns to compare, quoted, as far as the table has them, and whether it lacks one. -#}
{% macro snapshot_check_all_get_existing_columns(node, target_exists, check_cols_config) -%}
  {%- if check_cols_config == 'all' -%}
    {%- set query = node['compiled_code'] -%}
  {%- elif check_cols_config is string or check_cols_config is mapping or not check_cols_config -%}
    {%- do exceptions.raise_compiler_error(
      'the snapshot strategy check needs `check_cols`: a list of columns, or all (found: ' ~ check_cols_config ~ ')'
    ) -%}
  {%- else -%}
    {%- set query = 'select ' ~ check_cols_config | join(', ') ~ ' from (\n' ~ node['compiled_code'] ~ '\n) subq' -%}
  {%- endif -%}
  {%- if not target_exists -%}
    {{ return((false, none)) }}
  {%- endif -%}
  {%- set target_relation = adapter.get_relation(database=node.database, schema=node.schema, identifier=node.alias) -%}
  {%- set existing = adapter.get_columns_in_relation(target_relation) | map(attribute='name') | list -%}
  {%- set known = [] -%}
  {%- set added = [] -%}
  {%- for column in get_columns_in_query(query) -%}
    {%- if column in existing -%}
      {%- do known.append(adapter.quote(column)) -%}
    {%- else -%}
      {%- do added.append(column) -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return((added | length > 0, known)) }}
{%- endmacro %}

{% macro snapshot_hash_arguments(args) -%}
  {{ adapter.dispatch('snapshot_hash_arguments', 'dbt')(args) }}
{%- endmacro %}

{#- The same as dbt's, but that a `|` within a value is marked: else ('a|b', 'c') and ('a', 'b|c') would be one. -#}
{% macro default__snapshot_hash_arguments(args) -%}
  {%- set parts = [] -%}
  {%- for arg in args -%}
    {%- set text = "coalesce(cast(" ~ arg ~ " as varchar), '')" -%}
    {%- do parts.append(text if snapshot_is_dbt_compatible() else snapshot_escaped(text)) -%}
  {%- endfor -%}
  md5({{ parts | join(" || '|' || ") }})
{%- endmacro %}

{% macro snapshot_escaped(expression) -%}
  {{ return(adapter.dispatch('snapshot_escaped', 'dbt')(expression)) }}
{%- endmacro %}

{% macro default__snapshot_escaped(expression) -%}
  {{ return("replace(replace(" ~ expression ~ ", '^', '^^'), '|', '^|')") }}
{%- endmacro %}

{#- Whether the snapshot wants what dbt does where strata is more careful (docs/differences.md). -#}
{% macro snapshot_is_dbt_compatible() %}
  {{ return(config.get('dbt_compatible', false)) }}
{% endmacro %}

{#- The names of the columns that a snapshot adds, those of `snapshot_meta_column_names` first. -#}
{% macro snapshot_columns() %}
  {{ return(config.get('snapshot_table_column_names') or get_snapshot_table_column_names()) }}
{% endmacro %}

{% macro get_snapshot_table_column_names() %}
  {%- set names = {
    'dbt_valid_to': 'dbt_valid_to',
    'dbt_valid_from': 'dbt_valid_from',
    'dbt_scd_id': 'dbt_scd_id',
    'dbt_updated_at': 'dbt_updated_at',
    'dbt_is_deleted': 'dbt_is_deleted'
  } -%}
  {%- for name, chosen in (config.get('snapshot_meta_column_names') or {}).items() if chosen -%}
    {%- do names.update({name: chosen}) -%}
  {%- endfor -%}
  {{ return(names) }}
{% endmacro %}

{%- macro snapshot_get_time() -%}
  {{ adapter.dispatch('snapshot_get_time', 'dbt')() }}
{%- endmacro -%}

{% macro default__snapshot_get_time() -%}
  {{ current_timestamp() }}
{%- endmacro %}

{% macro snapshot_string_as_time(timestamp) -%}
  {{ adapter.dispatch('snapshot_string_as_time', 'dbt')(timestamp) }}
{%- endmacro %}

{% macro default__snapshot_string_as_time(timestamp) -%}
  {{ return("cast('" ~ timestamp ~ "' as " ~ type_timestamp() ~ ')') }}
{%- endmacro %}

{% macro get_true_sql() -%}
  {{ adapter.dispatch('get_true_sql', 'dbt')() }}
{%- endmacro %}

{% macro default__get_true_sql() %}
  {{ return('true') }}
{% endmacro %}
