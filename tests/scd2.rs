//! The invariants of slowly changing dimensions, against a simple oracle: the sources of all runs.

use crate::support::builder::{Build, Builder, argument};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// A source: key to the value of its two columns. Both may be NULL.
type Source = BTreeMap<u8, (Option<u8>, Option<u8>)>;

fn select(source: &Source) -> String {
    let null = |value: Option<u8>| value.map_or("null".to_owned(), |value| value.to_string());
    let rows: Vec<String> =
        source.iter().map(|(key, (a, b))| format!("({key}, 'part|{key}', {}, {})", null(*a), null(*b))).collect();
    let rows = if rows.is_empty() { "(null, null, null, null)".to_owned() } else { rows.join(", ") };
    format!(
        "select id::integer as id, part::varchar as part, a::integer as a, b::integer as b from (values {rows}) as t(id, part, a, b) where id is not null"
    )
}

fn dimension<'a>(config: &Json, sql: &'a str, at: i64) -> Build<'a> {
    let mut merged = json!({"unique_key": ["id", "part"], "max_delete_pct": 100});
    for (key, value) in config.as_object().into_iter().flatten() {
        merged[key] = value.clone();
    }
    Build { name: "dim_customer", materialized: "scd2", config: merged, sql, at }
}

fn run(builder: &Builder, config: &Json, source: &Source, at: i64) {
    let sql = select(source);
    let build = dimension(config, &sql, at);
    builder.build(&build).unwrap_or_else(|diagnostic| panic!("{diagnostic}"));
    let broken = builder.rows_of(&build, "scd2_check", &[argument(&json!(sql))]);
    assert_eq!(broken, Vec::<String>::new(), "after the run at {at} with {source:?}");
}

/// What the table says of a point in time, in the form of a source.
fn as_of(builder: &Builder, at: i64) -> Vec<String> {
    builder.texts(&format!(
        "select id, a, b from main.dim_customer where effective_from <= make_timestamp({at}000000) \
         and (effective_to is null or effective_to > make_timestamp({at}000000)) order by id"
    ))
}

fn texts_of(source: &Source) -> Vec<String> {
    let null = |value: Option<u8>| value.map_or("-".to_owned(), |value| value.to_string());
    source.iter().map(|(key, (a, b))| format!("{key}|{}|{}", null(*a), null(*b))).collect()
}

const ALL: &str = "select * from main.dim_customer order by all";

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any sequence of sources: the check finds nothing broken, every past run can be asked for, closed versions stay
    /// as they are, and a source that was seen before changes nothing.
    #[test]
    fn history_holds(sources in prop::collection::vec(
        prop::collection::btree_map(0_u8..5, (prop::option::of(0_u8..2), prop::option::of(0_u8..2)), 0..5), 1..6,
    )) {
        let builder = Builder::new();
        let mut closed: Vec<String> = vec![];
        for (index, source) in sources.iter().enumerate() {
            let at = 1_000 + i64::try_from(index).expect("a small number") * 100;
            run(&builder, &json!({}), source, at);
            for (past, former) in sources[..=index].iter().enumerate() {
                let at = 1_000 + i64::try_from(past).expect("a small number") * 100;
                prop_assert_eq!(as_of(&builder, at), texts_of(former));
            }
            let now_closed = builder.texts("select * from main.dim_customer where not is_current order by all");
            prop_assert!(closed.iter().all(|version| now_closed.contains(version)));
            closed = now_closed;
            let before = builder.texts(ALL);
            run(&builder, &json!({}), source, at + 50);
            prop_assert_eq!(builder.texts(ALL), before);
        }
    }

    /// Stamps of any kind (old, equal, in the future, missing) and clocks that stand still or go back never break the
    /// invariants, and the open versions are the source.
    #[test]
    fn stamps_and_clocks_cannot_break_it(runs in prop::collection::vec(
        (0_i64..40, prop::collection::btree_map(0_u8..4, (prop::option::of(0_u8..2), prop::option::of(0_u8..60)), 1..4)), 1..6,
    )) {
        let builder = Builder::new();
        let config = json!({"updated_at": "make_timestamp(b::bigint * 1000000)", "ignored_columns": ["b"]});
        for (at, source) in &runs {
            run(&builder, &config, source, *at);
        }
    }
}

