//! The client against a server in this process that says what each test has it say.

mod decode;
mod login;
mod upload;
mod faults;

use super::{Account, Login, Machine, Pace, Snowflake, SnowflakeSettings, TokenStore};
use crate::adapter::tests::server::{Reply, Seen, Server};
use crate::adapter::{Adapter, Cell, Connection, DatabaseError};
use crate::secret::Secret;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Waits that take no time.
fn no_waits() -> Pace {
    Pace {
        retries: 3,
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(2),
        poll_first: Duration::from_millis(1),
        poll_longest: Duration::from_millis(2),
        connect_wait: Duration::ZERO,
        cancel_limit: Duration::from_secs(20),
        ..Pace::default()
    }
}

fn settings(server: &Server) -> SnowflakeSettings {
    let account = Account::parse("myorg-acc.eu-west-1").expect("an account");
    let settings = SnowflakeSettings::new(account, "loader", Secret::new("pass"), "raw", "stage").expect("settings");
    SnowflakeSettings { endpoint: server.url().parse().expect("a URL"), pace: no_waits(), ..settings }
}

/// Tokens in memory, and no browser.
fn machine(store: &Arc<Tokens>) -> Machine {
    Machine {
        store: Arc::clone(store) as Arc<dyn TokenStore>,
        show_page: Arc::new(|_| Err("there is no screen".to_owned())),
    }
}

/// Tokens in memory.
#[derive(Default)]
struct Tokens(Mutex<BTreeMap<String, String>>);

impl TokenStore for Tokens {
    fn read(&self, name: &str) -> Option<Secret> {
        self.0.lock().expect("no panic").get(name).map(Secret::new)
    }

    fn write(&self, name: &str, token: &Secret) {
        self.0.lock().expect("no panic").insert(name.to_owned(), token.expose().to_owned());
    }

    fn remove(&self, name: &str) {
        self.0.lock().expect("no panic").remove(name);
    }
}

fn connect(settings: SnowflakeSettings) -> Result<Box<dyn Connection>, DatabaseError> {
    Snowflake::open(settings, machine(&Arc::default())).and_then(|adapter| adapter.connect("test"))
}

/// A successful login.
fn logged_in() -> Reply {
    Reply::json(json!({"success": true, "code": null, "message": null, "data": {
        "token": "session-1", "masterToken": "master-1", "masterValidityInSeconds": 14400, "sessionId": 17,
    }}))
}

/// One text column of rows.
fn rows(values: &[&str]) -> Json {
    json!({
        "rowtype": [{"name": "V", "type": "text", "nullable": true}],
        "rowset": values.iter().map(|value| json!([value])).collect::<Vec<_>>(),
        "total": values.len(), "queryId": "01-q", "queryResultFormat": "json",
    })
}

fn success(data: &Json) -> Reply {
    Reply::json(json!({"success": true, "code": null, "message": null, "data": data}))
}

fn refusal(code: &str, message: &str) -> Reply {
    Reply::json(json!({"success": false, "code": code, "message": message, "data": null}))
}

/// A server that answers logins and closings by itself; each further request gets the next reply, the last one for ever.
fn script(replies: Vec<Reply>) -> Server {
    let next = Mutex::new(0);
    Server::start(move |seen| match seen.path.as_str() {
        "/session/v1/login-request" => logged_in(),
        "/session" => Reply::json(json!({"success": true, "code": null, "message": null, "data": null})),
        _ => {
            let mut next = next.lock().expect("no panic");
            let reply = replies[(*next).min(replies.len() - 1)].clone();
            *next += 1;
            reply
        }
    })
}

/// The requests to a path.
fn to<'a>(seen: &'a [Seen], path: &str) -> Vec<&'a Seen> {
    seen.iter().filter(|seen| seen.path == path).collect()
}

const QUERY: &str = "/queries/v1/query-request";

fn body(seen: &Seen) -> Json {
    serde_json::from_str(&seen.body).expect("a JSON body")
}

fn texts(connection: &mut dyn Connection, sql: &str) -> Vec<String> {
    let answer = connection.execute(sql).expect("an answer");
    let text = |row: &Vec<Cell>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
    answer.table.rows.iter().map(text).collect()
}
