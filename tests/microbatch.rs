//! Models of the strategy microbatch, built by real processes on DuckDB.

use crate::cli::{Ended, Stage};
use serde_json::{Value as Json, json};

const EVENTS: &str = "{{ config(materialized='table', event_time='happened_at') }}
select i as id, timestamp '2023-12-30 05:00:00' + to_hours((i * 7)::integer) as happened_at, i * {{ var('factor', 1) }} as amount
from range(60) as t(i)
";

/// A failing batch is one whose label is the variable `bad`.
fn daily(config: &str) -> String {
    format!(
        "{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened_at', {config}) }}}}
select id, happened_at, amount, '{{{{ model.batch.id }}}}' as batch, {{{{ is_incremental() }}}} as added,
  case when '{{{{ model.batch.id }}}}' = '{{{{ var('bad', '') }}}}' then ('bad ' || id)::integer end as bad
from {{{{ ref('events') }}}}
"
    )
}

/// A shop with a model of batches.
fn shop(config: &str) -> Stage {
    let stage = Stage::empty();
    stage.write("dbt_project.yml", "name: shop\nprofile: shop\n");
    stage.write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 3}}}\n");
    stage.write("models/events.sql", EVENTS);
    stage.write("models/daily.sql", &daily(config));
    stage.write("models/below.sql", "select count(*) as n from {{ ref('daily') }}\n");
    stage
}

/// Runs for the days from the 30th of December to the 16th of January.
fn run(stage: &Stage, more: &[&str]) -> Ended {
    let days = ["run", "--event-time-start", "2023-12-30", "--event-time-end", "2024-01-17"];
    stage.run(&[&days, more].concat())
}

fn rows(stage: &Stage, sql: &str) -> Json {
    let shown = stage.run(&["show", "--quiet", "--limit", "-1", "--output", "json", "--inline", sql]);
    assert_eq!(shown.code, 0, "{}", shown.shown());
    let shown: Json = serde_json::from_str(&shown.stdout).expect("JSON");
    shown["show"].clone()
}

/// What differs between the model and one query over everything, as numbers of rows.
fn differences(stage: &Stage) -> Json {
    let all = "select id, happened_at, amount from {{ ref('events') }}";
    let built = "select id, happened_at, amount from {{ ref('daily') }}";
    rows(stage, &format!("select count(*) as n from (({all} except all {built}) union all ({built} except all {all}))"))
        [0]["n"]
        .clone()
}

/// The result of the model: its status, and how many batches were built and were not.
fn result(stage: &Stage) -> (String, usize, usize) {
    let text = std::fs::read_to_string(stage.path().join("target/run_results.json")).expect("results");
    let results: Json = serde_json::from_str(&text).expect("JSON");
    let all = results["results"].as_array().cloned().unwrap_or_default();
    let daily = all.iter().find(|result| result["unique_id"] == "model.shop.daily").expect("the model's result");
    let count = |key: &str| daily["batch_results"][key].as_array().map_or(0, Vec::len);
    (daily["status"].as_str().unwrap_or_default().to_owned(), count("successful"), count("failed"))
}

#[test]
fn batches_of_any_size_make_what_one_query_makes() {
    for (size, batches) in [("hour", 432), ("day", 18), ("month", 2), ("year", 2)] {
        let stage = shop(&format!("begin='2023-12-30', batch_size='{size}'"));
        // Hours are many: a few of them show as much.
        let ended = match size {
            "hour" => stage.run(&["run", "--event-time-start", "2023-12-30", "--event-time-end", "2023-12-31"]),
            _ => run(&stage, &[]),
        };
        assert_eq!(ended.code, 0, "{size}: {}", ended.shown());
        if size == "hour" {
            assert_eq!(result(&stage), ("success".to_owned(), 24, 0));
            assert_eq!(rows(&stage, "select count(*) as n from {{ ref('daily') }}"), json!([{"n": 3}]));
            continue;
        }
        assert_eq!(differences(&stage), 0, "{size}");
        assert_eq!(result(&stage), ("success".to_owned(), batches, 0), "{size}");
        // Only the first batch makes the table, also where batches are built beside each other.
        let added = "select count(distinct batch) as n from {{ ref('daily') }} where not added";
        assert_eq!(rows(&stage, added), json!([{"n": 1}]), "{size}");
    }
}

#[test]
fn a_batch_is_replaced_as_a_whole() {
    let stage = shop("begin='2023-12-30', batch_size='day'");
    assert_eq!(run(&stage, &[]).code, 0);
    let two_days = ["--event-time-start", "2024-01-03", "--event-time-end", "2024-01-05"];
    let again = stage.run(&[&["run", "--vars", "factor: 2"], &two_days[..]].concat());
    assert_eq!(again.code, 0, "{}", again.shown());
    let changed =
        "select min(happened_at)::date::varchar as first, max(happened_at)::date::varchar as last, count(*) as n
        from {{ ref('daily') }} where amount = id * 2 and id > 0";
    assert_eq!(rows(&stage, changed), json!([{"first": "2024-01-03", "last": "2024-01-04", "n": 7}]));
    assert_eq!(
        rows(&stage, "select count(*) as n, count(distinct id) as ids from {{ ref('daily') }}"),
        json!([{"n": 60, "ids": 60}])
    );
    let books = "select count(*) as n, sum(rows_affected) as written from {{ ref('strata', 'node_runs') }}
        where unique_id = 'model.shop.daily' and message in ('batch 2024-01-03', 'batch 2024-01-04')";
    assert_eq!(rows(&stage, books)[0]["n"], 4);
}

