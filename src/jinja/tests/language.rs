//! What the engine promises to the stages that use it.

use super::{context, context_in, engine, engine_with, file, render};
use crate::jinja::host::Phase;
use crate::jinja::value::{List, list};
use crate::jinja::{BlockKind, Engine, Template, from_json, json_text, scan_docs, scan_macro_file, to_json};
use minijinja::Value;
use std::sync::Arc;

fn evaluate(text: &str) -> Value {
    let engine = engine();
    let template = Template::whole(&file("profile.yml", text)).unwrap();
    engine.evaluate(&template, &context(&engine)).unwrap()
}

#[test]
fn one_expression_keeps_its_type() {
    assert_eq!(evaluate("{{ var('x', 4) }}"), Value::from(4));
    assert_eq!(evaluate("{{ '4' }}"), Value::from("4"));
    assert_eq!(evaluate("{{ '4' | as_number }}"), Value::from(4));
    assert_eq!(evaluate("{{ 'True' | as_bool }}"), Value::from(true));
    assert_eq!(
        evaluate("{{ \"{'a': [1, 2.5, None]}\" | as_native }}"),
        from_json(&serde_json::json!({"a": [1, 2.5, null]}))
    );
    assert_eq!(evaluate("{{ 4 | as_text }}"), Value::from("4"));
    assert_eq!(evaluate("a{{ 4 }}"), Value::from("a4"));
    assert!(evaluate("{{ var('x', [1]) }}").downcast_object_ref::<List>().is_some());
    // What a constant writes is text, as in dbt; statements before an expression do not make it one.
    assert_eq!(evaluate("{{ [1] }}"), Value::from("[1]"));
    assert_eq!(evaluate("{% set x = 2 %}{{ x + 1 }}"), Value::from(3));
}

#[test]
fn a_filter_that_promises_a_type_keeps_its_word() {
    let engine = engine();
    let template = Template::whole(&file("profile.yml", "{{ 'maybe' | as_bool }}")).unwrap();
    let found = engine.evaluate(&template, &context(&engine)).unwrap_err();
    assert_eq!(found.message(), "could not convert value 'maybe' into type 'bool'");
}

#[test]
fn parts_of_a_file_keep_their_places() {
    let text = "{% snapshot orders %}\nselect {{ nope() }}\n{% endsnapshot %}";
    let source = file("snapshots/orders.sql", text);
    let blocks = scan_macro_file("proj", &source).unwrap();
    assert!(blocks.macros.is_empty());
    let [block] = blocks.snapshots.as_slice() else { panic!("one snapshot") };
    assert_eq!((block.name.as_str(), block.tag.text()), ("orders", "{% snapshot orders %}"));
    let engine = engine();
    let template = Template::read(&source, block.body.clone()).unwrap();
    let found = engine.render(&template, &context(&engine)).unwrap_err();
    assert_eq!(found.labels()[0].span.text(), "nope()");
    assert_eq!(found.labels()[0].span.line_and_column(), (2, 11));
}

#[test]
fn the_parse_phase_is_soft() {
    let engine = engine();
    let (context, _) = context_in(&engine, Phase::Parse);
    let text = "{% set rows = run_query('x').columns[0].values() %}{% for row in rows %}{{ row }}{% endfor %}\
        {{ nope.a.b('c').d }}|{{ rows is defined }}|{{ nope | default('d') }}|{{ none.get('x') }}|{{ nope | length }}\
        |{% if not nope %}else{% endif %}|{{ range(2) | list }}|{{ loop is defined }}";
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    let rendered = engine.render(&template, &context).unwrap();
    assert_eq!(rendered.text, "|False|d||0|else|[0, 1]|False");
}

#[test]
fn calls_of_the_nodes_own_text_are_noted() {
    let engine = engine();
    let (context, host) = context_in(&engine, Phase::Parse);
    let text = "{{ ret_nested() }}{{ dbt.type_string() }}{% call with_caller(1) %}{{ add1(1) }}{% endcall %}";
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    engine.render(&template, &context).unwrap();
    let called = host.called.lock().unwrap().clone();
    assert_eq!(called, ["macro.proj.ret_nested", "macro.dbt.type_string", "macro.proj.with_caller"]);
}

