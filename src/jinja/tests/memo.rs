//! Which calls of macros are made once, and that nobody can tell.

use super::{TestHost, context, context_in, engine_with, file};
use crate::jinja::host::{Host, Phase};
use crate::jinja::{Engine, RenderContext, Template, Value};
use std::sync::{Arc, Mutex};

/// Macros with results of more than a few bytes: shorter texts have no address of their own.
const MACROS: &str = "
{% macro plain(a, b='default') %}a long enough text of {{ a }} and {{ b }}{% endmacro %}
{% macro outer(a) %}{{ plain(a, 'inner') }}{{ proj.plain(a) }}{% endmacro %}
{% macro handed(a) %}{{ return(adapter.dispatch('handed')(a)) }}{% endmacro %}
{% macro default__handed(a) %}{{ plain(a) | upper }}{% endmacro %}
{% macro blocked(a) %}{% call around() %}{{ a }}{% endcall %}{% endmacro %}
{% macro around() %}around {{ caller() }} and around and around{% endmacro %}
{% macro made(a) %}{% set ns = namespace(x='long enough a text: ') %}{% for i in range(3) %}{% set ns.x = ns.x ~ a %}{% endfor %}{{ ns.x }}{% endmacro %}
{% macro of_node(a) %}the node {{ this }} is long enough {{ a }}{% endmacro %}
{% macro through(a) %}{{ plain(a) }}{{ of_node(a) }}{% endmacro %}
{% macro blocked_of_node(a) %}{% call around() %}{{ this }}{% endcall %}{% endmacro %}
{% macro by_context(a) %}a long enough text of {{ context['this'] }}{% endmacro %}
{% macro by_default(a, b=this) %}a long enough text of {{ b }}{% endmacro %}
{% macro perhaps(a) %}{% if a == 'x' %}{{ this }}{% endif %}long enough a text for this test{% endmacro %}
{% macro any_of(a) %}{{ ['long enough a text for this', a] | random }}{{ plain(a) }}{% endmacro %}
{% macro by_version(a) %}long enough a text for this test: {{ dbt_version }}{% endmacro %}
{% macro unknown(a) %}long enough a text for this test: {{ nobody_knows is defined }}{% endmacro %}
{% macro listed(a) %}{{ return([a, 'b']) }}{% endmacro %}
{% macro more() %}long enough a text for this test: {{ varargs }}{% endmacro %}
{% macro by_target(a) %}long enough a text for this test: {{ target.name }}{% endmacro %}
{% macro kind(a='none given') %}{{ a | pprint }}{{ a is defined }}{{ a is string }}{{ a is boolean }}{% endmacro %}
";

fn engine() -> Arc<Engine> {
    engine_with(&[("proj", "macros/memo.sql", MACROS)])
}

/// Whether two calls in different renders gave the same text, in the same place.
fn is_kept(engine: &Arc<Engine>, name: &str, arguments: &[Value]) -> bool {
    let definition = engine.registry().get("proj", name).unwrap();
    let call = || engine.call_macro(definition, arguments, &[], &context(engine)).unwrap();
    let (first, second) = (call(), call());
    assert_eq!(first, second, "{name}");
    first.as_str().map(str::as_ptr).is_some_and(|place| second.as_str().map(str::as_ptr) == Some(place))
}

#[test]
fn what_depends_on_arguments_alone_is_calculated_once() {
    let engine = engine();
    for name in ["plain", "outer", "handed", "blocked", "made", "by_target"] {
        assert!(is_kept(&engine, name, &[Value::from("x")]), "{name}");
    }
}

#[test]
fn what_may_be_something_else_elsewhere_is_calculated_each_time() {
    let engine = engine();
    for name in ["of_node", "through", "blocked_of_node", "by_context", "by_default", "unknown", "more"] {
        assert!(!is_kept(&engine, name, &[Value::from("x")]), "{name}");
    }
    assert!(!is_kept(&engine, "plain", &[Value::from(vec![1])]), "a list can change");
    let definition = engine.registry().get("proj", "any_of").unwrap();
    let call = |_| engine.call_macro(definition, &[Value::from("x")], &[], &context(&engine)).unwrap().to_string();
    let first = call(0);
    assert!((0..200).map(call).any(|text| text != first), "a random item is another one now and then");
}

