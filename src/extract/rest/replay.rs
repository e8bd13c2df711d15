//! A recording that answers in place of the server.

use super::super::Request;
use super::super::config::RestConfig;
use super::super::recording::{Exchange, read_exchanges};
use super::transport::{Answer, Ask, Headers, RequestLine, Transport, Trouble};
use crate::diagnostic::{Code, Diagnostic};
use std::cmp::Ordering;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The exchanges that were recorded for one table.
pub struct Recording<'a> {
    request: &'a Request<'a>,
    config: &'a RestConfig,
    exchanges: Vec<(RequestLine, Exchange)>,
    used: Mutex<Vec<bool>>,
}

impl<'a> Recording<'a> {
    /// Reads what was asked and where the answers are; bodies are read when they are needed.
    pub fn open(directory: &Path, request: &'a Request<'a>, config: &'a RestConfig) -> Result<Self, Diagnostic> {
        let mut exchanges = Vec::new();
        let incremental = config.incremental.as_ref().map(|incremental| incremental.param.as_str());
        for exchange in read_exchanges(directory, request)? {
            let refused = |why: String| {
                Diagnostic::error(Code::Extract, format!("the recording {} {why}", exchange.path.display()))
                    .at(request.config.place.clone(), "recorded for this table")
            };
            let Some(mut line) = RequestLine::parse(&exchange.head.request) else {
                let why = format!("has no request line such as `GET /path?page=1`, but `{}`", exchange.head.request);
                return Err(refused(why));
            };
            if let Some(param) = incremental
                && line.params.iter().any(|(name, _)| name == param)
            {
                return Err(refused(format!("has the parameter `{param}` in its request"))
                    .help("write it as `since`: requests are matched without it"));
            }
            line.params.retain(|(name, _)| Some(name.as_str()) != config.key_param());
            exchanges.push((line, exchange));
        }
        let used = Mutex::new(vec![false; exchanges.len()]);
        Ok(Self { request, config, exchanges, used })
    }

    /// Whether a recording that was asked from `recorded` on has all rows from `asked` on.
    fn covers(&self, recorded: Option<&str>, asked: Option<&str>) -> bool {
        let kind = self.config.incremental.as_ref().map(|incremental| incremental.by.kind);
        match (recorded, asked, kind) {
            (None, ..) => true,
            (Some(recorded), Some(asked), Some(kind)) => match (kind.read(recorded), kind.read(asked)) {
                (Some(recorded), Some(asked)) => recorded.compare(&asked) != Ordering::Greater,
                _ => false,
            },
            _ => false,
        }
    }

    fn missing(&self, ask: &Ask) -> Diagnostic {
        let mut there: Vec<String> = self.exchanges.iter().map(|(line, _)| line.to_string()).collect();
        let more = there.len().saturating_sub(10);
        there.truncate(10);
        if more > 0 {
            there.push(format!("… and {more} more"));
        }
        let asked = match &ask.recorded_json {
            Some(json) => format!("{} with {json}", ask.line),
            None => ask.line.to_string(),
        };
        let asked_before = self.exchanges.iter().any(|(line, exchange)| matches(ask, line, exchange));
        let message = if asked_before {
            format!("the recording of `{}` has no further answer to {asked}", self.request.table)
        } else {
            format!("the recording of `{}` has no answer to {asked}", self.request.table)
        };
        Diagnostic::error(Code::Extract, self.request.scrubber.scrub(&message))
            .at(self.config.path_place.clone(), "asked here")
            .note(format!("recorded is\n{}", there.join("\n")))
            .help("record it again with --record")
    }
}

fn matches(ask: &Ask, line: &RequestLine, exchange: &Exchange) -> bool {
    *line == ask.line && exchange.head.json == ask.recorded_json
}

impl Transport for Recording<'_> {
    fn send(&self, ask: &Ask) -> Result<Answer, Trouble> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (self.exchanges.iter().enumerate())
            .find(|(index, (line, exchange))| !used[*index] && matches(ask, line, exchange));
        let Some((index, (_, exchange))) = found else { return Err(Trouble::Final(self.missing(ask))) };
        if !self.covers(exchange.head.since.as_deref(), ask.since.as_deref()) {
            let from =
                |since: Option<&str>| since.map_or("everything".to_owned(), |since| format!("rows from `{since}` on"));
            return Err(Trouble::Final(
                Diagnostic::error(
                    Code::Extract,
                    format!(
                        "the recording of `{}` has only {}",
                        self.request.table,
                        from(exchange.head.since.as_deref())
                    ),
                )
                .at(self.config.path_place.clone(), "asked here")
                .note(format!("this run asks for {}", from(ask.since.as_deref())))
                .help("replay the recordings in the order in which they were made, or record with --full-refresh"),
            ));
        }
        used[index] = true;
        let mut headers = Headers::default();
        exchange.head.headers.iter().for_each(|(name, value)| headers.set(name, value));
        let body = exchange.body().map_err(Trouble::Final)?;
        Ok(Answer { status: exchange.head.status, headers, body })
    }

    fn renew(&self) -> Result<bool, Trouble> {
        Ok(true)
    }

    fn is_live(&self) -> bool {
        false
    }
}
