{#- MERGE on DuckDB, with the configs that describe its clauses. -#}

{% macro duckdb__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- do validate_merge_config(config) -%}
  {%- set predicates = normalize_incremental_predicates(incremental_predicates) -%}
  {%- set clauses = config.get('merge_clauses') or {} -%}
  {%- set header = config.get('sql_header', none) -%}
  {%- set returning = config.get('merge_returning_columns') -%}
  {{ header if header is not none }}
  merge into {{ target }} as DBT_INTERNAL_DEST
  using {{ source }} as DBT_INTERNAL_SOURCE
  {{ duckdb__merge_join_clause(unique_key, config.get('merge_on_using_columns'), predicates) }}
  {%- for clause in clauses.get('when_matched', [duckdb_default_matched_clause()]) %}
  when matched{{ duckdb_merge_condition(clause) }} then {{ duckdb_merge_matched_action(clause, dest_columns) }}
  {%- endfor %}
  {%- for clause in clauses.get('when_not_matched', [duckdb_default_not_matched_clause()]) %}
  when not matched{{ ' by ' ~ clause.get('by') if clause.get('by') }}{{ duckdb_merge_condition(clause) }} then {{ duckdb_merge_not_matched_action(clause) }}
  {%- endfor %}
  {%- if returning %}
  returning {{ returning if returning is string else returning | join(', ') }}
  {%- endif %}
{%- endmacro %}

{% macro duckdb__merge_join_clause(unique_key, merge_on_using_columns, incremental_predicates) -%}
  {%- set conditions = [] -%}
  {%- if merge_on_using_columns -%}
    using ({{ merge_on_using_columns | join(', ') }})
  {%- else -%}
    {%- for key in unique_key_list(unique_key) -%}
      {%- do conditions.append('DBT_INTERNAL_SOURCE.' ~ key ~ ' = DBT_INTERNAL_DEST.' ~ key) -%}
    {%- endfor -%}
    {%- if not unique_key -%}
      {%- do conditions.append('false') -%}
    {%- endif -%}
  {%- endif -%}
  {%- set conditions = conditions + incremental_predicates -%}
  {%- if conditions %} on ({{ conditions | join(') and (') }}){% endif -%}
{%- endmacro %}

{#- What happens to a matched row unless `merge_clauses` says otherwise. -#}
{% macro duckdb_default_matched_clause() %}
  {%- set update = {
    'include': config.get('merge_update_columns') or [],
    'exclude': config.get('merge_exclude_columns') or [],
    'set_expressions': config.get('merge_update_set_expressions') or {}
  } -%}
  {%- set is_explicit = update['include'] or update['exclude'] or update['set_expressions'] -%}
  {{ return({
    'action': 'update',
    'mode': 'explicit' if is_explicit else 'by_name',
    'condition': config.get('merge_update_condition'),
    'update': update
  }) }}
{% endmacro %}

{% macro duckdb_default_not_matched_clause() %}
  {{ return({'action': 'insert', 'mode': 'by_name', 'condition': config.get('merge_insert_condition')}) }}
{% endmacro %}

{% macro duckdb_merge_condition(clause) -%}
  {%- set condition = clause.get('condition') -%}
  {%- if condition is string and condition %} and {{ condition }}
  {%- elif condition %} and ({{ condition | join(') and (') }})
  {%- endif -%}
{%- endmacro %}

{% macro duckdb_merge_matched_action(clause, dest_columns) -%}
  {%- set action = clause.get('action') -%}
  {%- set mode = clause.get('mode') -%}
  {%- if action != 'update' -%}
    {{ duckdb_merge_plain_action(clause) }}
  {%- elif mode == 'by_name' -%} update by name
  {%- elif mode == 'by_position' -%} update by position
  {%- elif mode == 'star' -%} update set *
  {%- elif mode == 'explicit' -%}
    {%- set update = clause.get('update') or {} -%}
    {%- set expressions = update.get('set_expressions') or {} -%}
    {%- set columns = get_merge_update_columns(update.get('include'), update.get('exclude'), dest_columns) -%}
    {%- set settings = [] -%}
    {%- for column, expression in expressions.items() -%}
      {%- do settings.append(column ~ ' = ' ~ expression) -%}
    {%- endfor -%}
    {%- for column in columns if column | replace('"', '') not in expressions -%}
      {%- do settings.append(column ~ ' = DBT_INTERNAL_SOURCE.' ~ column) -%}
    {%- endfor -%}
    update set {{ settings | join(', ') }}
  {%- else -%}
    {{- duckdb_merge_refuse(clause) -}}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb_merge_not_matched_action(clause) -%}
  {%- set action = clause.get('action') -%}
  {%- set mode = clause.get('mode') -%}
  {%- if action == 'update' -%}
    {%- set settings = [] -%}
    {%- for column, expression in (clause.get('set_expressions') or {}).items() -%}
      {%- do settings.append(column ~ ' = ' ~ expression) -%}
    {%- endfor -%}
    update set {{ settings | join(', ') }}
  {%- elif action != 'insert' -%}
    {{ duckdb_merge_plain_action(clause) }}
  {%- elif mode == 'by_name' -%} insert by name
  {%- elif mode == 'by_position' -%} insert by position
  {%- elif mode == 'star' -%} insert *
  {%- elif mode == 'explicit' -%}
    {%- set insert = clause.get('insert') or {} -%}
    insert ({{ insert.get('columns', []) | join(', ') }}) values ({{ insert.get('values', []) | join(', ') }})
  {%- else -%}
    {{- duckdb_merge_refuse(clause) -}}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb_merge_plain_action(clause) -%}
  {%- set action = clause.get('action') -%}
  {%- if action == 'delete' -%} delete
  {%- elif action == 'do_nothing' -%} do nothing
  {%- elif action == 'error' -%} error {{ duckdb_literal(clause.get('error_message')) if clause.get('error_message') }}
  {%- else -%}
    {{- duckdb_merge_refuse(clause) -}}
  {%- endif -%}
{%- endmacro %}

