{#- What takes the place of something that no single statement can replace: it is made beside the old, and then both
    change their names in one request. The server carries a request out to its end also where the client is killed, so that
    nobody finds the place empty. -#}

{#- Where to make a relation: in its own place if one statement can put it there, else beside what stands there. -#}
{% macro snowflake_relation_to_make(existing_relation, target_relation) %}
  {%- do snowflake_drop_leftovers(target_relation) -%}
  {%- if existing_relation is none
    or existing_relation.type == target_relation.type and existing_relation.is_iceberg_format == target_relation.is_iceberg_format -%}
    {{ return(target_relation) }}
  {%- elif snowflake_can_be_renamed(existing_relation) and snowflake_can_be_renamed(target_relation) -%}
    {{ return(snowflake_new_relation(target_relation)) }}
  {%- endif -%}
  {%- do adapter.drop_relation(existing_relation) -%}
  {{ return(target_relation) }}
{% endmacro %}

{#- The name beside a relation; that of make_intermediate_relation() may be taken by a temporary table of the node. -#}
{% macro snowflake_new_relation(target_relation) %}
  {{ return(make_intermediate_relation(target_relation, '__dbt_new')) }}
{% endmacro %}

{% macro snowflake_can_be_renamed(relation) %}
  {{ return(relation.type in ['table', 'view', 'dynamic_table'] and not relation.is_iceberg_format) }}
{% endmacro %}

{#- What a run that was killed left beside a relation. -#}
{% macro snowflake_drop_leftovers(target_relation) %}
  {%- for leftover in [snowflake_new_relation(target_relation), make_backup_relation(target_relation, none)] -%}
    {%- set found = load_cached_relation(leftover) -%}
    {%- if found is not none -%}
      {%- do adapter.drop_relation(found) -%}
    {%- endif -%}
  {%- endfor -%}
{% endmacro %}

{#- Puts what was made beside the old into its place. -#}
{% macro snowflake_publish(existing_relation, made_relation, target_relation) %}
  {%- if made_relation.identifier != target_relation.identifier -%}
    {%- do run_query(snowflake_take_place_sql(existing_relation, made_relation, target_relation)) -%}
  {%- endif -%}
{% endmacro %}

{#- The request that does it. Where it is the statement `main` of a node, `with_rows` says so: the runner puts the node's own
    rows (watermark, audit) where the comment stands. What fails is undone. -#}
{% macro snowflake_take_place_sql(existing_relation, made_relation, target_relation, with_rows=false) -%}
  {%- set made_kind = target_relation.type | replace('_', ' ') -%}
  {%- set to_made = 'alter ' ~ made_kind ~ ' ' ~ target_relation ~ ' rename to ' ~ made_relation -%}
  {%- set to_target = 'alter ' ~ made_kind ~ ' ' ~ made_relation ~ ' rename to ' ~ target_relation -%}
  {%- set swaps = existing_relation is not none and existing_relation.is_table and target_relation.is_table -%}
  {%- set kind = '' if existing_relation is none else existing_relation.type | replace('_', ' ') -%}
  {%- set backup = make_backup_relation(target_relation, none) -%}
execute immediate $$
begin
  {%- if swaps %}
  alter table {{ target_relation }} swap with {{ made_relation }};
  {%- else %}
  {%- if existing_relation is not none %}
  alter {{ kind }} {{ target_relation }} rename to {{ backup }};
  {%- endif %}
  {{ to_target }};
  {%- endif %}
  {%- if with_rows %}
  /* the rows of the runner */
  {%- endif %}
  {%- if swaps %}
  {{ snowflake_quietly('drop table ' ~ made_relation) }}
  {%- elif existing_relation is not none %}
  {{ snowflake_quietly('drop ' ~ kind ~ ' ' ~ backup) }}
  {%- endif %}
exception
  when other then
    {{ snowflake_quietly('rollback') }}
    {%- if swaps %}
    {{ snowflake_quietly('alter table ' ~ target_relation ~ ' swap with ' ~ made_relation) }}
    {%- else %}
    {{ snowflake_quietly(to_made) }}
    {%- if existing_relation is not none %}
    {{ snowflake_quietly('alter ' ~ kind ~ ' ' ~ backup ~ ' rename to ' ~ target_relation) }}
    {%- endif %}
    {%- endif %}
    raise;
end;
$$
{%- endmacro %}

{#- A statement within a block whose failure changes nothing. -#}
{% macro snowflake_quietly(statement) -%}
  begin {{ statement }}; exception when other then null; end;
{%- endmacro %}
