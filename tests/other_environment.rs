//! Two environments in one database: what `clone` puts from one into the other, and what `--defer` reads from there.

use crate::cli::{Ended, Stage};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fs;

const PROFILES: &str = "
shop:
  target: dev
  outputs:
    prod: {type: duckdb, path: shop.duckdb, schema: prod, threads: 2}
    dev: {type: duckdb, path: shop.duckdb, schema: dev, threads: 2}
";

/// A seed, models of each kind below it and a snapshot, built in `prod`, whose artifacts lie in `prod_state`.
fn shop() -> Stage {
    let stage = Stage::empty();
    stage.write("dbt_project.yml", "name: shop\nprofile: shop\n");
    stage.write("profiles.yml", PROFILES);
    stage.write("seeds/raw.csv", "id,name\n1,a\n2,b\n3,\n");
    stage.write("models/stg.sql", "select id, name from {{ ref('raw') }}\n");
    stage.write("models/big.sql", "{{ config(materialized='table') }} select id, name from {{ ref('stg') }}\n");
    stage.write("models/eph.sql", "{{ config(materialized='ephemeral') }} select * from {{ ref('big') }}\n");
    stage.write(
        "models/inc.sql",
        "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('eph') }}\n",
    );
    stage.write(
        "models/top.sql",
        "select count(*) as n, '{{ this }}' as own, '{{ (model.defer_relation or {}).relation_name }}' as other\nfrom {{ ref('inc') }} join {{ ref('snap') }} using (id)\n",
    );
    stage.write(
        "models/schema.yml",
        "models:\n  - name: top\n    columns:\n      - {name: n, data_tests: [not_null]}\nunit_tests:\n  - name: takes_all\n    model: big\n    given: [{input: ref('stg'), rows: [{id: 1}]}]\n    expect: {rows: [{id: 1, name: null}]}\n",
    );
    stage.write(
        "snapshots/snap.yml",
        "snapshots:\n  - name: snap\n    relation: ref('big')\n    config: {unique_key: id, strategy: check, check_cols: [name]}\n",
    );
    well(&stage, &["build", "--target", "prod", "--target-path", "prod_state"]);
    stage
}

fn well(stage: &Stage, arguments: &[&str]) -> Ended {
    let ended = stage.run(arguments);
    assert_eq!(ended.code, 0, "{arguments:?}\n{}", ended.shown());
    ended
}

fn query(stage: &Stage, sql: &str) -> Json {
    let shown = well(stage, &["show", "--quiet", "--output", "json", "--limit", "-1", "--inline", sql]);
    let shown: Json = serde_json::from_str(&shown.stdout).expect("JSON");
    shown["show"].clone()
}

/// Names and kinds of what lies in the schema `dev`.
fn relations(stage: &Stage) -> BTreeMap<String, String> {
    let rows = query(stage, "select table_name, table_type from information_schema.tables where table_schema = 'dev'");
    let text = |row: &Json, key: &str| row[key].as_str().expect("a text").to_owned();
    rows.as_array().expect("rows").iter().map(|row| (text(row, "table_name"), text(row, "table_type"))).collect()
}

/// Names, statuses and messages of the last command, sorted.
fn results(stage: &Stage) -> Vec<String> {
    let results = artifact(stage, "run_results.json")["results"].clone();
    let word = |result: &Json, key: &str| result[key].as_str().unwrap_or("none").to_owned();
    let line = |result: &Json| {
        let id = word(result, "unique_id");
        let name = id.rsplit('.').next().unwrap_or_default();
        format!("{name} {} {}", word(result, "status"), word(result, "message").lines().next().unwrap_or_default())
    };
    let mut lines: Vec<String> = results.as_array().expect("results").iter().map(line).collect();
    lines.sort();
    lines
}

fn artifact(stage: &Stage, name: &str) -> Json {
    let text = fs::read_to_string(stage.path().join("target").join(name)).expect("an artifact");
    serde_json::from_str(&text).expect("JSON")
}

/// The SQL of a node as it was compiled last.
fn compiled(stage: &Stage, path: &str) -> String {
    fs::read_to_string(stage.path().join("target/compiled/shop").join(path)).expect("it was compiled")
}

const NODES: [&str; 6] = ["big", "inc", "raw", "snap", "stg", "top"];

