//! A login by the user's browser: the server names a page, the page sends the browser back to this machine with a
//! token.

use super::failure::{Failure, Refusal};
use super::login::Proof;
use super::machine::Machine;
use super::wire::{Rules, Wire};
use crate::secret::Secret;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// How long the user may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest request that a browser sends back; tokens are a few kilobytes.
const LONGEST_REQUEST: usize = 64 * 1024;
/// What the user sees in the end.
const FAREWELL: &str = "You are logged in to Snowflake. You can close this page and go back to strata.";

/// Has the user log in.
pub(super) async fn ask(wire: &Wire, machine: &Machine) -> Result<Proof, Failure> {
    let failed = |why: String| Failure::Network(format!("the login by browser failed: {why}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| failed(error.to_string()))?;
    let port = listener.local_addr().map_err(|error| failed(error.to_string()))?.port();
    let body = json!({"data": {
        "ACCOUNT_NAME": wire.settings.account.name,
        "LOGIN_NAME": wire.settings.user,
        "AUTHENTICATOR": "EXTERNALBROWSER",
        "BROWSER_MODE_REDIRECT_PORT": port.to_string(),
        "CLIENT_APP_ID": "Go",
        "CLIENT_APP_VERSION": "1.6.22",
    }});
    let request = wire.request(Method::POST, "session/authenticator-request", Some(&body));
    let rules = Rules { retries: wire.settings.pace.retries, in_session: false, numbered: false };
    let answer = wire.send(request, rules).await?;
    let data = &answer["data"];
    let (Some(page), Some(proof_key)) = (data["ssoUrl"].as_str(), data["proofKey"].as_str()) else {
        return Err(Failure::Refused(Box::new(Refusal::read(&answer))));
    };
    let page = Url::parse(page).map_err(|error| failed(format!("the server names no page: {error}")))?;
    (machine.show_page)(&page).map_err(|why| {
        failed(format!("no browser can be opened ({why}); use a key pair or a token on this machine"))
    })?;
    let token = tokio::time::timeout(PATIENCE, token(&listener))
        .await
        .map_err(|_| failed(format!("nobody logged in within {} seconds", PATIENCE.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    Ok(Proof::Browser { token, proof_key: Secret::new(proof_key) })
}

/// Waits for the browser to come back with a token; other visitors are sent away.
async fn token(listener: &TcpListener) -> std::io::Result<Secret> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Ok(target) = target(&mut stream).await else { continue };
        let address = Url::parse("http://127.0.0.1/").ok().and_then(|base| base.join(&target).ok());
        let token = address.and_then(|address| {
            address.query_pairs().find(|(name, _)| name == "token").map(|(_, token)| Secret::new(token))
        });
        let (status, text) = match token {
            Some(_) => ("200 OK", FAREWELL),
            None => ("404 Not Found", ""),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        // The token counts, whether or not the browser reads the farewell.
        let _ = stream.write_all(answer.as_bytes()).await;
        if let Some(token) = token {
            return Ok(token);
        }
    }
}

/// The target of a request's first line: `/?token=…`.
async fn target(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut read = Vec::new();
    let mut part = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") && read.len() < LONGEST_REQUEST {
        match stream.read(&mut part).await? {
            0 => break,
            count => read.extend_from_slice(&part[..count]),
        }
    }
    let text = String::from_utf8_lossy(&read);
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    match (words.next(), words.next()) {
        (Some("GET"), Some(target)) => Ok(target.to_owned()),
        _ => Err(std::io::ErrorKind::InvalidData.into()),
    }
}
