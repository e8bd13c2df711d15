//! From a profile's target to settings: one way to log in, what contradicts it is an error.

use super::account::Account;
use super::key::PrivateKey;
use super::pace::Pace;
use super::settings::{Login, SnowflakeSettings, TokenKind, endpoint};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, nearest};
use crate::project::profile::SnowflakeSettings as Written;
use crate::project::{Environment, Target};
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

/// The ways to log in, as `authenticator` names them.
const AUTHENTICATORS: [&str; 8] = [
    "snowflake",
    "externalbrowser",
    "oauth",
    "jwt",
    "snowflake_jwt",
    "username_password_mfa",
    "programmatic_access_token",
    "id_token",
];

/// The settings of a target; every contradiction in it is told.
pub(in crate::adapter) fn settings(
    target: &Target,
    written: &Written,
    environment: &Environment,
) -> Result<SnowflakeSettings> {
    let mut found = Diagnostics::new();
    let wrong = |message: String| {
        Diagnostic::error(Code::Profile, format!("the Snowflake target `{}`: {message}", target.name))
            .note(format!("the target is described in {}", target.profiles_path.display()))
    };
    let account = found.keep(Account::parse(&written.account).map_err(|why| {
        Diagnostics::from(wrong(why).help("write it as in the address of your account: `myorg-myaccount`"))
    }));
    let login = found.keep(login(written).map_err(|(why, help)| Diagnostics::from(wrong(why).help(help))));
    let address = found.keep(address(written, account.as_ref()).map_err(|why| Diagnostics::from(wrong(why))));
    let proxy = found.keep(proxy(written).map_err(|why| Diagnostics::from(wrong(why))));
    let (Some(account), Some(login), Some(endpoint), Some(proxy)) = (account, login, address, proxy) else {
        return Err(found);
    };
    let settings = SnowflakeSettings {
        account,
        endpoint,
        user: written.user.clone(),
        login,
        role: written.role.clone(),
        warehouse: written.warehouse.clone(),
        database: written.database.clone(),
        schema: target.schema.clone(),
        query_tag: written.query_tag.clone(),
        keep_alive: written.client_session_keep_alive,
        proxy,
        connect_retries: u32::try_from(written.connect_retries).unwrap_or(u32::MAX),
        connect_timeout: written.connect_timeout.map(Duration::from_secs),
        retry_on_database_errors: written.retry_on_database_errors,
        retry_all: written.retry_all,
        // As in dbt: sessions that are kept alive are not kept as well, unless someone asks for both.
        reuse_connections: written.reuse_connections.unwrap_or(!written.client_session_keep_alive),
        pace: Pace::default(),
        now: environment.now,
        invocation: uuid::Uuid::new_v4().to_string(),
    };
    found.into_result(settings).map(|(settings, _)| settings)
}

fn address(written: &Written, account: Option<&Account>) -> std::result::Result<Url, String> {
    let scheme = match written.protocol.as_deref() {
        None | Some("https") => "https",
        Some("http") => "http",
        Some(other) => return Err(format!("`protocol: {other}` is neither `https` nor `http`")),
    };
    let host = written.host.as_deref().or(account.map(|account| account.host.as_str())).unwrap_or("localhost");
    endpoint(scheme, host, written.port)
}

fn proxy(written: &Written) -> std::result::Result<Option<Url>, String> {
    match (&written.proxy_host, written.proxy_port) {
        (Some(host), port) => {
            let host = host.split_once("://").map_or(host.as_str(), |(_, host)| host);
            endpoint("http", host, Some(port.unwrap_or(80))).map(Some)
        }
        (None, Some(_)) => Err("there is a `proxy_port`, but no `proxy_host`".to_owned()),
        (None, None) => Ok(None),
    }
}

/// What is wrong, and what to do.
type Refusal = (String, String);

fn refusal<T>(why: impl Into<String>, help: impl Into<String>) -> std::result::Result<T, Refusal> {
    Err((why.into(), help.into()))
}

