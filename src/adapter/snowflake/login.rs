//! What a login says: the request of the client library, rewritten for the way in which the profile logs in.

use super::settings::{Login, SnowflakeSettings};
use crate::secret::Secret;
use serde_json::{Map, Value as Json, json};
use url::Url;

/// A proof of who logs in.
#[derive(Debug, Clone)]
pub(super) enum Proof {
    /// A password.
    Password(Secret),
    /// A password, and a code or a device that confirms it.
    SecondFactor {
        password: Secret,
        passcode: Option<Secret>,
        /// What a former confirmation left.
        remembered: Option<Secret>,
    },
    /// A token of the kind that the authenticator's name says.
    Token {
        authenticator: &'static str,
        token: Secret,
        /// Whether it was kept from a former login, and may be replaced by a new one.
        kept: bool,
    },
    /// What a browser brought back.
    Browser { token: Secret, proof_key: Secret },
}

/// Rewrites the body of a login request.
pub(super) fn rewrite_body(body: &mut Json, settings: &SnowflakeSettings, proof: &Proof) {
    if !body["data"].is_object() {
        body["data"] = json!({});
    }
    let Some(data) = body["data"].as_object_mut() else { return };
    // What a former attempt proved itself with is no part of this one.
    for field in CREDENTIALS {
        data.remove(field);
    }
    data.insert("ACCOUNT_NAME".to_owned(), json!(settings.account.name));
    match &settings.user {
        Some(user) => data.insert("LOGIN_NAME".to_owned(), json!(user)),
        None => data.remove("LOGIN_NAME"),
    };
    data.extend(credentials(proof));
    let mut environment = data.remove("CLIENT_ENVIRONMENT").unwrap_or_else(|| json!({}));
    environment["APPLICATION"] = json!("strata");
    environment["OS"] = json!(std::env::consts::OS);
    environment["OS_VERSION"] = json!(std::env::consts::ARCH);
    data.insert("CLIENT_ENVIRONMENT".to_owned(), environment);
    data.insert("SESSION_PARAMETERS".to_owned(), Json::Object(session_parameters(settings)));
}

/// The fields of a login in which a proof stands.
const CREDENTIALS: [&str; 6] = ["PASSWORD", "AUTHENTICATOR", "TOKEN", "PROOF_KEY", "EXT_AUTHN_DUO_METHOD", "PASSCODE"];

fn credentials(proof: &Proof) -> Map<String, Json> {
    let fields = match proof {
        Proof::Password(password) => json!({"PASSWORD": password.expose()}),
        Proof::SecondFactor { password, passcode, remembered } => {
            let mut fields = json!({"PASSWORD": password.expose(), "AUTHENTICATOR": "USERNAME_PASSWORD_MFA"});
            if let Some(token) = remembered {
                fields["TOKEN"] = json!(token.expose());
            }
            fields["EXT_AUTHN_DUO_METHOD"] = json!(if passcode.is_some() { "passcode" } else { "push" });
            if let Some(passcode) = passcode {
                fields["PASSCODE"] = json!(passcode.expose());
            }
            fields
        }
        Proof::Token { authenticator, token, .. } => json!({"AUTHENTICATOR": authenticator, "TOKEN": token.expose()}),
        Proof::Browser { token, proof_key } => json!({
            "AUTHENTICATOR": "EXTERNALBROWSER",
            "TOKEN": token.expose(),
            "PROOF_KEY": proof_key.expose(),
        }),
    };
    match fields {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// What holds for the session from its start.
fn session_parameters(settings: &SnowflakeSettings) -> Map<String, Json> {
    let mut parameters = Map::new();
    let mut set = |name: &str, value: Json| parameters.insert(name.to_owned(), value);
    set("AUTOCOMMIT", json!(true));
    set("CLIENT_SESSION_KEEP_ALIVE", json!(settings.keep_alive));
    // Without it a role or a warehouse that is not there is passed over without a word.
    set("CLIENT_VALIDATE_DEFAULT_PARAMETERS", json!(true));
    // What a client that was killed has left running is of use to nobody.
    set("ABORT_DETACHED_QUERY", json!(true));
    if let Some(tag) = &settings.query_tag {
        set("QUERY_TAG", json!(tag));
    }
    match settings.login {
        Login::Browser => drop(set("CLIENT_STORE_TEMPORARY_CREDENTIAL", json!(true))),
        Login::PasswordWithSecondFactor { .. } => drop(set("CLIENT_REQUEST_MFA_TOKEN", json!(true))),
        _ => {}
    }
    parameters
}

/// Names what the session is to use, as the profile writes it. A schema that is still to be made cannot be used.
pub(super) fn rewrite_query(url: &mut Url, settings: &SnowflakeSettings, with_schema: bool) {
    let schema = with_schema.then_some(&settings.schema);
    let own = [
        ("warehouse", settings.warehouse.as_ref()),
        ("databaseName", Some(&settings.database)),
        ("schemaName", schema),
        ("roleName", settings.role.as_ref()),
    ];
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| own.iter().all(|(own, _)| own != name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let named = own.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.as_str())));
    url.query_pairs_mut().clear().extend_pairs(others).extend_pairs(named);
}

/// Codes with which a login names something that is not there.
pub(super) const NOT_THERE: &str = "390201";

/// Whether a refusal may be the fault of what the login proved itself with, and not of what it asked for: then a token
/// that was kept from a former login is no longer of use.
pub(super) fn is_about_proof(code: &str) -> bool {
    !matches!(code, NOT_THERE | "390186" | "390189" | "390191" | "390420" | "390422" | "390429")
}

/// What a refused login means and what to do, by the server's code.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "390100" => "the user or the password is wrong; check `account`, `user` and `password`",
        "390101" | "390102" => "the user is locked: wait, or ask an administrator to unlock it",
        "390111" | "390104" | "390114" => "the session is gone, and what was temporary in it",
        "390118" | "390144" => {
            "the key pair does not fit: compare the fingerprint with `desc user`, and this machine's clock with the time"
        }
        "390120" | "390126" | "390127" | "390129" | "394633" => {
            "the second factor was not confirmed: give `passcode`, or confirm the login on your device"
        }
        "390186" | "390189" => "the role is not there or not granted to the user: check `role`",
        "390191" => "the user has to log in by browser: use `authenticator: externalbrowser`",
        "390195" | "390190" => "the login of the browser is no longer valid: log in again",
        NOT_THERE => {
            "the warehouse or the database is not there, or the role may not use it: check `warehouse`, `database` and `role`"
        }
        "390302" | "390303" => "the OAuth token is not valid for this account or role",
        "390318" => "the OAuth token has expired: give a new one, or a refresh token with client id and secret",
        "390420" | "390422" | "390429" => "a network policy of the account does not let this address in",
        "394400" | "394401" | "394402" => "the programmatic access token is wrong, has expired or is disabled",
        _ => return None,
    })
}
