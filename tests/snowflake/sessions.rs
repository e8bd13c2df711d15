//! Statements in a session, and what the wire does to them.

use super::{connect, refused, rows};
use crate::support::stage::stage;
use serde_json::json;
use strata::adapter::{Cell, ColumnType, DatabaseErrorKind};

#[test]
fn values_come_as_what_they_are() {
    let mut session = connect("VALUES_DB");
    let sql = "select 1::number(38,0) as i, -12.50::number(9,2) as d, 1.5::float as f, 'ü' as t, true as b, \
               '2024-02-29'::date as day, '01:02:03'::time as clock, '2024-02-29 01:02:03.5'::timestamp_ntz as ntz, \
               null::timestamp_ntz as nothing, '00ff'::binary as bytes";
    let table = session.execute(sql).expect("an answer").table;
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["I", "D", "F", "T", "B", "DAY", "CLOCK", "NTZ", "NOTHING", "BYTES"]);
    assert_eq!(table.columns[1].1, ColumnType::Decimal(9, 2));
    assert_eq!(
        table.rows[0][..5],
        [
            Cell::Integer(1),
            Cell::Decimal("-12.50".into()),
            Cell::Float(1.5),
            Cell::Text("ü".into()),
            Cell::Boolean(true)
        ]
    );
    let shown: Vec<String> = table.rows[0][5..9].iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["2024-02-29", "01:02:03", "2024-02-29 01:02:03.500", ""]);
    let empty = session.execute("select 1::number(9,2) as d where false").expect("an answer").table;
    assert_eq!(empty.columns, [("D".to_owned(), ColumnType::Decimal(9, 2))]);
}

#[test]
fn several_statements_in_one_text_give_the_answer_of_the_last_that_does_something() {
    let mut session = connect("SEVERAL_DB");
    let text = "create table t (id number(38,0)); begin; insert into t values (1), (2); -- ; \n commit;";
    let answer = session.execute(text).expect("an answer");
    assert_eq!((answer.response.rows_affected, answer.response.message.as_str()), (Some(2), "SUCCESS 2"));
    assert!(answer.response.query_id.is_some() && !session.in_transaction());
    let updated = session.execute("update t set id = id where id > 1").expect("an answer").response;
    assert_eq!((updated.rows_affected, updated.details["rows_updated"].as_str()), (Some(1), "1"));
    let error = refused(session.as_mut(), "select 1; select nope from t");
    assert_eq!((error.kind, error.query_id.is_some()), (DatabaseErrorKind::Statement, true));
}

#[test]
fn a_statement_is_carried_out_once_whatever_becomes_of_its_answer() {
    let database = "ONCE_DB";
    let mut session = connect(database);
    session.execute("create table t (id number(38,0))").expect("an answer");
    let faults = ["fail_before", "throttle", "cut_before", "fail_after", "truncate_after", "cut_after", "expire"];
    for (index, fault) in faults.iter().enumerate() {
        stage().faults(database, json!({*fault: 1}));
        let answer = session
            .execute(&format!("insert into t values ({index})"))
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert_eq!(answer.response.rows_affected, Some(1), "{fault}");
    }
    assert_eq!(rows(session.as_mut(), "select count(*), count(distinct id) from t"), ["7|7"]);
}

#[test]
fn a_long_statement_is_waited_for_also_when_the_session_expires() {
    let database = "LONG_DB";
    let mut session = connect(database);
    stage().faults(database, json!({"async_polls": 3}));
    assert_eq!(rows(session.as_mut(), "select 7 as n"), ["7"]);
    stage().faults(database, json!({"async_polls": 3, "expire_on_poll": 2}));
    assert_eq!(rows(session.as_mut(), "select 8 as n"), ["8"]);
}

#[test]
fn parts_of_a_result_keep_their_order() {
    let database = "PARTS_DB";
    let mut session = connect(database);
    session.execute("create table t as select seq4() as n from table(generator(rowcount => 25))").expect("an answer");
    let expected: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    for faults in [json!({"chunk": 3}), json!({"chunk": 3, "chunk_json": true})] {
        stage().faults(database, faults);
        assert_eq!(rows(session.as_mut(), "select n from t order by n"), expected);
    }
}

#[test]
fn new_types_and_missing_fields_are_no_reason_to_refuse_an_answer() {
    let database = "NEW_TYPES_DB";
    let mut session = connect(database);
    stage().faults(database, json!({"coltype": "GEOGRAPHY", "nullrole": true}));
    assert_eq!(rows(session.as_mut(), "select 'POINT(1 2)' as place"), ["POINT(1 2)"]);
    stage().faults(database, json!({"html": 1}));
    let error = refused(session.as_mut(), "select 1");
    assert!(error.message.contains("403"), "{error}");
}

#[test]
fn a_session_that_is_gone_is_an_error_and_its_transaction_undone() {
    let database = "GONE_DB";
    let mut session = connect(database);
    session.execute("create table t (id number(38,0)); begin; insert into t values (1)").expect("an answer");
    stage().end_sessions(database);
    assert_eq!(refused(session.as_mut(), "commit").kind, DatabaseErrorKind::Connection);
    assert_eq!(rows(connect(database).as_mut(), "select count(*) from t"), ["0"]);
}

#[test]
fn a_cancelled_statement_ends() {
    let database = "CANCEL_DB";
    let mut session = connect(database);
    stage().faults(database, json!({"pause": true}));
    let canceller = session.canceller();
    let waiting = std::thread::spawn(move || session.execute("select 1").map_err(|error| error.kind));
    // The statement has arrived once the stage has noted it.
    while !stage().log(database).iter().any(|entry| entry["what"] == "statement") {
        std::thread::yield_now();
    }
    canceller.cancel();
    assert_eq!(waiting.join().expect("no panic"), Err(DatabaseErrorKind::Cancelled));
}
