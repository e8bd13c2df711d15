//! `type: rest`: base URL, credentials, limits; path, records, parameters, paginator.

use super::super::document::Path;
use super::super::position::read_duration;
use super::paginate::{self, Paginate};
use super::{Incremental, read_incremental, unknown_word};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::yaml::{Reader, Yaml};
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

/// A table behind a REST API.
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// Where the API is; credentials are sent to this host only.
    pub base_url: Url,
    /// The credentials.
    pub auth: Auth,
    /// How gently the API is treated.
    pub limits: Limits,
    /// Headers of every request. Those that look like credentials are secrets too.
    pub headers: Vec<(String, Secret)>,
    /// The path behind `base_url`, with a slash at its start.
    pub path: String,
    /// Where `path` stands.
    pub path_place: Span,
    /// GET or POST.
    pub method: Method,
    /// The parameters of every request.
    pub params: Vec<(String, String)>,
    /// The JSON body of every request.
    pub json: Option<serde_json::Value>,
    /// Where the records are in an answer.
    pub records: Path,
    /// How pages follow each other.
    pub paginate: Paginate,
    /// How only what changed is asked for.
    pub incremental: Option<RestIncremental>,
}

/// How an API is asked for what changed.
#[derive(Debug, Clone)]
pub struct RestIncremental {
    /// The field that the watermark follows.
    pub by: Incremental,
    /// The parameter that takes the watermark; in the body for POST.
    pub param: String,
    /// How the parameter is written.
    pub format: ParameterFormat,
}

/// How a watermark is written in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterFormat {
    /// As the source wrote it.
    AsIs,
    /// Whole seconds since 1970, rounded down.
    EpochSeconds,
    /// Whole milliseconds since 1970, rounded down.
    EpochMilliseconds,
    /// A strftime pattern, in UTC.
    Pattern(String),
}

/// The method of requests for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters in the query, `json` and the parameters of paginator and incremental in the body.
    Post,
}

impl Method {
    /// The word in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// The credentials of an API.
#[derive(Debug, Clone)]
pub enum Auth {
    /// None.
    None,
    /// A token that is there already.
    Bearer(Secret),
    /// A key in a header or in the query.
    ApiKey {
        /// The header or parameter.
        name: String,
        /// The key.
        key: Secret,
        /// Where it goes.
        place: KeyPlace,
    },
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that is fetched with a client's id and secret, and fetched again when it expires.
    ClientCredentials {
        /// Where tokens are issued.
        token_url: Url,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// Further parameters of the token request: scope, audience.
        params: Vec<(String, String)>,
        /// Where id and secret go.
        credentials_in: CredentialsIn,
    },
}

/// Where an API key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    /// Into a header.
    Header,
    /// Into the query.
    Query,
}

/// Where a client's id and secret go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsIn {
    /// Into the form of the token request.
    Body,
    /// Into a header, as basic authentication.
    Header,
}

/// How gently an API is treated, and when strata gives up.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// At most this many requests a second.
    pub requests_per_second: Option<f64>,
    /// At most this many requests at a time, where the paginator allows more than one.
    pub concurrency: usize,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How often one request is sent at most.
    pub tries: u32,
    /// How long the retries of one request may wait in all.
    pub max_wait: Duration,
    /// How many pages one walk may have.
    pub max_pages: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: None,
            concurrency: 1,
            timeout: Duration::from_secs(30),
            tries: 6,
            max_wait: Duration::from_secs(300),
            max_pages: 1_000_000,
        }
    }
}

impl RestConfig {
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> =
            self.headers.iter().filter(|(name, _)| looks_secret(name)).map(|(_, value)| value.clone()).collect();
        match &self.auth {
            Auth::None => {}
            Auth::Bearer(secret)
            | Auth::ApiKey { key: secret, .. }
            | Auth::Basic { password: secret, .. }
            | Auth::ClientCredentials { client_secret: secret, .. } => secrets.push(secret.clone()),
        }
        secrets
    }
}

