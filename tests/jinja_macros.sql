{# The macros that tests/jinja_cases.json calls. #}
{% macro ret_list() %}{{ return(['a', 'b', 3, none, true]) }}{% endmacro %}
{% macro ret_nested() %}
    {% set found = ret_list() %}
    {% do found.append({'k': (1, 'x')}) %}
    {% if true %}{% for item in [1] %}{{ return(found) }}{% endfor %}{% endif %}
    not reached
{% endmacro %}
{% macro ret_none() %}text{{ return(none) }}{% endmacro %}
{% macro ret_in_set() %}{% set x %}a{{ return('from set') }}{% endset %}never{% endmacro %}
{% macro once() %}({{ caller() }}){% endmacro %}
{% macro ret_in_call() %}before{% call once() %}{{ return('inner') }}{% endcall %}after{% endmacro %}
{% macro ret_nothing() %}x{{ return() }}{% endmacro %}
{% macro va(a, b=2) %}{{ a }}|{{ b }}|{{ varargs }}|{{ kwargs }}{% endmacro %}
{% macro dflt(a, b=(a | string) ~ 'x', c=ret_list()) %}{{ a }} {{ b }} {{ c }}{% endmacro %}
{% macro typed(a: str, b: list[str] = ['q'], c: optional[dict[str, any]] = none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}
{% macro with_caller(count) %}[{% for i in range(count) %}{{ caller() }}{% endfor %}]{% endmacro %}
{% macro caller_args(count) %}[{% for i in range(count) %}{{ caller(i, 'x' ~ i) }};{% endfor %}]{% endmacro %}
{% macro outer_call() %}<{% call with_caller(1) %}{{ caller_name() }}{% endcall %}>{% endmacro %}
{% macro caller_name() %}inside{% endmacro %}
{% macro ctxvars() %}{{ this }} {{ model.name }} {{ config.get('materialized', 'view') }} {{ target.name }} {{ execute }} {{ var('missing', 'dd') }}{% endmacro %}
{% macro rec(n) %}{{ return(0 if n == 0 else n + rec(n - 1)) }}{% endmacro %}
{% macro forever(n) %}{{ forever(n + 1) }}{% endmacro %}
{% macro noop() %}{% endmacro %}
{% macro add1(n) %}{{ return(n + 1) }}{% endmacro %}
{% macro mut(items, mapping) %}{% do items.append('m') %}{% do mapping.update({'m': 1}) %}{% endmacro %}
{% macro disp() %}{{ return(adapter.dispatch('disp')()) }}{% endmacro %}
{% macro default__disp() %}default{% endmacro %}
{% macro duckdb__disp() %}duck{% endmacro %}
{% macro fresh_default(items=[]) %}{% do items.append(1) %}{{ items }}{% endmacro %}
{% macro fails_inside() %}
    {{ innermost(1) }}
{% endmacro %}
{% macro innermost(value) %}select {{ value + 'a' }}{% endmacro %}
{% materialization table_like, adapter='duckdb', supported_languages=['sql', 'python'] %}{{ return({'relations': [this]}) }}{% endmaterialization %}
{% materialization table_like, default %}{{ return({'relations': []}) }}{% endmaterialization %}
{% test not_empty(model, column_name) %}select {{ column_name }} from {{ model }}{% endtest %}
{%- test tight(model)%}x{%endtest -%}
{% data_test newer(model) %}y{% enddata_test %}