fn source(rows: &[(u8, Option<u8>)]) -> Source {
    rows.iter().map(|(key, a)| (*key, (*a, None))).collect()
}

#[test]
fn versions_open_close_and_return() {
    let builder = Builder::new();
    run(&builder, &json!({}), &source(&[(1, Some(1)), (2, None)]), 100);
    run(&builder, &json!({}), &source(&[(1, Some(2))]), 200);
    run(&builder, &json!({}), &source(&[(1, Some(2)), (2, Some(5)), (3, None)]), 300);
    let versions = "select id, a, epoch(effective_from)::int, epoch(effective_to)::int, is_current, version_number \
                    from main.dim_customer order by id, version_number";
    assert_eq!(
        builder.texts(versions),
        ["1|1|100|200|false|1", "1|2|200|-|true|2", "2|-|100|200|false|1", "2|5|300|-|true|2", "3|-|300|-|true|1",]
    );
    assert_eq!(builder.texts("select count(distinct customer_key) = count(*) from main.dim_customer"), ["true"]);
}

#[test]
fn a_stamp_says_when_but_never_before_what_a_run_has_seen() {
    let builder = Builder::new();
    let build = |sql: &str, at| {
        let config = json!({"unique_key": "id", "updated_at": "changed"});
        builder.build(&Build { name: "dim_customer", materialized: "scd2", config, sql, at }).expect("it runs");
        builder.texts(
            "select id, epoch(effective_from)::int, epoch(effective_to)::int from main.dim_customer order by all",
        )
    };
    let row =
        |id: u8, a: u8, stamp: i64| format!("select {id} as id, {a} as a, make_timestamp({stamp}000000) as changed");
    assert_eq!(build(&row(1, 1, 50), 100), ["1|50|-"]);
    // An honest stamp, a stamp of before the last run, a stamp in the future.
    assert_eq!(build(&row(1, 2, 150), 200), ["1|50|150", "1|150|-"]);
    assert_eq!(build(&row(1, 3, 20), 300), ["1|50|150", "1|150|300", "1|300|-"]);
    assert_eq!(build(&row(1, 4, 999), 400), ["1|50|150", "1|150|300", "1|300|400", "1|400|-"]);
    // The stamp alone is no change.
    assert_eq!(build(&row(1, 4, 450), 500), ["1|50|150", "1|150|300", "1|300|400", "1|400|-"]);
}

fn refusal(builder: &Builder, config: Json, sql: &str) -> String {
    let before = builder.texts(ALL);
    let build = Build { name: "dim_customer", materialized: "scd2", config, sql, at: 9_000 };
    let diagnostic = builder.build(&build).expect_err("it must be refused");
    assert_eq!(builder.texts(ALL), before, "a failed run changes nothing");
    diagnostic.message().to_owned()
}

#[test]
fn what_cannot_be_right_is_refused_whole() {
    let builder = Builder::new();
    run(&builder, &json!({}), &source(&[(1, Some(1)), (2, Some(1)), (3, Some(1)), (4, Some(1))]), 100);
    let keyed = |more: Json| {
        let mut config = json!({"unique_key": ["id", "part"]});
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    };
    let columns = "null::integer as a, null::integer as b";
    let message = refusal(
        &builder,
        keyed(json!({})),
        &format!("select 1 as id, 'x' as part, {columns} union all select 1, 'x', 2, 2 union all select 2, null, 1, 1"),
    );
    assert!(message.contains("\"id\" = 1, \"part\" = x (2 rows)"), "{message}");
    assert!(message.contains("\"id\" = 2, \"part\" = NULL (1 row)"), "{message}");
    let empty = select(&Source::new());
    let message = refusal(&builder, keyed(json!({})), &empty);
    assert!(message.contains("gives no row, so all 4 open versions"), "{message}");
    let message = refusal(&builder, keyed(json!({"max_delete_pct": 50})), &select(&source(&[(1, Some(1))])));
    assert!(message.contains("lacks 3 of 4 keys"), "{message}");
    let message = refusal(&builder, keyed(json!({"tracked_columns": ["nope"]})), &empty);
    assert!(message.contains("`tracked_columns` names the column `nope`"), "{message}");
    let message = refusal(&builder, json!({}), &empty);
    assert!(message.contains("needs `unique_key`"), "{message}");
    // Nothing of the kind where rows that are gone are ignored.
    builder
        .build(&dimension(&json!({"hard_deletes": "ignore", "max_delete_pct": null}), &empty, 200))
        .expect("it runs");
    assert_eq!(builder.texts("select count(*) from main.dim_customer where is_current"), ["4"]);
}

