//! The stage itself: what the tests of the Snowflake adapter rely on, asked for over the wire by hand.

use crate::support::stage::{Stage, stage};
use serde_json::{Value as Json, json};

/// A session of a client that knows nothing but the protocol.
struct Client {
    stage: &'static Stage,
    database: &'static str,
    token: String,
    http: reqwest::blocking::Client,
}

impl Client {
    fn login(database: &'static str) -> Self {
        let (stage, http) = (stage(), reqwest::blocking::Client::new());
        let url = format!(
            "http://127.0.0.1:{}/session/v1/login-request?databaseName={database}&schemaName=PUBLIC&warehouse=WH",
            stage.port
        );
        let body = json!({"data": {"LOGIN_NAME": "tester", "PASSWORD": "x", "SESSION_PARAMETERS": {}}});
        let answer: Json = http.post(url).json(&body).send().expect("an answer").json().expect("JSON");
        let token = answer["data"]["token"].as_str().expect("a token").to_owned();
        Self { stage, database, token, http }
    }

    /// Sends a statement once, without any of the care of a real client.
    fn send(&self, sql: &str, request_id: &str) -> reqwest::Result<reqwest::blocking::Response> {
        self.http
            .post(format!("http://127.0.0.1:{}/queries/v1/query-request?requestId={request_id}", self.stage.port))
            .header("Authorization", format!("Snowflake Token=\"{}\"", self.token))
            .json(&json!({"sqlText": sql}))
            .send()
    }

    fn run(&self, sql: &str) -> Json {
        let id = uuid::Uuid::new_v4().to_string();
        self.send(sql, &id).expect("an answer").json().expect("JSON")
    }

    /// Runs a statement that must succeed; gives its rows where they are JSON.
    fn rows(&self, sql: &str) -> Json {
        let answer = self.run(sql);
        assert_eq!(answer["success"], true, "{sql}: {answer}");
        answer["data"]["rowset"].clone()
    }

    /// How many rows a table has, as texts in JSON.
    fn count(&self, table: &str) -> Json {
        let update = format!("update {table} set id = id");
        self.rows(&update)[0][0].clone()
    }
}

#[test]
fn a_repeated_request_is_executed_once() {
    let client = Client::login("STAGE_REPEATS");
    client.rows("create table t (id number(38,0))");
    for fault in ["fail_before", "fail_after", "truncate_after", "cut_before", "cut_after"] {
        client.stage.faults(client.database, json!({fault: 1}));
        let first = client.send("insert into t values (1)", fault).and_then(|answer| {
            let status = answer.status();
            answer.text().map(|text| (status, text))
        });
        assert!(first.is_err() || first.is_ok_and(|(status, _)| status.is_server_error()), "{fault}");
        let again: Json = client.send("insert into t values (1)", fault).expect("an answer").json().expect("JSON");
        assert_eq!(again["data"]["rowset"], json!([["1"]]), "{fault}");
    }
    assert_eq!(client.count("t"), "5");
}

#[test]
fn ddl_ends_a_transaction_and_a_lost_client_undoes_it() {
    let client = Client::login("STAGE_TRANSACTIONS");
    client.rows("create table t (id number(38,0))");
    client.rows("begin");
    client.rows("insert into t values (1)");
    client.rows("create table other (id number(38,0))");
    client.rows("rollback");
    assert_eq!(client.count("t"), "1");

    client.rows("begin");
    client.rows("insert into t values (2)");
    client.stage.end_sessions(client.database);
    assert_eq!(client.run("commit")["code"], "390111");
    assert_eq!(Client::login(client.database).count("t"), "1");
}

#[test]
fn objects_are_shown_page_by_page() {
    let client = Client::login("STAGE_PAGES");
    for name in ["c", "a", "b"] {
        client.rows(&format!("create view {name} as select 1 as id"));
    }
    let names = |sql: &str| {
        let rows = client.rows(sql);
        rows.as_array()
            .into_iter()
            .flatten()
            .map(|row| row[1].as_str().unwrap_or_default().to_owned())
            .collect::<String>()
    };
    assert_eq!(names("show objects in stage_pages.public limit 2"), "AB");
    assert_eq!(names("show objects in stage_pages.public limit 2 from 'B'"), "C");
    client.stage.faults(client.database, json!({"show_limit": 2}));
    assert_eq!(client.run("show objects in stage_pages.public")["success"], false);
}

#[test]
fn an_expired_token_is_refused_and_statements_can_take_their_time() {
    let client = Client::login("STAGE_TIME");
    client.stage.faults(client.database, json!({"expire": 1}));
    assert_eq!(client.run("select 1")["code"], "390112");
    let client = Client::login("STAGE_TIME");
    client.stage.faults(client.database, json!({"async_polls": 1}));
    assert_eq!(client.run("select 1")["code"], "333334");
    let log = client.stage.log(client.database);
    assert_eq!(log.iter().filter(|entry| entry["what"] == "statement").count(), 1, "{log:?}");
}