{% macro duckdb_merge_refuse(clause) -%}
  {%- do exceptions.raise_compiler_error(
    'a clause of `merge_clauses` has an action and mode that MERGE does not have: ' ~ tojson(clause)
  ) -%}
{%- endmacro %}

{#- All that is wrong with the merge configs, at once. -#}
{% macro validate_merge_config(config, target_relation=none) %}
  {%- set errors = [] -%}
  {%- for name in ['merge_update_condition', 'merge_insert_condition'] -%}
    {%- set value = config.get(name) -%}
    {%- if value is not none and value is not string -%}
      {%- do errors.append('`' ~ name ~ '` must be a text') -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for name in ['merge_on_using_columns', 'merge_update_columns', 'merge_exclude_columns', 'merge_returning_columns'] -%}
    {%- set value = config.get(name) -%}
    {%- if value is not none and (value is string or value is mapping or value is not sequence) -%}
      {%- do errors.append('`' ~ name ~ '` must be a list') -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set expressions = config.get('merge_update_set_expressions') -%}
  {%- if expressions is not none and expressions is not mapping -%}
    {%- do errors.append('`merge_update_set_expressions` must be a mapping of columns to expressions') -%}
  {%- endif -%}
  {%- set clauses = config.get('merge_clauses') -%}
  {%- if clauses is not none -%}
    {%- do duckdb_validate_merge_clauses(clauses, config, errors) -%}
  {%- endif -%}
  {%- if errors -%}
    {%- do exceptions.raise_compiler_error('the merge configs are wrong:\n' ~ errors | join('\n')) -%}
  {%- endif -%}
{% endmacro %}

{% macro duckdb_validate_merge_clauses(clauses, config, errors) %}
  {%- if clauses is not mapping or not ('when_matched' in clauses or 'when_not_matched' in clauses) -%}
    {%- do errors.append('`merge_clauses` must be a mapping with `when_matched` or `when_not_matched`') -%}
    {{ return('') }}
  {%- endif -%}
  {%- for name in ['when_matched', 'when_not_matched'] if name in clauses -%}
    {%- set list = clauses[name] -%}
    {%- if list is string or list is mapping or list is not sequence or not list -%}
      {%- do errors.append('`merge_clauses.' ~ name ~ '` must be a list with at least one clause') -%}
    {%- elif list | select('mapping') | list | length != list | length -%}
      {%- do errors.append('every clause of `merge_clauses.' ~ name ~ '` must be a mapping') -%}
    {%- endif -%}
  {%- endfor -%}
  {%- for name in [
    'merge_update_condition', 'merge_insert_condition', 'merge_update_columns', 'merge_exclude_columns',
    'merge_update_set_expressions'
  ] if config.get(name) -%}
    {%- do errors.append('`' ~ name ~ '` has no effect beside `merge_clauses`: say it in a clause') -%}
  {%- endfor -%}
{% endmacro %}
