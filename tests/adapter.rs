//! What every adapter must do, written against the trait; each adapter brings a warehouse of its own.

use chrono::{NaiveDate, NaiveTime};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use strata::adapter::{
    Adapter, Answer, Batch, BatchFormat, Cell, ColumnType, Connection, DatabaseErrorKind, DuckDb, DuckDbSettings,
    Recorder,
};
use strata::name::{Quoting, RelationName};

/// A warehouse that is empty but for the schema in which a test may work.
struct Stage {
    adapter: Arc<dyn Adapter>,
    schema: String,
    directory: tempfile::TempDir,
}

impl Stage {
    fn connect(&self) -> Box<dyn Connection> {
        self.adapter.connect("test").expect("a connection")
    }

    fn table(&self, name: &str) -> RelationName {
        RelationName::new(None, &self.schema, name, Quoting::NONE)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("the file can be written");
        path
    }
}

fn duckdb() -> Stage {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("stage.duckdb").to_string_lossy().into_owned();
    let settings = DuckDbSettings { path, lock_wait: Duration::ZERO, ..DuckDbSettings::default() };
    let adapter = DuckDb::open(settings).expect("the database opens");
    adapter.connect("setup").expect("a connection").execute("create schema work").expect("a schema");
    Stage { adapter: Arc::new(adapter), schema: "work".into(), directory }
}

/// Every rule, for one warehouse.
macro_rules! conformance {
    ($warehouse:ident: $($rule:ident,)*) => {
        mod $warehouse {
            $(#[test]
            fn $rule() {
                super::$rule(&super::$warehouse());
            })*
        }
    };
}

conformance! { duckdb:
    the_last_statement_answers,
    rows_written_are_counted,
    plain_types_keep_their_values,
    the_first_of_each_group_is_the_first,
    errors_point_into_the_whole_text,
    a_transaction_is_whole_or_nothing,
    transactions_do_not_see_each_other,
    temporary_tables_belong_to_a_session,
    json_lines_load_exactly,
    csv_keeps_empty_and_missing_apart,
    a_load_that_does_not_fit_is_refused,
    a_running_statement_can_be_stopped,
    the_recorder_changes_nothing,
}

fn scalar(connection: &mut dyn Connection, sql: &str) -> Cell {
    connection.execute(sql).expect("the query runs").table.scalar().cloned().expect("a value")
}

fn the_last_statement_answers(stage: &Stage) {
    let mut connection = stage.connect();
    let answer = connection.execute("select 1 as a; select 'x;' as b, 2 as c; -- the end").expect("it runs");
    let names: Vec<&str> = answer.table.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.join(",").to_lowercase(), "b,c");
    assert_eq!(answer.table.rows, [[Cell::Text("x;".into()), Cell::Integer(2)]]);
    assert_eq!(connection.execute(" -- nothing\n").expect("nothing to do").table, Answer::default().table);
}

fn rows_written_are_counted(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("counted"));
    let mut affected = |sql: &str| connection.execute(sql).expect("it runs").response.rows_affected;
    affected(&format!("create table {table} (a int)"));
    assert_eq!(affected(&format!("insert into {table} values (1), (2), (3)")), Some(3));
    assert_eq!(affected(&format!("update {table} set a = a + 1 where a > 1")), Some(2));
    assert_eq!(affected(&format!("delete from {table} where a > 99")), Some(0));
    assert_eq!(affected(&format!("select * from {table}")), Some(3));
}

fn plain_types_keep_their_values(stage: &Stage) {
    let mut connection = stage.connect();
    let sql = "select cast(null as integer), true, cast(9223372036854775807 as bigint), cast('-12.50' as decimal(38,2)), \
               cast(0.1 as double precision), 'ü', cast('2024-02-29' as date), cast('23:59:59.5' as time), \
               cast('1969-12-31 23:59:59.123456' as timestamp)";
    let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).expect("a date");
    assert_eq!(
        connection.execute(sql).expect("it runs").table.rows,
        [[
            Cell::Null,
            Cell::Boolean(true),
            Cell::Integer(i64::MAX.into()),
            Cell::Decimal("-12.50".into()),
            Cell::Float(0.1),
            Cell::Text("ü".into()),
            Cell::Date(day(2024, 2, 29)),
            Cell::Time(NaiveTime::from_hms_milli_opt(23, 59, 59, 500).expect("a time")),
            Cell::Timestamp(day(1969, 12, 31).and_hms_micro_opt(23, 59, 59, 123_456).expect("a timestamp")),
        ]]
    );
}

