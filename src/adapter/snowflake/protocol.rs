//! What stands between the client library and the server. The library sends each request as the simplest of servers
//! would want it; here it becomes what Snowflake's own clients send, and the answer becomes one that the library
//! understands, whatever it lacks. What the library would lose is kept in the [`Call`].

use super::call::Call;
use super::credentials::Credentials;
use super::failure::{Failure, Refusal};
use super::login;
use super::upload;
use super::wire::{PLAIN_JSON, Rules, Wire, pause, set_body};
use async_trait::async_trait;
use http::Extensions;
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Request, Response};
use reqwest_middleware::{Middleware, Next};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The types that the client library knows; it refuses an answer with any other.
const KNOWN_TYPES: [&str; 13] = [
    "fixed",
    "real",
    "text",
    "date",
    "variant",
    "timestamp_ltz",
    "timestamp_ntz",
    "timestamp_tz",
    "object",
    "binary",
    "time",
    "boolean",
    "array",
];

/// The middleware of one session.
pub(super) struct Protocol {
    pub(super) wire: Arc<Wire>,
    pub(super) credentials: Arc<Credentials>,
}

#[async_trait]
impl Middleware for Protocol {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> Result<Response, reqwest_middleware::Error> {
        let path = request.url().path().trim_start_matches('/').to_owned();
        let answered = match path.as_str() {
            "session/v1/login-request" => self.login(request).await,
            "queries/v1/query-request" => self.statement(request).await,
            "session" => self.close(request).await,
            // The library fetches no parts of results and renews no session: both are done here.
            other => Err(Failure::Foreign(format!("the client asked for `{other}`"))),
        };
        match answered {
            Ok(answer) => respond(&answer),
            Err(failure) => {
                if let Some(call) = Call::current() {
                    call.said().failure = Some(failure.clone());
                }
                Err(reqwest_middleware::Error::middleware(failure))
            }
        }
    }
}

impl Protocol {
    /// Puts the server's address into the place of the one that the library made.
    fn direct(&self, request: &mut Request) {
        let mut url = self.wire.settings.endpoint.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        *request.url_mut() = url;
    }

    async fn login(&self, mut request: Request) -> Result<Json, Failure> {
        self.direct(&mut request);
        let settings = &self.wire.settings;
        let mut body = body_of(&request)?;
        // No retry of a password that was refused; a schema that is not there yet is no reason to refuse.
        let mut with_schema = true;
        let mut answer = loop {
            let proof = self.credentials.proof(&self.wire).await?;
            login::rewrite_body(&mut body, settings, &proof);
            login::rewrite_query(request.url_mut(), settings, with_schema);
            set_body(&mut request, &body);
            let Some(copy) = request.try_clone() else { return Err(Failure::Foreign("no body".to_owned())) };
            let rules = Rules { retries: settings.pace.retries, in_session: false, numbered: false };
            let answer = self.wire.send(copy, rules).await?;
            if answer["success"] == true {
                break answer;
            }
            let mut refusal = Refusal::read(&answer);
            if refusal.code == login::NOT_THERE && with_schema {
                with_schema = false;
            } else if !login::is_about_proof(&refusal.code) || !self.credentials.forget(&proof) {
                if let Some(advice) = login::advice(&refusal.code) {
                    refusal.message = format!("{} ({advice})", refusal.message.trim_end_matches('.'));
                }
                return Err(Failure::Refused(Box::new(refusal)));
            }
        };
        let data = &answer["data"];
        self.credentials.remember(data);
        let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
        let life = data["masterValidityInSeconds"].as_u64().unwrap_or(4 * 3600);
        self.wire.keep_tokens(&text("token"), &text("masterToken"), life).await;
        match &answer["data"]["sessionId"] {
            Json::Number(id) => self.wire.keep_session_id(id.to_string()),
            Json::String(id) => self.wire.keep_session_id(id.clone()),
            _ => {}
        }
        complete_login(&mut answer);
        Ok(answer)
    }

