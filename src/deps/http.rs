//! Fetching over HTTP, with patience: what may work the next time is tried again, as often as dbt does.

use crate::diagnostic::{Code, Diagnostic, root_cause};
use crate::project::shown_address;
use crate::secret::Scrubber;
use reqwest::blocking::Client;
use serde_json::Value as Json;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a request is sent in all.
const TRIES: u32 = 6;
/// How long one request may take, as in dbt; a download may take longer.
const TIMEOUT: Duration = Duration::from_secs(30);
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// The largest answer of the hub that is read, in bytes.
const LARGEST_ANSWER: u64 = 64 << 20;
/// The largest archive that is fetched, in bytes.
const LARGEST_DOWNLOAD: u64 = 256 << 20;

/// Which proxy is used, as environment variables say it.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// `HTTPS_PROXY`.
    pub proxy: Option<String>,
    /// `NO_PROXY`: hosts that are called directly.
    pub direct: Option<String>,
}

/// An HTTP client.
pub(super) struct Http {
    client: Client,
    wait: Duration,
    scrubber: Scrubber,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server has nothing there.
    NotFound,
    /// It did not work, also not after several tries; in words.
    Failed(String),
}

/// Why one try failed.
enum Trouble {
    Again(String),
    Final(Failure),
}

impl Http {
    /// A client that waits so long between two tries.
    pub(super) fn new(proxy: &ProxySettings, wait: Duration, scrubber: &Scrubber) -> Result<Self, Diagnostic> {
        let refused = |cause: reqwest::Error| {
            let cause = scrubber.scrub(&cause.to_string()).into_owned();
            Diagnostic::error(Code::PackageFetch, format!("no HTTP client can be made: {cause}"))
        };
        let builder = Client::builder().user_agent(concat!("strata/", env!("CARGO_PKG_VERSION")));
        let builder = match &proxy.proxy {
            Some(address) => {
                let direct = proxy.direct.as_deref().and_then(reqwest::NoProxy::from_string);
                builder.proxy(reqwest::Proxy::all(address).map_err(refused)?.no_proxy(direct))
            }
            None => builder.no_proxy(),
        };
        Ok(Self { client: builder.build().map_err(refused)?, wait, scrubber: scrubber.clone() })
    }

    /// An answer in JSON that `fits`.
    pub(super) fn json(&self, address: &str, fits: impl Fn(&Json) -> bool) -> Result<Json, Failure> {
        self.patiently(|| {
            let mut body = Vec::new();
            self.read(address, TIMEOUT, LARGEST_ANSWER, &mut body)?;
            let json = serde_json::from_slice(&body).map_err(|_| Trouble::Again("the answer is no JSON".to_owned()))?;
            if fits(&json) { Ok(json) } else { Err(Trouble::Again("the answer lacks what a hub says".to_owned())) }
        })
    }

    /// Writes what lies at an address into a file.
    pub(super) fn download(&self, address: &str, into: &Path) -> Result<(), Failure> {
        self.patiently(|| {
            let mut file = File::create(into).map_err(|cause| unwritable(&cause))?;
            self.read(address, DOWNLOAD_TIMEOUT, LARGEST_DOWNLOAD, &mut file)
        })
    }

    fn patiently<T>(&self, attempt: impl Fn() -> Result<T, Trouble>) -> Result<T, Failure> {
        for left in (0..TRIES).rev() {
            match attempt() {
                Ok(result) => return Ok(result),
                Err(Trouble::Final(failure)) => return Err(failure),
                Err(Trouble::Again(words)) if left == 0 => {
                    return Err(Failure::Failed(format!("{words} (tried {TRIES} times)")));
                }
                Err(Trouble::Again(_)) => std::thread::sleep(self.wait),
            }
        }
        Err(Failure::Failed("it was never tried".to_owned()))
    }

    /// Sends one request, and writes its answer into `sink`.
    fn read(&self, address: &str, timeout: Duration, limit: u64, sink: &mut dyn Write) -> Result<(), Trouble> {
        let end = Instant::now() + timeout;
        let mut response = self.client.get(address).timeout(timeout).send().map_err(|cause| self.trouble(&cause))?;
        let status = response.status();
        match status.as_u16() {
            200..=299 => {}
            404 | 410 => return Err(Trouble::Final(Failure::NotFound)),
            408 | 425 | 429 | 500..=599 => return Err(Trouble::Again(format!("the server answered {status}"))),
            _ => return Err(Trouble::Final(Failure::Failed(format!("the server answered {status}")))),
        }
        let (mut chunk, mut total) = (vec![0; 1 << 16], 0);
        loop {
            let broken = |cause: io::Error| Trouble::Again(format!("the answer broke off: {}", root_cause(&cause)));
            let length = response.read(&mut chunk).map_err(broken)?;
            if length == 0 {
                return Ok(());
            }
            total += length as u64;
            if total > limit {
                return Err(Trouble::Final(Failure::Failed(format!("it is larger than {} MB", limit >> 20))));
            }
            // A server that sends a byte now and then never runs into the client's own timeout.
            if Instant::now() > end {
                return Err(Trouble::Again("no whole answer in time".to_owned()));
            }
            sink.write_all(&chunk[..length]).map_err(|cause| unwritable(&cause))?;
        }
    }

    fn trouble(&self, cause: &reqwest::Error) -> Trouble {
        let words = if cause.is_timeout() { "no answer in time".to_owned() } else { root_cause(cause) };
        let words = self.scrubber.scrub(&words).into_owned();
        if cause.is_builder() { Trouble::Final(Failure::Failed(words)) } else { Trouble::Again(words) }
    }
}

impl Failure {
    /// The failure as a finding about what lies at `address`.
    pub(super) fn into_diagnostic(self, what: &str, address: &str) -> Diagnostic {
        let words = match self {
            Self::NotFound => "there is nothing at its address".to_owned(),
            Self::Failed(words) => words,
        };
        Diagnostic::error(Code::PackageFetch, format!("{what} cannot be fetched: {words}"))
            .note(format!("asked at {}", shown_address(address)))
    }
}

fn unwritable(cause: &io::Error) -> Trouble {
    Trouble::Final(Failure::Failed(format!("it cannot be kept: {cause}")))
}
