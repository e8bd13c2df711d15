//! What goes wrong on the way, and what becomes of the statement.

use super::*;
use crate::adapter::DatabaseErrorKind;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn pending(code: &str) -> Reply {
    Reply::json(json!({"success": true, "code": code, "message": "in progress",
        "data": {"queryId": "01-q", "getResultUrl": "/queries/01-q/result"}}))
}

#[test]
fn a_long_statement_is_asked_after_until_it_ends() {
    let server = script(vec![pending("333334"), pending("333333"), pending("333333"), success(&rows(&["done"]))]);
    let mut connection = connect(settings(&server)).expect("a session");
    assert_eq!(texts(connection.as_mut(), "call slow()"), ["done"]);
    let seen = server.seen();
    assert_eq!(to(&seen, QUERY).len(), 1);
    assert_eq!(to(&seen, "/queries/01-q/result").len(), 3);
}

#[test]
fn asking_after_a_statement_is_not_endless() {
    let server = script(vec![pending("333334"), Reply::status(503, "busy")]);
    let mut connection = connect(settings(&server)).expect("a session");
    let error = connection.execute("select 1").expect_err("no answer");
    assert_eq!(error.kind, DatabaseErrorKind::Connection);
    assert_eq!(error.query_id.as_deref(), Some("01-q"));
    // The statement's own question, and the one after its outcome, each with three more tries.
    let seen = server.seen();
    assert_eq!((to(&seen, "/queries/01-q/result").len(), to(&seen, "/monitoring/queries/01-q").len()), (4, 4));
}

#[test]
fn a_statement_whose_answer_was_lost_is_looked_up_before_anything_is_repeated() {
    let asked = AtomicUsize::new(0);
    let status = |word: &str| success(&json!({"queries": [{"id": "01-q", "status": word}]}));
    let serve = move |outcome: Option<&'static str>| {
        move |seen: &Seen| match seen.path.as_str() {
            "/session/v1/login-request" => logged_in(),
            QUERY => pending("333334"),
            "/monitoring/queries/01-q" => match outcome {
                Some(word) => status(word),
                None => Reply::status(503, ""),
            },
            // The line is dead for as long as the client asks, and alive again when the outcome was found.
            "/queries/01-q/result" if asked.fetch_add(1, Ordering::SeqCst) < 4 => Reply::status(502, ""),
            _ => success(&json!({"rowtype": [{"name": "number of rows inserted", "type": "fixed"}],
                "rowset": [["3"]], "total": 1, "queryId": "01-q"})),
        }
    };
    let server = Server::start(serve(Some("SUCCESS")));
    let mut connection = connect(settings(&server)).expect("a session");
    let answer = connection.execute("insert into t select 1").expect("it was carried out");
    assert_eq!(answer.response.rows_affected, Some(3));
    assert_eq!(to(&server.seen(), QUERY).len(), 1);
}

#[test]
fn a_write_of_unknown_outcome_is_not_reported_as_repeatable() {
    let server = script(vec![pending("333334"), Reply::status(503, "")]);
    let kind = |sql: &str| {
        let mut connection = connect(settings(&server)).expect("a session");
        connection.execute(sql).expect_err("no answer").kind
    };
    assert_eq!(kind("insert into t select 1"), DatabaseErrorKind::Unsettled);
    assert_eq!(kind("commit"), DatabaseErrorKind::Unsettled);
    assert_eq!(kind("select 1"), DatabaseErrorKind::Connection);
}

#[test]
fn retries_keep_the_request_and_count() {
    let server = script(vec![
        Reply::status(503, "busy"),
        Reply::status(429, "slow down"),
        success(&rows(&["a long enough answer"])).cut_at(40),
        success(&rows(&["x"])),
    ]);
    let mut connection = connect(settings(&server)).expect("a session");
    assert_eq!(texts(connection.as_mut(), "select 1"), ["x"]);
    let seen = server.seen();
    let sent = to(&seen, QUERY);
    let distinct = |name: &str| sent.iter().map(|seen| seen.param(name)).collect::<BTreeSet<_>>().len();
    assert_eq!(
        (sent.len(), distinct("requestId"), distinct("request_guid"), distinct("clientStartTime")),
        (4, 1, 4, 1)
    );
    let told: Vec<_> = sent.iter().map(|seen| (seen.number("retryCount"), seen.param("retryReason"))).collect();
    assert_eq!(told, [(0, None), (1, Some("503")), (2, Some("429")), (3, Some("0"))]);
}

