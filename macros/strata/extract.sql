{#- What was fetched from a source comes into its table. In the model's SQL, `source()` is the batch just fetched. -#}

{#- Configs: unique_key (none: rows are appended), updated_at (a column: an older row never replaces a newer one),
    audit_columns (columns that are no content, such as the time of loading), on_schema_change, and deletes, which is
    `ignore` since a batch need not hold every row of its source. -#}
{% materialization extract, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set intermediate_relation = make_intermediate_relation(target_relation) -%}
  {%- set rebuild = existing_relation is not none and (should_full_refresh() or not existing_relation.is_table) -%}
  {%- set unique_key = unique_key_list(config.get('unique_key')) -%}
  {%- set batch_relation = make_temp_relation(target_relation) -%}
  {%- if config.get('deletes', 'ignore') != 'ignore' -%}
    {%- do exceptions.raise_compiler_error(
      '`deletes: ' ~ config.get('deletes') ~ '` is not supported by the materialization extract: use ignore, and let a '
      ~ 'snapshot or scd2 model over a full extract see what is gone'
    ) -%}
  {%- endif -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}

  {%- do run_query(create_table_as(true, batch_relation, sql)) -%}
  {%- if unique_key -%}
    {%- do assert_unique_keys(batch_relation, unique_key, 'the extract model `' ~ model.name ~ '`') -%}
  {%- endif -%}
  {%- if existing_relation is none or rebuild -%}
    {%- set counts = extract_create(existing_relation, target_relation, intermediate_relation, batch_relation) -%}
  {%- else -%}
    {%- set counts = extract_merge(target_relation, batch_relation, unique_key) -%}
  {%- endif -%}
  {%- do adapter.drop_relation(batch_relation) -%}
  {%- do store_raw_result(
    'main',
    message='INSERT ' ~ counts.inserted ~ ', UPDATE ' ~ counts.updated,
    code='EXTRACT',
    rows_affected=counts.inserted + counts.updated
  ) -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, rebuild)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation], 'inserted': counts.inserted, 'updated': counts.updated}) }}
{% endmaterialization %}