fn login(written: &Written) -> std::result::Result<Login, Refusal> {
    let authenticator = written.authenticator.as_deref().unwrap_or("snowflake").to_ascii_lowercase();
    let needs_user = !matches!(authenticator.as_str(), "oauth" | "jwt");
    if needs_user && written.user.is_none() {
        return refusal("there is no `user`", "add `user:`; only `oauth` and `jwt` do without");
    }
    if written.passcode.is_some() && authenticator != "username_password_mfa" && has_key(written) {
        return refusal("a `passcode` does not go with a private key", "remove one of them");
    }
    match authenticator.as_str() {
        // The Python client takes the key whatever the authenticator is called.
        "snowflake" | "snowflake_jwt" if has_key(written) => key_pair(written),
        "snowflake_jwt" => refusal("there is no private key", "add `private_key_path` or `private_key`"),
        "snowflake" if written.token.is_some() && written.password.is_none() => refusal(
            "there is a `token`, but no `authenticator` that uses it",
            "add `authenticator: oauth` or `authenticator: programmatic_access_token`",
        ),
        "snowflake" => match &written.passcode {
            Some(passcode) => second_factor(written, Some(passcode)),
            None => Ok(Login::Password(password(written)?)),
        },
        "username_password_mfa" => second_factor(written, written.passcode.as_ref()),
        "externalbrowser" => Ok(Login::Browser),
        "oauth" => oauth(written),
        "jwt" => Ok(Login::Token { kind: TokenKind::OAuth, token: token(written)? }),
        "programmatic_access_token" => Ok(Login::Token {
            kind: TokenKind::ProgrammaticAccess,
            token: token(written).or_else(|_| password(written))?,
        }),
        other
            if other.starts_with("https://")
                || matches!(
                    other,
                    "workload_identity" | "oauth_client_credentials" | "oauth_authorization_code" | "id_token"
                ) =>
        {
            refusal(
                format!("`authenticator: {other}` is not supported"),
                "use a key pair, `oauth`, `programmatic_access_token` or `externalbrowser`",
            )
        }
        other => {
            let help = match nearest(other, AUTHENTICATORS) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "leave `authenticator` out for a password or a key pair".to_owned(),
            };
            refusal(format!("there is no `authenticator: {other}`"), help)
        }
    }
}

fn has_key(written: &Written) -> bool {
    written.private_key.is_some() || written.private_key_path.is_some()
}

fn password(written: &Written) -> std::result::Result<Secret, Refusal> {
    match &written.password {
        Some(password) if !password.is_empty() => Ok(password.clone()),
        _ => refusal(
            "there is nothing to log in with",
            "add `password`, `private_key_path`, or an `authenticator` with its `token`",
        ),
    }
}

fn token(written: &Written) -> std::result::Result<Secret, Refusal> {
    match &written.token {
        Some(token) if !token.is_empty() => Ok(token.clone()),
        _ => refusal("there is no `token`", "add `token: \"{{ env_var('DBT_ENV_SECRET_SNOWFLAKE_TOKEN') }}\"`"),
    }
}

fn second_factor(written: &Written, passcode: Option<&Secret>) -> std::result::Result<Login, Refusal> {
    Ok(Login::PasswordWithSecondFactor { password: password(written)?, passcode: passcode.cloned() })
}

/// A token; with a client's id and secret it is one with which tokens are fetched.
fn oauth(written: &Written) -> std::result::Result<Login, Refusal> {
    match (&written.oauth_client_id, &written.oauth_client_secret) {
        (Some(client_id), Some(client_secret)) => Ok(Login::RefreshToken {
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            refresh_token: token(written)?,
        }),
        (None, None) => Ok(Login::Token { kind: TokenKind::OAuth, token: token(written)? }),
        (Some(_), None) => {
            refusal("there is an `oauth_client_id`, but no `oauth_client_secret`", "add it, or remove both")
        }
        (None, Some(_)) => {
            refusal("there is an `oauth_client_secret`, but no `oauth_client_id`", "add it, or remove both")
        }
    }
}

fn key_pair(written: &Written) -> std::result::Result<Login, Refusal> {
    let text = match (&written.private_key, &written.private_key_path) {
        (Some(_), Some(_)) => {
            return refusal("there is both a `private_key` and a `private_key_path`", "remove one of them");
        }
        (Some(key), None) => key.clone(),
        (None, Some(path)) => match std::fs::read(path) {
            Ok(bytes) => as_text(bytes),
            Err(error) => {
                return refusal(
                    format!("the private key {} cannot be read: {error}", path.display()),
                    "check `private_key_path`; a relative path starts at the project",
                );
            }
        },
        (None, None) => return refusal("there is no private key", "add `private_key_path` or `private_key`"),
    };
    let key = PrivateKey::read(text.expose(), written.private_key_passphrase.as_ref());
    key.map(Login::KeyPair).or_else(|why| {
        refusal(
            format!("the private key cannot be used: {why}"),
            "give an RSA key: PEM (PKCS#8 or PKCS#1), or the base64 of its DER",
        )
    })
}

/// A file of PEM or base64 as it is, one of DER in base64.
fn as_text(bytes: Vec<u8>) -> Secret {
    use base64::Engine as _;
    Secret::new(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| base64::engine::general_purpose::STANDARD.encode(error.into_bytes())),
    )
}
