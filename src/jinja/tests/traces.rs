//! Who wrote what in a rendered text.

use super::{context, engine_with, file};
use crate::jinja::Template;
use std::fmt::Write as _;

const MACROS: &str = r#"{% macro columns(names) %}
  {% for name in names %}{{ quoted(name) }},
  {% endfor %}1 as one
{% endmacro %}
{% macro quoted(name) %}"{{ name }}"{% endmacro %}
{% macro padded(name) %}

  {{ quoted(name) }} as {{ name }}

{% endmacro %}
{% macro nothing() %}{% if false %}x{% endif %}{% endmacro %}
{% macro wrapper() %}{{ return(padded('w')) }}{% endmacro %}
"#;

/// Each part of a text that is not blank, and behind it the places that led to it.
fn traced(text: &str) -> String {
    let engine = engine_with(&[("proj", "macros/columns.sql", MACROS)]);
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    let plain = engine.render(&template, &context(&engine)).unwrap().text;
    let parts = engine.trace(&template, &context(&engine), &context(&engine)).unwrap();
    assert_eq!(parts.iter().map(|part| part.text.as_str()).collect::<String>(), plain, "nothing is added or lost");
    let mut shown = String::new();
    for part in parts.iter().filter(|part| !part.text.trim().is_empty()) {
        write!(shown, "{:?}", part.text).unwrap();
        for place in &part.chain {
            let (line, column) = place.span.line_and_column();
            let name = place.name.as_deref().unwrap_or_default();
            write!(shown, "\n    {name} {}:{line}:{column}", place.span.file().path().display()).unwrap();
        }
        if !part.untraced.is_empty() {
            write!(shown, "\n    untraced: {}", part.untraced.join(", ")).unwrap();
        }
        shown.push('\n');
    }
    shown
}

#[test]
fn the_calls_behind_each_part_are_known() {
    insta::assert_snapshot!(traced("select\n  {{ columns(['a', 'b']) }}\nfrom t"));
}

#[test]
fn whitespace_around_what_a_macro_wrote_can_be_trimmed() {
    insta::assert_snapshot!(traced("select {{ padded('x') | trim }}, {{ wrapper() }} from t"));
}

#[test]
fn a_template_that_measures_what_a_macro_wrote_is_not_misled() {
    let shown = traced("{{ 'long' if quoted('a') | length > 3 else 'short' }}, {{ quoted('b') }}");
    assert!(shown.starts_with("\"short\"\n     models/m.sql:1:4\n    untraced: quoted\n"), "{shown}");
    assert!(shown.contains("proj.quoted macros/columns.sql"), "the other part is traced: {shown}");
}

#[test]
fn texts_that_are_asked_for_stay_empty() {
    let shown = traced("{% set x = nothing() %}{{ 'none' if not x else 'some' }}{{ nothing() ~ 'y' }}");
    assert!(shown.starts_with("\"none\""), "{shown}");
}