#[test]
fn patience_ends() {
    let server = script(vec![Reply::status(500, "oh")]);
    let mut connection = connect(settings(&server)).expect("a session");
    let error = connection.execute("select 1").expect_err("no answer");
    assert_eq!(error.message, "127.0.0.1 answered 500 Internal Server Error");
    assert_eq!(to(&server.seen(), QUERY).len(), 4);
}

#[test]
fn an_expired_session_is_renewed_once_and_the_request_is_the_same() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        "/session/token-request" => success(&json!({"sessionToken": "session-2", "masterToken": "master-2"})),
        QUERY if seen.header("authorization") == Some("Snowflake Token=\"session-1\"") => {
            refusal("390112", "Your session has expired.")
        }
        QUERY => pending("333334"),
        _ => success(&rows(&["x"])),
    });
    let mut connection = connect(settings(&server)).expect("a session");
    assert_eq!(texts(connection.as_mut(), "select 1"), ["x"]);
    let seen = server.seen();
    let renewals = to(&seen, "/session/token-request");
    assert_eq!(renewals.len(), 1);
    assert_eq!(renewals[0].header("authorization"), Some("Snowflake Token=\"master-1\""));
    assert_eq!(body(renewals[0]), json!({"oldSessionToken": "session-1", "requestType": "RENEW"}));
    let sent = to(&seen, QUERY);
    assert_eq!((sent.len(), sent[0].param("requestId")), (2, sent[1].param("requestId")));
    assert_ne!(sent[0].param("request_guid"), sent[1].param("request_guid"));
}

#[test]
fn a_session_that_expires_in_the_middle_of_a_statement_is_renewed() {
    let expired = AtomicBool::new(false);
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        "/session/token-request" => success(&json!({"sessionToken": "session-2", "masterToken": "master-2"})),
        QUERY => pending("333334"),
        _ if !expired.swap(true, Ordering::SeqCst) => refusal("390112", "Your session has expired."),
        _ => success(&rows(&[seen.header("authorization").unwrap_or_default()])),
    });
    let mut connection = connect(settings(&server)).expect("a session");
    assert_eq!(texts(connection.as_mut(), "select 1"), ["Snowflake Token=\"session-2\""]);
}

#[test]
fn a_session_that_is_gone_is_not_replaced_in_silence() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        "/session/token-request" => refusal("390114", "Authentication token has expired."),
        QUERY => refusal("390112", "Your session has expired."),
        _ => success(&Json::Null),
    });
    let mut connection = connect(settings(&server)).expect("a session");
    let error = connection.execute("select 1").expect_err("it is gone");
    assert_eq!((error.kind, error.code.as_deref()), (DatabaseErrorKind::Connection, Some("390114")));
    assert_eq!(to(&server.seen(), "/session/v1/login-request").len(), 1);
}

#[test]
fn an_answer_of_something_else_is_shown_and_not_repeated() {
    let server = script(vec![Reply::status(403, "<html><body>\n  Access denied by proxy</body></html>")]);
    let mut connection = connect(settings(&server)).expect("a session");
    let error = connection.execute("select 1").expect_err("no answer");
    assert!(error.message.contains("403 Forbidden") && error.message.contains("Access denied by proxy"), "{error}");
    assert_eq!(to(&server.seen(), QUERY).len(), 1);
}

#[test]
fn parts_of_a_result_come_in_order_and_all_of_them() {
    let address = Arc::new(Mutex::new(String::new()));
    let own = Arc::clone(&address);
    let failed = AtomicBool::new(false);
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        QUERY => {
            let base = own.lock().expect("no panic").clone();
            let chunks: Vec<Json> =
                (1..=9).map(|part| json!({"url": format!("{base}/part/{part}"), "rowCount": 2})).collect();
            let mut data = rows(&["0"]);
            data["chunks"] = json!(chunks);
            data["chunkHeaders"] = json!({"x-key": "k"});
            data["total"] = json!(19);
            success(&data)
        }
        path => match path.strip_prefix("/part/") {
            Some("3") if !failed.swap(true, Ordering::SeqCst) => Reply::status(503, ""),
            Some(part) if seen.header("x-key") == Some("k") => {
                Reply::status(200, &format!("[\"{part}a\"],[\"{part}b\"]"))
            }
            _ => Reply::status(404, ""),
        },
    });
    *address.lock().expect("no panic") = server.url();
    let mut connection = connect(settings(&server)).expect("a session");
    let found = texts(connection.as_mut(), "show objects").join(" ");
    assert_eq!(found, "0 1a 1b 2a 2b 3a 3b 4a 4b 5a 5b 6a 6b 7a 7b 8a 8b 9a 9b");
    let seen = server.seen();
    assert!(
        seen.iter().filter(|seen| seen.path.starts_with("/part/")).all(|seen| seen.header("authorization").is_none())
    );
}

