//! Contracts with constraints: what the warehouse keeps out, and what counts as a change.

use crate::cli::Stage;
use serde_json::Value as Json;

const MODELS: &str = r"
models:
  - name: customers
    config: {materialized: table, contract: {enforced: true}}
    constraints:
      - {type: check, columns: [id], expression: id > 0, name: positive}
    columns:
      - {name: id, data_type: integer, constraints: [{type: not_null}, {type: primary_key}]}
      - {name: name, data_type: varchar}
  - name: orders
    config: {materialized: incremental, contract: {enforced: true}, on_schema_change: append_new_columns}
    constraints:
      - {type: foreign_key, columns: [customer_id], to: ref('customers'), to_columns: [id]}
    columns:
      - {name: id, data_type: integer, constraints: [{type: unique}]}
      - {name: customer_id, data_type: integer}
";

fn shop() -> Stage {
    let stage = Stage::empty();
    stage.write("dbt_project.yml", "name: shop\nprofile: shop\n");
    stage.write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n");
    stage.write("models/schema.yml", MODELS);
    stage.write("models/customers.sql", "select {{ var('id', 1) }}::integer as id, 'Ada'::varchar as name\n");
    stage.write("models/orders.sql", "select {{ var('order', 1) }} as id, {{ var('of', 1) }} as customer_id\n");
    stage
}

fn rows(stage: &Stage, sql: &str) -> Json {
    let shown = stage.run(&["show", "--quiet", "--output", "json", "--inline", sql]);
    assert_eq!(shown.code, 0, "{}", shown.shown());
    let shown: Json = serde_json::from_str(&shown.stdout).expect("JSON");
    shown["show"].clone()
}

#[test]
fn duckdb_keeps_out_what_breaks_a_constraint() {
    let stage = shop();
    let first = stage.run(&["run"]);
    assert_eq!(first.code, 0, "{}", first.shown());
    let declared = "select table_name, constraint_type as kind from duckdb_constraints() order by all";
    let declared: Vec<String> = rows(&stage, declared)
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| format!("{} {}", row["table_name"].as_str().unwrap_or("?"), row["kind"].as_str().unwrap_or("?")))
        .collect();
    for wanted in
        ["customers CHECK", "customers NOT NULL", "customers PRIMARY KEY", "orders FOREIGN KEY", "orders UNIQUE"]
    {
        assert!(declared.iter().any(|found| found.ends_with(wanted)), "{wanted}: {declared:?}");
    }
    // The second order of this number is refused, and so is one of a customer that does not exist.
    for (variables, refused) in [("{}", "Duplicate key"), ("{order: 2, of: 7}", "foreign key constraint")] {
        let ended = stage.run(&["run", "-s", "orders", "--vars", variables]);
        assert_eq!(ended.code, 1, "{}", ended.shown());
        assert!(ended.stderr.contains(refused) || ended.stdout.contains(refused), "{}", ended.shown());
    }
    assert_eq!(rows(&stage, "select count(*) as n from {{ ref('orders') }}")[0]["n"], 1);
    let added = stage.run(&["run", "-s", "orders", "--vars", "order: 2"]);
    assert_eq!(added.code, 0, "{}", added.shown());
    // The row that breaks a rule leaves the table as it was.
    let broken = stage.run(&["run", "-s", "customers", "--vars", "id: -1"]);
    assert_eq!(broken.code, 1, "{}", broken.shown());
    assert_eq!(rows(&stage, "select id from {{ ref('customers') }}")[0]["id"], 1);
}

#[test]
fn a_changed_constraint_is_a_changed_contract() {
    let stage = shop();
    assert_eq!(stage.run(&["parse", "--target-path", "before"]).code, 0);
    let modified = |selector: &str| {
        let listed = stage.run(&["ls", "--quiet", "-s", selector, "--state", "before", "--output", "name"]);
        assert_eq!(listed.code, 0, "{}", listed.shown());
        listed.stdout.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(modified("state:modified"), Vec::<String>::new());
    stage.write("models/schema.yml", &MODELS.replace("id > 0", "id > 10"));
    assert_eq!(modified("state:modified.contract"), ["customers"]);
    assert_eq!(modified("state:modified"), ["customers"]);
}