#[test]
fn retry_builds_what_failed_and_loses_nothing() {
    let stage = shop("begin='2023-12-30', batch_size='day'");
    let failed = run(&stage, &["--full-refresh", "--vars", "bad: '20240104'"]);
    assert_eq!(failed.code, 1, "{}", failed.shown());
    assert_eq!(result(&stage), ("partial success".to_owned(), 17, 1));
    assert!(failed.stdout.contains("PART"), "{}", failed.shown());
    assert!(failed.stdout.contains("Batch  6 of 18 ERROR batch 2024-01-04 of main.daily"), "{}", failed.shown());
    assert_eq!(
        rows(&stage, "select count(*) as n from {{ ref('daily') }} where batch = '20240104'"),
        json!([{"n": 0}])
    );
    // Again in vain, then for good: the full refresh that was asked for at first throws nothing away.
    assert_eq!(stage.run(&["retry"]).code, 1);
    assert_eq!(result(&stage), ("error".to_owned(), 17, 1));
    let mended = stage.run(&["retry", "--vars", "bad: none"]);
    assert_eq!(mended.code, 0, "{}", mended.shown());
    assert!(mended.stdout.contains("Batch 1 of 1 OK"), "{}", mended.shown());
    assert_eq!(result(&stage), ("success".to_owned(), 18, 0));
    assert_eq!(differences(&stage), 0);
}

#[test]
fn without_its_first_batch_nothing_is_built() {
    let stage = shop("begin='2023-12-30', batch_size='day', concurrent_batches=false");
    let failed = run(&stage, &["--vars", "bad: '20231230'"]);
    assert_eq!(failed.code, 1, "{}", failed.shown());
    assert_eq!(result(&stage), ("error".to_owned(), 0, 18));
    assert!(failed.stdout.contains("Batch 18 of 18 SKIP"), "{}", failed.shown());
    assert_eq!(stage.run(&["retry", "--vars", "bad: none"]).code, 0);
    assert_eq!(differences(&stage), 0);
}

#[test]
fn a_killed_run_is_gone_on_with_batch_by_batch() {
    let stage = shop("begin='2023-12-30', batch_size='day', concurrent_batches=false");
    assert_eq!(run(&stage, &[]).code, 0);
    // As the process would have left it, had it been killed in the sixth batch.
    let journal = stage.path().join("target/journal.jsonl");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    let end = text.match_indices("\"built\"").nth(5).expect("18 batches").0;
    std::fs::write(&journal, &text[..end]).expect("written");
    std::fs::remove_file(stage.path().join("target/run_results.json")).expect("removed");
    let ended = stage.run(&["retry"]);
    assert_eq!(ended.code, 0, "{}", ended.shown());
    assert!(ended.stdout.contains("Batch  1 of 13 OK    batch 2024-01-04"), "{}", ended.shown());
    assert_eq!(result(&stage), ("success".to_owned(), 18, 0));
    assert_eq!(differences(&stage), 0);
}

#[test]
fn a_run_builds_the_newest_batches_again() {
    let stage = shop("begin='2023-12-30', batch_size='year', lookback=2");
    assert_eq!(stage.run(&["run"]).code, 0);
    let (_, first, _) = result(&stage);
    assert_eq!(differences(&stage), 0);
    assert_eq!(stage.run(&["run", "--vars", "factor: 2"]).code, 0);
    let (status, again, _) = result(&stage);
    assert_eq!((status.as_str(), again), ("success", 3));
    // From the year of the beginning on; how many that are depends on when the test runs.
    assert!(first >= 3, "{first}");
    assert_eq!(rows(&stage, "select count(*) as n from {{ ref('daily') }}"), json!([{"n": 60}]));
}

#[test]
fn spans_that_cannot_be_are_refused() {
    let stage = shop("begin='2023-12-30', batch_size='day'");
    let ended = stage.run(&["run", "--event-time-start", "2024-01-02", "--event-time-end", "2024-01-02"]);
    assert_eq!(ended.code, 2, "{}", ended.shown());
    assert!(ended.stdout.contains("must be before"), "{}", ended.shown());
    assert_eq!(stage.run(&["run", "--event-time-start", "2024-01-02"]).code, 2);
    assert_eq!(stage.run(&["run", "--event-time-start", "soon", "--event-time-end", "2024-01-02"]).code, 2);
}
