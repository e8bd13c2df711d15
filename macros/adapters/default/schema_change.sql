{#- What an incremental model does when its query has other columns than its table. -#}

{% macro incremental_validate_on_schema_change(on_schema_change, default='ignore') %}
  {%- if on_schema_change in ['sync_all_columns', 'append_new_columns', 'fail', 'ignore'] -%}
    {{ return(on_schema_change) }}
  {%- endif -%}
  {%- if on_schema_change is not none -%}
    {%- do exceptions.warn(
      '`on_schema_change: ' ~ on_schema_change ~ '` is unknown (use ignore, fail, append_new_columns or '
      ~ 'sync_all_columns); `' ~ default ~ '` is taken'
    ) -%}
  {%- endif -%}
  {{ return(default) }}
{% endmacro %}

{#- The columns of the first list whose names the second does not have. -#}
{% macro diff_columns(source_columns, target_columns) %}
  {%- set names = target_columns | map(attribute='column') | list -%}
  {{ return(source_columns | rejectattr('name', 'in', names) | list) }}
{% endmacro %}

{% macro diff_column_data_types(source_columns, target_columns) %}
  {{ return(adapter.dispatch('diff_column_data_types', 'dbt')(source_columns, target_columns)) }}
{% endmacro %}

{% macro default__diff_column_data_types(source_columns, target_columns) %}
  {%- set changed = [] -%}
  {%- for source_column in source_columns -%}
    {%- for target_column in target_columns if target_column.name == source_column.name -%}
      {%- if source_column.expanded_data_type != target_column.expanded_data_type
             and not source_column.can_expand_to(other_column=target_column) -%}
        {%- do changed.append({
          'column_name': target_column.name, 'new_type': source_column.expanded_data_type
        }) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
  {{ return(changed) }}
{% endmacro %}

{% macro check_for_schema_changes(source_relation, target_relation) %}
  {{ return(adapter.dispatch('check_for_schema_changes', 'dbt')(source_relation, target_relation)) }}
{% endmacro %}

{% macro default__check_for_schema_changes(source_relation, target_relation) %}
  {%- set source_columns = adapter.get_columns_in_relation(source_relation) -%}
  {%- set target_columns = adapter.get_columns_in_relation(target_relation) -%}
  {%- set added = diff_columns(source_columns, target_columns) -%}
  {%- set removed = diff_columns(target_columns, source_columns) -%}
  {%- set retyped = diff_column_data_types(source_columns, target_columns) -%}
  {{ return({
    'schema_changed': added != [] or removed != [] or retyped != [],
    'source_not_in_target': added,
    'target_not_in_source': removed,
    'source_columns': source_columns,
    'target_columns': target_columns,
    'new_target_types': retyped
  }) }}
{% endmacro %}

{% macro sync_column_schemas(on_schema_change, target_relation, schema_changes_dict) %}
  {{ return(
    adapter.dispatch('sync_column_schemas', 'dbt')(on_schema_change, target_relation, schema_changes_dict)
  ) }}
{% endmacro %}

{% macro default__sync_column_schemas(on_schema_change, target_relation, schema_changes_dict) %}
  {%- set added = schema_changes_dict['source_not_in_target'] -%}
  {%- set removed = schema_changes_dict['target_not_in_source'] if on_schema_change == 'sync_all_columns' else [] -%}
  {%- if added or removed -%}
    {%- do alter_relation_add_remove_columns(target_relation, added, removed) -%}
  {%- endif -%}
  {%- if on_schema_change == 'sync_all_columns' -%}
    {%- for change in schema_changes_dict['new_target_types'] -%}
      {%- do alter_column_type(target_relation, change['column_name'], change['new_type']) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- do log('In ' ~ target_relation ~ ': columns added: ' ~ added ~ ', removed: ' ~ removed) -%}
{% endmacro %}

{#- Brings the table's columns in line as configured. Gives the columns of the query; nothing if they are ignored. -#}
{% macro process_schema_changes(on_schema_change, source_relation, target_relation) %}
  {{ return(
    adapter.dispatch('process_schema_changes', 'dbt')(on_schema_change, source_relation, target_relation)
  ) }}
{% endmacro %}

{% macro default__process_schema_changes(on_schema_change, source_relation, target_relation) %}
  {%- if on_schema_change == 'ignore' -%}
    {{ return({}) }}
  {%- endif -%}
  {%- set changes = check_for_schema_changes(source_relation, target_relation) -%}
  {%- if changes['schema_changed'] -%}
    {%- if on_schema_change == 'fail' -%}
      {%- do exceptions.raise_compiler_error(
        'the columns of the query and of the table ' ~ target_relation ~ ' differ, and `on_schema_change` is `fail`.\n'
        ~ 'only in the query: ' ~ (changes['source_not_in_target'] | map(attribute='name') | join(', ') or 'none') ~ '\n'
        ~ 'only in the table: ' ~ (changes['target_not_in_source'] | map(attribute='name') | join(', ') or 'none') ~ '\n'
        ~ 'of another type: ' ~ (changes['new_target_types'] | map(attribute='column_name') | join(', ') or 'none') ~ '\n'
        ~ 'Set `on_schema_change` to append_new_columns or sync_all_columns, or run with --full-refresh.'
      ) -%}
    {%- endif -%}
    {%- do sync_column_schemas(on_schema_change, target_relation, changes) -%}
  {%- endif -%}
  {{ return(changes['source_columns']) }}
{% endmacro %}