    async fn close(&self, mut request: Request) -> Result<Json, Failure> {
        self.direct(&mut request);
        let mut answer = self.wire.send(request, Rules { retries: 0, in_session: true, numbered: false }).await?;
        answer["data"] = Json::Null;
        Ok(answer)
    }

    async fn statement(&self, mut request: Request) -> Result<Json, Failure> {
        let Some(call) = Call::current() else {
            return Err(Failure::Foreign("a statement was sent without a call".to_owned()));
        };
        if call.input.only_login {
            return Ok(json!({"success": true, "data": completed(Map::new())}));
        }
        self.direct(&mut request);
        let mut body = body_of(&request)?;
        if moves_files(body["sqlText"].as_str().unwrap_or_default()) {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(PLAIN_JSON));
        }
        if let Some(bindings) = &call.input.bindings {
            body["bindings"] = bindings.clone();
        }
        set_body(&mut request, &body);
        call.said().request_id =
            request.url().query_pairs().find(|(name, _)| name == "requestId").map(|(_, id)| id.into_owned());
        let rules = Rules { retries: self.wire.settings.pace.retries, in_session: true, numbered: true };
        let answer = self.wire.send(request, rules).await?;
        let answer = until_done(&self.wire, &call, answer).await?;
        let data = taken(&call, answer)?;
        let data = upload::carried_out(&self.wire, data).await?;
        Ok(json!({"success": true, "data": completed(captured(&call, data))}))
    }
}

/// Asks after a statement that the server has not finished, until it has.
pub(super) async fn until_done(wire: &Wire, call: &Call, mut answer: Json) -> Result<Json, Failure> {
    let pace = wire.settings.pace;
    let mut wait = pace.poll_first;
    while answer["code"] == "333333" || answer["code"] == "333334" {
        if let Some(id) = answer["data"]["queryId"].as_str() {
            call.said().query_id = Some(id.to_owned());
        }
        let Some(path) = answer["data"]["getResultUrl"].as_str().map(|path| path.trim_start_matches('/').to_owned())
        else {
            return Err(Failure::Foreign(
                "the server does not say where a running statement can be asked for".to_owned(),
            ));
        };
        let asked = Instant::now();
        let request = wire.request(Method::GET, &path, None);
        answer = wire.send(request, Rules { retries: pace.retries, in_session: true, numbered: false }).await?;
        // A server holds the question until there is an answer, or some time is over; not so one that is busy.
        let early = wait.saturating_sub(asked.elapsed());
        if early > Duration::ZERO && answer["code"].as_str().is_some_and(|code| code.starts_with("33333")) {
            pause(early, Some(call)).await?;
            wait = (wait * 2).min(pace.poll_longest);
        }
    }
    Ok(answer)
}

/// The data of a final answer; a refusal is a failure.
pub(super) fn taken(call: &Call, mut answer: Json) -> Result<Map<String, Json>, Failure> {
    if answer["success"] != true {
        let mut refusal = Refusal::read(&answer);
        refusal.query_id = refusal.query_id.or_else(|| call.said().query_id.clone());
        return Err(Failure::Refused(Box::new(refusal)));
    }
    match answer["data"].take() {
        Json::Object(data) => Ok(data),
        _ => Ok(Map::new()),
    }
}

/// Keeps what the library would lose; parts of the result are taken out, to be fetched in order.
pub(super) fn captured(call: &Call, mut data: Map<String, Json>) -> Map<String, Json> {
    let mut said = call.said();
    if let Some(id) = data.get("queryId").and_then(Json::as_str) {
        said.query_id = Some(id.to_owned());
    }
    said.row_type = data.get("rowtype").and_then(Json::as_array).cloned().unwrap_or_default();
    said.total = data.get("total").and_then(Json::as_u64);
    said.is_json = match data.get("queryResultFormat").and_then(Json::as_str) {
        Some(format) => format.eq_ignore_ascii_case("json"),
        None => data.get("rowset").is_some_and(Json::is_array),
    };
    let chunks = data.remove("chunks");
    let url = |chunk: &Json| chunk["url"].as_str().map(str::to_owned);
    said.chunks = chunks.as_ref().and_then(Json::as_array).into_iter().flatten().filter_map(url).collect();
    let headers = data.get("chunkHeaders").and_then(Json::as_object).into_iter().flatten();
    said.chunk_headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    // Older servers name the key alone.
    if let (true, Some(key)) = (said.chunk_headers.is_empty(), data.get("qrmk").and_then(Json::as_str)) {
        said.chunk_headers = vec![
            ("x-amz-server-side-encryption-customer-algorithm".to_owned(), "AES256".to_owned()),
            ("x-amz-server-side-encryption-customer-key".to_owned(), key.to_owned()),
        ];
    }
    data
}

