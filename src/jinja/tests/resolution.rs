//! Which macro a name means, by dbt's rules.

use super::{builder, context, engine_with, file};
use crate::diagnostic::{Style, render};
use crate::jinja::{PackageKind, Registry, Template, definition_of, scan_macro_file};
use std::collections::HashMap;

/// A root project, two packages and the built-in ones, each with macros that say where they are.
fn registry(dispatch: &[(&str, &[&str])]) -> Registry {
    let sources = [
        ("proj", "who overridden only_root duckdb__d default__e materialization:own materialization:built_in"),
        (
            "pkg",
            "who overridden only_pkg default__d default__e default__f materialization:own materialization:view materialization:of_pkg",
        ),
        ("other", "who"),
        ("dbt_duckdb", "internal adapter_first duckdb__g materialization:view:duckdb"),
        ("dbt", "internal adapter_first default__g overridden materialization:view materialization:built_in"),
    ];
    let mut registry = super::RegistryBuilder::new();
    registry.add_package("dbt_duckdb", PackageKind::Internal);
    registry.add_package("dbt", PackageKind::Internal);
    for (package, names) in sources {
        let block = |name: &str| match name.strip_prefix("materialization:") {
            Some(name) => {
                let (name, adapter) = name.split_once(':').unwrap_or((name, ""));
                let adapter = if adapter.is_empty() { "default".to_owned() } else { format!("adapter='{adapter}'") };
                format!("{{% materialization {name}, {adapter} %}}{package}{{% endmaterialization %}}\n")
            }
            None => format!("{{% macro {name}() %}}{package}{{% endmacro %}}\n"),
        };
        let text: String = names.split(' ').map(block).collect();
        for definition in scan_macro_file(package, &file(package, &text)).unwrap().macros {
            registry.add(definition);
        }
    }
    let dispatch: HashMap<String, Vec<String>> = dispatch
        .iter()
        .map(|(namespace, order)| ((*namespace).to_owned(), order.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    registry.build("proj", "duckdb", dispatch).unwrap()
}

#[test]
fn names_mean_the_own_package_then_the_root_then_the_built_in_ones() {
    let registry = registry(&[]);
    let found = |name: &str, package: &str| registry.find(name, package).map(|found| found.package.clone());
    assert_eq!(found("who", "pkg").as_deref(), Some("pkg"));
    assert_eq!(found("who", "other").as_deref(), Some("other"));
    assert_eq!(found("who", "proj").as_deref(), Some("proj"));
    assert_eq!(found("only_root", "pkg").as_deref(), Some("proj"));
    assert_eq!(found("only_pkg", "proj"), None, "another package must be named");
    assert_eq!(found("pkg.only_pkg", "proj").as_deref(), Some("pkg"));
    assert_eq!(found("overridden", "proj").as_deref(), Some("proj"));
    assert_eq!(found("overridden", "other").as_deref(), Some("proj"));
    assert_eq!(found("dbt.overridden", "proj").as_deref(), Some("dbt"));
    assert_eq!(found("adapter_first", "proj").as_deref(), Some("dbt_duckdb"));
    assert_eq!(found("dbt.adapter_first", "proj").as_deref(), Some("dbt_duckdb"));
    assert_eq!(registry.by_id("macro.pkg.who").map(|found| found.package.as_str()), Some("pkg"));
}

#[test]
fn materializations_prefer_the_adapter_and_the_root_and_protect_built_in_ones() {
    let registry = registry(&[]);
    let found = |name: &str| registry.find_materialization(name, "duckdb").map(|found| found.unique_id.to_string());
    assert_eq!(found("view").as_deref(), Some("macro.dbt_duckdb.materialization_view_duckdb"));
    assert_eq!(found("own").as_deref(), Some("macro.proj.materialization_own_default"));
    assert_eq!(found("built_in").as_deref(), Some("macro.proj.materialization_built_in_default"));
    assert_eq!(found("of_pkg").as_deref(), Some("macro.pkg.materialization_of_pkg_default"));
    assert_eq!(found("nothing"), None);
    let snowflake = registry.find_materialization("view", "snowflake").unwrap();
    assert_eq!(snowflake.package, "dbt", "a package does not replace a built-in materialization");
    assert_eq!(registry.materializations("duckdb"), ["built_in", "of_pkg", "own", "view"]);
}

#[test]
fn dispatch_searches_packages_and_prefixes_in_order() {
    let plain = registry(&[]);
    let found = |registry: &Registry, name: &str, namespace: Option<&str>| {
        registry
            .dispatch(name, namespace, "proj")
            .map(|found| definition_of(&found).expect("a macro").unique_id.to_string())
            .map_err(|error| error.to_string())
    };
    assert_eq!(found(&plain, "d", Some("pkg")).as_deref(), Ok("macro.proj.duckdb__d"));
    assert_eq!(found(&plain, "e", Some("pkg")).as_deref(), Ok("macro.proj.default__e"));
    assert_eq!(found(&plain, "f", Some("pkg")).as_deref(), Ok("macro.pkg.default__f"));
    assert_eq!(found(&plain, "g", Some("dbt")).as_deref(), Ok("macro.dbt_duckdb.duckdb__g"));
    assert_eq!(found(&plain, "g", None).as_deref(), Ok("macro.dbt_duckdb.duckdb__g"));
    assert!(found(&plain, "f", None).is_err());
    assert!(found(&plain, "pkg.f", None).unwrap_err().contains("without its package"));
    let configured = registry(&[("pkg", &["pkg", "proj"])]);
    assert_eq!(found(&configured, "e", Some("pkg")).as_deref(), Ok("macro.pkg.default__e"));
}

#[test]
fn a_failed_dispatch_says_what_was_searched() {
    insta::assert_snapshot!(super::frame("{{ adapter.dispatch('missing', 'proj')() }}"));
}

#[test]
fn generic_tests_are_found_by_name_and_package() {
    let test = "{% test positive(model) %}1{% endtest %}";
    let registry =
        builder(&[("dbt_utils", "tests/positive.sql", test)]).build("proj", "duckdb", HashMap::new()).unwrap();
    let found = |namespace, name| registry.find_test(namespace, name, "proj").map(|found| found.unique_id.to_string());
    assert_eq!(found(None, "not_empty").as_deref(), Some("macro.proj.test_not_empty"));
    assert_eq!(found(None, "positive"), None);
    assert_eq!(found(Some("dbt_utils"), "positive").as_deref(), Some("macro.dbt_utils.test_positive"));
    assert_eq!(registry.tests(), ["dbt_utils.positive", "newer", "not_empty", "tight"]);
}

#[test]
fn two_macros_of_one_name_are_all_shown() {
    let mut doubled =
        builder(&[("proj", "macros/more.sql", "{% macro noop() %}{% endmacro %}{% macro other() %}{% endmacro %}")]);
    for definition in
        scan_macro_file("proj", &file("macros/third.sql", "{% macro other() %}{% endmacro %}")).unwrap().macros
    {
        doubled.add(definition);
    }
    let found = doubled.build("proj", "duckdb", HashMap::new()).unwrap_err();
    insta::assert_snapshot!(found.iter().map(|found| render(found, Style::Plain)).collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn a_package_can_be_passed_around_and_asked() {
    let engine = engine_with(&[("dbt_utils", "macros/star.sql", "{% macro star(from) %}*{% endmacro %}")]);
    let text = "{{ dbt_utils }} {{ dbt_utils.star }} {{ dbt_utils['star'](1) }} {{ dbt_utils.get('nope') }} \
        {{ 'star' in dbt_utils }} {{ context['dbt_utils'].star(1) }} {{ context.get('nope', 'no') }}";
    let template = Template::whole(&file("m.sql", text)).unwrap();
    let rendered = engine.render(&template, &context(&engine)).unwrap().text;
    assert_eq!(rendered, "<package dbt_utils> <macro dbt_utils.star> * None True * no");
}
