{#- Whether a dimension holds what docs/scd2.md promises: one row for each rule that is broken, with the rule, how many
    rows break it, and one of their keys. `source_sql` is the model's query, to compare the open versions with. -#}
{% macro scd2_check_sql(relation, settings, source_sql=none) -%}
  {{ return(adapter.dispatch('scd2_check_sql', 'strata')(relation, settings, source_sql)) }}
{%- endmacro %}

{% macro default__scd2_check_sql(relation, settings, source_sql=none) -%}
  {%- set names = settings.names -%}
  {%- set keys = settings.key_columns | join(', ') -%}
  {%- set key_texts = [] -%}
  {%- for key in settings.key_columns -%}
    {%- do key_texts.append("coalesce(cast(" ~ key ~ " as " ~ type_string() ~ "), 'NULL')") -%}
  {%- endfor -%}
  {%- set example = key_texts | join(" || ', ' || ") -%}
  {%- set tracked = [] -%}
  {%- for column in settings.tracked -%}
    {%- do tracked.append(column.quoted) -%}
  {%- endfor -%}
  with versions as (
    select *,
      {{ example }} as scd2_key,
      row_number() over (partition by {{ keys }} order by {{ names.effective_from }}) as scd2_position,
      lag({{ names.effective_to }}) over (partition by {{ keys }} order by {{ names.effective_from }}) as scd2_former_end
      {%- for column in tracked %},
      lag({{ column }}) over (partition by {{ keys }} order by {{ names.effective_from }}) as scd2_former_{{ loop.index }}
      {%- endfor %}
    from {{ relation }}
  ),

  broken as (
    select 'no key is NULL' as rule, scd2_key from versions
    where {% for key in settings.key_columns %}{{ key }} is null{{ ' or ' if not loop.last }}{% endfor %}
    union all
    select 'a key has at most one open version', min(scd2_key) from versions
    where {{ names.is_current }} group by {{ keys }} having count(*) > 1
    union all
    select 'a version is open if and only if it has no end', scd2_key from versions
    where {{ names.is_current }} is distinct from ({{ names.effective_to }} is not distinct from {{ settings.open_end }})
    union all
    select 'a version starts before it ends', scd2_key from versions
    where {{ names.effective_from }} is null or {{ names.effective_from }} >= {{ names.effective_to }}
    union all
    select 'versions of a key do not overlap', scd2_key from versions
    where scd2_position > 1 and (scd2_former_end is null or scd2_former_end > {{ names.effective_from }})
    union all
    select 'versions of a key are numbered 1 to n', scd2_key from versions
    where {{ names.version_number }} is distinct from scd2_position
    union all
    select 'the surrogate key is unique', min(scd2_key) from versions
    group by {{ names.surrogate_key }} having count(*) > 1 or {{ names.surrogate_key }} is null
    {%- if tracked %}
    union all
    select 'adjacent versions differ in a tracked column', scd2_key from versions
    where scd2_position > 1 and scd2_former_end = {{ names.effective_from }}
      {%- for column in tracked %}
      and {{ column }} is not distinct from scd2_former_{{ loop.index }}
      {%- endfor %}
    {%- endif %}
    {%- if source_sql is not none %}
    {%- set compared = (settings.key_columns + tracked) | join(', ') %}
    union all
    select 'every row of the source is an open version', {{ example }} from (
      select {{ compared }} from (
{{ source_sql }}
      ) as source_rows
      except select {{ compared }} from {{ relation }} where {{ names.is_current }}
    ) as missing
    {%- if settings.invalidates %}
    union all
    select 'every open version is a row of the source', {{ example }} from (
      select {{ compared }} from {{ relation }} where {{ names.is_current }}
      except select {{ compared }} from (
{{ source_sql }}
      ) as source_rows
    ) as superfluous
    {%- endif %}
    {%- endif %}
  )

  select rule, count(*) as violations, min(scd2_key) as example
  from broken
  group by rule
  order by rule
{%- endmacro %}

{#- The settings of a dimension that exists, as far as its own columns tell them. -#}
{% macro scd2_settings_of(relation, options) %}
  {%- set own = [(options.get('surrogate_key') or scd2_surrogate_name(relation.identifier)) | lower] -%}
  {%- for name in ['effective_from', 'effective_to', 'is_current', 'version_number'] -%}
    {%- do own.append((options.get('scd2_columns') or {}).get(name, name) | lower) -%}
  {%- endfor -%}
  {%- set columns = [] -%}
  {%- for column in adapter.get_columns_in_relation(relation) if column.name | lower not in own -%}
    {%- do columns.append(column) -%}
  {%- endfor -%}
  {{ return(scd2_settings(options, columns)) }}
{% endmacro %}

{#- Checks the dimension of the model that is rendered; gives the rules that are broken as a table. -#}
{% macro scd2_check(source_sql=none) %}
  {{ return(run_query(scd2_check_sql(this, scd2_settings_of(this, config), source_sql))) }}
{% endmacro %}

{#- The same as a test of a model; the arguments are the model's configs. -#}
{% test scd2_holds(model, unique_key, surrogate_key=none, tracked_columns=none, ignored_columns=none, updated_at=none,
                   scd2_columns=none, open_end=none) %}
  {%- if execute -%}
    {{ scd2_check_sql(model, scd2_settings_of(model, {
      'unique_key': unique_key,
      'surrogate_key': surrogate_key or scd2_surrogate_name(model.identifier),
      'tracked_columns': tracked_columns,
      'ignored_columns': ignored_columns,
      'updated_at': updated_at,
      'scd2_columns': scd2_columns,
      'open_end': open_end
    })) }}
  {%- endif -%}
{% endtest %}
