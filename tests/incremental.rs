//! Incremental, extract and plain models really built on DuckDB.

use crate::support::builder::{Build, Builder};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

fn model<'a>(materialized: &'a str, config: Json, sql: &'a str) -> Build<'a> {
    Build { name: "orders", materialized, config, sql, at: 100 }
}

const ALL: &str = "select * from main.orders order by all";

fn rows(batch: &BTreeMap<u8, u8>) -> String {
    let rows: Vec<String> = batch.iter().map(|(key, value)| format!("({key}, {value})")).collect();
    format!("select id::integer as id, a::integer as a from (values {}) as t(id, a)", rows.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the batches: a strategy with a key leaves the newest row of each key, and appending keeps them all.
    #[test]
    fn strategies_agree_with_a_map(batches in prop::collection::vec(
        prop::collection::btree_map(0_u8..6, 0_u8..9, 1..5), 1..5,
    )) {
        for strategy in ["append", "delete+insert", "merge", "extract"] {
            let builder = Builder::new();
            let mut newest: BTreeMap<u8, u8> = BTreeMap::new();
            let mut all: Vec<String> = vec![];
            for batch in &batches {
                let sql = rows(batch);
                let (materialized, config) = match strategy {
                    "extract" => ("extract", json!({"unique_key": "id"})),
                    _ => ("incremental", json!({"unique_key": ["id"], "incremental_strategy": strategy})),
                };
                builder.build(&model(materialized, config, &sql)).unwrap_or_else(|found| panic!("{found}"));
                newest.extend(batch);
                all.extend(batch.iter().map(|(key, value)| format!("{key}|{value}")));
            }
            all.sort();
            let expected: Vec<String> = match strategy {
                "append" => all,
                _ => newest.iter().map(|(key, value)| format!("{key}|{value}")).collect(),
            };
            prop_assert_eq!(builder.texts(ALL), expected, "{}", strategy);
        }
    }
}

#[test]
fn a_view_and_a_table_take_each_others_place() {
    let builder = Builder::new();
    for (materialized, kind) in [("view", "VIEW"), ("table", "BASE TABLE"), ("table", "BASE TABLE"), ("view", "VIEW")] {
        let config = if materialized == "table" { json!({"indexes": [{"columns": ["id"]}]}) } else { json!({}) };
        builder.build(&model(materialized, config, "select 1 as id")).unwrap_or_else(|found| panic!("{found}"));
        let listed =
            builder.texts("select table_name, table_type from information_schema.tables where table_schema = 'main'");
        assert_eq!(listed, [format!("orders|{kind}")]);
        assert_eq!(builder.texts(ALL), ["1"]);
    }
}

#[test]
fn a_table_that_fails_leaves_the_old_one() {
    let builder = Builder::new();
    builder.build(&model("table", json!({}), "select 1 as id")).expect("it runs");
    let found = builder.build(&model("table", json!({}), "select nope as id")).expect_err("no such column");
    assert!(found.message().contains("nope"), "{found}");
    let config = json!({"post-hook": [{"sql": "select * from missing_table", "transaction": true}]});
    builder.build(&model("table", config, "select 2 as id")).expect_err("the hook fails");
    assert_eq!(builder.texts(ALL), ["1"]);
    assert_eq!(builder.texts("select count(*) from information_schema.tables"), ["1"]);
}

#[test]
fn hooks_run_around_the_model() {
    let builder = Builder::new();
    let config = json!({
        "pre-hook": [{"sql": "create table seen (note text)", "transaction": true}],
        "post-hook": [
            {"sql": "insert into seen select 'inside ' || count(*) from {{ this }}", "transaction": true},
            {"sql": "insert into seen values ('after')", "transaction": false},
        ],
    });
    builder.build(&model("table", config, "select 1 as id")).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(builder.texts("from seen"), ["inside 1", "after"]);
}

#[test]
fn on_schema_change_does_what_it_says() {
    for (choice, expected) in [
        ("ignore", Ok(vec!["1|x", "2|y"])),
        ("append_new_columns", Ok(vec!["1|x|-", "2|-|7"])),
        ("sync_all_columns", Ok(vec!["1|-", "2|7"])),
        ("fail", Err("only in the query: extra")),
    ] {
        let builder = Builder::new();
        let config = json!({"on_schema_change": choice, "incremental_strategy": "append"});
        builder.build(&model("incremental", config.clone(), "select 1 as id, 'x' as name")).expect("it runs");
        let wider =
            if choice == "ignore" { "select 2 as id, 'y' as name, 7 as extra" } else { "select 2 as id, 7 as extra" };
        match (builder.build(&model("incremental", config, wider)), expected) {
            (Ok(()), Ok(rows)) => assert_eq!(builder.texts("from main.orders order by 1"), rows, "{choice}"),
            (Err(found), Err(words)) => assert!(found.message().contains(words), "{found}"),
            (outcome, _) => panic!("{choice}: {outcome:?}"),
        }
    }
}

#[test]
fn merge_follows_its_configs() {
    let builder = Builder::new();
    let build = |more: Json, sql: &str| {
        let mut config = json!({"unique_key": "id", "incremental_strategy": "merge"});
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        builder.build(&model("incremental", config, sql)).map(|()| builder.texts("from main.orders order by 1"))
    };
    build(json!({}), "select 1 as id, 'a' as name, 1 as n union all select 2, 'b', 1").expect("it runs");
    let changed = "select 1 as id, 'A' as name, 9 as n union all select 3, 'c', 9";
    let run = |more: Json| build(more, changed).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(run(json!({"merge_exclude_columns": ["name"]})), ["1|a|9", "2|b|1", "3|c|9"]);
    assert_eq!(run(json!({"merge_update_columns": ["name"]})), ["1|A|9", "2|b|1", "3|c|9"]);
    assert_eq!(
        run(
            json!({"merge_update_set_expressions": {"n": "DBT_INTERNAL_DEST.n + 1"}, "incremental_predicates": ["DBT_INTERNAL_DEST.id < 3"], "merge_insert_condition": "false"})
        ),
        ["1|A|10", "2|b|1", "3|c|9"]
    );
    let clauses = json!({"merge_clauses": {"when_matched": [{"action": "delete", "condition": "DBT_INTERNAL_DEST.id = 1"}, {"action": "do_nothing"}]}});
    assert_eq!(run(clauses), ["2|b|1", "3|c|9"]);
    let found =
        build(json!({"merge_update_columns": "name", "merge_clauses": {}}), changed).expect_err("wrong configs");
    assert!(found.message().contains("`merge_update_columns` must be a list"), "{found}");
    assert!(found.message().contains("`merge_clauses` must be a mapping"), "{found}");
}

#[test]
fn a_full_refresh_starts_anew() {
    let builder = Builder::with_flags(json!({"FULL_REFRESH": true}));
    for sql in ["select 1 as id, 'x' as name", "select 2 as id"] {
        builder.build(&model("incremental", json!({}), sql)).expect("it runs");
    }
    assert_eq!(builder.texts(ALL), ["2"]);
}

#[test]
fn an_extract_writes_only_what_differs() {
    let builder = Builder::new();
    let build = |sql: &str| {
        let config = json!({"unique_key": "id", "audit_columns": ["extracted_at"], "updated_at": "changed"});
        builder.build(&model("extract", config, sql)).map(|()| builder.texts("from main.orders order by 1"))
    };
    let row = |id: u8, a: &str, changed: u8, at: u8| {
        format!("select {id} as id, {a} as a, {changed} as changed, {at} as extracted_at")
    };
    assert_eq!(build(&row(1, "10", 5, 1)).expect("it runs"), ["1|10|5|1"]);
    // The same again, an older row, a newer one, and a value that became NULL.
    assert_eq!(build(&row(1, "10", 5, 2)).expect("it runs"), ["1|10|5|1"]);
    assert_eq!(build(&row(1, "11", 4, 3)).expect("it runs"), ["1|10|5|1"]);
    assert_eq!(build(&row(1, "12", 6, 4)).expect("it runs"), ["1|12|6|4"]);
    assert_eq!(build(&row(1, "null::integer", 6, 5)).expect("it runs"), ["1|-|6|5"]);
    // Types widen in place, new columns come at the end, other types are refused.
    assert_eq!(build(&row(2, "1.5::double", 1, 6)).expect("it runs"), ["1|-|6|5", "2|1.5|1|6"]);
    assert_eq!(
        build(&format!("{}, 'n' as more", row(3, "'text'", 1, 7))).expect("it runs"),
        ["1|-|6|5|-", "2|1.5|1|6|-", "3|text|1|7|n"]
    );
    let found = build(&row(4, "1", 1, 8).replace("1 as changed", "date '2024-01-01' as changed")).expect_err("a date");
    assert!(found.message().contains("`changed`") && found.message().contains("DATE"), "{found}");
    let found = build("select null::integer as id, 1 as a, 1 as changed, 1 as extracted_at").expect_err("no key");
    assert!(found.message().contains("id = NULL (1 row)"), "{found}");
}