/// Whether a header of this name usually carries a credential.
fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["auth", "cookie", "token", "secret", "key", "password"].iter().any(|part| name.contains(part))
}

pub(super) fn read(mut connector: Reader<'_>, mut table: Reader<'_>) -> Option<RestConfig> {
    let base_url = connector.required_text("base_url").and_then(|(text, place)| base_url(&text, place, &connector));
    let auth = match connector.reader("auth", "`auth` of a connector") {
        Some(auth) => read_auth(auth, base_url.as_ref()),
        None => Some(Auth::None),
    };
    let limits = connector.reader("limits", "`limits` of a connector").map_or_else(Limits::default, read_limits);
    let mut headers = read_pairs(&mut connector, "headers");
    headers.extend(read_pairs(&mut table, "headers"));
    for (name, value) in &headers {
        let valid = reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && reqwest::header::HeaderValue::from_str(value).is_ok();
        if !valid {
            connector.report(
                Diagnostic::error(Code::YamlValue, format!("`{name}` cannot be sent as a header"))
                    .at(connector.span().clone(), "in these `headers`"),
            );
        }
    }
    let method = match table.placed_text("method") {
        None => Method::Get,
        Some((word, place)) => match word.to_ascii_uppercase().as_str() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => {
                table.report(unknown_word("method", &word, &["GET", "POST"], place));
                Method::Get
            }
        },
    };
    let path = table.required_text("path");
    let records = path_of(&mut table, "records").or_else(|| Path::parse("$[*]").ok());
    let json = table.yaml("json").map(Yaml::to_json);
    if method == Method::Get && json.is_some() {
        table.report(
            Diagnostic::error(Code::YamlValue, "`json` is sent by `method: POST` only")
                .at(table.span().clone(), "in this table"),
        );
    }
    if json.as_ref().is_some_and(|json| !json.is_object()) {
        table.report(
            Diagnostic::error(Code::YamlValue, "`json` must be a mapping")
                .at(table.span().clone(), "parameters of the paginator are added to it"),
        );
    }
    let params = read_pairs(&mut table, "params");
    let paginate = match table.reader("paginate", "`paginate` of a table") {
        Some(reader) => paginate::read(reader),
        None => Some(Paginate::None),
    };
    let incremental = table.reader("incremental", "`incremental` of a table").map(read_rest_incremental);
    connector.finish();
    table.finish();
    let (path, path_place) = path?;
    Some(RestConfig {
        base_url: base_url?,
        auth: auth?,
        limits,
        headers: headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
        path: if path.starts_with('/') { path } else { format!("/{path}") },
        path_place: path_place.clone(),
        method,
        params,
        json,
        records: records?,
        paginate: paginate?,
        incremental: match incremental {
            Some(incremental) => Some(incremental?),
            None => None,
        },
    })
}

fn base_url(text: &str, place: &Span, reader: &Reader<'_>) -> Option<Url> {
    let wrong = |why: &str| {
        reader.report(
            Diagnostic::error(Code::YamlValue, format!("`{text}` is no base URL: {why}"))
                .at(place.clone(), "expected `https://host/path`"),
        );
        None
    };
    match Url::parse(text) {
        Err(cause) => wrong(&cause.to_string()),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
            wrong("only http and https are spoken")
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            // Without its place: the line would show the password.
            reader.report(
                Diagnostic::error(Code::YamlValue, "`base_url` has a user or password in it")
                    .at(reader.span().clone(), "in this connector")
                    .help("write them as `auth: {type: basic, username: …, password: …}`"),
            );
            None
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            wrong("parameters belong into `params` of the table")
        }
        Ok(url) => Some(url),
    }
}

const AUTH: [&str; 5] = ["none", "bearer", "api_key", "basic", "oauth2_client_credentials"];

