{% macro two(a, b) %}{{ a }}/{{ b }}{% endmacro %}

{% macro defaults(a=1, b='two', c=[]) %}{{ a }},{{ b }},{{ c }}{% endmacro %}

{% macro grows(x, list=[]) %}{% do list.append(x) %}{{ list }}{% endmacro %}

{% macro default_of_another(a, b=a) %}{{ a }}{{ b }}{% endmacro %}

{% macro default_that_calls(a=gives_list()) %}{{ a }}{% endmacro %}

{% macro takes_all(first) %}{{ first }};{{ varargs }};{{ kwargs }}{% endmacro %}

{% macro hands_on() %}{{ takes_all(*varargs, **kwargs) }}{% endmacro %}

{% macro changes_kwargs() %}{% do kwargs.update({'b': 2}) %}{% set _ = kwargs.pop('a') %}{{ kwargs }}{% endmacro %}

{% macro gives_list() %}{{ return([1, 'a', none]) }}{% endmacro %}

{% macro gives_dict() %}{% do return({'a': {'b': 'c'}}) %}{% endmacro %}

{% macro gives_none() %}{{ return(none) }}{% endmacro %}

{% macro gives_number() %}{{ return(41) }}{% endmacro %}

{% macro gives_tuple() %}{{ return((1, 2)) }}{% endmacro %}

{% macro gives_macro() %}{{ return(plain) }}{% endmacro %}

{% macro gives_undefined() %}{{ return(nothing) }}{% endmacro %}

{% macro gives_nothing() %}{{ return() }}{% endmacro %}

{% macro gives_text() %}some text{% endmacro %}

{% macro gives_lines() %}
  a
  b
{% endmacro %}

{% macro passes_on(x) %}{% set y = passes_on_again(x) %}{{ return(y) }}{% endmacro %}

{% macro passes_on_again(x) %}{{ return(x) }}{% endmacro %}

{% macro ends_early(x) %}{% if x > 3 %}{{ return('large') }}{% endif %}small{% endmacro %}

{% macro first_even(list) %}{% for x in list %}{% for y in [x] %}{% if y is even %}{{ return(y) }}{% endif %}{% endfor %}{% endfor %}{{ return(none) }}{% endmacro %}

{% macro text_then_return() %}lost{{ return('kept') }}lost too{% endmacro %}

{% macro factorial(n) %}{% if n <= 1 %}{{ return(1) }}{% endif %}{{ return(n * factorial(n - 1)) }}{% endmacro %}

{% macro fibonacci(n) %}{{ return(n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)) }}{% endmacro %}

{% macro is_even_by_calls(n) %}{% if n == 0 %}even{% else %}{{ is_odd_by_calls(n - 1) }}{% endif %}{% endmacro %}

{% macro is_odd_by_calls(n) %}{% if n == 0 %}odd{% else %}{{ is_even_by_calls(n - 1) }}{% endif %}{% endmacro %}

{% macro endless() %}{{ endless() }}{% endmacro %}

{% macro wraps(mark='') %}<{{ mark }}{{ caller() }}>{% endmacro %}

{% macro calls_with(n) %}{{ caller(n) }};{{ caller(n, 'given') }};{{ caller(y=1, x=2) }}{% endmacro %}

{% macro twice() %}{{ caller() }}{{ caller() }}{% endmacro %}

{% macro ignores_caller() %}{% if false %}{{ caller() }}{% endif %}ignored{% endmacro %}

{% macro outer_wraps() %}{% call wraps('inner') %}{{ caller() }}{% endcall %}{% endmacro %}

{% macro upper_caller() %}{{ caller() | upper }}{% endmacro %}

{% macro has_caller() %}{{ 'yes' if caller is defined else 'no' }}{% endmacro %}

{% macro sets_x() %}{% set x = 2 %}{{ x }}{% endmacro %}

{% macro sees_secret() %}{{ secret_name }}{% endmacro %}

{% macro sees_context() %}{{ this.identifier }} {{ model.name }} {{ execute }} {{ target.name }}{% endmacro %}

{% macro sees_loop() %}[{{ loop is defined }}]{% endmacro %}

{% macro applies(m) %}{{ m(*varargs) }}{% endmacro %}

{% macro appends(list) %}{% do list.append('added') %}{% endmacro %}

{% macro counts_defaults(a=1, b=a + 1, c=a + b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}

{% macro dispatched(x) %}{{ return(adapter.dispatch('dispatched', 'cases')(x)) }}{% endmacro %}

{% macro default__dispatched(x) %}default {{ x }}{% endmacro %}

{% macro duckdb__dispatched(x) %}duckdb {{ x }}{% endmacro %}

{% macro default__only_default(x) %}default {{ x }}{% endmacro %}

{% macro shadows(two) %}{{ two }}{% endmacro %}

{% macro argument_called_var(var) %}{{ var }}{% endmacro %}

{% macro submit_python_job(value) %}mine: {{ value }} {{ builtins.submit_python_job is defined }}{% endmacro %}

{% macro overridden_function() %}{{ submit_python_job('x') }}{% endmacro %}
