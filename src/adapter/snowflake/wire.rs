//! Requests of one session: its tokens, patience with the network, renewal, signs of life.

use super::call::Call;
use super::failure::{Failure, Refusal, SESSION_EXPIRED};
use super::settings::SnowflakeSettings;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, Request, StatusCode};
use serde_json::{Value as Json, json};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

/// What Snowflake's own requests accept; parts of results and files are fetched without it.
const SNOWFLAKE_JSON: &str = "application/snowflake";
/// Requests that move files are answered in plain JSON.
pub(super) const PLAIN_JSON: &str = "application/json";
/// How often an expired session is renewed for one request.
const RENEWALS: u32 = 2;
/// As much of a foreign answer as is shown.
const SHOWN: usize = 200;

/// One session's way to the server.
pub(super) struct Wire {
    pub(super) settings: Arc<SnowflakeSettings>,
    pub(super) client: Client,
    tokens: Mutex<Tokens>,
    session_id: OnceLock<String>,
}

/// What a session proves itself with.
#[derive(Default)]
struct Tokens {
    session: String,
    master: String,
    master_life: Duration,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// How often it is sent again.
    pub(super) retries: u32,
    /// Whether it carries the session's token, which is renewed when it has expired.
    pub(super) in_session: bool,
    /// Whether retries are numbered and explained, as the server expects it of statements.
    pub(super) numbered: bool,
}

/// What one attempt gave.
enum Attempt {
    Answer(Json),
    /// To be sent again; the HTTP status, or 0.
    Again {
        status: u16,
        why: String,
    },
    Failed(Failure),
}

impl Wire {
    pub(super) fn new(settings: Arc<SnowflakeSettings>, client: Client) -> Self {
        Self { settings, client, tokens: Mutex::default(), session_id: OnceLock::new() }
    }

    /// Keeps the tokens that a login or a renewal gave.
    pub(super) async fn keep_tokens(&self, session: &str, master: &str, master_life: u64) {
        let mut tokens = self.tokens.lock().await;
        session.clone_into(&mut tokens.session);
        master.clone_into(&mut tokens.master);
        tokens.master_life = Duration::from_secs(master_life);
    }

    /// Keeps the number that the server gave the session.
    pub(super) fn keep_session_id(&self, id: String) {
        // A session logs in once.
        let _ = self.session_id.set(id);
    }

    /// The number of the session, once it is logged in.
    pub(super) fn session_id(&self) -> Option<&str> {
        self.session_id.get().map(String::as_str)
    }

    /// Whether a login has succeeded.
    pub(super) async fn is_logged_in(&self) -> bool {
        !self.tokens.lock().await.session.is_empty()
    }

    /// How often an idle session gives a sign of life: four times in the life of its master token.
    pub(super) async fn heartbeat_interval(&self) -> Duration {
        let life = self.tokens.lock().await.master_life;
        let usual = (life / 4).clamp(Duration::from_secs(900), Duration::from_secs(3600));
        self.settings.pace.heartbeat.unwrap_or(usual)
    }