fn read_auth(mut auth: Reader<'_>, base_url: Option<&Url>) -> Option<Auth> {
    let (kind, place) = auth.required_text("type")?;
    let read = match kind.as_str() {
        "none" => Some(Auth::None),
        "bearer" => secret(&mut auth, "token").map(Auth::Bearer),
        "basic" => {
            let username = auth.required_text("username").map(|(text, _)| text);
            let password = secret(&mut auth, "password");
            username.zip(password).map(|(username, password)| Auth::Basic { username, password })
        }
        "api_key" => {
            let name = auth.required_text("name").map(|(text, _)| text);
            let key = secret(&mut auth, "key");
            let place = match auth.placed_text("in") {
                None => Some(KeyPlace::Header),
                Some((word, _)) if word == "header" => Some(KeyPlace::Header),
                Some((word, _)) if word == "query" => Some(KeyPlace::Query),
                Some((word, place)) => {
                    auth.report(unknown_word("place of a key", &word, &["header", "query"], place));
                    None
                }
            };
            name.zip(key).zip(place).map(|((name, key), place)| Auth::ApiKey { name, key, place })
        }
        "oauth2_client_credentials" => read_client_credentials(&mut auth, base_url),
        _ => {
            auth.report(unknown_word("type of `auth`", &kind, &AUTH, place));
            return None;
        }
    };
    auth.finish();
    read
}

fn read_client_credentials(auth: &mut Reader<'_>, base_url: Option<&Url>) -> Option<Auth> {
    let token_url = auth.required_text("token_url").and_then(|(text, place)| {
        let url = match base_url {
            Some(base) if text.starts_with('/') => below(base, &text),
            _ => Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https")),
        };
        if url.is_none() && base_url.is_some() {
            auth.report(
                Diagnostic::error(Code::YamlValue, format!("`{text}` is no URL for tokens"))
                    .at(place.clone(), "expected a path behind `base_url`, or a whole URL"),
            );
        }
        url
    });
    let client_id = auth.required_text("client_id").map(|(text, _)| text);
    let client_secret = secret(auth, "client_secret");
    let mut params = read_pairs(auth, "params");
    params.extend(auth.text("scope").map(|scope| ("scope".to_owned(), scope)));
    let credentials_in = match auth.placed_text("credentials_in") {
        None => Some(CredentialsIn::Body),
        Some((word, _)) if word == "body" => Some(CredentialsIn::Body),
        Some((word, _)) if word == "header" => Some(CredentialsIn::Header),
        Some((word, place)) => {
            auth.report(unknown_word("place of credentials", &word, &["body", "header"], place));
            None
        }
    };
    Some(Auth::ClientCredentials {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        params,
        credentials_in: credentials_in?,
    })
}

/// A path behind a base URL, which may have a path of its own.
pub(in crate::extract) fn below(base: &Url, path: &str) -> Option<Url> {
    Url::parse(&format!("{}{path}", base.as_str().trim_end_matches('/'))).ok()
}

/// A secret must be there; an empty one would send no credentials without a word.
fn secret(reader: &mut Reader<'_>, key: &'static str) -> Option<Secret> {
    let (text, place) = reader.required_text(key)?;
    if text.trim().is_empty() {
        reader.report(
            Diagnostic::error(Code::YamlValue, format!("`{key}` is empty"))
                .at(place.clone(), "renders to nothing")
                .help("is the environment variable set?"),
        );
        return None;
    }
    Some(Secret::new(text))
}

