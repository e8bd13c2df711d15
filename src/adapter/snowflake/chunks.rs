//! The parts of a large result: fetched a few at a time, handed over in order, none left out.

use super::call::{Call, Said};
use super::failure::Failure;
use super::wire::{Wire, is_passing, pause};
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How many parts are on their way, or wait to be read, at one time: what bounds the memory that they take.
const AHEAD: usize = 4;

/// Parts on their way.
pub(super) struct Parts {
    wire: Arc<Wire>,
    call: Arc<Call>,
    headers: HeaderMap,
    waiting: VecDeque<String>,
    coming: VecDeque<JoinHandle<Result<Bytes, Failure>>>,
}

impl Parts {
    /// Begins to fetch the parts of a result.
    pub(super) fn fetch(wire: &Arc<Wire>, call: &Arc<Call>, said: &mut Said) -> Self {
        let header = |(name, value): &(String, String)| {
            Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::from_str(value).ok()?))
        };
        let headers = said.chunk_headers.iter().filter_map(header).collect();
        let waiting = std::mem::take(&mut said.chunks).into();
        Self { wire: Arc::clone(wire), call: Arc::clone(call), headers, waiting, coming: VecDeque::new() }
    }

    /// The next part; none after the last.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        while self.coming.len() < AHEAD {
            let Some(url) = self.waiting.pop_front() else { break };
            let (wire, call, headers) = (Arc::clone(&self.wire), Arc::clone(&self.call), self.headers.clone());
            self.coming.push_back(tokio::spawn(async move { part(&wire, &call, &url, &headers).await }));
        }
        let mut coming = self.coming.pop_front()?;
        Some(tokio::select! {
            part = &mut coming => {
                part.unwrap_or_else(|error| Err(Failure::Network(format!("a part of the result is lost: {error}"))))
            }
            () = self.call.cancelled() => {
                coming.abort();
                Err(Failure::Cancelled)
            }
        })
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        self.coming.iter().for_each(JoinHandle::abort);
    }
}

/// Fetches one part; its address carries its own permission.
async fn part(wire: &Wire, call: &Call, url: &str, headers: &HeaderMap) -> Result<Bytes, Failure> {
    let (mut attempt, mut wait) = (0, Duration::ZERO);
    loop {
        let why = match wire.client.get(url).headers(headers.clone()).send().await {
            Ok(response) if response.status().is_success() => match response.bytes().await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => error.without_url().to_string(),
            },
            Ok(response) if !is_passing(response.status()) => {
                let status = response.status();
                return Err(Failure::Foreign(format!("a part of the result cannot be fetched: {status}")));
            }
            Ok(response) => response.status().to_string(),
            Err(error) => error.without_url().to_string(),
        };
        if attempt >= wire.settings.pace.retries {
            return Err(Failure::Network(format!("a part of the result cannot be fetched: {why}")));
        }
        attempt += 1;
        wait = wire.settings.pace.next_wait(wait);
        pause(wait, Some(call)).await?;
    }
}
