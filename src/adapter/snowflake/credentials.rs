//! With what sessions prove who they are. All sessions of a run share it: a browser opens once, not once a worker.

use super::browser;
use super::failure::{Failure, Refusal};
use super::login::Proof;
use super::machine::Machine;
use super::settings::{Login, SnowflakeSettings, TokenKind};
use super::wire::{Wire, is_passing};
use crate::secret::Secret;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The proofs of a run.
pub(super) struct Credentials {
    settings: Arc<SnowflakeSettings>,
    machine: Machine,
    opened: Instant,
    /// What a former login left, or a token that was fetched: for the next login.
    kept: Mutex<Option<Secret>>,
    /// Held while a token is fetched or a browser is open.
    asking: tokio::sync::Mutex<()>,
}

impl Credentials {
    pub(super) fn new(settings: Arc<SnowflakeSettings>, machine: Machine) -> Self {
        let kept = place(&settings).and_then(|place| machine.store.read(&place));
        let asking = tokio::sync::Mutex::new(());
        Self { settings, machine, opened: Instant::now(), kept: Mutex::new(kept), asking }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Secret>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, counted on from the one moment at which the clock was read.
    fn now(&self) -> DateTime<Utc> {
        self.settings.now + TimeDelta::from_std(self.opened.elapsed()).unwrap_or_default()
    }

    /// What the next login proves itself with.
    pub(super) async fn proof(&self, wire: &Wire) -> Result<Proof, Failure> {
        match &self.settings.login {
            Login::Password(password) => Ok(Proof::Password(password.clone())),
            Login::PasswordWithSecondFactor { password, passcode } => Ok(Proof::SecondFactor {
                password: password.clone(),
                passcode: passcode.clone(),
                remembered: self.kept().clone(),
            }),
            Login::KeyPair(key) => {
                let user = self.settings.user.as_deref().unwrap_or_default();
                let token = key.token(&self.settings.account.name, user, self.now()).map_err(refused)?;
                Ok(Proof::Token { authenticator: "SNOWFLAKE_JWT", token, kept: false })
            }
            Login::Token { kind, token } => {
                Ok(Proof::Token { authenticator: kind.authenticator(), token: token.clone(), kept: false })
            }
            Login::RefreshToken { .. } => self.access_token(wire).await,
            Login::Browser => self.browser(wire).await,
        }
    }

    async fn access_token(&self, wire: &Wire) -> Result<Proof, Failure> {
        let authenticator = TokenKind::OAuth.authenticator();
        let _alone = self.asking.lock().await;
        if let Some(token) = self.kept().clone() {
            return Ok(Proof::Token { authenticator, token, kept: true });
        }
        let token = fetch_access_token(wire).await?;
        *self.kept() = Some(token.clone());
        Ok(Proof::Token { authenticator, token, kept: false })
    }

    async fn browser(&self, wire: &Wire) -> Result<Proof, Failure> {
        let alone = self.asking.lock().await;
        if let Some(token) = self.kept().clone() {
            return Ok(Proof::Token { authenticator: "ID_TOKEN", token, kept: true });
        }
        let proof = browser::ask(wire, &self.machine).await?;
        drop(alone);
        Ok(proof)
    }

    /// Forgets a kept token that was refused; gives whether there is another way to try.
    pub(super) fn forget(&self, proof: &Proof) -> bool {
        let (Proof::Token { token: refused, kept: true, .. } | Proof::SecondFactor { remembered: Some(refused), .. }) =
            proof
        else {
            return false;
        };
        let mut kept = self.kept();
        if kept.as_ref() == Some(refused) {
            *kept = None;
            if let Some(place) = place(&self.settings) {
                self.machine.store.remove(&place);
            }
        }
        true
    }

    /// Keeps what a login left for the next one.
    pub(super) fn remember(&self, data: &Json) {
        let key = match self.settings.login {
            Login::Browser => "idToken",
            Login::PasswordWithSecondFactor { .. } => "mfaToken",
            _ => return,
        };
        let Some(token) = data[key].as_str().filter(|token| !token.is_empty()).map(Secret::new) else { return };
        if let Some(place) = place(&self.settings) {
            self.machine.store.write(&place, &token);
        }
        *self.kept() = Some(token);
    }
}

/// Under which name tokens of this login are kept on this machine; none where a login leaves nothing.
fn place(settings: &SnowflakeSettings) -> Option<String> {
    let kind = match settings.login {
        Login::Browser => "ID_TOKEN",
        Login::PasswordWithSecondFactor { .. } => "MFA_TOKEN",
        _ => return None,
    };
    let host = settings.endpoint.host_str().unwrap_or_default();
    Some(format!("{host}:{}:{kind}", settings.user.as_deref().unwrap_or_default()).to_uppercase())
}

fn refused(message: String) -> Failure {
    Failure::Refused(Box::new(Refusal { code: "390144".to_owned(), message, ..Refusal::default() }))
}

/// Exchanges the refresh token for an access token.
async fn fetch_access_token(wire: &Wire) -> Result<Secret, Failure> {
    let Login::RefreshToken { client_id, client_secret, refresh_token } = &wire.settings.login else {
        return Err(refused("there is no refresh token".to_owned()));
    };
    let url = wire.url("oauth/token-request");
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("refresh_token", refresh_token.expose())
        .append_pair("redirect_uri", "http://127.0.0.1")
        .finish();
    let pace = wire.settings.pace;
    let (mut attempt, mut wait) = (0, std::time::Duration::ZERO);
    loop {
        let sent = wire
            .client
            .post(url.clone())
            .basic_auth(client_id, Some(client_secret.expose()))
            .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
            .body(form.clone())
            .send()
            .await;
        let why = match sent {
            Ok(response) if !is_passing(response.status()) => {
                let status = response.status();
                let answer: Json = response.json().await.unwrap_or_else(|_| json!({}));
                if let Some(token) = answer["access_token"].as_str() {
                    return Ok(Secret::new(token));
                }
                let words = answer["message"].as_str().or_else(|| answer["error_description"].as_str());
                let words = words.map_or_else(|| status.to_string(), str::to_owned);
                return Err(refused(format!("the refresh token gives no access token: {words}")));
            }
            Ok(response) => response.status().to_string(),
            Err(error) => error.without_url().to_string(),
        };
        if attempt >= pace.retries {
            return Err(Failure::Network(format!("the access token cannot be fetched: {why}")));
        }
        attempt += 1;
        wait = pace.next_wait(wait);
        tokio::time::sleep(wait).await;
    }
}