{#- The table's first rows, or all its rows anew. -#}
{% macro extract_create(existing_relation, target_relation, intermediate_relation, batch_relation) %}
  {{ return(adapter.dispatch('extract_create', 'strata')(
    existing_relation, target_relation, intermediate_relation, batch_relation
  )) }}
{% endmacro %}

{% macro default__extract_create(existing_relation, target_relation, intermediate_relation, batch_relation) %}
  {%- set new_relation = target_relation if existing_relation is none else intermediate_relation -%}
  {%- do drop_relation_if_exists(load_cached_relation(intermediate_relation)) -%}
  {%- call statement('main') -%}
    {{ create_table_as(false, new_relation, 'select * from ' ~ batch_relation) }}
  {%- endcall -%}
  {%- if existing_relation is not none -%}
    {%- do adapter.drop_relation(existing_relation) -%}
    {%- do adapter.rename_relation(intermediate_relation, target_relation) -%}
  {%- endif -%}
  {%- do create_indexes(target_relation) -%}
  {{ return({'inserted': row_count(target_relation), 'updated': 0}) }}
{% endmacro %}

{#- Brings a batch into the table. Only rows whose content differs are written, so that a batch which was there before
    changes nothing. -#}
{% macro extract_merge(target_relation, batch_relation, unique_key) %}
  {%- set on_schema_change =
    incremental_validate_on_schema_change(config.get('on_schema_change'), default='append_new_columns') -%}
  {%- do extract_widen_columns(batch_relation, target_relation, unique_key) -%}
  {%- set columns = extract_process_columns(on_schema_change, batch_relation, target_relation) -%}
  {%- set before = row_count(target_relation) -%}
  {%- call statement('main') -%}
    {{ extract_merge_sql(target_relation, batch_relation, unique_key, columns) }}
  {%- endcall -%}
  {%- set inserted = row_count(target_relation) - before -%}
  {%- set written = load_result('main').response.rows_affected or inserted -%}
  {{ return({'inserted': inserted, 'updated': written - inserted}) }}
{% endmacro %}

{#- The columns that the batch and the table share once the table's are in line. -#}
{% macro extract_process_columns(on_schema_change, batch_relation, target_relation) %}
  {%- set batch_columns = process_schema_changes(on_schema_change, batch_relation, target_relation)
    or adapter.get_columns_in_relation(batch_relation) -%}
  {%- set names = adapter.get_columns_in_relation(target_relation) | map(attribute='name') | map('lower') | list -%}
  {%- set shared = [] -%}
  {%- for column in batch_columns if column.name | lower in names -%}
    {%- do shared.append(column) -%}
  {%- endfor -%}
  {{ return(shared) }}
{% endmacro %}

{% macro extract_merge_sql(target_relation, batch_relation, unique_key, columns) -%}
  {{ return(adapter.dispatch('extract_merge_sql', 'strata')(target_relation, batch_relation, unique_key, columns)) }}
{%- endmacro %}

{% macro default__extract_merge_sql(target_relation, batch_relation, unique_key, columns) -%}
  {%- set names = columns | map(attribute='quoted') | list -%}
  {%- if not unique_key -%}
  insert into {{ target_relation }} ({{ names | join(', ') }})
  select {{ names | join(', ') }} from {{ batch_relation }}
  {%- else -%}
  {%- set keys = columns_named(columns, unique_key, 'unique_key') -%}
  {%- set audit = unique_key_list(config.get('audit_columns')) | map('lower') | list -%}
  {%- set settings = [] -%}
  {%- set differences = [] -%}
  {%- for column in columns if column not in keys -%}
    {%- do settings.append(column.quoted ~ ' = batch.' ~ column.quoted) -%}
    {%- if column.name | lower not in audit -%}
      {%- do differences.append('target.' ~ column.quoted ~ ' is distinct from batch.' ~ column.quoted) -%}
    {%- endif -%}
  {%- endfor -%}
  merge into {{ target_relation }} as target
  using {{ batch_relation }} as batch
  on {{ same_key(keys | map(attribute='quoted') | list, 'target', 'batch') }}
  {%- if differences %}
  when matched and ({{ differences | join('\n    or ') }})
    {%- if config.get('updated_at') %}
    {%- set stamp = columns_named(columns, [config.get('updated_at')], 'updated_at')[0].quoted %}
    and (target.{{ stamp }} is null or batch.{{ stamp }} >= target.{{ stamp }})
    {%- endif %}
  then update set {{ settings | join(', ') }}
  {%- endif %}
  when not matched then insert ({{ names | join(', ') }})
  values (batch.{{ names | join(', batch.') }})
  {%- endif -%}
{%- endmacro %}

{#- A column of the table takes the wider type where the batch needs it. -#}
{% macro extract_widen_columns(batch_relation, target_relation, unique_key) %}
  {%- do adapter.dispatch('extract_widen_columns', 'strata')(batch_relation, target_relation, unique_key) -%}
{% endmacro %}

{% macro default__extract_widen_columns(batch_relation, target_relation, unique_key) %}
  {%- do adapter.expand_target_column_types(from_relation=batch_relation, to_relation=target_relation) -%}
{% endmacro %}

{#- Numbers widen along integers, double, decimal, text. Keys and stamps keep their kind: rows are found by them. -#}
{% macro duckdb__extract_widen_columns(batch_relation, target_relation, unique_key) %}
  {%- set fixed = (unique_key + [config.get('updated_at') or '']) | map('lower') | list -%}
  {%- set batch_columns = adapter.get_columns_in_relation(batch_relation) -%}
  {%- for column in adapter.get_columns_in_relation(target_relation) -%}
    {%- for other in batch_columns if other.name | lower == column.name | lower and other.dtype != column.dtype -%}
      {%- set from_rank, from_kind = extract_type_rank(column.dtype) -%}
      {%- set to_rank, to_kind = extract_type_rank(other.dtype) -%}
      {%- if from_kind is none or to_kind is none or to_rank > from_rank -%}
        {%- if from_kind is none or to_kind is none or (column.name | lower in fixed and from_kind != to_kind) -%}
          {%- do exceptions.raise_compiler_error(
            'the column `' ~ column.name ~ '` of ' ~ target_relation ~ ' is ' ~ column.dtype ~ ', but the batch has '
            ~ other.dtype ~ ': cast it in the model, or run with --full-refresh'
          ) -%}
        {%- endif -%}
        {%- do alter_column_type(target_relation, column.name, other.dtype) -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
{% endmacro %}

{#- How wide a type of numbers is, and its kind; none for a type that is not part of the chain. -#}
{% macro extract_type_rank(dtype) %}
  {%- set word = (dtype | upper).split('(')[0] | trim -%}
  {%- set integers = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT'] -%}
  {%- if word in integers -%}
    {{ return((integers.index(word), 'integer')) }}
  {%- elif word in ['FLOAT', 'DOUBLE'] -%}
    {{ return((10 if word == 'FLOAT' else 11, 'double')) }}
  {%- elif word == 'DECIMAL' -%}
    {{ return((12, 'decimal')) }}
  {%- elif word == 'VARCHAR' -%}
    {{ return((20, 'text')) }}
  {%- endif -%}
  {{ return((0, none)) }}
{% endmacro %}

{#- The columns of these names, case not regarded; `key` is the config that names them. -#}
{% macro columns_named(columns, names, key) %}
  {%- set found = [] -%}
  {%- for name in names -%}
    {%- set matching = [] -%}
    {%- for column in columns if column.name | lower == name | lower -%}
      {%- do matching.append(column) -%}
    {%- endfor -%}
    {%- if not matching -%}
      {%- do exceptions.raise_compiler_error(
        '`' ~ key ~ '` names the column `' ~ name ~ '`, which the query does not give; it gives '
        ~ columns | map(attribute='name') | join(', ')
      ) -%}
    {%- endif -%}
    {%- do found.append(matching[0]) -%}
  {%- endfor -%}
  {{ return(found) }}
{% endmacro %}

{% macro row_count(relation) %}
  {{ return(run_query('select count(*) from ' ~ relation).rows[0][0] | int) }}
{% endmacro %}
