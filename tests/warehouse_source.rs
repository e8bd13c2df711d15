//! Extract models over tables of the warehouse itself, as processes over a small project.

use crate::cli::Stage;

const SOURCES: &str = r#"
sources:
  - name: erp
    schema: erp
    connector:
      type: "{{ 'warehouse' if target.name == 'dev' else 'sqlite' }}"
      path: "{{ 'erp.db' if target.name != 'dev' else '' }}"
    tables:
      - name: orders
        extract:
          incremental: {field: changed_at, type: timestamp}
          columns: {amount: "decimal(12,2)"}
      - name: cities
        extract: {query: select upper(name) as name from erp.cities}
"#;

fn project() -> Stage {
    let stage = Stage::empty();
    stage.write("dbt_project.yml", "name: shop\nprofile: shop\n");
    stage.write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n");
    stage.write("macros/change.sql", "{% macro change(sql) %}{% do run_query(sql) %}{% endmacro %}");
    stage.write("models/sources.yml", SOURCES);
    stage.write(
        "models/raw_orders.sql",
        "{{ config(materialized='extract', unique_key='id', lookback='1 hour') }}\nselect * from {{ source('erp', 'orders') }}",
    );
    stage.write(
        "models/raw_cities.sql",
        "{{ config(materialized='extract', unique_key='name') }}\nselect * from {{ source('erp', 'cities') }}",
    );
    change(
        &stage,
        "create schema erp; create table erp.cities as select 'bonn' as name; \
         create table erp.orders (id int, amount varchar, changed_at timestamp); \
         insert into erp.orders values (1, '10.50', '2026-01-01 10:00:00'), (2, '7', '2026-01-02 10:00:00.123456'), \
         (3, '1', '2999-01-01 00:00:00')",
    );
    stage
}

fn change(stage: &Stage, sql: &str) {
    let ended = stage.run(&["-q", "run-operation", "change", "--args", &format!("{{sql: \"{sql}\"}}")]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
}

/// The rows of a query, a line each.
fn rows(stage: &Stage, sql: &str) -> String {
    let ended = stage.run(&["-q", "show", "--limit", "-1", "--output", "json", "--inline", sql]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let rows = document["show"].as_array().expect("rows");
    rows.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn rows_from_the_watermark_on_are_taken_over() {
    let stage = project();
    let built = stage.run(&["build"]);
    assert_eq!(built.code, 0, "{}", built.shown());
    let orders = "select id, amount, typeof(amount) as type from {{ ref('raw_orders') }} order by id";
    insta::assert_snapshot!("warehouse_first", rows(&stage, orders));
    // What is dated beyond the warehouse's clock does not move the watermark.
    let watermark = "select field, value, type from {{ ref('strata', 'watermarks') }}";
    insta::assert_snapshot!("warehouse_first_mark", rows(&stage, watermark));
    change(
        &stage,
        "update erp.orders set amount = '8', changed_at = '2026-01-02 09:30:00' where id = 2; \
         update erp.orders set amount = '99' where id = 1; insert into erp.orders values (4, '4', '2026-01-03 10:00:00'); \
         insert into erp.cities values ('köln')",
    );
    let built = stage.run(&["build"]);
    assert_eq!(built.code, 0, "{}", built.shown());
    // The first row lies before the lookback: it was changed without its stamp.
    insta::assert_snapshot!("warehouse_second", rows(&stage, orders));
    insta::assert_snapshot!("warehouse_second_mark", rows(&stage, watermark));
    assert_eq!(rows(&stage, "select count(*) as n from {{ ref('raw_cities') }}"), "{\"n\":2}");
    let batches =
        "select rows from {{ ref('strata', 'extract_batches') }} where model like '%orders' order by created_at";
    insta::assert_snapshot!("warehouse_batches", rows(&stage, batches));
}

#[test]
fn columns_that_are_not_there_are_told_at_once() {
    let stage = project();
    let sources = SOURCES
        .replace("amount:", "amont:")
        .replace("query: select upper(name) as name", "columns: [nam, name], query: select name");
    stage.write("models/sources.yml", &sources);
    let failed = stage.run(&["-q", "build"]);
    assert_eq!(failed.code, 1);
    insta::assert_snapshot!("warehouse_columns", failed.shown());
}