/// What deduplication rests on. A NULL before the greatest value must not hide it.
fn the_first_of_each_group_is_the_first(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("graded"));
    let sql = format!(
        "create table {table} (k integer, name varchar(10), v decimal(12, 2));
        insert into {table} values (1, 'none', null), (1, 'ten', 10), (1, 'five', 5);
        select name from (select *, row_number() over (partition by k order by v desc nulls last) as n from {table}) t where n = 1"
    );
    assert_eq!(scalar(&mut *connection, &sql), Cell::Text("ten".into()));
}

fn errors_point_into_the_whole_text(stage: &Stage) {
    let mut connection = stage.connect();
    let sql = "select 1;\nselect 'ü',\n  no_such_column from (select 1 as a) as t";
    let error = connection.execute(sql).expect_err("the column does not exist");
    assert_eq!(error.kind, DatabaseErrorKind::Statement);
    assert!(error.message.to_lowercase().contains("no_such_column"), "{error}");
    assert!(!error.message.contains("LINE"), "{error}");
    assert_eq!(error.offset.map(|at| &sql[at..at + 14]), Some("no_such_column"));
}

fn a_transaction_is_whole_or_nothing(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("whole"));
    connection.begin().expect("it begins");
    assert!(connection.in_transaction());
    connection.begin().expect_err("one is open");
    connection.execute(&format!("create table {table} as select 1 as a")).expect("it runs");
    connection.rollback().expect("it rolls back");
    assert!(!connection.in_transaction());
    connection.rollback().expect("nothing to roll back is no error");
    connection.execute(&format!("select * from {table}")).expect_err("the table was never made");
    connection.begin().expect("it begins");
    connection.execute(&format!("create table {table} as select 1 as a")).expect("it runs");
    connection.commit().expect("it commits");
    assert_eq!(scalar(&mut *stage.connect(), &format!("select count(*) from {table}")), Cell::Integer(1));
}

fn transactions_do_not_see_each_other(stage: &Stage) {
    let (mut one, mut other, table) = (stage.connect(), stage.connect(), stage.table("apart"));
    one.execute(&format!("create table {table} as select 1 as a")).expect("it runs");
    one.begin().expect("it begins");
    other.begin().expect("it begins");
    one.execute(&format!("update {table} set a = 2")).expect("it runs");
    assert_eq!(scalar(&mut *other, &format!("select a from {table}")), Cell::Integer(1));
    let error = other.execute(&format!("update {table} set a = 3")).and_then(|_| one.commit()).expect_err("a conflict");
    assert_eq!(error.kind, DatabaseErrorKind::Conflict);
    other.rollback().expect("it rolls back");
    one.commit().expect("it commits");
    assert_eq!(scalar(&mut *other, &format!("select a from {table}")), Cell::Integer(2));
}

fn temporary_tables_belong_to_a_session(stage: &Stage) {
    let mut one = stage.connect();
    one.execute("create temporary table batch as select 1 as a").expect("it runs");
    assert_eq!(scalar(&mut *one, "select a from batch"), Cell::Integer(1));
    stage.connect().execute("select a from batch").expect_err("another session does not see it");
}

fn batch(format: BatchFormat, files: Vec<PathBuf>, columns: &[(&str, ColumnType)]) -> Batch {
    let columns = columns.iter().map(|(name, column_type)| ((*name).to_owned(), column_type.clone())).collect();
    Batch { format, files, columns }
}

fn json_lines_load_exactly(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("loaded"));
    let first = stage.file(
        "1.jsonl",
        "{\"id\":9223372036854775807,\"amount\":\"0.1234567890123456789\",\"name\":\"a\",\"seen\":\"2024-01-01T05:00:00.000001+02:00\",\"ok\":true}\n",
    );
    let second = stage.file("2.jsonl", "{\"name\":\"\",\"id\":-1}\n{\"id\":null,\"name\":null,\"extra\":1}\n");
    // The table has its columns in another order, and one that no file has.
    connection
        .execute(&format!(
            "create table {table} (other integer, name varchar, amount decimal(38,19), id bigint, seen timestamp, ok boolean)"
        ))
        .expect("it runs");
    let columns = [
        ("id", ColumnType::BigInt),
        ("amount", ColumnType::Decimal(38, 19)),
        ("name", ColumnType::Text),
        ("seen", ColumnType::Timestamp),
        ("ok", ColumnType::Boolean),
    ];
    let loaded = connection.load(&table, &batch(BatchFormat::JsonLines, vec![first, second], &columns));
    assert_eq!(loaded.expect("it loads"), 3);
    let rows = connection
        .execute(&format!("select id, amount, name, seen, ok, other from {table}"))
        .expect("it runs")
        .table
        .rows;
    let at =
        NaiveDate::from_ymd_opt(2024, 1, 1).and_then(|day| day.and_hms_micro_opt(3, 0, 0, 1)).expect("a timestamp");
    assert_eq!(
        rows,
        [
            [
                Cell::Integer(i64::MAX.into()),
                Cell::Decimal("0.1234567890123456789".into()),
                Cell::Text("a".into()),
                Cell::Timestamp(at),
                Cell::Boolean(true),
                Cell::Null
            ],
            [Cell::Integer(-1), Cell::Null, Cell::Text(String::new()), Cell::Null, Cell::Null, Cell::Null],
            [Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null],
        ]
    );
}

