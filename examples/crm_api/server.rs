//! The server: tokens, pages, and the customers that recordings hold.

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tiny_http::{Header, Method, Request, Response, Server};
use url::form_urlencoded;

/// The one client that is known.
pub const CLIENT_ID: &str = "demo";
/// Its secret.
pub const CLIENT_SECRET: &str = "demo-secret";

/// What the server is to be.
pub struct Settings {
    /// The port on loopback; 0 takes a free one.
    pub port: u16,
    /// How long a token lasts.
    pub token_lifetime: Duration,
    /// Recordings, or directories of them, in the order of their days.
    pub data: Vec<PathBuf>,
}

/// A CRM that answers until it is dropped.
pub struct Crm {
    server: Arc<Server>,
    address: SocketAddr,
    count: usize,
    thread: Option<JoinHandle<()>>,
}

impl Crm {
    /// Reads the data and starts to answer.
    pub fn start(settings: &Settings) -> Result<Self, String> {
        let store = Store::read(&settings.data)?;
        let server = Arc::new(Server::http(("127.0.0.1", settings.port)).map_err(|cause| cause.to_string())?);
        let address = server.server_addr().to_ip().ok_or("the address is no IP address")?;
        let count = store.customers.len();
        let api = Api { store, lifetime: settings.token_lifetime, tokens: Mutex::default() };
        let listening = Arc::clone(&server);
        let thread = std::thread::spawn(move || {
            for request in listening.incoming_requests() {
                api.answer(request);
            }
        });
        Ok(Self { server, address, count, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many customers it has.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.server.unblock();
        drop(self.thread.take().map(JoinHandle::join));
    }
}

struct Customer {
    id: String,
    last_modified: DateTime<FixedOffset>,
    /// The record as it was recorded, to the byte.
    raw: Box<RawValue>,
}

#[derive(Default)]
struct Store {
    customers: Vec<Customer>,
    /// The clock of the recorded server.
    date: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    since: Option<String>,
    #[serde(default)]
    headers: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Known {
    id: String,
    last_modified: DateTime<FixedOffset>,
}

impl Store {
    fn read(directories: &[PathBuf]) -> Result<Self, String> {
        let mut store = Self::default();
        for directory in directories {
            let days = if customers_of(directory).is_dir() { vec![directory.clone()] } else { sorted(directory)? };
            for day in days.iter().map(|day| customers_of(day)).filter(|day| day.is_dir()) {
                store.add_day(&day)?;
            }
        }
        if store.customers.is_empty() {
            return Err(format!("there is no `crm/customers` in {}", directories[0].display()));
        }
        Ok(store)
    }

    /// A day that was recorded whole takes the place of what was; one of changes is added.
    fn add_day(&mut self, directory: &Path) -> Result<(), String> {
        let mut day = Vec::new();
        let mut whole = false;
        for head_path in sorted(directory)? {
            let name = head_path.to_string_lossy();
            let number = name.strip_suffix(".json").filter(|stem| stem.ends_with(|last: char| last.is_ascii_digit()));
            let Some(stem) = number else { continue };
            let head: Head = read_json(&head_path)?;
            let body: Body = read_json(Path::new(&format!("{stem}.body.json")))?;
            whole |= head.since.is_none();
            self.date = head.headers.get("Date").cloned().or(self.date.take());
            for raw in body.data {
                // What has no id or no time cannot be served by this API.
                if let Ok(Known { id, last_modified }) = serde_json::from_str(raw.get()) {
                    day.push(Customer { id, last_modified, raw });
                }
            }
        }
        if whole {
            self.customers.clear();
        }
        let mut places: HashMap<String, usize> =
            self.customers.iter().enumerate().map(|(place, customer)| (customer.id.clone(), place)).collect();
        for customer in day {
            if let Some(place) = places.get(&customer.id) {
                self.customers[*place] = customer;
            } else {
                places.insert(customer.id.clone(), self.customers.len());
                self.customers.push(customer);
            }
        }
        Ok(())
    }
}

fn customers_of(day: &Path) -> PathBuf {
    day.join("crm").join("customers")
}

fn sorted(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(directory).map_err(|cause| format!("{}: {cause}", directory.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, String> {
    let text = fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    serde_json::from_slice(&text).map_err(|cause| format!("{}: {cause}", path.display()))
}

struct Api {
    store: Store,
    lifetime: Duration,
    /// When each token was issued.
    tokens: Mutex<HashMap<String, Instant>>,
}

/// A status and a body.
type Answer = (u16, String);

impl Api {
    fn answer(&self, mut request: Request) {
        let target = request.url().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, body) = match (request.method(), path) {
            (Method::Post, "/oauth/token") => self.token(&mut request),
            (Method::Get, "/v2/customers") if self.is_authorized(&request) => {
                self.customers(query).unwrap_or_else(|message| error(400, &message))
            }
            (Method::Get, "/v2/customers") => error(401, "the token is unknown or has expired"),
            _ => error(404, &format!("there is nothing at {path}")),
        };
        let mut response = Response::from_string(body).with_status_code(status);
        let headers = [("Content-Type", Some("application/json")), ("Date", self.store.date.as_deref())];
        for (name, value) in headers {
            if let Some(Ok(header)) = value.map(|value| Header::from_bytes(name, value)) {
                response.add_header(header);
            }
        }
        // A client that hung up gets no answer.
        drop(request.respond(response));
    }

    fn token(&self, request: &mut Request) -> Answer {
        let mut form = String::new();
        if request.as_reader().read_to_string(&mut form).is_err() {
            return error(400, "the form is no text");
        }
        let form: HashMap<String, String> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
        let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
        if !is("grant_type", "client_credentials") {
            return (400, json!({"error": "unsupported_grant_type"}).to_string());
        }
        if !is("client_id", CLIENT_ID) || !is("client_secret", CLIENT_SECRET) {
            return (401, json!({"error": "invalid_client", "error_description": "unknown client"}).to_string());
        }
        let token = uuid::Uuid::new_v4().to_string();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone(), Instant::now());
        let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime.as_secs()});
        (200, answer.to_string())
    }

    fn is_authorized(&self, request: &Request) -> bool {
        let header = request.headers().iter().find(|header| header.field.equiv("Authorization"));
        let token = header.and_then(|header| header.value.as_str().strip_prefix("Bearer "));
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        token.and_then(|token| tokens.get(token)).is_some_and(|issued| issued.elapsed() < self.lifetime)
    }

    fn customers(&self, query: &str) -> Result<Answer, String> {
        let params: HashMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let number = |name: &str, default: usize| match params.get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().ok().filter(|number| *number > 0).ok_or(format!("`{name}` is no number above 0"))
            }
        };
        let (page, size) = (number("page", 1)?, number("page_size", 100)?.min(1000));
        let since = match params.get("modified_since") {
            None => None,
            Some(text) => Some(
                DateTime::parse_from_rfc3339(text)
                    .map_err(|cause| format!("`modified_since` is no timestamp: {cause}"))?,
            ),
        };
        let changed: Vec<&Customer> = self
            .store
            .customers
            .iter()
            .filter(|customer| since.is_none_or(|since| customer.last_modified >= since))
            .collect();
        let start = (page - 1).saturating_mul(size).min(changed.len());
        let end = (start + size).min(changed.len());
        let data: Vec<&RawValue> = changed[start..end].iter().map(|customer| customer.raw.as_ref()).collect();
        let data = serde_json::to_string(&data).map_err(|cause| cause.to_string())?;
        let (more, total) = (end < changed.len(), changed.len());
        Ok((200, format!(r#"{{"data":{data},"has_next":{more},"page":{page},"total":{total}}}"#)))
    }
}

fn error(status: u16, message: &str) -> Answer {
    (status, json!({"message": message}).to_string())
}
