//! Snapshots really built on DuckDB.

use crate::support::builder::{Build, Builder};
use serde_json::{Value as Json, json};

struct Stage {
    builder: Builder,
    config: Json,
}

impl Stage {
    fn new(config: Json) -> Self {
        Self { builder: Builder::new(), config }
    }

    fn run(&self, sql: &str) {
        self.try_run(sql).unwrap_or_else(|found| panic!("{found}"));
    }

    fn try_run(&self, sql: &str) -> Result<(), strata::diagnostic::Diagnostic> {
        let build = Build { name: "customers", materialized: "snapshot", config: self.config.clone(), sql, at: 100 };
        self.builder.build(&build)
    }

    fn versions(&self) -> Vec<String> {
        self.builder.texts("select id, name, dbt_valid_to is null from main.customers order by id, dbt_valid_from")
    }

    /// The rules that hold for every snapshot: no version ends before it starts, none of a key overlap, no id twice.
    fn check(&self) {
        let broken = self.builder.texts(
            "select id from (select *, lag(dbt_valid_to) over (partition by id order by dbt_valid_from) as former, \
             row_number() over (partition by id order by dbt_valid_from) as position from main.customers) \
             where dbt_valid_from >= dbt_valid_to or (position > 1 and (former is null or former > dbt_valid_from))",
        );
        assert_eq!(
            broken,
            Vec::<String>::new(),
            "{:#?}",
            self.builder.texts("from main.customers order by id, dbt_valid_from")
        );
        assert_eq!(self.builder.texts("select count(*) - count(distinct dbt_scd_id) from main.customers"), ["0"]);
    }
}

#[test]
fn check_compares_nulls_and_sees_what_is_gone_and_back() {
    let stage =
        Stage::new(json!({"strategy": "check", "unique_key": "id", "check_cols": "all", "hard_deletes": "invalidate"}));
    stage.run("select 1 as id, 'a' as name union all select 2, null::varchar");
    stage.run("select 1 as id, 'a' as name union all select 2, null::varchar");
    assert_eq!(stage.versions(), ["1|a|true", "2|-|true"]);
    stage.run("select 1 as id, null::varchar as name");
    stage.run("select 1 as id, null::varchar as name union all select 2, null::varchar");
    assert_eq!(stage.versions(), ["1|a|false", "1|-|true", "2|-|false", "2|-|true"]);
    stage.check();
}

#[test]
fn stamps_say_when_not_whether() {
    let stage = Stage::new(
        json!({"strategy": "timestamp", "unique_key": "id", "updated_at": "u", "hard_deletes": "invalidate"}),
    );
    let row = |name: &str, stamp: &str| format!("select 1 as id, '{name}' as name, timestamp '{stamp}' as u");
    stage.run(&row("a", "2024-01-01"));
    stage.run(&row("b", "2024-01-02"));
    // A stamp that goes back, one in the future, a key that is gone and comes back with an old stamp.
    stage.run(&row("c", "2023-01-01"));
    stage.run(&row("d", "2999-01-01"));
    stage.run("select 1 as id, 'd' as name, timestamp '2999-01-01' as u where false");
    stage.run(&row("d", "2023-01-01"));
    stage.run(&row("d", "2023-01-01"));
    assert_eq!(stage.versions(), ["1|a|false", "1|b|false", "1|c|false", "1|d|false", "1|d|true"]);
    stage.check();
}

#[test]
fn tombstones_are_versions() {
    let stage = Stage::new(
        json!({"strategy": "check", "unique_key": ["id", "name"], "check_cols": ["v"], "hard_deletes": "new_record"}),
    );
    stage.run("select 1 as id, 'a' as name, 1 as v");
    stage.run("select 1 as id, 'a' as name, 1 as v where false");
    stage.run("select 1 as id, 'a' as name, 1 as v where false");
    let marks = "select dbt_is_deleted, dbt_valid_to is null from main.customers order by dbt_valid_from";
    assert_eq!(stage.builder.texts(marks), ["False|false", "True|true"]);
    stage.run("select 1 as id, 'a' as name, 1 as v");
    assert_eq!(stage.builder.texts(marks), ["False|false", "True|false", "False|true"]);
    stage.check();
}

#[test]
fn a_new_column_opens_no_version() {
    let stage = Stage::new(json!({"strategy": "check", "unique_key": "id", "check_cols": "all"}));
    stage.run("select 1 as id, 'a' as name");
    stage.run("select 1 as id, 'a' as name, 7 as extra");
    stage.run("select 1 as id, 'a' as name, 7 as extra");
    assert_eq!(stage.builder.texts("select id, extra from main.customers"), ["1|7"]);
}

#[test]
fn keys_that_are_null_or_shared_are_refused_unless_dbt_is_wanted() {
    let rows = "select 1 as id, 'a' as name union all select 1, 'b' union all select null, 'c'";
    let config = json!({"strategy": "check", "unique_key": "id", "check_cols": "all"});
    let stage = Stage::new(config.clone());
    let found = stage.try_run(rows).expect_err("it is refused");
    assert!(found.message().contains("id = 1 (2 rows)") && found.message().contains("id = NULL (1 row)"), "{found}");
    let mut compatible = config;
    compatible["dbt_compatible"] = json!(true);
    let stage = Stage::new(compatible);
    stage.run(rows);
    assert_eq!(stage.builder.texts("select count(*) from main.customers"), ["3"]);
}

#[test]
fn columns_and_the_open_end_can_be_named() {
    let stage = Stage::new(json!({
        "strategy": "check", "unique_key": "id", "check_cols": ["name"], "dbt_valid_to_current": "timestamp '9999-12-31'",
        "snapshot_meta_column_names": {"dbt_valid_from": "since", "dbt_valid_to": "until"},
    }));
    stage.run("select 1 as id, 'a' as name");
    stage.run("select 1 as id, 'b' as name");
    let versions =
        stage.builder.texts("select name, until = timestamp '9999-12-31' from main.customers order by since");
    assert_eq!(versions, ["a|false", "b|true"]);
}

#[test]
fn what_is_missing_is_named() {
    for (config, words) in [
        (json!({"strategy": "check", "check_cols": "all"}), "needs `unique_key`"),
        (json!({"strategy": "timestamp", "unique_key": "id"}), "needs `updated_at`"),
        (json!({"strategy": "check", "unique_key": "id"}), "needs `check_cols`"),
        (json!({"strategy": "guess", "unique_key": "id"}), "no snapshot strategy `guess`"),
    ] {
        let found = Stage::new(config).try_run("select 1 as id, 'a' as name").expect_err("it is refused");
        assert!(found.message().contains(words), "{found}");
    }
}
