//! What a profile's target says of a Snowflake account, settled: one way to log in, one address.

use super::Pace;
use super::account::Account;
use super::key::PrivateKey;
use crate::secret::Secret;
use chrono::{DateTime, Utc};
use std::time::Duration;
use url::Url;

/// How to reach Snowflake, log in, and what to use there.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are the switches that profiles have")]
pub struct SnowflakeSettings {
    /// The account.
    pub account: Account,
    /// Scheme, host and port of the server.
    pub endpoint: Url,
    /// The user; some ways to log in need none.
    pub user: Option<String>,
    /// How to log in.
    pub login: Login,
    /// The role.
    pub role: Option<String>,
    /// The virtual warehouse.
    pub warehouse: Option<String>,
    /// The database.
    pub database: String,
    /// The schema.
    pub schema: String,
    /// The session's query tag.
    pub query_tag: Option<String>,
    /// Whether idle sessions give signs of life.
    pub keep_alive: bool,
    /// A proxy through which everything goes.
    pub proxy: Option<Url>,
    /// How often a login is tried again.
    pub connect_retries: u32,
    /// The time between two attempts at a login; without it the attempt's square in seconds.
    pub connect_timeout: Option<Duration>,
    /// Whether refusals of the database at login are tried again.
    pub retry_on_database_errors: bool,
    /// Whether every error at login is tried again.
    pub retry_all: bool,
    /// Whether a worker keeps its session from node to node.
    pub reuse_connections: bool,
    /// Waits and limits.
    pub pace: Pace,
    /// The time at which the settings were made: tokens are dated from it.
    pub now: DateTime<Utc>,
    /// The id of this invocation: the name of the directory in which files are put for loading.
    pub invocation: String,
}

/// A way to log in.
#[derive(Debug, Clone)]
pub enum Login {
    /// A user's password; also a programmatic access token in its place.
    Password(Secret),
    /// A password and a second factor: its code, or without one what the user's device confirms.
    PasswordWithSecondFactor {
        /// The password.
        password: Secret,
        /// The code that the user's device shows.
        passcode: Option<Secret>,
    },
    /// A key pair.
    KeyPair(PrivateKey),
    /// A token that someone else gave out.
    Token {
        /// What kind of token it is.
        kind: TokenKind,
        /// The token.
        token: Secret,
    },
    /// A token with which tokens can be fetched.
    RefreshToken {
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// The refresh token.
        refresh_token: Secret,
    },
    /// The user's browser.
    Browser,
}

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// OAuth.
    OAuth,
    /// A programmatic access token.
    ProgrammaticAccess,
}

impl TokenKind {
    /// The server's word.
    pub(super) fn authenticator(self) -> &'static str {
        match self {
            Self::OAuth => "OAUTH",
            Self::ProgrammaticAccess => "PROGRAMMATIC_ACCESS_TOKEN",
        }
    }
}

impl SnowflakeSettings {
    /// Settings for an account and a password, everything else as usual.
    pub fn new(account: Account, user: &str, password: Secret, database: &str, schema: &str) -> Result<Self, String> {
        let endpoint = endpoint("https", &account.host, None)?;
        Ok(Self {
            account,
            endpoint,
            user: Some(user.to_owned()),
            login: Login::Password(password),
            role: None,
            warehouse: None,
            database: database.to_owned(),
            schema: schema.to_owned(),
            query_tag: None,
            keep_alive: false,
            proxy: None,
            connect_retries: 1,
            connect_timeout: None,
            retry_on_database_errors: false,
            retry_all: false,
            reuse_connections: true,
            pace: Pace::default(),
            now: DateTime::UNIX_EPOCH,
            invocation: uuid::Uuid::new_v4().to_string(),
        })
    }

    /// What `debug` shows.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("account", self.account.name.clone()), ("address", self.endpoint.to_string())];
        let mut add = |label, value: Option<&String>| lines.extend(value.map(|value| (label, value.clone())));
        add("user", self.user.as_ref());
        add("login", Some(&self.login.words().to_owned()));
        add("role", self.role.as_ref());
        add("warehouse", self.warehouse.as_ref());
        add("database", Some(&self.database));
        add("schema", Some(&self.schema));
        add("query_tag", self.query_tag.as_ref());
        let proxy = self
            .proxy
            .as_ref()
            .map(|proxy| format!("{}:{}", proxy.host_str().unwrap_or_default(), proxy.port().unwrap_or(80)));
        add("proxy", proxy.as_ref());
        if self.keep_alive {
            lines.push(("keep alive", "yes".to_owned()));
        }
        lines
    }
}

impl Login {
    /// The way in words.
    fn words(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::PasswordWithSecondFactor { passcode: Some(_), .. } => "password and passcode",
            Self::PasswordWithSecondFactor { .. } => "password, confirmed on a device",
            Self::KeyPair(_) => "key pair",
            Self::Token { kind: TokenKind::OAuth, .. } => "OAuth token",
            Self::Token { kind: TokenKind::ProgrammaticAccess, .. } => "programmatic access token",
            Self::RefreshToken { .. } => "OAuth refresh token",
            Self::Browser => "browser",
        }
    }
}

/// The address of a server.
pub(super) fn endpoint(scheme: &str, host: &str, port: Option<u16>) -> Result<Url, String> {
    let text = match port {
        Some(port) => format!("{scheme}://{host}:{port}/"),
        None => format!("{scheme}://{host}/"),
    };
    Url::parse(&text).map_err(|error| format!("`{text}` is not an address: {error}"))
}
