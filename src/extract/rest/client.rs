//! The server itself: one HTTP client for the requests of a table, its credentials, its tokens.

use super::super::Request;
use super::super::config::{Auth, CredentialsIn, KeyPlace, RestConfig};
use super::transport::{Answer, Ask, Transport, Trouble};
use super::words::words;
use crate::diagnostic::{Code, Diagnostic, root_cause};
use crate::secret::Secret;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{HeaderName, HeaderValue};
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::Url;

/// How many redirects one request follows.
const MOST_REDIRECTS: usize = 5;
/// The largest body that is taken, in bytes: a page has to fit into memory.
const LARGEST_BODY: usize = 512 << 20;
/// A token is renewed this long before it expires, so that no request is under way with it then.
const BEFORE_EXPIRY: Duration = Duration::from_secs(30);

/// A server.
pub struct Server<'a> {
    request: &'a Request<'a>,
    config: &'a RestConfig,
    client: Client,
    token: Mutex<Option<Token>>,
}

struct Token {
    text: Secret,
    /// On the request's clock; none if it does not expire.
    expires: Option<Duration>,
}

impl<'a> Server<'a> {
    /// A client for the server of a table; nothing is sent yet.
    pub fn new(request: &'a Request<'a>, config: &'a RestConfig) -> Result<Self, Diagnostic> {
        let builder = Client::builder()
            .timeout(config.limits.timeout)
            .connect_timeout(config.limits.timeout.min(Duration::from_secs(10)))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("strata/", env!("CARGO_PKG_VERSION")));
        let refused = |cause: reqwest::Error| {
            let cause = request.scrubber.scrub(&cause.to_string()).into_owned();
            Diagnostic::error(Code::Extract, format!("no HTTP client can be made: {cause}"))
        };
        let builder = match request.proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).map_err(refused)?),
            None => builder.no_proxy(),
        };
        Ok(Self { request, config, client: builder.build().map_err(refused)?, token: Mutex::new(None) })
    }

    fn send_to(&self, url: &Url, ask: &Ask) -> Result<Response, Trouble> {
        let mut request = match &ask.json {
            Some(json) => self.client.post(url.clone()).json(json),
            None if ask.line.method == "POST" => self.client.post(url.clone()),
            None => self.client.get(url.clone()),
        };
        request = request.header("Accept", "application/json");
        for (name, value) in &self.config.headers {
            let (Ok(name), Ok(mut value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value.expose()))
            else {
                return Err(self.unsendable(name));
            };
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        self.with_credentials(request)?.send().map_err(|cause| self.trouble(&cause))
    }

    fn with_credentials(&self, request: RequestBuilder) -> Result<RequestBuilder, Trouble> {
        Ok(match &self.config.auth {
            Auth::None => request,
            Auth::Bearer(token) => request.bearer_auth(token.expose()),
            Auth::Basic { username, password } => request.basic_auth(username, Some(password.expose())),
            Auth::ApiKey { name, key, place: KeyPlace::Query } => request.query(&[(name, key.expose())]),
            Auth::ApiKey { name, key, place: KeyPlace::Header } => {
                let (Ok(header), Ok(mut value)) =
                    (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(key.expose()))
                else {
                    return Err(self.unsendable(name));
                };
                value.set_sensitive(true);
                request.header(header, value)
            }
            Auth::ClientCredentials { .. } => request.bearer_auth(self.token()?.expose()),
        })
    }

    fn unsendable(&self, name: &str) -> Trouble {
        Trouble::Final(
            Diagnostic::error(Code::Extract, format!("`{name}` cannot be sent as a header"))
                .at(self.request.config.place.clone(), "for this table"),
        )
    }

    /// The token of the client credentials: the one that is there while it lasts, else a new one.
    fn token(&self) -> Result<Secret, Trouble> {
        // Held while a token is fetched, so that concurrent requests wait for it instead of fetching their own.
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.request.clock.elapsed();
        if let Some(token) = held.as_ref().filter(|token| token.expires.is_none_or(|expires| now < expires)) {
            return Ok(token.text.clone());
        }
        let token = self.fetch_token()?;
        let text = token.text.clone();
        *held = Some(token);
        Ok(text)
    }

    fn fetch_token(&self) -> Result<Token, Trouble> {
        let Auth::ClientCredentials { token_url, client_id, client_secret, params, credentials_in } = &self.config.auth
        else {
            return Err(Trouble::Again("no token can be fetched".to_owned()));
        };
        let mut form = vec![("grant_type", "client_credentials")];
        let mut request = self.client.post(token_url.clone()).header("Accept", "application/json");
        match credentials_in {
            CredentialsIn::Body => {
                form.extend([("client_id", client_id.as_str()), ("client_secret", client_secret.expose())]);
            }
            CredentialsIn::Header => request = request.basic_auth(client_id, Some(client_secret.expose())),
        }
        form.extend(params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let response = request.form(&form).send().map_err(|cause| self.trouble(&cause))?;
        let answer = self.read(response)?;
        let refused = |why: String| {
            let why = self.request.scrubber.scrub(&why).into_owned();
            let found = Diagnostic::error(Code::Extract, format!("`{}` gave no token: {why}", self.request.source))
                .at(self.request.config.place.clone(), "for this table")
                .note(format!("asked at {token_url}"));
            Trouble::Final(found.help("are `client_id` and `client_secret` of this connector's `auth` right?"))
        };
        match answer.status {
            200..=299 => {}
            408 | 429 | 500.. => return Err(Trouble::Again(format!("the token endpoint answered {}", answer.status))),
            status => return Err(refused(format!("it answered {status}: {}", words(&answer)))),
        }
        let body: serde_json::Value = serde_json::from_slice(&answer.body)
            .map_err(|_| refused(format!("its answer is no JSON: {}", words(&answer))))?;
        let Some(text) = body["access_token"].as_str().filter(|text| !text.is_empty()) else {
            return Err(refused("its answer has no `access_token`".to_owned()));
        };
        let seconds = body["expires_in"].as_u64().or_else(|| body["expires_in"].as_str()?.parse().ok());
        let expires = seconds.map(|seconds| {
            let lasts = Duration::from_secs(seconds);
            // A token that lasts less than the margin is used for half its time.
            self.request.clock.elapsed() + lasts.saturating_sub(BEFORE_EXPIRY).max(lasts / 2)
        });
        let text = Secret::new(text);
        self.request.scrubber.add(&text);
        Ok(Token { text, expires })
    }

    fn read(&self, mut response: Response) -> Result<Answer, Trouble> {
        let mut answer = Answer { status: response.status().as_u16(), ..Answer::default() };
        for (name, value) in response.headers() {
            answer.headers.set(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        let end = self.request.clock.elapsed() + self.config.limits.timeout;
        let mut chunk = vec![0; 1 << 16];
        loop {
            let cut = |cause: std::io::Error| Trouble::Again(format!("the answer broke off: {}", root_cause(&cause)));
            let length = response.read(&mut chunk).map_err(cut)?;
            if length == 0 {
                return Ok(answer);
            }
            answer.body.extend_from_slice(&chunk[..length]);
            if answer.body.len() > LARGEST_BODY {
                return Err(Trouble::Final(
                    Diagnostic::error(
                        Code::Extract,
                        format!("a page of `{}` is larger than 512 MB", self.request.table),
                    )
                    .at(self.request.config.place.clone(), "for this table")
                    .help("ask for smaller pages"),
                ));
            }
            // A server that sends a byte now and then never runs into the client's own timeout.
            if self.request.clock.elapsed() > end {
                return Err(Trouble::Again(self.too_late()));
            }
            self.request.check_cancelled().map_err(Trouble::Final)?;
        }
    }

    fn too_late(&self) -> String {
        format!("no whole answer within {} s", self.config.limits.timeout.as_secs_f64())
    }

    fn trouble(&self, cause: &reqwest::Error) -> Trouble {
        let what = if cause.is_timeout() {
            self.too_late()
        } else if cause.is_connect() {
            format!("no connection: {}", root_cause(cause))
        } else {
            root_cause(cause)
        };
        let what = self.request.scrubber.scrub(&what).into_owned();
        if cause.is_builder() {
            return Trouble::Final(
                Diagnostic::error(Code::Extract, format!("the request cannot be sent: {what}"))
                    .at(self.request.config.place.clone(), "for this table"),
            );
        }
        Trouble::Again(what)
    }
}

impl Transport for Server<'_> {
    fn send(&self, ask: &Ask) -> Result<Answer, Trouble> {
        let mut url = ask.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            if let Err(found) = super::same_host(&self.config.base_url, &url, self.request) {
                return Err(Trouble::Final(found));
            }
            let response = self.send_to(&url, ask)?;
            let location =
                response.headers().get("Location").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            match (response.status().as_u16(), location) {
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    url = url
                        .join(&location)
                        .map_err(|cause| Trouble::Again(format!("a redirect to nowhere: {cause}")))?;
                }
                _ => return self.read(response),
            }
        }
        Err(Trouble::Final(
            Diagnostic::error(Code::Extract, format!("{} is redirected in a circle", ask.line))
                .at(self.config.path_place.clone(), "this path"),
        ))
    }

    fn renew(&self) -> Result<bool, Trouble> {
        if !matches!(self.config.auth, Auth::ClientCredentials { .. }) {
            return Ok(false);
        }
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.token().map(|_| true)
    }

    fn is_live(&self) -> bool {
        true
    }
}
