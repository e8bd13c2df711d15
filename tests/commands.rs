//! `source freshness` and `run-operation`, as processes over small projects.

use crate::cli::Stage;
use serde_json::Value;

/// Sources whose tables are made, before they are looked at, by a hook: their ages do not depend on when the test runs.
fn sources() -> Stage {
    let stage = Stage::empty();
    let table = |name: &str, loaded: &str| {
        format!("  - create or replace table raw.{name} as select 1 as id, {loaded} as loaded\n")
    };
    let hooks = [
        "  - create schema if not exists raw\n".to_owned(),
        table("fresh", "now() - interval 1 hour"),
        table("late", "now()::timestamp - interval 13 hour"),
        table("old", "now()::timestamp - interval 30 hour"),
        table("days", "date '2026-01-01'"),
        "  - create or replace table raw.empty (id int, loaded timestamp)\n".to_owned(),
    ];
    let project = format!(
        "name: shop\nprofile: shop\non-run-start:\n{}sources:\n  shop:\n    configured:\n      +loaded_at_field: loaded\n      +freshness:\n        error_after: {{count: 1, period: day}}\n",
        hooks.concat()
    );
    stage.write("dbt_project.yml", &project);
    stage.write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n");
    stage.write("models/sources.yml", SOURCES);
    stage.write("models/fresh_rows.sql", "select * from {{ source('raw', 'fresh') }}\n");
    stage
}

const SOURCES: &str = r#"
sources:
  - name: raw
    loaded_at_field: loaded
    freshness:
      warn_after: {count: 12, period: hour}
      error_after: {count: 24, period: hour}
    tables:
      - name: fresh
      - name: late
      - name: old
      - name: empty
      - name: missing
      - name: days
      - name: asked
        identifier: old
        config:
          loaded_at_query: select max(loaded) from {{ this }} where '{{ source_node.name }}' = 'asked'
      - name: forgiven
        identifier: old
        freshness: {error_after: null, filter: "id = 1"}
      - name: filtered
        identifier: late
        config:
          freshness: {filter: "id > 1"}
      - name: nowhere
        identifier: fresh
        loaded_at_field: null
      - name: switched_off
        freshness: null
  - name: configured
    schema: raw
    tables: [{name: fresh}]
"#;

/// Name and status of every source in `sources.json`.
fn statuses(stage: &Stage, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(stage.path().join(file)).expect("it was written");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/sources/v3.json");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |result: &Value| {
        format!("{} {}", word(&result["unique_id"]).trim_start_matches("source.shop."), word(&result["status"]))
    };
    document["results"].as_array().expect("results").iter().map(one).collect()
}

#[test]
fn sources_are_judged_as_dbt_judges_them() {
    let stage = sources();
    let ended = stage.run(&["source", "freshness"]);
    assert_eq!(ended.code, 1);
    insta::assert_snapshot!("freshness", ended.shown());
    let mut found = statuses(&stage, "target/sources.json");
    found.sort();
    assert_eq!(
        found,
        [
            "configured.fresh pass",
            "raw.asked error",
            "raw.days runtime error",
            "raw.empty error",
            "raw.filtered error",
            "raw.forgiven warn",
            "raw.fresh pass",
            "raw.late warn",
            "raw.missing runtime error",
            "raw.nowhere runtime error",
            "raw.old error",
        ]
    );
}

#[test]
fn a_warning_is_no_failure_and_selection_and_output_are_dbts() {
    let stage = sources();
    let late = stage.run(&["source", "freshness", "-s", "source:raw.late", "+fresh_rows", "-o", "found/ages.json"]);
    assert_eq!(late.code, 0, "{}", late.shown());
    assert_eq!(statuses(&stage, "found/ages.json"), ["raw.fresh pass", "raw.late warn"]);
    // dbt's old name; nothing that could be judged is selected.
    let nothing = stage.run(&["source", "snapshot-freshness", "-s", "fresh_rows"]);
    assert_eq!((nothing.code, statuses(&stage, "target/sources.json").len()), (0, 0), "{}", nothing.shown());
    assert!(nothing.stdout.contains("no selected source has a `freshness:`"), "{}", nothing.shown());
}

#[test]
fn hooks_run_around_it_unless_the_project_says_no() {
    let stage = sources();
    let project = std::fs::read_to_string(stage.path().join("dbt_project.yml")).expect("it is there");
    stage.write("dbt_project.yml", &format!("{project}flags: {{source_freshness_run_project_hooks: false}}\n"));
    assert_eq!(stage.run(&["source", "freshness", "-s", "source:raw.fresh"]).code, 1);
    assert_eq!(statuses(&stage, "target/sources.json"), ["raw.fresh runtime error"]);
}