#[test]
fn a_new_column_opens_no_version() {
    let builder = Builder::new();
    let build = |sql: &str, at| {
        let config = json!({"unique_key": "id"});
        builder.build(&Build { name: "dim_customer", materialized: "scd2", config, sql, at }).expect("it runs");
        builder.texts("select id, a, version_number, is_current from main.dim_customer order by id, version_number")
    };
    build("select 1 as id, 1 as a union all select 2, 1", 100);
    let wider = "select 1 as id, 1 as a, 'x' as c union all select 2, 2, 'y'";
    let versions = ["1|1|1|true", "2|1|1|false", "2|2|2|true"];
    assert_eq!(build(wider, 200), versions);
    assert_eq!(build(wider, 300), versions);
    assert_eq!(builder.texts("select c from main.dim_customer order by id, version_number"), ["x", "-", "y"]);
    // A column that the source loses keeps what it said.
    assert_eq!(build("select 1 as id, 1 as a union all select 2, 2", 400), versions);
}

#[test]
fn names_the_open_end_and_what_is_tracked_can_be_chosen() {
    let builder = Builder::new();
    let build = |sql: &str, at| {
        let config = json!({
            "unique_key": "ID", "tracked_columns": ["a"], "ignored_columns": ["noise"], "surrogate_key": "sk",
            "scd2_columns": {"effective_from": "valid_from", "is_current": "current_flag"},
            "open_end": "timestamp '9999-12-31'",
        });
        let build = Build { name: "dim_customer", materialized: "scd2", config, sql, at };
        builder.build(&build).expect("it runs");
        assert_eq!(builder.rows_of(&build, "scd2_check", &[argument(&json!(sql))]), Vec::<String>::new());
        builder.texts("select id, a, label, noise, current_flag, effective_to::date from main.dim_customer order by id, valid_from")
    };
    build("select 1 as id, 1 as a, 'x' as label, 1 as noise", 100);
    // What is not tracked is overwritten in the open version.
    assert_eq!(build("select 1 as id, 1 as a, 'y' as label, 2 as noise", 200), ["1|1|y|2|true|9999-12-31"]);
    assert_eq!(
        build("select 1 as id, 2 as a, 'z' as label, 3 as noise", 300),
        ["1|1|y|2|false|1970-01-01", "1|2|z|3|true|9999-12-31"]
    );
}

#[test]
fn the_check_finds_what_is_broken() {
    let builder = Builder::new();
    run(&builder, &json!({}), &source(&[(1, Some(1)), (2, Some(1))]), 100);
    run(&builder, &json!({}), &source(&[(1, Some(2)), (2, Some(2))]), 200);
    let sql = select(&source(&[(1, Some(2)), (2, Some(2))]));
    let damage = |statement: &str| {
        builder.query(&format!("create or replace table spare as {}", "from main.dim_customer"));
        builder.query(statement);
        let broken = builder.rows_of(&dimension(&json!({}), &sql, 300), "scd2_check", &[argument(&json!(sql))]);
        builder.query("create or replace table main.dim_customer as from spare");
        broken.join("\n")
    };
    for (statement, rule) in [
        ("update main.dim_customer set id = null where id = 1", "no key is NULL"),
        ("update main.dim_customer set is_current = true where id = 1", "at most one open version"),
        ("update main.dim_customer set effective_to = effective_from where not is_current", "starts before it ends"),
        ("update main.dim_customer set effective_to = timestamp '2000-01-01' where not is_current", "do not overlap"),
        ("update main.dim_customer set version_number = 7 where is_current", "numbered 1 to n"),
        ("update main.dim_customer set customer_key = 'same'", "surrogate key is unique"),
        ("update main.dim_customer set a = 2 where not is_current", "adjacent versions differ"),
        ("delete from main.dim_customer where id = 2", "every row of the source is an open version"),
        ("update main.dim_customer set a = 9 where is_current", "every open version is a row of the source"),
    ] {
        let broken = damage(statement);
        assert!(broken.contains(rule), "{statement} should break `{rule}`:\n{broken}");
    }
}
