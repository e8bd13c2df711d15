//! Tables in `SQLite` files.

use super::*;
use crate::adapter::ColumnType::{BigInt, Binary, Double, Text};
use rusqlite::Connection;
use serde_json::json;

const CONNECTOR: &str = "type: sqlite\npath: erp.db\n";
const INCREMENTAL: &str = "incremental: {field: at, type: timestamp}\n";

fn bench(sql: &str) -> Bench {
    let bench = Bench::new();
    execute(&bench, sql);
    bench
}

fn execute(bench: &Bench, sql: &str) {
    let connection = Connection::open(bench.directory.path().join("erp.db")).expect("a database");
    connection.execute_batch(sql).expect("SQL");
}

fn since(text: &str) -> Watermark {
    Watermark { kind: WatermarkKind::Timestamp, ..watermark(text) }
}

const CUSTOMERS: &str =
    "create table customers (id integer primary key, name text, credit real, photo blob, never int, at text);
    insert into customers values
        (1, 'Ann ''A'' \"x\"', 12.5, x'00ff', null, '2024-02-05 06:00:00'),
        (9223372036854775807, null, 1e300, null, null, '2024-02-05T06:00:00.000'),
        (3, '', 3, null, null, '2024-02-06 00:00:00'),
        (4, 'no date', 3, null, null, null),
        (5, 'older', 3, null, null, '2024-02-05 05:59:59.9');";

#[test]
fn rows_come_with_their_types() {
    let bench = bench(CUSTOMERS);
    let fetched = bench.fetch(&config(CONNECTOR, INCREMENTAL), |_| {}).expect("rows");
    let types: Vec<ColumnType> = fetched.batch.columns.iter().map(|(_, found)| found.clone()).collect();
    assert_eq!(types, [BigInt, Text, Double, Binary, BigInt, Text]);
    assert_eq!(
        rows(&fetched.batch)[0],
        json!({"id": 1, "name": "Ann 'A' \"x\"", "credit": 12.5, "photo": "AP8=", "never": null, "at": "2024-02-05 06:00:00"})
    );
    assert_eq!(fetched.watermark, Some(since("2024-02-06 00:00:00")));
    assert!(fetched.complete);
}

#[test]
fn what_changed_is_found_exactly_whatever_the_shape_of_the_timestamps() {
    let bench = bench(CUSTOMERS);
    let config = config(CONNECTOR, INCREMENTAL);
    let fetched =
        bench.fetch(&config, |request| request.watermark = Some(since("2024-02-05T06:00:00.0"))).expect("rows");
    assert_eq!(ids(&fetched), [1, 3, 4, i64::MAX]);
    assert!(!fetched.complete);
}

#[test]
fn an_empty_table_still_has_columns() {
    let bench = bench("create table customers (id integer primary key, name text)");
    let fetched = bench.fetch(&config(CONNECTOR, ""), |_| {}).expect("no rows");
    assert_eq!(fetched.rows, 0);
    assert_eq!(fetched.batch.columns, [("id".to_owned(), ColumnType::BigInt), ("name".to_owned(), ColumnType::Text)]);
}

#[test]
fn queries_and_columns_are_chosen() {
    let bench = bench(CUSTOMERS);
    let table = "query: select id, name, at from customers where id < 4;\ncolumns: [id, {name: at, type: timestamp}]\n";
    let fetched = bench.fetch(&config(CONNECTOR, table), |_| {}).expect("rows");
    assert_eq!(rows(&fetched.batch)[0], json!({"id": 1, "at": "2024-02-05 06:00:00"}));
    assert_eq!(fetched.batch.columns[1].1, ColumnType::Timestamp);
}

#[test]
fn what_is_not_there_is_told() {
    let bench = bench(CUSTOMERS);
    let cases = [
        ("type: sqlite\npath: eerp.db\n", ""),
        (CONNECTOR, "table: customer\n"),
        (CONNECTOR, "columns: [id, nme]\n"),
        (CONNECTOR, "incremental: {field: att, type: timestamp}\n"),
        (CONNECTOR, "query: selec 1\n"),
    ];
    let found = cases.map(|(connector, table)| failure(bench.fetch(&config(connector, table), |_| {})));
    insta::assert_snapshot!(found.join("\n\n").replace(&bench.directory.path().display().to_string(), "ROOT"));
}

#[test]
fn a_recorded_table_replays_as_it_was() {
    let bench = bench(CUSTOMERS);
    let recordings = bench.directory.path().join("recordings");
    for (table, before) in
        [(INCREMENTAL, None), (INCREMENTAL, Some(since("2024-02-05 06:00:00"))), ("columns: [id, credit]\n", None)]
    {
        let config = config(CONNECTOR, table);
        let fetch = |mode: SourcesMode, watermark: Option<Watermark>| {
            let name = match mode {
                SourcesMode::Live { .. } => "live",
                SourcesMode::Replay(_) => "replay",
            };
            bench.fetch(&config, |request| {
                request.mode = mode;
                request.watermark = watermark;
                request.staging_directory.push(name);
            })
        };
        let live = fetch(SourcesMode::Live { record: Some(recordings.clone()) }, before.clone()).expect("rows");
        let replayed = fetch(SourcesMode::Replay(recordings.clone()), before.clone()).expect("rows");
        assert_eq!(rows(&replayed.batch), rows(&live.batch));
        assert_eq!(replayed.batch.columns, live.batch.columns);
        assert_eq!((replayed.watermark, replayed.complete), (live.watermark, live.complete));
        if before.is_some() {
            let found = failure(fetch(SourcesMode::Replay(recordings.clone()), None));
            assert!(found.contains("has only rows from `2024-02-05 06:00:00` on"), "{found}");
        }
    }
    let hand_written = bench.directory.path().join("by_hand");
    std::fs::create_dir_all(hand_written.join("crm/customers")).expect("created");
    std::fs::write(hand_written.join("crm/customers/rows.ndjson"), "{\"id\": 1, \"price\": 1.50}\n\n{\"id\": 2}\n")
        .expect("written");
    let fetched =
        bench.fetch(&config(CONNECTOR, ""), |request| request.mode = SourcesMode::Replay(hand_written)).expect("rows");
    assert_eq!(fetched.batch.columns[1], ("price".to_owned(), ColumnType::Decimal(3, 2)));
}