#[test]
fn fresher_sources_and_what_depends_on_them_are_selected() {
    let stage = sources();
    let look = ["source", "freshness", "-s", "source:raw.fresh", "source:raw.empty"];
    stage.run(&look);
    let before = std::fs::read_to_string(stage.path().join("target/sources.json")).expect("it was written");
    stage.write("before/sources.json", &before);
    stage.run(&look);
    let fresher = stage.run(&["ls", "-s", "source_status:fresher+", "--state", "before"]);
    let mut selected: Vec<&str> = fresher.stdout.lines().collect();
    selected.sort_unstable();
    assert_eq!(selected, ["shop.fresh_rows", "source:shop.raw.fresh"], "{}", fresher.shown());
    let without = stage.run(&["ls", "-s", "source_status:fresher+"]);
    assert_eq!(without.code, 2);
    assert!(without.stderr.contains("needs the sources.json of a former run"), "{}", without.shown());
}

#[test]
fn an_override_of_the_macro_is_called_with_dbts_names() {
    let stage = sources();
    stage.write(
        "macros/freshness.sql",
        "{% macro collect_freshness(source, loaded_at_field, filter) %}{% do log('asked for ' ~ loaded_at_field ~ ' of ' \
         ~ source.identifier, info=true) %}{{ return(default__collect_freshness(source=source, \
         loaded_at_field=loaded_at_field, filter=filter)) }}{% endmacro %}",
    );
    let ended = stage.run(&["source", "freshness", "-s", "source:raw.fresh"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("asked for loaded of fresh"), "{}", ended.shown());
}

const MACROS: &str = r#"
{% macro make() %}{% do run_query("create or replace table t (a int)") %}{% endmacro %}
{% macro by_query() %}{% do run_query("insert into t values (1)") %}{% endmacro %}
{% macro by_statement() %}{% call statement('x') %}insert into t values (2){% endcall %}{% endmacro %}
{% macro by_statements() %}
  {% call statement('x') %}insert into t values (3){% endcall %}
  {% do adapter.commit() %}
  {% call statement('y') %}insert into t values (4){% endcall %}
{% endmacro %}
{% macro without_begin() %}{% call statement('x', auto_begin=false) %}insert into t values (5){% endcall %}{% endmacro %}
{% macro query_and_fail() %}{% do run_query("insert into t values (6)") %}{% do exceptions.raise_compiler_error("no") %}{% endmacro %}
{% macro shown() %}{% do print(run_query("select list(a order by a) from t").columns[0].values()[0]) %}{% endmacro %}
{% macro told(columns, schema='main') %}
  {% do log(schema ~ '|' ~ columns.a[0] ~ '|' ~ model.unique_id ~ '|' ~ flags.WHICH ~ '|' ~ execute, info=true) %}
{% endmacro %}
{% macro outer() %}
  {{ inner(1) }}
{% endmacro %}
{% macro inner(number) %}
  {{ number + nonsense.attribute }}
{% endmacro %}
"#;

fn operations() -> Stage {
    let stage = Stage::shop();
    stage.write("macros/operations.sql", MACROS);
    stage
}

#[test]
fn what_an_operation_does_not_commit_is_taken_back() {
    let stage = operations();
    for name in ["make", "by_query", "by_statement", "by_statements", "without_begin", "shop.by_query"] {
        let ended = stage.run(&["run-operation", name]);
        assert_eq!(ended.code, 0, "{}", ended.shown());
    }
    assert_eq!(stage.run(&["run-operation", "query_and_fail"]).code, 1);
    let shown = stage.run(&["--quiet", "run-operation", "shown"]);
    assert_eq!(shown.stdout, "[1, 1, 3, 5, 6]\n", "{}", shown.shown());
}

#[test]
fn an_operation_takes_yaml_and_leaves_results() {
    let stage = operations();
    let ended = stage.run(&["run-operation", "told", "--args", "{columns: {a: [7, x]}}"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("main|7|macro.shop.told|run-operation|True"), "{}", ended.shown());
    let text = std::fs::read_to_string(stage.path().join("target/run_results.json")).expect("it was written");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    let result = document["results"][0].as_object_mut().expect("one result");
    result.retain(|key, _| !matches!(key.as_str(), "timing" | "execution_time"));
    assert_eq!(
        Value::Object(result.clone()),
        serde_json::json!({
            "status": "success", "thread_id": "MainThread", "adapter_response": {}, "message": null, "failures": 0,
            "unique_id": "macro.shop.told", "compiled": false, "compiled_code": null, "relation_name": null,
            "batch_results": null,
        })
    );
    assert_eq!(document["args"]["which"], "run-operation");
}

#[test]
fn what_is_wrong_with_an_operation_is_shown() {
    let stage = operations();
    let calls: [&[&str]; 8] = [
        &["outer"],
        &["told", "--args", "{column: 1}"],
        &["tolled"],
        &["shop.tolled"],
        &["shpo.told"],
        &["strata.told"],
        &["told", "--args", "words"],
        &["told", "--args", "{a: "],
    ];
    let shown: Vec<String> = calls
        .iter()
        .map(|call| {
            let words: Vec<&str> = ["--quiet", "run-operation"].iter().chain(*call).copied().collect();
            format!("$ strata {}\n{}", words.join(" "), stage.run(&words).shown())
        })
        .collect();
    insta::assert_snapshot!("operations", shown.join("\n"));
}

#[test]
fn an_operation_sees_its_own_name_and_arguments() {
    let stage = operations();
    stage.write(
        "macros/seen.sql",
        "{% macro seen(a) %}{% do print(invocation_args_dict['macro'] ~ ' ' ~ invocation_args_dict['args'] ~ ' ' \
         ~ (this is defined) ~ ' ' ~ graph.keys() | list | sort | join(',')) %}{% endmacro %}",
    );
    let ended = stage.run(&["--quiet", "run-operation", "seen", "--args", "{a: [7, x]}"]);
    assert_eq!(
        ended.stdout,
        "seen {'a': [7, 'x']} False exposures,functions,groups,metrics,nodes,saved_queries,semantic_models,sources\n",
        "{}",
        ended.shown()
    );
}

#[test]
fn hooks_at_the_end_see_the_results_as_dbt_shows_them() {
    let stage = Stage::shop();
    let project = std::fs::read_to_string(stage.path().join("dbt_project.yml")).expect("it is there");
    let hooks = "on-run-start: ['select 1']\non-run-end: ['{{ tell(results) }}', '{% do print(schemas) %}']\n";
    stage.write("dbt_project.yml", &format!("{project}{hooks}"));
    stage.write("tests/nothing.sql", "select 1 as id where false");
    stage.write("tests/something.sql", "{{ config(severity='warn') }} select 1 as id");
    stage.write("models/broken.sql", "select * from nowhere");
    stage.write("models/behind.sql", "select * from {{ ref('broken') }}");
    stage.write(
        "macros/tell.sql",
        "{% macro tell(results) %}{% for result in results | sort(attribute='unique_id') if result.node.name in \
         ['orders', 'behind', 'nothing', 'something', 'stg_orders'] %}{% do print([result.node.unique_id, \
         result.status, result.message, result.failures, result.thread_id, result.adapter_response]) %}{% endfor %}\
         {% do print(results | map(attribute='node.resource_type') | unique | sort) %}{% endmacro %}",
    );
    let ended = stage.run(&["--quiet", "build", "--threads", "1"]);
    assert_eq!(ended.code, 1);
    let told: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with("['")).collect();
    insta::assert_snapshot!("run_end", told.join("\n"));
}

#[test]
fn external_models_are_files_that_are_read_through_views() {
    let stage = Stage::empty();
    stage.write(
        "dbt_project.yml",
        "name: files\nprofile: files\non-run-start: '{{ register_upstream_external_models() }}'\n",
    );
    stage.write(
        "profiles.yml",
        "files: {target: dev, outputs: {dev: {type: duckdb, path: files.duckdb, external_root: out}}}\n",
    );
    stage.write("out/here", "");
    stage.write(
        "models/rows.sql",
        "{{ config(materialized='external', format='csv', delimiter='|') }} select 1 as id, 'x,y' as name",
    );
    stage.write(
        "models/none.sql",
        "{{ config(materialized='external') }} select 1 as id, date '2026-01-01' as day where false",
    );
    stage.write(
        "models/parts.sql",
        "{{ config(materialized='external', options={'partition_by': 'name', 'overwrite': true}) }} select 1 as id, 'x' as name",
    );
    stage.write(
        "models/both.sql",
        "select name, (select count(*) from {{ ref('none') }}) as empty from {{ ref('rows') }}",
    );
    for _ in 0..2 {
        let built = stage.run(&["run"]);
        assert_eq!(built.code, 0, "{}", built.shown());
    }
    let read = |file: &str| std::fs::read_to_string(stage.path().join("out").join(file)).expect("it was written");
    assert_eq!(read("rows.csv"), "id|name\n1|x,y\n");
    assert!(stage.path().join("out/parts/name=x").is_dir());
    let empty = stage.run(&["--quiet", "show", "--inline", "select * from {{ ref('both') }}", "--output", "json"]);
    assert!(empty.stdout.contains(r#""empty": 0"#), "{}", empty.shown());
    // In a new database the views on files of models that are not selected are made again.
    std::fs::remove_file(stage.path().join("files.duckdb")).expect("it was there");
    let built = stage.run(&["--quiet", "build", "-s", "both"]);
    assert_eq!(built.code, 0, "{}", built.shown());
    let shown = stage.run(&["--quiet", "show", "--inline", "select * from {{ ref('both') }}", "--output", "json"]);
    assert!(shown.stdout.contains(r#""name": "x,y""#), "{}", shown.shown());
    stage.write("models/rows.sql", "{{ config(materialized='external', format='xml') }} select 1 as id");
    let refused = stage.run(&["--quiet", "run", "-s", "rows"]);
    assert!(
        refused.stdout.contains("an external model is written as csv, parquet, json, not as `xml`"),
        "{}",
        refused.shown()
    );
}