fn csv_keeps_empty_and_missing_apart(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("seed"));
    let file = stage.file("s.csv", "name,id,day\n\"a,\"\"b\"\"\n\",1,2024-01-01\n\"\",2,\n,3,2024-01-03\n");
    connection.execute(&format!("create table {table} (id bigint, day date, name varchar)")).expect("it runs");
    let columns = [("id", ColumnType::BigInt), ("day", ColumnType::Date), ("name", ColumnType::Text)];
    let loaded = connection.load(&table, &batch(BatchFormat::Csv, vec![file], &columns));
    assert_eq!(loaded.expect("it loads"), 3);
    let answer = connection.execute(&format!("select name, day is null from {table} order by id")).expect("it runs");
    assert_eq!(
        answer.table.rows,
        [
            [Cell::Text("a,\"b\"\n".into()), Cell::Boolean(false)],
            [Cell::Text(String::new()), Cell::Boolean(true)],
            [Cell::Null, Cell::Boolean(false)],
        ]
    );
}

fn a_load_that_does_not_fit_is_refused(stage: &Stage) {
    let (mut connection, table) = (stage.connect(), stage.table("narrow"));
    let file = stage.file("n.csv", "id\n1\nx\n");
    connection.execute(&format!("create table {table} (id bigint)")).expect("it runs");
    let error = connection
        .load(&table, &batch(BatchFormat::Csv, vec![file], &[("id", ColumnType::BigInt)]))
        .expect_err("x is no number");
    assert!(error.message.contains("'x'"), "{error}");
    assert_eq!(scalar(&mut *connection, &format!("select count(*) from {table}")), Cell::Integer(0));
}

fn a_running_statement_can_be_stopped(stage: &Stage) {
    let mut connection = stage.connect();
    let canceller = connection.canceller();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let stopper = std::thread::spawn(move || {
        // A call before the statement runs does nothing, so it is repeated until the statement has ended.
        while is_done.recv_timeout(Duration::from_millis(5)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            canceller.cancel();
        }
    });
    let error = connection
        .execute("select count(*) from range(100000000) a, range(100000000) b where a.range + b.range = 3")
        .expect_err("it is stopped");
    drop(done);
    stopper.join().expect("the stopper ends");
    assert_eq!(error.kind, DatabaseErrorKind::Cancelled);
    assert_eq!(scalar(&mut *connection, "select 1"), Cell::Integer(1));
}

fn the_recorder_changes_nothing(stage: &Stage) {
    let table = stage.table("real");
    stage.connect().execute(&format!("create table {table} as select 1 as a")).expect("it runs");
    let recorder = Recorder::new(Arc::clone(&stage.adapter));
    let mut connection = recorder.connect("model.shop.orders").expect("a connection");
    connection.begin().expect("it begins");
    assert_eq!(scalar(&mut *connection, &format!("select a from {table}")), Cell::Integer(1));
    connection
        .execute(&format!("create temporary table batch as select 2 as a; drop table {table}; insert into x select 1"))
        .expect("nothing is run but the temporary table");
    assert_eq!(scalar(&mut *connection, "select a from batch"), Cell::Integer(2));
    connection.commit().expect("it commits");
    let notes: Vec<String> = recorder.recorded().into_iter().map(|one| one.sql).collect();
    let drop_table = format!("drop table {table}");
    assert_eq!(
        notes,
        ["begin", "create temporary table batch as select 2 as a", &drop_table, "insert into x select 1", "commit"]
    );
    assert_eq!(scalar(&mut *stage.connect(), &format!("select a from {table}")), Cell::Integer(1));
}

#[test]
fn a_database_that_another_process_holds_names_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("held.duckdb").to_string_lossy().into_owned();
    let mut holder = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "adapter::another_process_holds_a_database", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test starts once more");
    let mut orders = holder.stdin.take().expect("its input");
    writeln!(orders, "{path}").expect("the path is sent");
    let mut said = BufReader::new(holder.stdout.take().expect("its output")).lines();
    assert!(said.any(|line| line.expect("a line").ends_with("open")));
    let settings = DuckDbSettings { path, lock_wait: Duration::ZERO, ..DuckDbSettings::default() };
    let Err(error) = DuckDb::open(settings.clone()) else { panic!("two processes on the same file") };
    assert_eq!(error.kind, DatabaseErrorKind::Connection);
    assert!(error.message.contains(&format!("is opened by process {}", holder.id())), "{error}");
    // Whoever waits gets the database as soon as it is free.
    drop(orders);
    let patient = DuckDbSettings { lock_wait: Duration::from_secs(60), ..settings };
    assert_eq!(DuckDb::open(patient).expect("it opens").database(), "held");
    holder.wait().expect("it ends");
}

