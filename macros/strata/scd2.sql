{#- Slowly changing dimensions: one row a version. docs/scd2.md says what holds after every run. -#}

{#- Configs: unique_key; updated_at (when a row changed, not whether); tracked_columns or ignored_columns; hard_deletes
    (invalidate or ignore); max_delete_pct; surrogate_key; scd2_columns (names of the four columns of a version);
    open_end (what stands in effective_to of an open version); on_schema_change (append_new_columns, ignore, fail). -#}
{% materialization scd2, default %}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {#- History cannot be made again from the source, so --full-refresh spares it; `full_refresh: true` on the model itself
      does not. -#}
  {%- set rebuild = existing_relation is not none and config.get('full_refresh') is true -%}
  {%- if existing_relation is not none and not existing_relation.is_table -%}
    {%- do exceptions.relation_wrong_type(existing_relation, 'table', model) -%}
  {%- endif -%}
  {{ run_hooks(pre_hooks, inside_transaction=false) }}
  {{ run_hooks(pre_hooks, inside_transaction=true) }}

  {#- The query is asked once, so that all that follows sees the same rows. -#}
  {%- set source_relation = make_temp_relation(target_relation, suffix='__dbt_source') -%}
  {%- do run_query(create_table_as(true, source_relation, sql)) -%}
  {%- set settings = scd2_settings(config, adapter.get_columns_in_relation(source_relation)) -%}
  {%- do assert_unique_keys(source_relation, settings.key_columns, 'the dimension `' ~ model.name ~ '`') -%}
  {%- if existing_relation is none or rebuild -%}
    {%- do scd2_make_room(existing_relation) -%}
    {%- call statement('main') -%}
      {{ create_table_as(false, target_relation, scd2_first_versions_sql(source_relation, settings)) }}
    {%- endcall -%}
    {%- do create_indexes(target_relation) -%}
    {%- set message, rows_affected = 'SCD2 created', row_count(target_relation) -%}
  {%- else -%}
    {%- set message, rows_affected = scd2_continue(source_relation, target_relation, settings) -%}
  {%- endif -%}
  {%- do adapter.drop_relation(source_relation) -%}
  {%- do store_raw_result('main', message=message, code='SCD2', rows_affected=rows_affected) -%}

  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, rebuild)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {{ run_hooks(post_hooks, inside_transaction=true) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=false) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Before a dimension is made anew. Where CREATE OR REPLACE is one statement, nothing has to go. -#}
{% macro scd2_make_room(existing_relation) %}
  {%- do adapter.dispatch('scd2_make_room', 'strata')(existing_relation) -%}
{% endmacro %}

{% macro default__scd2_make_room(existing_relation) %}
  {%- do drop_relation_if_exists(existing_relation) -%}
{% endmacro %}

{#- Every run but the first: finds what changed, refuses what cannot be right, closes and opens versions. Gives a message
    and how many versions were opened or closed. -#}
{% macro scd2_continue(source_relation, target_relation, settings) %}
  {%- set new_columns = scd2_add_columns(source_relation, target_relation, settings) -%}
  {%- set changes_relation = make_temp_relation(target_relation, suffix='__dbt_changes') -%}
  {%- do run_query(create_table_as(
    true, changes_relation, scd2_changes_sql(source_relation, target_relation, settings, new_columns)
  )) -%}
  {%- set counts = {'new': 0, 'returned': 0, 'changed': 0, 'deleted': 0} -%}
  {%- for row in run_query('select scd2_change, count(*) from ' ~ changes_relation ~ ' group by scd2_change') -%}
    {%- do counts.update({row[0]: row[1] | int}) -%}
  {%- endfor -%}
  {%- do scd2_refuse_mass_deletion(counts.deleted, source_relation, target_relation, settings) -%}
  {%- call statement('main') -%}
    {{ scd2_apply_sql(source_relation, target_relation, changes_relation, settings, new_columns) }}
  {%- endcall -%}
  {%- do adapter.drop_relation(changes_relation) -%}
  {%- set opened = counts.new + counts.returned + counts.changed -%}
  {{ return((
    'SCD2 ' ~ counts.new ~ ' new, ' ~ counts.changed ~ ' changed, ' ~ counts.deleted ~ ' deleted, '
      ~ counts.returned ~ ' returned',
    opened + counts.changed + counts.deleted
  )) }}
{% endmacro %}

{#- What the configs mean for a query with these columns. -#}
{% macro scd2_settings(options, source_columns) %}
  {%- if not options.get('unique_key') -%}
    {%- do exceptions.raise_compiler_error('a model with the materialization scd2 needs `unique_key`') -%}
  {%- endif -%}
  {%- set names = {
    'effective_from': 'effective_from', 'effective_to': 'effective_to',
    'is_current': 'is_current', 'version_number': 'version_number'
  } -%}
  {%- for name, chosen in (options.get('scd2_columns') or {}).items() -%}
    {%- if name not in names -%}
      {%- do exceptions.raise_compiler_error(
        '`scd2_columns` renames effective_from, effective_to, is_current and version_number; there is no ' ~ name
      ) -%}
    {%- endif -%}
    {%- do names.update({name: chosen}) -%}
  {%- endfor -%}
  {%- do names.update({'surrogate_key': options.get('surrogate_key') or scd2_surrogate_name(model.name)}) -%}
  {%- set own = names.values() | map('lower') | list -%}
  {%- for column in source_columns if column.name | lower in own -%}
    {%- do exceptions.raise_compiler_error(
      'the query gives a column `' ~ column.name ~ '`, which the dimension keeps itself: leave it out, or rename the '
      ~ 'dimension\'s with `scd2_columns` or `surrogate_key`'
    ) -%}
  {%- endfor -%}
  {%- if options.get('hard_deletes', 'invalidate') not in ['invalidate', 'ignore'] -%}
    {%- do exceptions.raise_compiler_error(
      '`hard_deletes` of a dimension is invalidate or ignore, not ' ~ options.get('hard_deletes')
    ) -%}
  {%- endif -%}
  {%- set keys = columns_named(source_columns, unique_key_list(options.get('unique_key')), 'unique_key') -%}
  {%- set ignored = columns_named(source_columns, unique_key_list(options.get('ignored_columns')), 'ignored_columns') -%}
  {%- set stamp = (options.get('updated_at') or '') | lower -%}
  {%- set tracked = columns_named(source_columns, unique_key_list(options.get('tracked_columns')), 'tracked_columns') -%}
  {%- if not tracked -%}
    {%- for column in source_columns if column not in keys and column not in ignored and column.name | lower != stamp -%}
      {%- do tracked.append(column) -%}
    {%- endfor -%}
  {%- endif -%}
  {%- set overwritten = [] -%}
  {%- for column in source_columns if column not in keys and column not in tracked -%}
    {%- do overwritten.append(column) -%}
  {%- endfor -%}
  {{ return({
    'columns': source_columns,
    'key_columns': keys | map(attribute='quoted') | list,
    'tracked': tracked,
    'overwritten': overwritten,
    'names': names,
    'updated_at': options.get('updated_at'),
    'run_stamp': scd2_run_stamp(),
    'open_end': 'cast(' ~ (options.get('open_end') or 'null') ~ ' as ' ~ type_timestamp() ~ ')',
    'invalidates': options.get('hard_deletes', 'invalidate') == 'invalidate',
    'max_delete_pct': options.get('max_delete_pct')
  }) }}
{% endmacro %}

{#- dim_customer has the key customer_key. -#}
{% macro scd2_surrogate_name(name) -%}
  {%- set subject = name[4:] if name[:4] == 'dim_' else name -%}
  {{ return(subject ~ '_key') }}
{%- endmacro %}

{#- One stamp for the whole run, in UTC: the text of `run_started_at` without its offset. -#}
{% macro scd2_run_stamp() -%}
  {{ return("cast('" ~ (run_started_at | string).split('+')[0] ~ "' as " ~ type_timestamp() ~ ')') }}
{%- endmacro %}

{#- The surrogate key: a hash over key and stamp, in which every value is told apart from its neighbours by its length. -#}
{% macro scd2_surrogate_sql(settings, keys, stamp) -%}
  {%- set parts = [] -%}
  {%- for key in keys -%}
    {%- set text = 'cast(' ~ key ~ ' as ' ~ type_string() ~ ')' -%}
    {%- do parts.append('cast(length(' ~ text ~ ') as ' ~ type_string() ~ ") || ':' || " ~ text) -%}
  {%- endfor -%}
  md5({{ parts | join(" || '|' || ") }} || '|' || cast({{ stamp }} as {{ type_string() }}))
{%- endmacro %}

{#- A row's own stamp, if it has one. -#}
{% macro scd2_own_stamp(settings) -%}
  {%- if settings.updated_at -%}
    cast({{ settings.updated_at }} as {{ type_timestamp() }})
  {%- else -%}
    {{ settings.run_stamp }}
  {%- endif -%}
{%- endmacro %}

{#- The first run: every row is version 1, open since its own stamp unless that lies in the future. -#}
{% macro scd2_first_versions_sql(source_relation, settings) -%}
  {%- set names = settings.names -%}
  select
    {{ scd2_surrogate_sql(settings, settings.key_columns, 'scd2_at') }} as {{ names.surrogate_key }},
    {{ settings.columns | map(attribute='quoted') | join(', ') }},
    scd2_at as {{ names.effective_from }},
    {{ settings.open_end }} as {{ names.effective_to }},
    true as {{ names.is_current }},
    cast(1 as integer) as {{ names.version_number }}
  from (
    select *,
      case when {{ scd2_own_stamp(settings) }} <= {{ settings.run_stamp }} then {{ scd2_own_stamp(settings) }}
        else {{ settings.run_stamp }} end as scd2_at
    from {{ source_relation }}
  ) as stamped
{%- endmacro %}

{#- Columns that the table does not have yet are added; closed versions never knew them. Gives those columns. -#}
{% macro scd2_add_columns(source_relation, target_relation, settings) %}
  {%- set target_columns = adapter.get_columns_in_relation(target_relation) -%}
  {%- set existing = target_columns | map(attribute='name') | map('lower') | list -%}
  {%- for name in settings.names.values() if name | lower not in existing -%}
    {%- do exceptions.raise_compiler_error(
      target_relation ~ ' is not a dimension that strata made: it has no column `' ~ name
      ~ '`. Drop it, or name its columns with `scd2_columns` and `surrogate_key`.'
    ) -%}
  {%- endfor -%}
  {%- set added = [] -%}
  {%- for column in settings.columns if column.name | lower not in existing -%}
    {%- do added.append(column) -%}
  {%- endfor -%}
  {%- set on_schema_change =
    incremental_validate_on_schema_change(config.get('on_schema_change'), default='append_new_columns') -%}
  {%- if on_schema_change == 'sync_all_columns' -%}
    {%- do exceptions.raise_compiler_error(
      '`on_schema_change: sync_all_columns` would drop columns of closed versions; use append_new_columns'
    ) -%}
  {%- elif added and on_schema_change == 'fail' -%}
    {%- do exceptions.raise_compiler_error(
      target_relation ~ ' does not have the columns ' ~ added | map(attribute='name') | join(', ')
      ~ ' of the query, and `on_schema_change` is `fail`'
    ) -%}
  {%- elif added and on_schema_change == 'append_new_columns' -%}
    {%- do alter_relation_add_remove_columns(target_relation, added, none) -%}
  {%- endif -%}
  {%- do settings.update({'written': settings.columns}) -%}
  {%- if on_schema_change == 'ignore' -%}
    {%- do settings.update({'written': settings.columns | reject('in', added) | list}) -%}
    {%- do settings.update({'tracked': settings.tracked | reject('in', added) | list}) -%}
    {%- do settings.update({'overwritten': settings.overwritten | reject('in', added) | list}) -%}
    {{ return([]) }}
  {%- endif -%}
  {{ return(added) }}
{% endmacro %}

{#- One row for each key whose versions change: its key, scd2_change (new, returned, changed, deleted), scd2_version (of
    the version to open, or to close if it is deleted) and scd2_at (when the one closes and the other opens). -#}
{% macro scd2_changes_sql(source_relation, target_relation, settings, new_columns) -%}
  {{ return(adapter.dispatch('scd2_changes_sql', 'strata')(
    source_relation, target_relation, settings, new_columns
  )) }}
{%- endmacro %}

{% macro default__scd2_changes_sql(source_relation, target_relation, settings, new_columns) -%}
  {%- set names = settings.names -%}
  {%- set differences = [] -%}
  {%- for column in settings.tracked if column not in new_columns -%}
    {%- do differences.append('open_versions.' ~ column.quoted ~ ' is distinct from source_rows.' ~ column.quoted) -%}
  {%- endfor -%}
  {%- set run = settings.run_stamp -%}
  with open_versions as (
    select * from {{ target_relation }} where {{ names.is_current }}
  ),

  closed_versions as (
    select {{ settings.key_columns | join(', ') }},
      max({{ names.version_number }}) as last_version, max({{ names.effective_to }}) as closed_until
    from {{ target_relation }}
    where not {{ names.is_current }}
    group by {{ settings.key_columns | join(', ') }}
  ),

  known as (
    select max(case when {{ names.is_current }} then {{ names.effective_from }} else {{ names.effective_to }} end) as known_until
    from {{ target_relation }}
  ),

  source_rows as (
    select *, {{ scd2_own_stamp(settings) }} as scd2_own_stamp from {{ source_relation }}
  )

  select
    source_rows.{{ settings.key_columns | join(', source_rows.') }},
    case
      when open_versions.{{ names.version_number }} is not null then 'changed'
      when closed_versions.last_version is not null then 'returned'
      else 'new'
    end as scd2_change,
    coalesce(open_versions.{{ names.version_number }}, closed_versions.last_version, 0) + 1 as scd2_version,
    case
      when (open_versions.{{ names.version_number }} is not null or closed_versions.last_version is null)
        and source_rows.scd2_own_stamp <= {{ run }}
        and (known.known_until is null or source_rows.scd2_own_stamp > known.known_until)
        then source_rows.scd2_own_stamp
      when open_versions.{{ names.effective_from }} >= {{ run }}
        then {{ next_instant('open_versions.' ~ names.effective_from) }}
      when open_versions.{{ names.version_number }} is null and closed_versions.closed_until >= {{ run }}
        then {{ next_instant('closed_versions.closed_until') }}
      else {{ run }}
    end as scd2_at
  from source_rows
  cross join known
  left join open_versions on {{ same_key(settings.key_columns, 'open_versions', 'source_rows') }}
  left join closed_versions on {{ same_key(settings.key_columns, 'closed_versions', 'source_rows') }}
  where open_versions.{{ names.version_number }} is null
    {%- for difference in differences %}
    or {{ difference }}
    {%- endfor %}
  {%- if settings.invalidates %}

  union all

  select
    open_versions.{{ settings.key_columns | join(', open_versions.') }},
    'deleted',
    open_versions.{{ names.version_number }},
    case
      when open_versions.{{ names.effective_from }} >= {{ run }}
        then {{ next_instant('open_versions.' ~ names.effective_from) }}
      else {{ run }}
    end
  from open_versions
  left join source_rows on {{ same_key(settings.key_columns, 'open_versions', 'source_rows') }}
  where source_rows.{{ settings.key_columns[0] }} is null
  {%- endif %}
{%- endmacro %}

{#- Closes what ended, opens what began. What is not tracked is overwritten in the open version. -#}
{% macro scd2_apply_sql(source_relation, target_relation, changes_relation, settings, new_columns) -%}
  {{ return(adapter.dispatch('scd2_apply_sql', 'strata')(
    source_relation, target_relation, changes_relation, settings, new_columns
  )) }}
{%- endmacro %}

{% macro default__scd2_apply_sql(source_relation, target_relation, changes_relation, settings, new_columns) -%}
  {%- set names = settings.names -%}
  {%- set columns = settings.written | map(attribute='quoted') | list -%}
  update {{ target_relation }} as versions
  set {{ names.effective_to }} = changes.scd2_at, {{ names.is_current }} = false
  from {{ changes_relation }} as changes
  where {{ same_key(settings.key_columns, 'versions', 'changes') }}
    and versions.{{ names.is_current }}
    and changes.scd2_change in ('changed', 'deleted');

  insert into {{ target_relation }} (
    {{ names.surrogate_key }}, {{ columns | join(', ') }},
    {{ names.effective_from }}, {{ names.effective_to }}, {{ names.is_current }}, {{ names.version_number }}
  )
  select
    {{ scd2_surrogate_sql(settings, scd2_prefixed(settings.key_columns, 'changes'), 'changes.scd2_at') }},
    source_rows.{{ columns | join(', source_rows.') }},
    changes.scd2_at, {{ settings.open_end }}, true, changes.scd2_version
  from {{ changes_relation }} as changes
  inner join {{ source_relation }} as source_rows on {{ same_key(settings.key_columns, 'source_rows', 'changes') }}
  where changes.scd2_change <> 'deleted';

  {%- set overwritten = settings.overwritten + (new_columns | reject('in', settings.overwritten) | list) %}
  {%- if overwritten %}
  {%- set assignments = [] %}
  {%- set differences = [] %}
  {%- for column in overwritten %}
    {%- do assignments.append(column.quoted ~ ' = source_rows.' ~ column.quoted) %}
    {%- do differences.append('versions.' ~ column.quoted ~ ' is distinct from source_rows.' ~ column.quoted) %}
  {%- endfor %}

  update {{ target_relation }} as versions
  set {{ assignments | join(', ') }}
  from {{ source_relation }} as source_rows
  where {{ same_key(settings.key_columns, 'versions', 'source_rows') }}
    and versions.{{ names.is_current }}
    and ({{ differences | join(' or ') }});
  {%- endif %}
{%- endmacro %}

{% macro scd2_prefixed(names, prefix) %}
  {%- set prefixed = [] -%}
  {%- for name in names -%}
    {%- do prefixed.append(prefix ~ '.' ~ name) -%}
  {%- endfor -%}
  {{ return(prefixed) }}
{% endmacro %}

{#- A source that lost too much is more likely broken than true. -#}
{% macro scd2_refuse_mass_deletion(deleted, source_relation, target_relation, settings) %}
  {%- if deleted > 0 -%}
    {%- set open = run_query(
      'select count(*) from ' ~ target_relation ~ ' where ' ~ settings.names.is_current
    ).rows[0][0] | int -%}
    {%- set limit = settings.max_delete_pct -%}
    {%- if limit is none and row_count(source_relation) == 0 -%}
      {%- do exceptions.raise_compiler_error(
        'the query of the dimension `' ~ model.name ~ '` gives no row, so all ' ~ open ~ ' open versions would be closed; '
        ~ 'nothing was changed. Set `max_delete_pct: 100` if that is right, or `hard_deletes: ignore`.'
      ) -%}
    {%- elif limit is not none and deleted * 100 > limit * open -%}
      {%- do exceptions.raise_compiler_error(
        'the query of the dimension `' ~ model.name ~ '` lacks ' ~ deleted ~ ' of ' ~ open ~ ' keys, more than '
        ~ '`max_delete_pct: ' ~ limit ~ '` allows; nothing was changed'
      ) -%}
    {%- endif -%}
  {%- endif -%}
{% endmacro %}
