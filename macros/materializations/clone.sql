{#- What a node is in another environment, put into this one: a clone where it is a table there and the warehouse can clone
    tables, else a view of it. What is there already stays, unless it is to be replaced. -#}
{% materialization clone, default %}
  {%- if not defer_relation -%}
    {%- do log(model.unique_id ~ ' is not in the other environment', info=true) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}
  {%- set existing_relation = load_cached_relation(this) -%}
  {%- if existing_relation is not none and not flags.FULL_REFRESH -%}
    {%- do log(existing_relation ~ ' is there already: --full-refresh replaces it', info=true) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}

  {%- set other_relation = load_cached_relation(defer_relation) -%}
  {%- set is_itself = this | string | lower == defer_relation | string | lower -%}
  {%- if other_relation is not none and other_relation.type == 'table' and can_clone_table() -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- if not is_itself -%}
      {%- do publish_clone(existing_relation, target_relation, defer_relation) -%}
    {%- endif -%}
    {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing_relation, true)) -%}
    {%- do persist_docs(target_relation, model) -%}
    {{ return({'relations': [target_relation]}) }}
  {%- elif is_itself -%}
    {#- A view of itself would lose what is there. -#}
    {%- do log(this ~ ' is the relation of the other environment itself', info=true) -%}
    {{ return({'relations': []}) }}
  {%- endif -%}

  {%- set own_view = 'materialization_view_' ~ adapter.type() -%}
  {%- set make_view = context[own_view if own_view in context else 'materialization_view_default'] -%}
  {{ return(make_view()) }}
{% endmaterialization %}