fn read_limits(mut limits: Reader<'_>) -> Limits {
    let default = Limits::default();
    let per_second = limits.placed_text("requests_per_second").and_then(|(text, place)| {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
        if number.is_none() {
            limits.report(
                Diagnostic::error(Code::YamlValue, "`requests_per_second` must be a number above 0")
                    .at(place.clone(), ""),
            );
        }
        number
    });
    let duration = |limits: &mut Reader<'_>, key: &'static str, default: Duration| {
        let Some((text, place)) = limits.placed_text(key) else { return default };
        read_duration(&text).unwrap_or_else(|| {
            limits.report(
                Diagnostic::error(Code::YamlValue, format!("`{key}` must be a span of time, not `{text}`"))
                    .at(place.clone(), "expected a number and a unit, as in `30s` or `5m`"),
            );
            default
        })
    };
    let count = |limits: &mut Reader<'_>, key: &'static str, default: u64| {
        let Some(number) = limits.count(key) else { return default };
        if number == 0 {
            limits.report(
                Diagnostic::error(Code::YamlValue, format!("`{key}` must be at least 1"))
                    .at(limits.span().clone(), "in these limits"),
            );
        }
        number.max(1)
    };
    let read = Limits {
        requests_per_second: per_second,
        concurrency: usize::try_from(count(&mut limits, "concurrency", 1)).unwrap_or(1).min(32),
        timeout: duration(&mut limits, "timeout", default.timeout),
        tries: u32::try_from(count(&mut limits, "tries", u64::from(default.tries))).unwrap_or(u32::MAX),
        max_wait: duration(&mut limits, "max_wait", default.max_wait),
        max_pages: count(&mut limits, "max_pages", default.max_pages),
    };
    limits.finish();
    read
}

fn read_rest_incremental(mut reader: Reader<'_>) -> Option<RestIncremental> {
    let by = read_incremental(&mut reader);
    let param = reader.required_text("param").map(|(param, _)| param);
    let format = match reader.placed_text("format") {
        None => Some(ParameterFormat::AsIs),
        Some((word, _)) if word == "epoch_seconds" => Some(ParameterFormat::EpochSeconds),
        Some((word, _)) if word == "epoch_milliseconds" => Some(ParameterFormat::EpochMilliseconds),
        Some((pattern, place)) => {
            let valid = pattern.contains('%')
                && chrono::format::StrftimeItems::new(&pattern).all(|item| item != chrono::format::Item::Error);
            if !valid {
                reader.report(
                    Diagnostic::error(Code::YamlValue, format!("`{pattern}` is no format of a parameter")).at(
                        place.clone(),
                        "expected `epoch_seconds`, `epoch_milliseconds` or a pattern such as `%Y-%m-%dT%H:%M:%SZ`",
                    ),
                );
            }
            valid.then_some(ParameterFormat::Pattern(pattern))
        }
    };
    if let (Some(by), Some(format)) = (&by, &format)
        && *format != ParameterFormat::AsIs
        && matches!(by.kind, super::WatermarkKind::Integer | super::WatermarkKind::Text)
    {
        reader.report(
            Diagnostic::error(
                Code::YamlValue,
                format!("a `format` needs a field of time, and `{}` is of type {}", by.field, by.kind.as_str()),
            )
            .at(reader.span().clone(), ""),
        );
    }
    reader.finish();
    Some(RestIncremental { by: by?, param: param?, format: format? })
}

/// A mapping of names to scalars, in order.
pub(super) fn read_pairs(reader: &mut Reader<'_>, key: &'static str) -> Vec<(String, String)> {
    let Some(mapping) = reader.mapping(key).and_then(Yaml::as_mapping) else { return vec![] };
    let mut pairs = Vec::new();
    for (name, entry) in mapping {
        match entry.value.scalar_text() {
            Some(text) => pairs.push((name.clone(), text)),
            None if entry.value.is_null() => {}
            None => reader.report(
                Diagnostic::error(
                    Code::YamlValue,
                    format!("`{name}` of `{key}` must be a text, not {}", entry.value.kind()),
                )
                .at(entry.value.span.clone(), "expected one value"),
            ),
        }
    }
    pairs
}

/// A path into an answer.
pub(super) fn path_of(reader: &mut Reader<'_>, key: &'static str) -> Option<Path> {
    let (text, place) = reader.placed_text(key)?;
    match Path::parse(&text) {
        Ok(path) => Some(path),
        Err(why) => {
            reader.report(
                Diagnostic::error(Code::YamlValue, format!("`{text}` is no JSONPath: {why}"))
                    .at(place.clone(), "expected a path such as `$.data[*]`"),
            );
            None
        }
    }
}
