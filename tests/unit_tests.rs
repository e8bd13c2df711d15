//! Unit tests of models, as processes over small projects.

use crate::cli::Stage;
use serde_json::Value;

/// Three models in a row, the middle one with unit tests.
fn shop(unit_tests: &str) -> Stage {
    let stage = Stage::empty();
    stage.write("dbt_project.yml", "name: shop\nprofile: shop\nvars: {rate: 2}\n");
    stage.write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n");
    stage.write("macros/today.sql", "{% macro today() %}current_date{% endmacro %}\n");
    stage.write(
        "models/orders.sql",
        "select 1 as id, 'new'::varchar as status, 1.25::decimal(10, 2) as amount, date '2026-01-31' as ordered_on\n",
    );
    stage.write(
        "models/prices.sql",
        "select id, upper(status) as status, amount * {{ var('rate') }} as amount,\n  {{ today() }} - ordered_on as age\n\
         from {{ ref('orders') }}\n",
    );
    stage.write("models/totals.sql", "select sum(amount) as total from {{ ref('prices') }}\n");
    stage.write("models/schema.yml", &format!("unit_tests:\n{unit_tests}"));
    stage
}

fn results(stage: &Stage) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(stage.path().join("target/run_results.json")).expect("it was written");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let results = document["results"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    results.iter().map(|result| (text(&result["unique_id"]), text(&result["status"]))).collect()
}

fn status(stage: &Stage, id: &str) -> String {
    results(stage).into_iter().find(|(found, _)| found == id).map(|(_, status)| status).unwrap_or_default()
}