/// Fills in what the library insists on, and hides types that it does not know; the true ones are in the call.
fn completed(mut data: Map<String, Json>) -> Map<String, Json> {
    let total = data.get("total").and_then(Json::as_i64).unwrap_or(0);
    let has_rows = data.get("rowset").is_some_and(|rows| rows.as_array().is_some_and(|rows| !rows.is_empty()))
        || data.get("rowsetBase64").and_then(Json::as_str).is_some_and(|rows| !rows.is_empty());
    // Where the first rows come apart from the others, servers differ in what they count as returned.
    data.insert("returned".to_owned(), json!(if has_rows { total.max(1) } else { 0 }));
    let defaults = [
        ("parameters", json!([])),
        ("rowtype", json!([])),
        ("total", json!(0)),
        ("queryId", json!("")),
        ("finalRoleName", json!("")),
        ("statementTypeId", json!(0)),
        ("version", json!(1)),
    ];
    for (name, value) in defaults {
        if data.get(name).is_none_or(Json::is_null) {
            data.insert(name.to_owned(), value);
        }
    }
    for name in ["chunks", "chunkHeaders"] {
        data.remove(name);
    }
    for column in data.get_mut("rowtype").and_then(Json::as_array_mut).into_iter().flatten() {
        let Some(column) = column.as_object_mut() else { continue };
        let word = column.get("type").and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
        let word = if KNOWN_TYPES.contains(&word.as_str()) { word } else { "text".to_owned() };
        column.insert("type".to_owned(), json!(word));
        column.entry("name").or_insert_with(|| json!(""));
        if column.get("nullable").is_none_or(|nullable| !nullable.is_boolean()) {
            column.insert("nullable".to_owned(), json!(true));
        }
    }
    data
}

/// A login's answer as the library wants it. It would renew sessions by its own clock, and log in anew without a word:
/// a life without end keeps it from both.
fn complete_login(answer: &mut Json) {
    let data = &mut answer["data"];
    for (name, value) in [("sessionId", json!(0)), ("masterToken", json!("")), ("serverVersion", json!(""))] {
        if data[name].is_null() {
            data[name] = value;
        }
    }
    data["masterValidityInSeconds"] = json!(-1);
    data["validityInSeconds"] = json!(-1);
    data["parameters"] = json!([]);
    if !data["sessionInfo"].is_object() {
        data["sessionInfo"] = json!({});
    }
    if !data["sessionInfo"]["roleName"].is_string() {
        data["sessionInfo"]["roleName"] = json!("");
    }
}

/// Whether a statement asks for files to be sent or fetched.
fn moves_files(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    word.eq_ignore_ascii_case("put") || word.eq_ignore_ascii_case("get")
}

fn body_of(request: &Request) -> Result<Json, Failure> {
    let bytes = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    serde_json::from_slice(bytes).map_err(|error| Failure::Foreign(format!("the client sent no JSON: {error}")))
}

fn respond(answer: &Json) -> Result<Response, reqwest_middleware::Error> {
    let response = http::Response::builder()
        .header("content-type", "application/json")
        .body(reqwest::Body::from(answer.to_string()))
        .map_err(|error| reqwest_middleware::Error::middleware(Failure::Foreign(error.to_string())))?;
    Ok(Response::from(response))
}
