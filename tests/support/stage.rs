//! A Snowflake account that is not one: `tests/stage` on loopback, one for all tests of the binary, which keep apart
//! by the names of their databases.

use serde_json::{Map, Value as Json, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A stage that is running.
pub struct Stage {
    /// The port on 127.0.0.1 that it listens on.
    pub port: u16,
    /// Held open: the stage ends when this process is gone, and its end of the pipe with it.
    _process: Child,
}

/// The stage of this test binary, started when it is first asked for.
pub fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage::start().unwrap_or_else(|reason| panic!("the Snowflake stage does not start: {reason}")))
}

impl Stage {
    fn start() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stage/start.py");
        let environment = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("snowflake_stage");
        let mut process = Command::new("python3")
            .arg(script)
            .args(["--until-stdin-closes", "--sync-wait", "1", "--environment"])
            .arg(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3 (3.11 or newer) is needed: {error}"))?;
        let stdout = process.stdout.take().ok_or("it has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let said: Json = serde_json::from_str(&line).map_err(|_| "it ended at once; see above for why".to_owned())?;
        let port = said["port"].as_u64().and_then(|port| u16::try_from(port).ok()).ok_or("it names no port")?;
        Ok(Self { port, _process: process })
    }

    /// Says what is to go wrong in the sessions of a database; what was said before is forgotten.
    pub fn faults(&self, database: &str, faults: Json) {
        self.ask(database, faults);
    }

    /// The statements that the sessions of a database have sent since this was last asked.
    pub fn statements(&self, database: &str) -> Vec<String> {
        let found = self.ask(database, json!({"statements": true}));
        let text = |entry: &Json| entry["sql"].as_str().map(str::to_owned);
        found.as_array().into_iter().flatten().filter_map(text).collect()
    }

    /// What happened on the wire since this was last asked; each entry says so in `what`.
    pub fn log(&self, database: &str) -> Vec<Json> {
        self.ask(database, json!({"log": true})).as_array().cloned().unwrap_or_default()
    }

    /// Waits a moment for something of these kinds to happen on the wire; gives whether it has since [`log`](Self::log)
    /// was last asked.
    pub fn has_happened(&self, database: &str, kinds: &[&str]) -> bool {
        self.ask(database, json!({"wait_for": kinds})) == json!(true)
    }

    /// Keeps all that is in a database, for [`bring_back`](Self::bring_back).
    pub fn keep(&self, database: &str) {
        self.ask(database, json!({"keep": true}));
    }

    /// Makes a database what it was when it was kept, and ends its sessions.
    pub fn bring_back(&self, database: &str) {
        self.ask(database, json!({"bring_back": true}));
    }

    /// Ends the sessions of a database as Snowflake does when a client is gone: what was not committed is undone.
    pub fn end_sessions(&self, database: &str) {
        self.ask(database, json!({"end_sessions": true}));
    }

    /// The `outputs` entry of a profile for a database of this stage.
    pub fn target(&self, database: &str, schema: &str) -> Json {
        json!({
            "type": "snowflake", "account": "stage", "host": "127.0.0.1", "port": self.port, "protocol": "http",
            "user": "tester", "password": "secret of the stage", "role": "transformer", "warehouse": "compute_wh",
            "database": database, "schema": schema, "threads": 4, "connect_retries": 0,
        })
    }

    /// The rows of a query in a session of its own, every value as a text in Snowflake's JSON, NULL as none.
    pub fn rows(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        self.answers(database, &[sql]).remove(0)
    }

    /// The rows of several queries, as [`rows`](Self::rows) gives them.
    pub fn answers(&self, database: &str, queries: &[impl AsRef<str>]) -> Vec<Vec<Vec<Option<String>>>> {
        let http = reqwest::blocking::Client::new();
        let url = |path: &str| format!("http://127.0.0.1:{}{path}", self.port);
        let post = |path: &str, token: &str, body: Json| -> Json {
            let authorization = format!("Snowflake Token=\"{token}\"");
            let request = http.post(url(path)).header("Authorization", authorization).json(&body);
            request.send().and_then(reqwest::blocking::Response::json).expect("the stage answers")
        };
        let login = format!("/session/v1/login-request?databaseName={database}");
        let session = post(&login, "", json!({"data": {"SESSION_PARAMETERS": {}}}));
        let token = session["data"]["token"].as_str().expect("a token");
        self.faults(database, json!({"chunk_json": true}));
        let answer = |sql: &str| {
            let path = format!("/queries/v1/query-request?requestId={}", uuid::Uuid::new_v4());
            let answer = post(&path, token, json!({"sqlText": sql}));
            assert_eq!(answer["success"], true, "{sql}: {}", answer["message"]);
            serde_json::from_value(answer["data"]["rowset"].clone()).expect("rows of texts")
        };
        let answers = queries.iter().map(|sql| answer(sql.as_ref())).collect();
        self.faults(database, json!({}));
        answers
    }

    fn ask(&self, database: &str, mut question: Json) -> Json {
        let database = Map::from_iter([("database".to_owned(), json!(database))]);
        question.as_object_mut().expect("an object").extend(database);
        let answer = reqwest::blocking::Client::new()
            .post(format!("http://127.0.0.1:{}/__ctl", self.port))
            .body(question.to_string())
            .send()
            .expect("the stage answers");
        let (status, text) = (answer.status(), answer.text().expect("its answer is a text"));
        assert!(status.is_success(), "{question}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}