    /// The address of a path, with ids for a new request.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.settings.endpoint.join(path).unwrap_or_else(|_| self.settings.endpoint.clone());
        set_parameter(&mut url, "requestId", &Uuid::new_v4().to_string());
        set_parameter(&mut url, "request_guid", &Uuid::new_v4().to_string());
        url
    }

    /// A request of our own.
    pub(super) fn request(&self, method: Method, path: &str, body: Option<&Json>) -> Request {
        let mut request = Request::new(method, self.url(path));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static(SNOWFLAKE_JSON));
        if let Some(body) = body {
            set_body(&mut request, body);
        }
        request
    }

    /// Sends a request until it is answered, refused for good, or patience ends. An expired session is renewed, and the
    /// request is sent again with the same id, so that the server does not do it twice.
    pub(super) async fn send(&self, mut request: Request, rules: Rules) -> Result<Json, Failure> {
        let call = Call::current();
        let (mut attempt, mut renewals, mut wait) = (0, 0, Duration::ZERO);
        loop {
            let token = self.tokens.lock().await.session.clone();
            if rules.in_session {
                authorize(&mut request, &token);
            }
            let why = match self.once(&request).await {
                Attempt::Answer(answer) if rules.in_session && answer["code"] == SESSION_EXPIRED => {
                    renewals += 1;
                    if renewals > RENEWALS {
                        return Err(Failure::Refused(Box::new(Refusal::read(&answer))));
                    }
                    self.renew(&token).await?;
                    set_parameter(request.url_mut(), "request_guid", &Uuid::new_v4().to_string());
                    continue;
                }
                // It may have been carried out before its session ended.
                Attempt::Answer(answer) if rules.numbered && attempt > 0 && is_gone(&answer) => {
                    return Err(Failure::Network("the session was lost with the answer".to_owned()));
                }
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again { status, why } => {
                    if rules.numbered {
                        set_parameter(request.url_mut(), "retryReason", &status.to_string());
                    }
                    why
                }
            };
            if attempt >= rules.retries {
                return Err(Failure::Network(why));
            }
            attempt += 1;
            set_parameter(request.url_mut(), "request_guid", &Uuid::new_v4().to_string());
            if rules.numbered {
                set_parameter(request.url_mut(), "retryCount", &attempt.to_string());
            }
            wait = self.settings.pace.next_wait(wait);
            pause(wait, call.as_deref()).await?;
        }
    }

    async fn once(&self, request: &Request) -> Attempt {
        let again = |status: StatusCode, why: String| Attempt::Again { status: status.as_u16(), why };
        // Bodies are JSON texts in memory, which can be sent twice.
        let Some(copy) = request.try_clone() else {
            return Attempt::Failed(Failure::Foreign("a request cannot be sent twice".to_owned()));
        };
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let response = match self.client.execute(copy).await {
            Ok(response) => response,
            Err(error) => return Attempt::Again { status: 0, why: unreachable(&host, &error) },
        };
        let status = response.status();
        if is_passing(status) {
            return again(status, format!("{host} answered {status}"));
        }
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Attempt::Again { status: 0, why: format!("the answer of {host} broke off: {error}") },
        };
        match serde_json::from_slice::<Json>(&body) {
            Ok(answer) if answer.is_object() => Attempt::Answer(answer),
            // A body that was cut; the server remembers what it did for the request.
            Err(error) if status.is_success() && error.is_eof() => {
                Attempt::Again { status: 0, why: format!("the answer of {host} was cut short") }
            }
            _ => Attempt::Failed(Failure::Foreign(foreign(&host, status, &body))),
        }
    }

    /// Exchanges an expired session token for a new one, once for all who found it expired. A session that is gone is
    /// an error: a new one would not have its transaction and its temporary tables.
    async fn renew(&self, expired: &str) -> Result<(), Failure> {
        let mut tokens = self.tokens.lock().await;
        if tokens.session != expired {
            return Ok(());
        }
        let body = json!({"oldSessionToken": tokens.session, "requestType": "RENEW"});
        let mut request = self.request(Method::POST, "session/token-request", Some(&body));
        authorize(&mut request, &tokens.master);
        let (mut attempt, mut wait) = (0, Duration::ZERO);
        let answer = loop {
            match self.once(&request).await {
                Attempt::Answer(answer) => break answer,
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again { why, .. } if attempt >= self.settings.pace.retries => {
                    return Err(Failure::Network(why));
                }
                Attempt::Again { .. } => {
                    attempt += 1;
                    wait = self.settings.pace.next_wait(wait);
                    pause(wait, Call::current().as_deref()).await?;
                }
            }
        };
        let data = &answer["data"];
        let (Some(session), Some(master)) = (data["sessionToken"].as_str(), data["masterToken"].as_str()) else {
            return Err(Failure::Refused(Box::new(Refusal::read(&answer))));
        };
        session.clone_into(&mut tokens.session);
        master.clone_into(&mut tokens.master);
        Ok(())
    }

    /// Asks the server to stop a statement; gives whether it has no more to do with it.
    pub(super) async fn abort(&self, request_id: &str) -> bool {
        let body = json!({"requestId": request_id});
        let request = self.request(Method::POST, "queries/v1/abort-request", Some(&body));
        let rules = Rules { retries: 1, in_session: true, numbered: false };
        match self.send(request, rules).await {
            // 605: the statement has ended already.
            Ok(answer) => answer["success"] == true || answer["code"] == "000605",
            Err(_) => false,
        }
    }

    /// A sign of life.
    pub(super) async fn heartbeat(&self) -> Result<(), Failure> {
        let request = self.request(Method::POST, "session/heartbeat", Some(&json!({})));
        self.send(request, Rules { retries: 1, in_session: true, numbered: false }).await.map(drop)
    }

    /// Whether the server still knows the session.
    pub(super) async fn is_alive(&self) -> bool {
        let request = self.request(Method::POST, "session/heartbeat", Some(&json!({})));
        let answer = self.send(request, Rules { retries: 1, in_session: true, numbered: false }).await;
        answer.is_ok_and(|answer| answer["success"] == true)
    }

    /// Ends the session; the server stops what it runs and undoes what it has open.
    pub(super) async fn close(&self) {
        let mut request = self.request(Method::POST, "session", Some(&json!({})));
        set_parameter(request.url_mut(), "delete", "true");
        // A session that cannot be closed ends by itself.
        let _ = self.send(request, Rules { retries: 0, in_session: true, numbered: false }).await;
    }

    /// What became of a statement: `RUNNING`, `SUCCESS`, `FAILED_WITH_ERROR`, …; none if the server does not know it.
    pub(super) async fn status(&self, query_id: &str) -> Result<Option<String>, Failure> {
        let request = self.request(Method::GET, &format!("monitoring/queries/{query_id}"), None);
        let rules = Rules { retries: self.settings.pace.retries, in_session: true, numbered: false };
        let answer = self.send(request, rules).await?;
        Ok(answer["data"]["queries"][0]["status"].as_str().map(str::to_owned))
    }
}