const DOUBLED: &str = r"
  - name: amounts_are_doubled
    model: prices
    given:
      - input: ref('orders')
        rows:
          - {id: 1, amount: 1.5, status: new}
          - {id: 2, amount: null, status: it's}
          - {id: 3, amount: 3, status: old}
          - {id: 4, amount: 4, status: old}
          - {id: 5, amount: 5, status: old}
    expect:
      rows:
        - {id: 5, amount: 10, status: OLD}
        - {id: 4, amount: 8, status: OLD}
        - {id: 1, amount: 3, status: NEW}
        - {id: 2, amount: null, status: IT'S}
        - {id: 3, amount: 6, status: OLD}
";

#[test]
fn a_model_whose_unit_test_fails_is_not_built() {
    let stage = shop(&DOUBLED.replace("amount: 8", "amount: 9").replace("{id: 1, amount: 3", "{id: 7, amount: 1"));
    let ended = stage.run(&["build"]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!("build_fails", ended.shown());
    assert_eq!(status(&stage, "unit_test.shop.prices.amounts_are_doubled"), "fail");
    assert_eq!(status(&stage, "model.shop.orders"), "success");
    assert_eq!([status(&stage, "model.shop.prices"), status(&stage, "model.shop.totals")], ["skipped", "skipped"]);
    let text = std::fs::read_to_string(stage.path().join("target/run_results.json")).expect("it was written");
    assert!(text.contains("actual differs from expected"), "the message is the difference");

    stage.write("models/schema.yml", &format!("unit_tests:\n{DOUBLED}"));
    let ended = stage.run(&["retry"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let ids: Vec<String> = results(&stage).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["unit_test.shop.prices.amounts_are_doubled", "model.shop.prices", "model.shop.totals"]);
}

#[test]
fn inputs_come_in_every_form_and_overrides_count_for_the_model_only() {
    let stage = shop(
        r#"
  - name: csv_and_overrides
    model: prices
    given:
      - input: ref('orders')
        format: csv
        rows: |
          id,ordered_on
          1,2026-01-01
          2,
    expect: {format: csv, fixture: ages}
    overrides:
      vars: {rate: 7}
      macros: {today: "date '2026-01-11'"}
  - name: of_the_seed
    model: coloured
    given:
      - input: ref('colours')
      - {input: "source('raw', 'cars')", format: sql, fixture: cars}
    expect: {format: sql, rows: "select 1 as id, 'red' as colour union all select 2, null"}
  - name: first_run
    model: history
    given: [{input: ref('orders'), rows: [{id: 1}, {id: 2}]}]
    expect: {rows: [{id: 1}, {id: 2}]}
    overrides: {macros: {is_incremental: false}}
  - name: later_run
    model: history
    given:
      - {input: ref('orders'), rows: [{id: 1}, {id: 2}]}
      - {input: this, rows: [{id: 1}]}
    expect: {rows: [{id: 2}]}
    overrides: {macros: {is_incremental: true}}
  - name: of_another_dialect
    model: snow
    given: [{input: ref('orders'), rows: [{id: 1, status: null}, {id: 2, status: new}]}]
    expect: {rows: [{ID: 1, STATUS: none}, {ID: 2, STATUS: new}]}
  - name: queries_of_another_dialect
    model: snow
    given: [{input: ref('orders'), format: sql, rows: "select 1::number as ID, iff(1 > 2, 'x', null)::varchar as STATUS"}]
    expect: {format: sql, rows: "select 1::number as ID, iff(true, 'none', 'x')::varchar as STATUS"}
  - name: nothing_in_nothing_out
    model: prices
    given: [{input: ref('orders'), rows: []}]
    expect: {rows: []}
"#,
    );
    stage.write("tests/fixtures/ages.csv", "id,age,amount\n1,10,\n2,,\n");
    stage.write(
        "tests/fixtures/cars.sql",
        "select {{ var('rate') - 1 }} as id, 'red' as colour\nunion all select 2, 'blue'\n",
    );
    stage.write("seeds/colours.csv", "id,colour\n1,red\n");
    stage.write("models/sources.yml", "sources: [{name: raw, tables: [{name: cars}]}]\n");
    stage.write(
        "models/coloured.sql",
        "select cars.id, colours.colour from {{ source('raw', 'cars') }} as cars left join {{ ref('colours') }} as colours using (id)\n",
    );
    stage.write(
        "models/history.sql",
        "{{ config(materialized='incremental') }}\nselect id from {{ ref('orders') }}\n\
         {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}\n",
    );
    stage.write(
        "models/snow.sql",
        "{{ config(dialect='snowflake') }}\nselect ID, iff(STATUS is null, 'none', STATUS) as STATUS from {{ ref('orders') }}\n",
    );
    // What has no rows of its own must be there, so that its columns are known.
    let ended = stage.run(&["build", "--exclude", "coloured", "test_name:later_run"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    let ended = stage.run(&["test"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("PASS=7 "), "{}", ended.shown());
}

#[test]
fn what_a_unit_test_cannot_do_without_is_told_where_it_is_written() {
    let stage = shop(
        r"
  - name: parent_is_not_there
    model: totals
    given: [{input: ref('prices'), rows: [{amount: 1}]}]
    expect: {rows: [{total: 1}]}
  - name: no_such_column
    model: prices
    given: [{input: ref('orders'), rows: [{id: 1, amont: 1}]}]
    expect: {rows: [{id: 1}]}
  - name: no_such_result
    model: prices
    given: [{input: ref('orders'), rows: [{id: 1}]}]
    expect: {rows: [{ids: 1}]}
  - name: nothing_given
    model: prices
    given: []
    expect: {rows: [{id: 1}]}
  - name: nothing_of_this_name
    model: prices
    given: [{input: ref('order'), rows: []}]
    expect: {rows: []}
  - name: other_columns_below
    model: prices
    given: [{input: ref('orders'), rows: []}]
    expect: {rows: [{id: 1, age: 1}, {id: 2}]}
",
    );
    assert_eq!(stage.run(&["run", "-s", "orders"]).code, 0, "the tests are no reason not to run");
    let ended = stage.run(&["test"]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!("errors", ended.shown());
}

#[test]
fn unit_tests_are_listed_compiled_and_shown_like_other_nodes() {
    let stage = shop(DOUBLED);
    assert_eq!(stage.run(&["ls", "-s", "prices"]).stdout, "shop.prices\nunit_test:shop.amounts_are_doubled\n");
    let only = stage.run(&["ls", "--resource-type", "unit_test", "--output", "json"]).stdout;
    assert!(only.contains("\"unique_id\":\"unit_test.shop.prices.amounts_are_doubled\"") && only.lines().count() == 1);
    assert_eq!(stage.run(&["ls", "--exclude-resource-type", "unit_test", "-s", "prices"]).stdout, "shop.prices\n");
    let missing = stage.run(&["compile", "-s", "amounts_are_doubled"]);
    assert!(missing.code == 1 && missing.stderr.contains("does not exist"), "{}", missing.shown());
    assert_eq!(stage.run(&["compile"]).code, 0, "an empty warehouse is no reason not to compile the models");
    assert_eq!(stage.run(&["run", "-s", "orders"]).code, 0);
    let compiled = stage.run(&["compile", "-s", "amounts_are_doubled"]).stdout;
    insta::assert_snapshot!("compiled", compiled);
    let shown = stage.run(&["show", "-s", "amounts_are_doubled", "--limit", "1"]).stdout;
    assert!(shown.contains("|   3.00 |"), "the rows that the model makes: {shown}");
    assert!(stage.path().join("target/compiled/shop/models/schema.yml/models/amounts_are_doubled.sql").is_file());
}

#[test]
fn changed_rows_are_a_change() {
    let stage = shop(DOUBLED);
    assert_eq!(stage.run(&["parse", "--target-path", "before"]).code, 0);
    let modified = || stage.run(&["ls", "-s", "state:modified", "--state", "before"]).stdout;
    assert_eq!(modified(), "");
    stage.write("models/schema.yml", &format!("unit_tests:\n{DOUBLED}    description: doubled\n"));
    assert_eq!(modified(), "", "a description changes nothing");
    stage.write("models/schema.yml", &format!("unit_tests:\n{}", DOUBLED.replace("amount: 8", "amount: 9")));
    assert_eq!(modified(), "unit_test:shop.amounts_are_doubled\n");
}