#[test]
fn what_an_answer_lacks_or_says_in_new_words_is_no_reason_to_refuse_it() {
    let bare =
        success(&json!({"rowtype": [{"name": "v", "type": "VECTOR"}], "rowset": [["[1,2]"]], "finalRoleName": null}));
    let server = script(vec![
        bare,
        success(&json!({})),
        success(
            &json!({"rowtype": [{"name": "N", "type": "fixed", "scale": 2, "precision": 9, "nullable": false}], "rowset": [], "total": 0}),
        ),
    ]);
    let mut connection = connect(settings(&server)).expect("a session");
    let answer = connection.execute("select v from t").expect("an answer");
    assert_eq!(answer.table.columns, [("v".to_owned(), crate::adapter::ColumnType::Other("VECTOR".into()))]);
    assert_eq!(answer.table.rows, [[Cell::Text("[1,2]".into())]]);
    assert_eq!(connection.execute("alter session set x = 1").expect("an answer").table.rows.len(), 0);
    let empty = connection.execute("select n from t where false").expect("an answer").table;
    assert_eq!(empty.columns, [("N".to_owned(), crate::adapter::ColumnType::Decimal(9, 2))]);
}

#[test]
fn a_cancelled_statement_is_aborted_by_its_request() {
    let aborted = Arc::new((Mutex::new(None::<String>), std::sync::Condvar::new()));
    let (told, arrived) = (Arc::clone(&aborted), std::sync::mpsc::channel());
    let (sender, started) = arrived;
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        QUERY => {
            sender.send(()).expect("someone listens");
            let (request, changed) = &*told;
            let guard = request.lock().expect("no panic");
            drop(changed.wait_while(guard, |request| request.is_none()).expect("no panic"));
            Reply::json(json!({"success": false, "code": "000604", "message": "SQL execution canceled",
                "data": {"sqlState": "57014", "queryId": "01-q"}}))
        }
        "/queries/v1/abort-request" => {
            let (request, changed) = &*told;
            *request.lock().expect("no panic") = body(seen)["requestId"].as_str().map(str::to_owned);
            changed.notify_all();
            success(&Json::Null)
        }
        _ => success(&Json::Null),
    });
    let mut connection = connect(settings(&server)).expect("a session");
    let canceller = connection.canceller();
    canceller.cancel();
    let waiting = std::thread::spawn(move || connection.execute("select slow()").map_err(|error| error.kind));
    started.recv().expect("the statement arrives");
    canceller.cancel();
    assert_eq!(waiting.join().expect("no panic"), Err(DatabaseErrorKind::Cancelled));
    let seen = server.seen();
    let asked = aborted.0.lock().expect("no panic").clone();
    assert_eq!(asked.as_deref(), to(&seen, QUERY)[0].param("requestId"));
}

#[test]
fn a_session_is_closed_when_it_is_let_go_also_in_a_panic() {
    let server = script(vec![refusal("000904", "invalid identifier")]);
    let mut connection = connect(settings(&server)).expect("a session");
    connection.execute("select x").expect_err("refused");
    drop(connection);
    let connection = connect(settings(&server)).expect("a session");
    let panicked = std::thread::spawn(move || {
        let _session = connection;
        panic!("a worker panics");
    });
    assert!(panicked.join().is_err());
    let seen = server.seen();
    let closed = to(&seen, "/session");
    assert_eq!(closed.len(), 2);
    assert!(closed.iter().all(|seen| seen.param("delete") == Some("true")));
}

#[test]
fn an_idle_session_gives_signs_of_life() {
    let (sender, beats) = std::sync::mpsc::channel();
    let server = Server::start(move |seen| {
        if seen.path == "/session/heartbeat" {
            drop(sender.send(seen.header("authorization").map(str::to_owned)));
        }
        if seen.path == "/session/v1/login-request" { logged_in() } else { success(&Json::Null) }
    });
    let mut settings = settings(&server);
    settings.keep_alive = true;
    settings.pace.heartbeat = Some(Duration::from_millis(1));
    let connection = connect(settings).expect("a session");
    assert_eq!(beats.recv().expect("a beat").as_deref(), Some("Snowflake Token=\"session-1\""));
    beats.recv().expect("another");
    drop(connection);
}