#[test]
#[ignore = "the other process of the test above"]
fn another_process_holds_a_database() {
    let mut lines = std::io::stdin().lines().map(|line| line.expect("a line"));
    let path = lines.next().expect("a path");
    let _database = DuckDb::open(DuckDbSettings { path, ..DuckDbSettings::default() }).expect("it opens");
    writeln!(std::io::stdout(), "open").expect("the other process listens");
    assert_eq!(lines.next(), None);
}

#[test]
fn duckdb_values_print_as_duckdb_prints_them() {
    let stage = duckdb();
    let mut connection = stage.connect();
    let values = [
        "170141183460469231731687303715884105727::hugeint",
        "340282366920938463463374607431768211455::uhugeint",
        "255::utinyint",
        "12.50::decimal(4,2)",
        "7::decimal(38,0)",
        "timestamp_s '2024-01-01 00:00:01'",
        "timestamp_ns '2024-01-01 00:00:01.123456789'",
        "uuid '4ac7a9e9-607c-4c8a-84f3-843f0191e3fd'",
        "interval '14 months -3 days -04:05:06.7'",
        "interval '0 days'",
        "'a'::enum('a', 'b')",
        "['a', 'b c', 'it''s', '', ' x', 'null', NULL, '[', 'a,b', 'a\"b', 'a:b', '{', '(x)', '#', '1']",
        "{'a': 1, 'b c': 'x', 'i''t': 'y', 'q': NULL}",
        "map {'a': 'b, c', 'k': NULL}",
        "[date '2020-01-01', NULL]",
        "[timestamp '2020-01-01 00:00:00.120', timestamp '2020-01-01']",
        "[1.50::decimal(4,2), NULL]",
        "[1.0::double, 1e20, 1e-7, 123456789.125, 1e15, 'nan', 'inf', '-inf', 0.0001, 0.00001]",
        "[[1], [2]]",
        "[interval '1 day']",
        "[{'a': [1, 2], 'b': {'c': 'x y'}}]",
        "['ab\\x00'::blob]",
        "[true, false]",
        "[time '12:00:00.5']",
        "row(1, 'a')",
        "array_value(1, 2)",
        "'{\"a\": [1, 2]}'::json",
        "'infinity'::date",
        "'-infinity'::timestamp",
        "time '24:00:00'",
        "union_value(num := 2)",
        "'101'::bit",
    ];
    for value in values {
        let rows = connection.execute(&format!("select {value}, cast({value} as varchar)")).expect(value).table.rows;
        let shown = match &rows[0][0] {
            Cell::Timestamp(at) => at.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
            other => other.to_string(),
        };
        assert_eq!(Cell::Text(shown), rows[0][1], "{value}");
    }
}

#[test]
fn no_type_of_duckdb_panics() {
    let stage = duckdb();
    let mut connection = stage.connect();
    let names =
        connection.execute("select column_name from (describe from test_all_types())").expect("it runs").table.rows;
    assert!(names.len() > 40);
    for name in names {
        let sql = format!("select \"{}\" from test_all_types()", name[0]);
        // An error is allowed for the few types that the client cannot read; it says what to do.
        if let Err(error) = connection.execute(&sql) {
            assert!(error.message.contains("cast it to VARCHAR"), "{sql}: {error}");
        }
    }
}

#[test]
fn the_database_has_the_name_that_settings_foresee() {
    let directory = tempfile::tempdir().expect("a directory");
    for file in ["plain.duckdb", "two.dots.db", "noext", "main.db"] {
        let path = directory.path().join(file).to_string_lossy().into_owned();
        let settings = DuckDbSettings { path, ..DuckDbSettings::default() };
        let foreseen = settings.database_name();
        assert_eq!(DuckDb::open(settings).expect("it opens").database(), foreseen);
    }
}

#[test]
fn functions_are_installed_once_and_whole() {
    let adapter = DuckDb::open(DuckDbSettings::default()).expect("it opens");
    adapter.install_functions("create or replace macro snowflake.twice(x) as x * 2").expect("installed");
    adapter.install_functions("create or replace macro snowflake.thrice(x) as x * 3; nonsense").expect_err("not SQL");
    let mut connection = adapter.connect("test").expect("a connection");
    assert_eq!(scalar(&mut *connection, "select snowflake.twice(4)"), Cell::Integer(8));
    connection.execute("select snowflake.thrice(4)").expect_err("rolled back");
}
