//! Patience: one request is sent until it is answered, refused for good, or the limits are reached.

use super::super::Request;
use super::super::config::RestConfig;
use super::transport::{Answer, Ask, Transport, Trouble};
use super::words::words;
use crate::diagnostic::{Code, Diagnostic};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The wait after a first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait that strata chooses itself.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Sends requests, with patience and not too fast.
pub struct Sender<'a> {
    request: &'a Request<'a>,
    config: &'a RestConfig,
    transport: &'a dyn Transport,
    /// When the next request may be sent.
    free_at: Mutex<Duration>,
}

/// What came of a request in the end, and every answer on the way, in order.
pub struct Sent<T> {
    /// The result.
    pub result: Result<T, Diagnostic>,
    /// The answers, refusals included.
    pub answers: Vec<Answer>,
}

/// What an answer means for the request.
enum Meaning<T> {
    Done(T),
    Renew,
    Again { why: String, after: Option<Duration> },
    Final(Diagnostic),
}

impl<'a> Sender<'a> {
    /// A sender over a transport.
    pub fn new(request: &'a Request<'a>, config: &'a RestConfig, transport: &'a dyn Transport) -> Self {
        Self { request, config, transport, free_at: Mutex::new(Duration::ZERO) }
    }

    /// Sends a request until `read` can make something of an answer.
    pub fn ask<T>(&self, ask: &Ask, read: &dyn Fn(&Answer) -> Result<T, Trouble>) -> Sent<T> {
        let mut answers = Vec::new();
        let result = self.until_answered(ask, read, &mut answers);
        Sent { result, answers }
    }

    fn until_answered<T>(
        &self,
        ask: &Ask,
        read: &dyn Fn(&Answer) -> Result<T, Trouble>,
        answers: &mut Vec<Answer>,
    ) -> Result<T, Diagnostic> {
        let limits = &self.config.limits;
        let (mut tries, mut waited, mut renewed) = (0, Duration::ZERO, false);
        loop {
            self.request.check_cancelled()?;
            self.pace();
            self.request.check_cancelled()?;
            let (why, after) = match self.once(ask, read, answers) {
                Meaning::Done(result) => return Ok(result),
                Meaning::Final(found) => return Err(found),
                Meaning::Renew if !renewed => {
                    renewed = true;
                    match self.transport.renew() {
                        Ok(true) => continue,
                        Ok(false) => return Err(self.refused(ask, "401 Unauthorized", answers.last())),
                        Err(Trouble::Final(found)) => return Err(found),
                        Err(Trouble::Again(why)) => (why, None),
                    }
                }
                Meaning::Renew => return Err(self.refused(ask, "401 Unauthorized", answers.last())),
                Meaning::Again { why, after } => (why, after),
            };
            tries += 1;
            if tries >= limits.tries {
                return Err(self.gave_up(ask, &why, &format!("sent {tries} times")));
            }
            if !self.transport.is_live() {
                continue;
            }
            let wait = after.unwrap_or_else(|| self.backoff(tries));
            if waited + wait > limits.max_wait {
                let asked = match after {
                    Some(after) => format!("the server asks to wait {} s; ", after.as_secs()),
                    None => String::new(),
                };
                let limit = format!("{asked}`max_wait` allows {} s in all", limits.max_wait.as_secs());
                return Err(self.gave_up(ask, &why, &limit));
            }
            waited += wait;
            self.request.clock.sleep(wait, self.request.cancel);
        }
    }

    fn once<T>(
        &self,
        ask: &Ask,
        read: &dyn Fn(&Answer) -> Result<T, Trouble>,
        answers: &mut Vec<Answer>,
    ) -> Meaning<T> {
        let answer = match self.transport.send(ask) {
            Ok(answer) => answer,
            Err(Trouble::Again(why)) => return Meaning::Again { why, after: None },
            Err(Trouble::Final(found)) => return Meaning::Final(found),
        };
        let status = reqwest::StatusCode::from_u16(answer.status)
            .map_or_else(|_| answer.status.to_string(), |status| status.to_string());
        let meaning = match answer.status {
            200..=299 => match read(&answer) {
                Ok(result) => Meaning::Done(result),
                Err(Trouble::Again(why)) => Meaning::Again { why, after: None },
                Err(Trouble::Final(found)) => Meaning::Final(found),
            },
            401 => Meaning::Renew,
            408 | 425 | 429 | 500..=599 => Meaning::Again {
                why: format!("the server answered {status}: {}", words(&answer)),
                after: retry_after(&answer),
            },
            _ => Meaning::Final(self.refused(ask, &status, Some(&answer))),
        };
        answers.push(answer);
        meaning
    }

    /// Waits until the next request may be sent.
    fn pace(&self) {
        let Some(per_second) = self.config.limits.requests_per_second else { return };
        if !self.transport.is_live() {
            return;
        }
        let now = self.request.clock.elapsed();
        let wait = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let start = now.max(*free_at);
            *free_at = start + Duration::from_secs_f64(1.0 / per_second);
            start.saturating_sub(now)
        };
        if !wait.is_zero() {
            self.request.clock.sleep(wait, self.request.cancel);
        }
    }

    /// Between half and the whole of a wait that doubles each time.
    fn backoff(&self, tries: u32) -> Duration {
        let whole = FIRST_WAIT.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST_WAIT);
        whole.mul_f64(0.5 + self.request.clock.jitter().clamp(0.0, 1.0) / 2.0)
    }

    fn gave_up(&self, ask: &Ask, why: &str, limit: &str) -> Diagnostic {
        let why = self.request.scrubber.scrub(why);
        let line = self.request.scrubber.scrub(&ask.line.to_string()).into_owned();
        Diagnostic::error(Code::Extract, format!("`{}` could not be fetched: {why}", self.request.table))
            .at(self.config.path_place.clone(), "asked here")
            .note(format!("{line}, {limit}"))
            .help("pages that arrived are kept: the next run goes on from there")
    }

    fn refused(&self, ask: &Ask, status: &str, answer: Option<&Answer>) -> Diagnostic {
        let said = answer.map(words).unwrap_or_default();
        let said = self.request.scrubber.scrub(&said).into_owned();
        let line = self.request.scrubber.scrub(&ask.line.to_string()).into_owned();
        Diagnostic::error(Code::Extract, format!("the server of `{}` answered {status}: {said}", self.request.source))
            .at(self.config.path_place.clone(), "asked here")
            .note(line)
    }
}

/// How long a server asks to wait: in seconds, or until a time on its own clock.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.retry_after.as_deref()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = chrono::DateTime::<chrono::Utc>::from(httpdate::parse_http_date(text).ok()?);
    // Without the server's clock there is nothing to compare with, and ours may differ.
    Some((until - answer.headers.date()?).to_std().unwrap_or_default())
}

impl Request<'_> {
    /// An error once the run was cancelled.
    pub(in crate::extract) fn check_cancelled(&self) -> Result<(), Diagnostic> {
        if !self.cancel.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Diagnostic::error(Code::Extract, format!("fetching `{}` was cancelled", self.table))
            .help("pages that arrived are kept: the next run goes on from there"))
    }
}
