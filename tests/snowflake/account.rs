//! The materializations on a real account, only if asked for: see `docs/snowflake.md`.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An entry of a profile's `outputs`, as JSON; its schema is not used.
const VARIABLE: &str = "STRATA_TEST_SNOWFLAKE";

const FILES: [(&str, &str); 7] = [
    ("seeds/orders.csv", "id,name,amount\n1,a,1.50\n2,,2.25\n3,\"it's\",\n"),
    ("models/v.sql", "{{ config(materialized='view') }} select id, name, amount from {{ ref('orders') }}"),
    ("models/t.sql", "{{ config(materialized='table') }} select id, count(*) as n from {{ ref('v') }} group by id"),
    (
        "models/inc.sql",
        "{{ config(materialized='incremental', unique_key='id') }} select id, name from {{ ref('orders') }}",
    ),
    ("models/dim.sql", "{{ config(materialized='scd2', unique_key='id') }} select id, name from {{ ref('orders') }}"),
    ("models/s.yml", "models:\n  - name: t\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n"),
    (
        "macros/drop.sql",
        "{% macro drop_them(schemas) %}{% for name in schemas %}{% do adapter.drop_schema(api.Relation.create(\
         database=target.database, schema=name)) %}{% endfor %}{% endmacro %}",
    ),
];

fn strata(directory: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
    let output = command.args(arguments).current_dir(directory).output().expect("strata starts");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

#[test]
#[ignore = "needs an account: set STRATA_TEST_SNOWFLAKE"]
#[expect(clippy::disallowed_methods, reason = "whoever asks for this test says so in the environment")]
#[expect(clippy::print_stderr, reason = "it says what it will do before it does it")]
fn a_real_account() {
    let target = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set: see docs/snowflake.md"));
    let mut target: Value = serde_json::from_str(&target).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
    let schema = format!("STRATA_TEST_{}", uuid::Uuid::new_v4().simple()).to_uppercase();
    let schemas = [schema.clone(), format!("{schema}_STRATA_CONTROL")];
    eprintln!("this makes and drops the schemas {} in {}", schemas.join(" and "), target["database"]);
    target["schema"] = json!(schema);
    target["type"] = json!("snowflake");
    let directory = tempfile::tempdir().expect("a directory");
    let profile = json!({"shop": {"target": "account", "outputs": {"account": target}}}).to_string();
    let own = [("dbt_project.yml", "name: shop\nprofile: shop\n"), ("profiles.yml", &profile)];
    for (path, text) in own.into_iter().chain(FILES) {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("written");
    }
    let run = |arguments: &[&str]| strata(directory.path(), arguments);
    let counts = "select (select count(*) from {{ ref('t') }}) as t, (select count(*) from {{ ref('inc') }}) as inc, \
                  (select count(*) from {{ ref('dim') }}) as dim";
    let ended = [
        run(&["debug"]),
        run(&["build"]),
        run(&["build"]),
        run(&["show", "-q", "--output", "json", "--inline", counts]),
    ];
    let arguments = json!({"schemas": schemas}).to_string();
    let dropped = run(&["run-operation", "drop_them", "--args", &arguments]);
    for (succeeded, text) in ended.iter().chain([&dropped]) {
        assert!(succeeded, "{text}");
    }
    let shown: Value = serde_json::from_str(&ended[3].1).expect("JSON");
    assert_eq!(shown["show"], json!([{"T": 3, "INC": 3, "DIM": 3}]));
}