#[test]
fn all_that_the_other_environment_has_is_cloned_once() {
    let stage = shop();
    stage.write("models/fresh.sql", "select 1 as id\n");
    let clone = ["clone", "--state", "prod_state"];
    well(&stage, &clone);
    let made = |word: &str| {
        let mut lines: Vec<String> = NODES.iter().map(|name| format!("{name} success {word}")).collect();
        lines.insert(1, "fresh success No-op".to_owned());
        lines
    };
    assert_eq!(results(&stage), made("OK"), "an ephemeral model is no relation");
    let views: BTreeMap<String, String> = NODES.iter().map(|name| ((*name).to_owned(), "VIEW".to_owned())).collect();
    assert_eq!(relations(&stage), views);
    assert_eq!(query(&stage, "select count(*) as n from dev.snap join dev.raw using (id)"), json!([{"n": 3}]));
    let results_of_all = artifact(&stage, "run_results.json");
    let is_big = |result: &&Json| result["unique_id"] == "model.shop.big";
    let big = results_of_all["results"].as_array().and_then(|all| all.iter().find(is_big)).expect("a result");
    assert_eq!((&big["compiled"], &big["relation_name"]), (&json!(false), &json!(r#""shop"."dev"."big""#)));
    assert!(artifact(&stage, "manifest.json")["nodes"]["model.shop.big"].get("defer_relation").is_none());

    well(&stage, &clone);
    assert_eq!(results(&stage), made("No-op"));
    well(&stage, &["run", "-s", "big"]);
    well(&stage, &["clone", "--state", "prod_state", "-s", "big", "stg"]);
    assert_eq!(relations(&stage)["big"], "BASE TABLE", "what is there stays");
    well(&stage, &["clone", "--state", "prod_state", "--full-refresh", "--exclude", "stg", "--resource-type", "model"]);
    assert_eq!(results(&stage), ["big success OK", "fresh success No-op", "inc success OK", "top success OK"]);
    assert_eq!(relations(&stage), views, "what was a table is a view now");
}

#[test]
fn a_clone_of_a_relation_onto_itself_leaves_it() {
    let stage = shop();
    well(&stage, &["clone", "--target", "prod", "--state", "prod_state", "--full-refresh"]);
    assert!(results(&stage).iter().all(|line| line.ends_with("success No-op")), "{:?}", results(&stage));
    assert_eq!(query(&stage, "select count(*) as n from prod.big"), json!([{"n": 3}]));
}

#[test]
fn a_node_that_cannot_be_cloned_keeps_none_from_it() {
    let stage = shop();
    stage.write(
        "macros/run.sql",
        "{% macro run(sql) %}{% do run_query(sql) %}{% do adapter.commit() %}{% endmacro %}\n",
    );
    let operation = |sql: &str| well(&stage, &["run-operation", "run", "--args", &json!({"sql": sql}).to_string()]);
    operation("drop view prod.stg");
    let ended = stage.run(&["clone", "--state", "prod_state"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    let failed = results(&stage);
    assert!(failed[4].starts_with("stg error"), "{failed:?}");
    assert_eq!(failed.iter().filter(|line| line.ends_with("success OK")).count(), 5, "{failed:?}");
    operation("create view prod.stg as select * from prod.raw");
    well(&stage, &["retry"]);
    assert_eq!(results(&stage), ["stg success OK"]);
}

#[test]
fn a_project_says_how_its_warehouse_clones() {
    let stage = shop();
    stage.write(
        "macros/clone.sql",
        "{% macro can_clone_table() %}{{ return(true) }}{% endmacro %}\n\
         {% macro create_or_replace_clone(this_relation, defer_relation) %}\n\
         create or replace table {{ this_relation }} as select * from {{ defer_relation }}\n{% endmacro %}\n",
    );
    well(&stage, &["clone", "--state", "prod_state", "-s", "big", "stg"]);
    assert_eq!(relations(&stage)["big"], "BASE TABLE");
    assert_eq!(relations(&stage)["stg"], "VIEW");
    stage.write(
        "macros/clone.sql",
        "{% materialization clone, default %}\n\
         {{ log('this is ' ~ this ~ ' of ' ~ defer_relation.schema, info=true) }}{{ return({'relations': []}) }}\n\
         {% endmaterialization %}\n",
    );
    let ended = well(&stage, &["clone", "--state", "prod_state", "-s", "big", "--full-refresh"]);
    assert!(ended.shown().contains(r#"this is "shop"."dev"."big" of prod"#), "{}", ended.shown());
}

#[test]
fn what_is_not_there_is_read_from_the_other_environment() {
    let stage = shop();
    let defer = |verb: &[&str]| well(&stage, &[verb, &["--defer", "--state", "prod_state"]].concat());
    let ended = defer(&["run", "-s", "top", "--debug"]);
    let shown = ended.shown();
    assert_eq!(shown.matches("from duckdb_tables()").count(), 1, "one schema is listed, once: {shown}");
    let row = json!([{"n": 3, "own": r#""shop"."dev"."top""#, "other": r#""shop"."prod"."top""#}]);
    assert_eq!(query(&stage, "select * from dev.top"), row);
    assert!(compiled(&stage, "models/top.sql").contains(r#"from "shop"."prod"."inc" join "shop"."prod"."snap""#));
    assert!(artifact(&stage, "manifest.json")["nodes"]["model.shop.top"].get("defer_relation").is_none());

    // What this run makes before it is needed is there when it is needed, also where it was not at first.
    defer(&["build", "-s", "stg", "big", "inc", "--resource-type", "model"]);
    assert!(compiled(&stage, "models/stg.sql").contains(r#"from "shop"."prod"."raw""#));
    assert!(compiled(&stage, "models/big.sql").contains(r#"from "shop"."dev"."stg""#));
    assert!(compiled(&stage, "models/inc.sql").contains(r#"from "shop"."dev"."big""#), "through the ephemeral model");
    defer(&["test", "-s", "top"]);
    let test = "models/schema.yml/not_null_top_n.sql";
    assert!(compiled(&stage, test).contains(r#""shop"."dev"."top""#));
    let shown =
        defer(&["show", "--quiet", "--output", "json", "--inline", "select count(*) as n from {{ ref('snap') }}"]);
    assert!(shown.stdout.contains("\"n\": 3"), "{}", shown.shown());
}

#[test]
fn a_unit_test_takes_the_types_of_its_inputs_from_there() {
    let stage = shop();
    let test = ["test", "-s", "takes_all"];
    assert_eq!(stage.run(&test).code, 1, "there is no table whose columns would be known");
    well(&stage, &[&test[..], &["--defer", "--state", "prod_state"]].concat());
    assert!(relations(&stage).is_empty());
}

#[test]
fn a_deferred_run_of_what_was_modified_is_retried_as_it_was() {
    let stage = shop();
    stage.write("models/stg.sql", "select id, nothing as name from {{ ref('raw') }}\n");
    let ended = stage.run(&["run", "-s", "state:modified", "--defer", "--state", "prod_state"]);
    assert_eq!(ended.code, 1, "{}", ended.shown());
    stage.write("models/stg.sql", "select id, null as name from {{ ref('raw') }}\n");
    well(&stage, &["retry"]);
    assert_eq!(results(&stage), ["stg success OK"]);
    assert_eq!(query(&stage, "select count(name) as n from dev.stg"), json!([{"n": 0}]));
    assert!(compiled(&stage, "models/stg.sql").contains(r#"from "shop"."prod"."raw""#));
}

#[test]
fn what_is_not_selected_is_read_from_there_if_that_is_favored() {
    let stage = shop();
    well(&stage, &["build", "--exclude", "top"]);
    let read = |arguments: &[&str]| {
        well(&stage, &[&["compile"], arguments].concat());
        let sql = compiled(&stage, "models/inc.sql");
        sql.split('"').nth(3).expect("a schema").to_owned()
    };
    let state = ["--defer", "--state", "prod_state"];
    assert_eq!(read(&[&["-s", "inc"], &state[..]].concat()), "dev");
    assert_eq!(read(&[&["-s", "inc", "--favor-state"], &state[..]].concat()), "prod");
    assert_eq!(read(&[&["-s", "inc", "big", "--favor-state"], &state[..]].concat()), "dev");
    assert_eq!(
        read(&["-s", "inc", "--favor-state", "--state", "prod_state"]),
        "dev",
        "without --defer it means nothing"
    );
    assert_eq!(
        read(&["-s", "inc", "--favor-state", "--no-introspect", "--defer", "--defer-state", "prod_state"]),
        "prod"
    );
    let ended = stage.run(&[&["test", "-s", "top"], &state[..]].concat());
    assert_eq!(ended.code, 0, "the table that is tested is only there: {}", ended.shown());
    assert!(compiled(&stage, "models/schema.yml/not_null_top_n.sql").contains(r#""shop"."prod"."top""#));
}

#[test]
fn the_environment_variables_of_dbt_say_it_too() {
    let stage = shop().with("DBT_DEFER", "true").with("DBT_STATE", "prod_state").with("DBT_FAVOR_STATE", "1");
    well(&stage, &["compile", "-s", "top"]);
    assert!(compiled(&stage, "models/top.sql").contains(r#"from "shop"."prod"."inc""#));
    assert_eq!(artifact(&stage, "run_results.json")["args"]["favor_state"], json!(true));
    well(&stage, &["--no-defer", "compile", "-s", "top"]);
    assert!(compiled(&stage, "models/top.sql").contains(r#"from "shop"."dev"."inc""#));
    let stage = stage.with("DBT_DEFER_STATE", "nowhere");
    let ended = stage.run(&["compile", "-s", "top"]);
    assert_eq!(ended.code, 2, "{}", ended.shown());
    assert!(ended.shown().contains("--defer-state nowhere: there is no manifest.json"), "{}", ended.shown());
}

#[test]
fn an_environment_that_cannot_be_read_is_told() {
    let stage = shop();
    stage.write("broken/manifest.json", "{");
    let nameless = json!({
        "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"},
        "nodes": {"model.shop.big": {"resource_type": "model", "schema": "prod"}},
    });
    stage.write("nameless/manifest.json", &nameless.to_string());
    let cases: [(&[&str], &str); 6] = [
        (&["clone"], "`strata clone` needs the manifest of the other environment"),
        (&["run", "--defer"], "`--defer` needs the manifest of the other environment"),
        (&["clone", "--state", "models"], "--state models: there is no manifest.json"),
        (&["test", "--defer", "--defer-state", "broken", "--state", "prod_state"], "is not JSON"),
        (&["clone", "--state", "nameless"], "says no `alias` of `model.shop.big`"),
        (&["compile", "--defer", "--state", "prod_state", "--no-introspect"], "forbids to ask it"),
    ];
    for (arguments, message) in cases {
        let ended = stage.run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}\n{}", ended.shown());
        assert!(ended.shown().contains(message), "{arguments:?}\n{}", ended.shown());
    }
}