#[test]
fn what_never_comes_again_is_not_kept() {
    let engine = engine();
    let is_kept = |argument: i64| is_kept(&engine, "plain", &[Value::from(argument)]);
    assert!((0..100).all(is_kept), "each of these comes twice");
    let template = Template::whole(&file("models/m.sql", "{% for i in range(1000, 2000) %}{{ plain(i) }}{% endfor %}"));
    engine.render(&template.unwrap(), &context(&engine)).unwrap();
    assert!(!is_kept(1), "of the last thousand calls none was like another");
}

/// A render for a node called `name`.
fn context_of(engine: &Arc<Engine>, name: &str) -> Arc<RenderContext> {
    let host = Arc::new(TestHost { phase: Phase::Execute, called: Mutex::default() });
    let own = vec![("this", Value::from(name)), ("dbt_version", Value::from(name))];
    RenderContext::new(engine, "proj", own, host as Arc<dyn Host>)
}

#[test]
fn each_node_gets_its_own() {
    let engine = engine();
    let text = "{{ of_node(1) }}{{ through(1) }}{{ blocked_of_node(1) }}{{ by_context(1) }}{{ by_default(1) }}\
        {{ perhaps('y') }}{{ perhaps('x') }}{{ by_version(1) }}";
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    let of = |name: &str| engine.render(&template, &context_of(&engine, name)).unwrap().text;
    let (first, second) = (of("orders"), of("customers"));
    assert_eq!(first.matches("orders").count(), 7);
    assert_eq!(first.replace("orders", "customers"), second);
    assert_eq!(of("orders"), first);
}

#[test]
fn arguments_of_different_types_are_different() {
    let engine = engine();
    let text = "{% for i in [1, 2] %}{{ kind(1) }} {{ kind('1') }} {{ kind(true) }} {{ kind(1.0) }} {{ kind(none) }} {{ kind() }} \
        {{ kind('none given') }} {{ kind(a=1) }} {{ kind(nope) }}|{% endfor %}";
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    let rendered = engine.render(&template, &context(&engine)).unwrap().text;
    let (first, second) = rendered.trim_end_matches('|').split_once('|').unwrap();
    assert_eq!(first, second);
    assert!(first.starts_with("1TrueFalseFalse '1'TrueTrueFalse TrueTrueFalseTrue 1.0TrueFalseFalse None"), "{first}");
}

#[test]
fn lists_that_macros_return_are_nobody_elses() {
    let engine = engine();
    let text = "{% set x = listed(1) %}{% do x.append(2) %}{{ x }}{{ listed(1) }}";
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    assert_eq!(engine.render(&template, &context(&engine)).unwrap().text, "[1, 'b', 2][1, 'b']");
}

#[test]
fn phases_do_not_share_results() {
    let engine = engine();
    let template = Template::whole(&file("models/m.sql", "{{ unknown(1) }}{{ outer(1) }}{{ perhaps('x') }}")).unwrap();
    let of = |phase| engine.render(&template, &context_in(&engine, phase).0).unwrap().text;
    let alone = |phase| {
        let engine = self::engine();
        engine.render(&template, &context_in(&engine, phase).0).unwrap().text
    };
    for phase in [Phase::Parse, Phase::Execute, Phase::Parse] {
        assert_eq!(of(phase), alone(phase));
    }
}

#[test]
fn each_package_calls_its_own_macros() {
    let macros = |word: &str| format!("{{% macro inner() %}}a long enough text of {word}{{% endmacro %}}");
    let shared = "{% macro shown(a) %}{{ inner() }} {{ a }}{% endmacro %}";
    let first = macros("the project");
    let second = macros("the package");
    let engine = engine_with(&[
        ("dbt", "macros/shown.sql", shared),
        ("proj", "macros/inner.sql", &first),
        ("other", "macros/inner.sql", &second),
    ]);
    let template = Template::whole(&file("models/m.sql", "{{ shown(1) }}")).unwrap();
    let of = |package: &str| {
        let host = Arc::new(TestHost { phase: Phase::Execute, called: Mutex::default() });
        let context = RenderContext::new(&engine, package, vec![], host as Arc<dyn Host>);
        engine.render(&template, &context).unwrap().text
    };
    assert_eq!([of("proj"), of("other"), of("proj")].map(|text| text.contains("package")), [false, true, false]);
}
