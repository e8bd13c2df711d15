//! Tables behind REST APIs.
//!
//! [`pages`] says what is asked next, [`send`] asks with patience, [`client`] is the server and [`replay`] a
//! recording of it, [`walk`] puts the batch together and judges whether the walk was consistent.

mod client;
mod pages;
mod replay;
mod send;
mod transport;
mod walk;
mod words;

use super::Request;
use super::config::{Auth, KeyPlace, Paginate, RestConfig};
use super::document::{self, Path};
use crate::diagnostic::{Code, Diagnostic};
use std::ops::Range;
use transport::{Headers, Trouble};
use url::Url;

pub use transport::{Answer, Ask};
pub use walk::fetch;

/// One page, read: the records and the paginator's values as places in the body.
pub struct Page {
    headers: Headers,
    body: String,
    records: Vec<Range<usize>>,
    values: [Option<Range<usize>>; 3],
}

impl Page {
    fn value(&self, slot: usize) -> Option<&str> {
        self.values[slot].clone().map(|range| &self.body[range])
    }

    fn total(&self) -> Option<u64> {
        document::scalar(self.value(pages::TOTAL)?)?.parse().ok()
    }

    fn records(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|range| &self.body[range.clone()])
    }

    /// The names at the top of the body, for messages.
    fn names(&self) -> String {
        let names = document::top_names(&self.body);
        if names.is_empty() { "no names at its top".to_owned() } else { format!("`{}`", names.join("`, `")) }
    }
}

impl RestConfig {
    fn more(&self) -> Option<&Path> {
        match &self.paginate {
            Paginate::Page { more, .. } | Paginate::Offset { more, .. } | Paginate::Cursor { more, .. } => {
                more.as_ref()
            }
            _ => None,
        }
    }

    fn total(&self) -> Option<&Path> {
        match &self.paginate {
            Paginate::Page { total, .. } | Paginate::Offset { total, .. } => total.as_ref().map(|total| &total.path),
            _ => None,
        }
    }

    /// Whether the total was named by people, not only looked for where it mostly is.
    fn total_is_given(&self) -> bool {
        match &self.paginate {
            Paginate::Page { total, .. } | Paginate::Offset { total, .. } => {
                total.as_ref().is_some_and(|total| total.is_given)
            }
            _ => false,
        }
    }

    fn cursor(&self) -> Option<&Path> {
        match &self.paginate {
            Paginate::Cursor { cursor, .. } => Some(cursor),
            Paginate::NextLink(path) => Some(path),
            _ => None,
        }
    }

    /// The parameter that carries the API key, if it goes into the query.
    fn key_param(&self) -> Option<&str> {
        match &self.auth {
            Auth::ApiKey { name, place: KeyPlace::Query, .. } => Some(name),
            _ => None,
        }
    }
}

/// Reads an answer of status 2xx.
fn read_page(request: &Request<'_>, config: &RestConfig, answer: &Answer) -> Result<Page, Trouble> {
    let failed =
        |message: String| Diagnostic::error(Code::Extract, message).at(config.path_place.clone(), "asked here");
    if answer.status == 204 {
        let empty =
            Page { headers: answer.headers.clone(), body: String::new(), records: vec![], values: [None, None, None] };
        return Ok(empty);
    }
    if words::is_html(answer) {
        let said = words::words(answer);
        let said = request.scrubber.scrub(&said);
        return Err(Trouble::Final(
            failed(format!("the server of `{}` answered with a web page, not with data: {said}", request.source))
                .help("is this the API's address, and are the credentials the right ones?"),
        ));
    }
    let body = String::from_utf8(answer.body.clone())
        .map_err(|_| Trouble::Final(failed(format!("an answer for `{}` is not UTF-8", request.table))))?;
    let paths = [config.more(), config.total(), config.cursor()];
    let parts = document::read(&body, &config.records, &paths)
        .map_err(|cause| Trouble::Again(format!("the answer is broken JSON: {cause}")))?;
    let place = |raw: &str| {
        let start = raw.as_ptr() as usize - body.as_ptr() as usize;
        start..start + raw.len()
    };
    let values = [pages::MORE, pages::TOTAL, pages::CURSOR].map(|slot| parts.values[slot].map(place));
    let records = parts.records.as_ref().map(|records| records.iter().map(|raw| place(raw)).collect());
    let mut page = Page { headers: answer.headers.clone(), body: String::new(), records: vec![], values };
    page.body = body;
    match records {
        Some(records) => page.records = records,
        None => {
            return Err(Trouble::Final(
                failed(format!("the answer has nothing at `{}`", config.records.as_str()))
                    .note(format!("it has {}", page.names()))
                    .help("correct `records` of the table"),
            ));
        }
    }
    Ok(page)
}

/// Refuses a URL on another host than the API's: it would be given the credentials.
fn same_host(base: &Url, url: &Url, request: &Request<'_>) -> Result<(), Diagnostic> {
    if base.origin() == url.origin() {
        return Ok(());
    }
    let (from, to) = (base.origin().ascii_serialization(), url.origin().ascii_serialization());
    Err(Diagnostic::error(Code::Extract, format!("the server of `{}` leads from {from} to {to}", request.source))
        .at(request.config.place.clone(), "for this table")
        .note("credentials are sent to the host of `base_url` only")
        .help("if that host is right, write it as `base_url`"))
}
