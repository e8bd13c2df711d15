//! Snowflake, through the crate `snowflake-api`, which is never left alone: a middleware makes of its requests what
//! Snowflake's own clients send, and keeps what it would lose of the answers. No type of it leaves this directory.

mod account;
mod arrow_rows;
mod browser;
mod call;
mod chunks;
mod column;
mod connection;
mod credentials;
mod failure;
mod json_rows;
mod key;
mod load;
mod login;
mod machine;
mod pace;
mod profile;
mod protocol;
mod settings;
mod upload;
mod value;
mod wire;

pub use account::Account;
pub use key::PrivateKey;
pub use machine::{Machine, ShowPage, TokenStore};
pub use pace::Pace;
pub(super) use profile::settings as settings_of;
pub use settings::{Login, SnowflakeSettings, TokenKind};

use super::{Adapter, ColumnType, Connection, DatabaseError, DatabaseErrorKind};
use connection::SnowflakeConnection;
use credentials::Credentials;
use failure::Failure;
use protocol::Protocol;
use snowflake_api::{AuthArgs, AuthType, PasswordArgs, SnowflakeApi, SnowflakeApiBuilder, SnowflakeApiError};
use std::sync::Arc;
use std::time::Duration;
use wire::Wire;

/// How long it may take to reach the server's machine.
const REACH: Duration = Duration::from_secs(30);
/// How long the server may be silent in the middle of an answer; it holds a question for less than a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// A Snowflake account. Nothing is sent before the first connection.
pub struct Snowflake {
    shared: Arc<Shared>,
}

/// What all sessions have in common.
struct Shared {
    settings: Arc<SnowflakeSettings>,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    credentials: Arc<Credentials>,
}

impl Snowflake {
    /// Prepares to connect.
    pub fn open(settings: SnowflakeSettings, machine: Machine) -> Result<Self, DatabaseError> {
        let refused = |what: &str, error: &dyn std::fmt::Display| {
            DatabaseError::new(DatabaseErrorKind::Connection, format!("{what}: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("snowflake")
            .enable_all()
            .build()
            .map_err(|error| refused("no threads for the network", &error))?;
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("strata/", env!("CARGO_PKG_VERSION")))
            .gzip(true)
            .referer(false)
            .connect_timeout(REACH)
            .read_timeout(SILENCE);
        if let Some(proxy) = &settings.proxy {
            let proxy =
                reqwest::Proxy::all(proxy.clone()).map_err(|error| refused("the proxy cannot be used", &error))?;
            client = client.proxy(proxy);
        }
        let client = client.build().map_err(|error| refused("no HTTP client", &error))?;
        let settings = Arc::new(settings);
        let credentials = Arc::new(Credentials::new(Arc::clone(&settings), machine));
        Ok(Self { shared: Arc::new(Shared { settings, runtime, client, credentials }) })
    }
}

impl Shared {
    /// The parts of a new session, which is not logged in yet.
    fn session(&self) -> Result<(Arc<Wire>, SnowflakeApi), SnowflakeApiError> {
        let wire = Arc::new(Wire::new(Arc::clone(&self.settings), self.client.clone()));
        let protocol = Protocol { wire: Arc::clone(&wire), credentials: Arc::clone(&self.credentials) };
        let client = reqwest_middleware::ClientBuilder::new(self.client.clone()).with(protocol).build();
        // Who logs in, and where, is written into the request by the protocol: the library would put account, user and
        // role into capitals, and knows passwords only.
        let auth = AuthArgs {
            account_identifier: "strata".to_owned(),
            warehouse: None,
            database: None,
            schema: None,
            username: String::new(),
            role: None,
            auth_type: AuthType::Password(PasswordArgs { password: String::new() }),
        };
        let api = SnowflakeApiBuilder::new(auth).with_client(client).build()?;
        Ok((wire, api))
    }

    /// Whether another attempt at a failed login may do better.
    fn may_try_again(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Cancelled => false,
            Failure::Network(_) => true,
            Failure::Foreign(_) => self.settings.retry_all,
            Failure::Refused(_) => self.settings.retry_all || self.settings.retry_on_database_errors,
        }
    }
}

impl Adapter for Snowflake {
    fn type_name(&self) -> &'static str {
        "snowflake"
    }

    fn connect(&self, _: &str) -> Result<Box<dyn Connection>, DatabaseError> {
        let mut attempt = 0;
        loop {
            match SnowflakeConnection::open(&self.shared) {
                Ok(connection) => return Ok(Box::new(connection)),
                Err(failure)
                    if attempt < self.shared.settings.connect_retries && self.shared.may_try_again(&failure) =>
                {
                    attempt += 1;
                    let settings = &self.shared.settings;
                    let usual = settings.pace.connect_wait * attempt * attempt;
                    std::thread::sleep(settings.connect_timeout.unwrap_or(usual));
                }
                Err(failure) => {
                    let error = failure.into_error(None);
                    return Err(DatabaseError { kind: DatabaseErrorKind::Connection, ..error });
                }
            }
        }
    }

    fn type_word(&self, column_type: &ColumnType) -> String {
        column::type_word(column_type)
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        self.shared.settings.describe()
    }

    fn keeps_sessions(&self) -> bool {
        self.shared.settings.reuse_connections
    }
}

#[cfg(test)]
mod tests;
