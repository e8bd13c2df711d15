//! What people see when a template fails.

use super::{context, engine, engine_with, file, frame};
use crate::diagnostic::{Style, render};
use crate::jinja::{Template, scan_docs, scan_macro_file};

/// The frame of the error that a model gives with more macros.
fn frame_with(macros: &[(&str, &str, &str)], text: &str) -> String {
    let engine = engine_with(macros);
    let template = Template::whole(&file("models/m.sql", text)).unwrap();
    render(&engine.render(&template, &context(&engine)).unwrap_err(), Style::Plain)
}

/// The frames of everything that a file of macros gives.
fn macro_file_frames(text: &str) -> String {
    let found = scan_macro_file("proj", &file("macros/m.sql", text)).unwrap_err();
    found.iter().map(|found| render(found, Style::Plain)).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn an_error_inside_nested_macros_shows_every_call() {
    insta::assert_snapshot!(frame("select 1\n\nunion all\n{{ fails_inside() }}\n"));
}

#[test]
fn an_error_in_another_package_shows_its_file() {
    let package = "{% macro surrogate(columns) %}\n  {%- for column in columns -%}\n    {{ column.wrong() }}\n  {%- endfor -%}\n{% endmacro %}";
    let shown = frame_with(
        &[("dbt_utils", "dbt_packages/dbt_utils/macros/surrogate.sql", package)],
        "select\n  {{ dbt_utils.surrogate(['id', 'name']) }} as key",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn an_error_in_a_call_block_shows_who_ran_it() {
    insta::assert_snapshot!(frame("{% call with_caller(1) %}\n  {{ 1 + none }}\n{% endcall %}"));
}

#[test]
fn an_unknown_macro_has_a_suggestion() {
    insta::assert_snapshot!(frame("select {{ ret_lits() }}"));
}

#[test]
fn an_unknown_macro_of_another_package_is_found() {
    let shown = frame_with(
        &[("dbt_utils", "macros/star.sql", "{% macro star(from) %}*{% endmacro %}")],
        "select {{ star(this) }}",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn an_unknown_macro_of_a_package_has_a_suggestion() {
    insta::assert_snapshot!(frame("select {{ dbt.type_strin() }}"));
}

#[test]
fn a_wrong_argument_points_at_the_call() {
    insta::assert_snapshot!(frame("select\n    {{ add1(n=1, m=2) }}"));
}

const CENTS: (&str, &str, &str) = (
    "proj",
    "macros/cents.sql",
    "{% macro outer(amount) %}{{ cents(amount) }}{% endmacro %}\n\
     {% macro cents(amount, digits=2) %}round({{ amount.name }}, {{ digits }}){% endmacro %}",
);

#[test]
fn an_argument_that_was_meant_is_suggested() {
    insta::assert_snapshot!(frame_with(&[CENTS], "select {{ cents(1, digit=3) }}"));
}

#[test]
fn too_many_arguments_say_what_the_macro_takes() {
    insta::assert_snapshot!(frame_with(&[CENTS], "select {{ cents(1, 2, 3) }}"));
}

#[test]
fn an_argument_that_is_not_given_is_named() {
    insta::assert_snapshot!(frame_with(&[CENTS], "select {{ outer() }}"));
}

#[test]
fn a_dispatched_name_that_was_meant_is_suggested() {
    let package = "{% macro default__surrogate(x) %}{% endmacro %}";
    let shown = frame_with(
        &[("dbt_utils", "macros/surrogate.sql", package)],
        "{{ adapter.dispatch('surogate', 'dbt_utils')(1) }}",
    );
    insta::assert_snapshot!(shown);
}

#[test]
fn a_macro_of_a_package_is_suggested_with_the_package() {
    let package = ("dbt_utils", "macros/star.sql", "{% macro surrogate_key(columns) %}*{% endmacro %}");
    insta::assert_snapshot!(frame_with(&[package], "select {{ surogate_key(['id']) }}"));
}

#[test]
fn a_call_over_several_lines_is_shown_from_its_start() {
    insta::assert_snapshot!(frame("select\n  {{ add1(\n      n=1,\n      m=2\n  ) }}"));
}

#[test]
fn an_undefined_value_is_named() {
    insta::assert_snapshot!(frame("select {{ model.columnz.id.name }}"));
}

#[test]
fn what_a_host_refuses_keeps_its_code_and_advice() {
    insta::assert_snapshot!(frame("select * from {{ ref('missing_orders') }}"));
}

#[test]
fn an_unclosed_block_shows_where_it_opened() {
    let found =
        Template::whole(&file("models/m.sql", "select 1\n{% if true %}\n  , 2\n{% for x in [1] %}{% endfor %}\n"));
    insta::assert_snapshot!(render(&found.unwrap_err(), Style::Plain));
}

#[test]
fn a_wrong_end_tag_shows_what_is_open() {
    let found = Template::whole(&file("models/m.sql", "{% if true %}\n  {% for x in [1] %}\n{% endif %}"));
    insta::assert_snapshot!(render(&found.unwrap_err(), Style::Plain));
}

#[test]
fn a_stray_end_tag_is_named() {
    let found = Template::whole(&file("models/m.sql", "select 1 {% endif %}"));
    insta::assert_snapshot!(render(&found.unwrap_err(), Style::Plain));
}

#[test]
fn broken_expressions_are_underlined() {
    insta::assert_snapshot!(super::frame("select\n  {{ ref('a' }} as b"));
}

#[test]
fn all_broken_macros_of_a_file_are_shown() {
    insta::assert_snapshot!(macro_file_frames(
        "{% macro a() %}{{ 1 + }}{% endmacro %}\n{% macro b() %}fine{% endmacro %}\n{% macro c() %}{{ | }}{% endmacro %}"
    ));
}

#[test]
fn a_tag_that_never_ends_is_shown() {
    insta::assert_snapshot!(macro_file_frames("{% macro c(x %}\n{% endmacro %}"));
}

#[test]
fn an_unclosed_macro_is_named() {
    insta::assert_snapshot!(macro_file_frames("{% macro a() %}\n{% if x %}{% endif %}\n"));
}

#[test]
fn a_materialization_with_an_unknown_option_is_refused() {
    insta::assert_snapshot!(macro_file_frames("{% materialization t, adaptor='duckdb' %}{% endmaterialization %}"));
}

#[test]
fn an_unclosed_docs_block_is_named() {
    let found = scan_docs(&file("models/docs.md", "{% docs orders %}\nAll orders.\n")).unwrap_err();
    insta::assert_snapshot!(found.iter().map(|found| render(found, Style::Plain)).collect::<String>());
}

#[test]
fn endless_recursion_is_an_error() {
    let shown = frame("{{ forever(1) }}");
    assert!(shown.contains("more than 400 levels deep"), "{shown}");
    assert!(shown.contains("more calls are left out"), "{shown}");
    assert!(shown.len() < 10_000, "the chain is cut");
}

#[test]
fn lists_that_contain_themselves_can_be_printed() {
    let text = super::render("{% set x = [1] %}{% do x.append(x) %}{{ x }}").unwrap();
    assert_eq!(text, "[1, [...]]");
}

#[test]
fn a_refused_statement_is_shown_as_it_was_sent() {
    use crate::adapter::{DatabaseError, DatabaseErrorKind};
    use crate::jinja::host::{FailedStatement, HostError};
    let mut error = DatabaseError::new(DatabaseErrorKind::Statement, "Catalog Error: Table with name t does not exist");
    error.offset = Some(21);
    let failed = FailedStatement { sql: "create table x as\n  (select * from t)".to_owned(), error };
    let engine = engine();
    let registry =
        super::builder(&[("proj", "macros/run.sql", "{% macro run(sql) %}{{ execute_sql(sql) }}{% endmacro %}")]);
    let registry = registry.build("proj", "duckdb", std::collections::HashMap::new()).unwrap();
    let mut shared = super::shared();
    shared.push((
        "execute_sql",
        crate::jinja::native("execute_sql", move |_, _| {
            Err(crate::jinja::host_error(HostError::Database(Box::new(failed.clone()))))
        }),
    ));
    drop(engine);
    let engine = crate::jinja::Engine::new(registry, shared);
    let template = Template::whole(&file("models/m.sql", "{{ run('x') }}")).unwrap();
    let found = engine.render(&template, &context(&engine)).unwrap_err();
    insta::assert_snapshot!(render(&found, Style::Plain));
}