/// Waits, or gives up when the call is cancelled.
pub(super) async fn pause(wait: Duration, call: Option<&Call>) -> Result<(), Failure> {
    let Some(call) = call else {
        tokio::time::sleep(wait).await;
        return Ok(());
    };
    tokio::select! {
        () = tokio::time::sleep(wait) => Ok(()),
        () = call.cancelled() => Err(Failure::Cancelled),
    }
}

/// Whether a status says that the same request may work a little later.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// Whether an answer says that there is no such session any more.
fn is_gone(answer: &Json) -> bool {
    matches!(answer["code"].as_str(), Some("390104" | "390111" | "390114"))
}

fn authorize(request: &mut Request, token: &str) {
    let value = format!("Snowflake Token=\"{token}\"");
    // A token with characters that no header takes cannot come from a server.
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
}

/// Makes a JSON value the body of a request.
pub(super) fn set_body(request: &mut Request, body: &Json) {
    let headers = request.headers_mut();
    headers.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static(PLAIN_JSON));
    headers.remove(reqwest::header::CONTENT_LENGTH);
    *request.body_mut() = Some(body.to_string().into());
}

/// Sets a parameter of a URL, in the place of one of the same name.
pub(super) fn set_parameter(url: &mut Url, name: &str, value: &str) {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(other, _)| other != name)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(others).append_pair(name, value);
}

/// Why a server cannot be reached, in words.
fn unreachable(host: &str, error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let reason = cause.to_string();
    if error.is_timeout() {
        return format!("{host} does not answer in time");
    }
    if error.is_connect() {
        let advice = if reason.contains("lookup") || reason.contains("not known") || reason.contains("resolve") {
            ": there is no such address; check `account` and `host`"
        } else {
            "; check `host`, `port`, `protocol`, a proxy, and the network"
        };
        return format!("{host} cannot be reached ({reason}){advice}");
    }
    format!("the connection to {host} broke: {reason}")
}

/// What something that is not Snowflake answered.
fn foreign(host: &str, status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect();
    let advice = match status {
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => "; check `account` and `host`: there may be no such account",
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => "; the proxy asks for credentials",
        _ => "; check `host`, and whether a proxy stands between",
    };
    format!("{host} answered {status} with something that is not Snowflake's: {text}{advice}")
}