#[test]
fn functions_know_where_they_were_called() {
    let registry =
        super::builder(&[("proj", "macros/r.sql", "{% macro through() %}{{ where() }}{{ ref() }}{% endmacro %}")]);
    let registry = registry.build("proj", "duckdb", std::collections::HashMap::new()).unwrap();
    let place = |state: &mut minijinja::State<'_, '_>, _: crate::jinja::Arguments<'_>| {
        let site = crate::jinja::current(state)?.call_site();
        Ok(Value::from(site.map_or_else(|| "nowhere".to_owned(), |site| site.text().to_owned())))
    };
    let shared = vec![("ref", crate::jinja::native("ref", place)), ("where", crate::jinja::native("where", place))];
    let engine = Engine::new(registry, shared);
    let template = Template::whole(&file("m.sql", "{{ ref('a',\n 1) }}|{{ through() }}|{{ where() }}")).unwrap();
    assert_eq!(engine.render(&template, &context(&engine)).unwrap().text, "ref('a',\n 1)|nowherenowhere|nowhere");
}

#[test]
fn rendered_text_knows_where_it_comes_from() {
    let text = "select\n{% for c in ['a', 'b'] %}  {{ add1(1) }} as {{ c }},\n{% endfor %}{% set x %}hidden{% endset %}from {{ this }}\n";
    let engine = engine();
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    let rendered = engine.render(&template, &context(&engine)).unwrap();
    assert_eq!(rendered.text, "select\n  2 as a,\n  2 as b,\nfrom \"db\".\"s\".\"m\"");
    let at = |part: &str, last: bool| {
        let offset = if last { rendered.text.rfind(part) } else { rendered.text.find(part) };
        let (span, macros) = rendered.map.locate(offset.unwrap()).unwrap();
        (span.text().to_owned(), span.range().start, macros)
    };
    assert_eq!(at("select", false), ("select".to_owned(), 0, vec![]));
    assert_eq!(at("2", true), ("add1(1)".to_owned(), text.find("add1(1)").unwrap(), vec!["add1".to_owned()]));
    assert_eq!(at("as b", false).0, "as");
    assert_eq!(at("from", false), ("from".to_owned(), text.find("from").unwrap(), vec![]));
    assert_eq!(at("\"s\"", false).0, "this");
}

#[test]
fn text_with_marker_characters_is_left_alone() {
    assert_eq!(render("a\u{fdd0}\u{f0000}b{{ 1 }}").unwrap(), "a\u{fdd0}\u{f0000}b1");
    assert_eq!(render("a{{ '\\ufdd0' }}b").unwrap(), "a\u{fdd0}b");
}

#[test]
fn threads_share_an_engine() {
    let engine = engine();
    let template = Template::whole(&file(
        "m.sql",
        "{{ rec(50) }} {{ ret_nested() }} {% call with_caller(2) %}{{ x }}{% endcall %}",
    ))
    .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let text = engine.render(&template, &context(&engine)).unwrap().text;
                    assert_eq!(text, "1275 ['a', 'b', 3, None, True, {'k': (1, 'x')}] []");
                }
            });
        }
    });
}

#[test]
fn macros_can_be_called_from_rust() {
    let engine = engine();
    let context = context(&engine);
    let add = engine.registry().get("proj", "add1").unwrap();
    assert_eq!(engine.call_macro(add, &[Value::from(4)], &[], &context), Ok(Value::from(5)));
    assert_eq!(engine.call_macro(add, &[], &[("n", Value::from(5))], &context), Ok(Value::from(6)));
    let failing = engine.registry().get("proj", "fails_inside").unwrap();
    let found = engine.call_macro(failing, &[], &[], &context).unwrap_err();
    let chain: Vec<&str> = found.trace().iter().map(|step| step.what.as_str()).collect();
    assert_eq!(chain, ["in macro `proj.innermost`, called here", "in macro `proj.fails_inside`, called here"]);
}

