//! The settings of a Snowflake target.

use super::read_secret;
use crate::project::yaml::Reader;
use crate::secret::Secret;
use serde_json::{Map, Value as Json, json};
use std::path::{Path, PathBuf};

/// How to log in to Snowflake, and what to use there.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "these are the switches that profiles have")]
pub struct SnowflakeSettings {
    /// The account's identifier.
    pub account: String,
    /// The user; not needed with some ways to log in.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The role.
    pub role: Option<String>,
    /// The virtual warehouse.
    pub warehouse: Option<String>,
    /// The database.
    pub database: String,
    /// How to log in: `snowflake`, `externalbrowser`, `oauth`, `username_password_mfa`, `jwt`, an Okta address, …
    pub authenticator: Option<String>,
    /// The code of the user's second factor.
    pub passcode: Option<Secret>,
    /// A private key, PEM or base64 of DER.
    pub private_key: Option<Secret>,
    /// The file of a private key.
    pub private_key_path: Option<PathBuf>,
    /// What the private key is encrypted with.
    pub private_key_passphrase: Option<Secret>,
    /// An OAuth or programmatic access token.
    pub token: Option<Secret>,
    /// For `oauth` with a refresh token.
    pub oauth_client_id: Option<String>,
    /// For `oauth` with a refresh token.
    pub oauth_client_secret: Option<Secret>,
    /// The session's query tag.
    pub query_tag: Option<String>,
    /// Whether the session is kept alive while nothing is sent.
    pub client_session_keep_alive: bool,
    /// The host, if it does not follow from the account.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// `https` or `http`.
    pub protocol: Option<String>,
    /// A proxy's host.
    pub proxy_host: Option<String>,
    /// A proxy's port.
    pub proxy_port: Option<u16>,
    /// How often a connection is tried again.
    pub connect_retries: u64,
    /// Seconds between two attempts at a connection.
    pub connect_timeout: Option<u64>,
    /// Whether database errors at login are tried again.
    pub retry_on_database_errors: bool,
    /// Whether all errors at login are tried again.
    pub retry_all: bool,
    /// Whether a worker keeps its session from node to node.
    pub reuse_connections: Option<bool>,
    /// Whether certificate revocation is not checked.
    pub insecure_mode: bool,
}

impl SnowflakeSettings {
    /// What templates see.
    pub(super) fn values(&self, schema: &str) -> Map<String, Json> {
        let values = json!({
            "account": self.account,
            "user": self.user,
            "database": self.database,
            "warehouse": self.warehouse,
            "role": self.role,
            "schema": schema,
            "authenticator": self.authenticator,
            "oauth_client_id": self.oauth_client_id,
            "query_tag": self.query_tag,
            "client_session_keep_alive": self.client_session_keep_alive,
            "host": self.host,
            "port": self.port,
            "proxy_host": self.proxy_host,
            "proxy_port": self.proxy_port,
            "protocol": self.protocol,
            "connect_retries": self.connect_retries,
            "connect_timeout": self.connect_timeout,
            "retry_on_database_errors": self.retry_on_database_errors,
            "retry_all": self.retry_all,
            "insecure_mode": self.insecure_mode,
            "reuse_connections": self.reuse_connections,
        });
        match values {
            Json::Object(values) => values,
            _ => Map::new(),
        }
    }

    pub(super) fn secrets(&self) -> Vec<&Secret> {
        let all = [
            &self.password,
            &self.passcode,
            &self.private_key,
            &self.private_key_passphrase,
            &self.token,
            &self.oauth_client_secret,
        ];
        all.into_iter().flatten().collect()
    }
}

pub(super) fn read(reader: &mut Reader<'_>, root: &Path) -> Option<SnowflakeSettings> {
    let account = reader.required_text("account");
    let database = reader.required_text("database");
    reader.not_supported("s3_stage_vpce_dns_name");
    // How long dbt's client looks for the cloud that it runs in: strata does not look.
    reader.ignore(&["platform_detection_timeout_seconds"]);
    let mut port = |key| reader.count(key).and_then(|port| u16::try_from(port).ok());
    let (port, proxy_port) = (port("port"), port("proxy_port"));
    Some(SnowflakeSettings {
        account: account?.0,
        database: database?.0,
        user: reader.text("user"),
        password: read_secret(reader, "password"),
        passcode: read_secret(reader, "passcode"),
        role: reader.text("role"),
        warehouse: reader.text("warehouse"),
        authenticator: reader.text("authenticator"),
        private_key: read_secret(reader, "private_key"),
        private_key_path: reader.text("private_key_path").map(|path| root.join(path)),
        private_key_passphrase: read_secret(reader, "private_key_passphrase"),
        token: read_secret(reader, "token"),
        oauth_client_id: reader.text("oauth_client_id"),
        oauth_client_secret: read_secret(reader, "oauth_client_secret"),
        query_tag: reader.text("query_tag"),
        client_session_keep_alive: reader.boolean("client_session_keep_alive").unwrap_or(false),
        host: reader.text("host"),
        port,
        protocol: reader.text("protocol"),
        proxy_host: reader.text("proxy_host"),
        proxy_port,
        connect_retries: reader.count("connect_retries").unwrap_or(1),
        connect_timeout: reader.count("connect_timeout"),
        retry_on_database_errors: reader.boolean("retry_on_database_errors").unwrap_or(false),
        retry_all: reader.boolean("retry_all").unwrap_or(false),
        reuse_connections: reader.boolean("reuse_connections"),
        insecure_mode: reader.boolean("insecure_mode").unwrap_or(false),
    })
}