#[test]
fn literals_are_fresh_at_each_evaluation() {
    assert_eq!(render("{{ fresh_default() }}{{ fresh_default() }}{{ fresh_default([0]) }}").unwrap(), "[1][1][0, 1]");
    assert_eq!(
        render("{% for i in [1, 2] %}{% set x = (1, [2]) %}{% do x[1].append(i) %}{{ x }}{% endfor %}").unwrap(),
        "(1, [2, 1])(1, [2, 2])"
    );
}

#[test]
fn dbts_blocks_are_read() {
    let engine = engine();
    let of_kind = |kind| {
        let macros = engine.registry().macros().filter(|found| found.kind == kind && found.package == "proj");
        macros.map(|found| format!("{found:?}")).collect::<Vec<_>>()
    };
    assert_eq!(
        of_kind(BlockKind::Materialization),
        ["macro.proj.materialization_table_like_duckdb()", "macro.proj.materialization_table_like_default()"]
    );
    assert_eq!(
        of_kind(BlockKind::Test),
        [
            "macro.proj.test_not_empty(model, column_name)",
            "macro.proj.test_tight(model)",
            "macro.proj.test_newer(model)"
        ]
    );
    let materialization = engine.registry().get("proj", "materialization_table_like_duckdb").unwrap();
    assert_eq!(materialization.supported_languages, ["sql", "python"]);
    assert!(materialization.macro_sql().starts_with("{% materialization"));
    assert!(materialization.macro_sql().ends_with("{% endmaterialization %}"));
    assert_eq!(engine.registry().get("proj", "typed").unwrap().arguments, ["a", "b", "c"]);
    assert_eq!(engine.registry().get("proj", "disp").unwrap().calls, ["disp", "return"]);
    assert_eq!(engine.registry().get("dbt", "type_string").unwrap().calls, ["dbt.type_string", "return"]);
}

#[test]
fn types_of_parameters_and_no_break_spaces_are_read_over() {
    assert_eq!(render("{{ typed('x') }}{{ typed('x', ['z'], 1) }}").unwrap(), "x['q']Nonex['z']1");
    assert_eq!(render("{{\u{a0}1 +\u{a0}1 }}\u{a0}{%\u{a0}if true %}a{% endif %}").unwrap(), "2\u{a0}a");
}

#[test]
fn tags_without_space_are_refused_where_they_cannot_be_rewritten() {
    let found = scan_macro_file("proj", &file("tests/t.sql", "{%test a(model)%}x{%endtest%}")).unwrap_err();
    assert_eq!(found.iter().next().unwrap().message(), "this tag is written too tightly");
}

#[test]
fn docs_blocks_are_raw_text() {
    let text = "intro {# {% docs hidden %} #}\n{% docs orders %}\n# {{ not jinja }} {% if %}\n{% enddocs %}\n{%- docs b -%} x {%- enddocs -%}";
    let blocks = scan_docs(&file("models/docs.md", text)).unwrap();
    let found: Vec<_> = blocks.iter().map(|block| (block.name.as_str(), block.contents.as_str())).collect();
    assert_eq!(found, [("orders", "# {{ not jinja }} {% if %}"), ("b", "x")]);
}

#[test]
fn json_goes_both_ways() {
    let json = serde_json::json!({"b": [1, 2.5, "ü\"", null, true], "a": {"x": 18_446_744_073_709_551_615_u64}});
    let value = from_json(&json);
    assert_eq!(to_json(&value), json);
    assert_eq!(
        json_text(&value, true).unwrap(),
        r#"{"a": {"x": 18446744073709551615}, "b": [1, 2.5, "\u00fc\"", null, true]}"#
    );
    let looped = list([]);
    looped.downcast_object_ref::<List>().unwrap().push(looped.clone());
    assert_eq!(json_text(&looped, false).unwrap_err().detail(), Some("Circular reference detected"));
}

#[test]
fn templates_leave_nothing_behind() {
    let engine = engine_with(&[("proj", "macros/late.sql", "{% macro late() %}{{ [1, 2] | length }}{% endmacro %}")]);
    let template = Template::whole(&file("m.sql", "{{ late() }}{% call with_caller(1) %}x{% endcall %}")).unwrap();
    let weak = {
        let context = context(&engine);
        engine.render(&template, &context).unwrap();
        Arc::downgrade(&context)
    };
    assert!(weak.upgrade().is_none(), "a render's context is dropped with it");
}
