//! How one page leads to the next: the request of a page, and where the walk goes from its answer.

use super::super::Request;
use super::super::config::{Method, Paginate, ParameterFormat, RestConfig};
use super::super::document::{says_yes, scalar};
use super::super::position::moment;
use super::transport::{Ask, RequestLine};
use super::{Page, same_host};
use crate::diagnostic::{Code, Diagnostic};
use serde::{Deserialize, Serialize};
use url::Url;

/// Where a walk stands: which page is to be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mark {
    /// The first page of a table without numbered pages.
    First,
    /// The page of this number.
    Page(u64),
    /// The page behind so many rows.
    Offset(u64),
    /// The page from this mark on.
    Cursor(String),
    /// The page at this URL.
    Url(String),
}

/// What a walk has to know to go on from a page.
#[derive(Debug, Clone, Copy)]
pub struct SoFar {
    /// Records of this walk, this page included.
    pub records: u64,
    /// Whether this is the first page.
    pub first: bool,
}

/// The pages of one table.
pub struct Pages<'a> {
    request: &'a Request<'a>,
    config: &'a RestConfig,
    /// The value of the incremental parameter, if only what changed is asked for.
    since: Option<String>,
}

impl<'a> Pages<'a> {
    /// The pages of a table from the position `since` on.
    pub fn new(request: &'a Request<'a>, config: &'a RestConfig, since: Option<&str>) -> Self {
        Self { request, config, since: since.map(str::to_owned) }
    }

    /// Where every walk begins.
    pub fn first(&self) -> Mark {
        match &self.config.paginate {
            Paginate::Page { start, .. } => Mark::Page(*start),
            Paginate::Offset { .. } => Mark::Offset(0),
            Paginate::None | Paginate::Cursor { .. } | Paginate::NextLink(_) | Paginate::LinkHeader => Mark::First,
        }
    }

    /// The request for a page.
    pub fn ask(&self, mark: &Mark) -> Result<Ask, Diagnostic> {
        let mut params = self.config.params.clone();
        let (mut in_body, mut since_param) = (Vec::new(), None);
        let place =
            |params: &mut Vec<(String, String)>, in_body: &mut Vec<(String, String)>, name: &str, value: String| {
                match self.config.method {
                    Method::Get => set(params, name, value),
                    Method::Post => in_body.push((name.to_owned(), value)),
                }
            };
        if let (Some(text), Some(incremental)) = (&self.since, &self.config.incremental) {
            since_param = Some((incremental.param.clone(), self.since_value(text, &incremental.format)?));
        }
        match (&self.config.paginate, mark) {
            (Paginate::Page { param, size, .. }, Mark::Page(number)) => {
                place(&mut params, &mut in_body, param, number.to_string());
                if let Some((size_param, size)) = size {
                    place(&mut params, &mut in_body, size_param, size.to_string());
                }
            }
            (Paginate::Offset { param, limit, .. }, Mark::Offset(offset)) => {
                place(&mut params, &mut in_body, param, offset.to_string());
                if let Some((limit_param, limit)) = limit {
                    place(&mut params, &mut in_body, limit_param, limit.to_string());
                }
            }
            (Paginate::Cursor { param, .. }, Mark::Cursor(cursor)) => {
                place(&mut params, &mut in_body, param, cursor.clone());
            }
            _ => {}
        }
        let mut url = self.url(mark)?;
        if let Mark::Url(_) = mark {
            // A link carries all parameters of its page; those of the question are not added twice.
            params = url.query_pairs().into_owned().collect();
            since_param = since_param.filter(|_| self.config.method == Method::Post);
        }
        let incremental = self.config.incremental.as_ref().map(|incremental| incremental.param.as_str());
        let recorded = params.iter().filter(|(name, _)| Some(name.as_str()) != incremental).cloned().collect();
        let recorded_json = self.body(&in_body);
        if let Some((name, value)) = since_param {
            place(&mut params, &mut in_body, &name, value);
        }
        if !matches!(mark, Mark::Url(_)) {
            url.set_query(None);
            if !params.is_empty() {
                url.query_pairs_mut().extend_pairs(&params);
            }
        }
        let line = RequestLine {
            method: self.config.method.as_str().to_owned(),
            path: path_behind(&self.config.base_url, &url),
            params: recorded,
        };
        Ok(Ask { url, line, json: self.body(&in_body), recorded_json, since: self.since.clone() })
    }

    fn url(&self, mark: &Mark) -> Result<Url, Diagnostic> {
        let broken = |text: &str, why: &str| {
            Diagnostic::error(Code::Extract, format!("`{}` leads nowhere: {why}", self.request.scrubber.scrub(text)))
                .at(self.config.path_place.clone(), "for this path")
        };
        let base = super::super::config::below(&self.config.base_url, &self.config.path)
            .ok_or_else(|| broken(&self.config.path, "it is no path"))?;
        let Mark::Url(text) = mark else { return Ok(base) };
        let mut url = base.join(text).map_err(|cause| broken(text, &cause.to_string()))?;
        same_host(&self.config.base_url, &url, self.request)?;
        if let Some(name) = self.config.key_param() {
            // Servers like to repeat the key in their links; it is added when the request is sent.
            let rest: Vec<(String, String)> =
                url.query_pairs().into_owned().filter(|(found, _)| found != name).collect();
            url.set_query(None);
            if !rest.is_empty() {
                url.query_pairs_mut().extend_pairs(rest);
            }
        }
        Ok(url)
    }

    fn body(&self, params: &[(String, String)]) -> Option<serde_json::Value> {
        if self.config.method == Method::Get {
            return None;
        }
        let mut body = self.config.json.clone().unwrap_or_else(|| serde_json::json!({}));
        if let Some(map) = body.as_object_mut() {
            for (name, value) in params {
                let number = value.parse::<u64>().ok().filter(|number| number.to_string() == *value);
                map.insert(name.clone(), number.map_or_else(|| value.clone().into(), Into::into));
            }
        }
        Some(body)
    }

    fn since_value(&self, text: &str, format: &ParameterFormat) -> Result<String, Diagnostic> {
        if *format == ParameterFormat::AsIs {
            return Ok(text.to_owned());
        }
        let kind = self.config.incremental.as_ref().map(|incremental| incremental.by.kind);
        let Some(moment) = kind.and_then(|kind| moment(kind, text)) else {
            return Err(Diagnostic::error(Code::Extract, format!("the watermark `{text}` is no point in time"))
                .at(self.config.path_place.clone(), "asked here"));
        };
        Ok(match format {
            ParameterFormat::AsIs => text.to_owned(),
            ParameterFormat::EpochSeconds => moment.timestamp().to_string(),
            ParameterFormat::EpochMilliseconds => moment.timestamp_millis().to_string(),
            ParameterFormat::Pattern(pattern) => moment.format(pattern).to_string(),
        })
    }

    /// Where the walk goes from a page; none where it ends.
    pub fn next(&self, mark: &Mark, page: &Page, so_far: SoFar) -> Result<Option<Mark>, Diagnostic> {
        let count = page.records.len() as u64;
        match (&self.config.paginate, mark) {
            (Paginate::Page { more, .. }, Mark::Page(number)) => {
                Ok(self.goes_on(page, more.is_some(), so_far)?.then_some(Mark::Page(number + 1)))
            }
            (Paginate::Offset { more, .. }, Mark::Offset(offset)) => {
                // Not by the limit: a server may give fewer rows than asked for.
                Ok(self.goes_on(page, more.is_some(), so_far)?.then_some(Mark::Offset(offset + count)))
            }
            (Paginate::Cursor { more, .. }, _) => {
                if more.is_some() && !self.says_more(page, so_far)? {
                    return Ok(None);
                }
                Ok(page.value(CURSOR).and_then(scalar).filter(|cursor| !cursor.is_empty()).map(Mark::Cursor))
            }
            (Paginate::NextLink(_), _) => {
                Ok(page.value(CURSOR).and_then(scalar).filter(|link| !link.is_empty()).map(Mark::Url))
            }
            (Paginate::LinkHeader, _) => Ok(page.headers.next_link().map(|link| Mark::Url(link.to_owned()))),
            _ => Ok(None),
        }
    }

    /// Whether numbered pages go on: as the answer says; else by the total that it tells; else until a page is
    /// empty. That a page is not full says nothing: servers cap the size, or filter what is on a page.
    fn goes_on(&self, page: &Page, has_more: bool, so_far: SoFar) -> Result<bool, Diagnostic> {
        if has_more {
            return self.says_more(page, so_far);
        }
        match page.total().filter(|_| self.config.total_is_given()) {
            Some(total) => Ok(so_far.records < total && !page.records.is_empty()),
            None => Ok(!page.records.is_empty()),
        }
    }

    fn says_more(&self, page: &Page, so_far: SoFar) -> Result<bool, Diagnostic> {
        match page.value(MORE) {
            Some(raw) => Ok(says_yes(raw)),
            // Left out at the end by some servers; left out at the start the path is wrong, and the walk would
            // end after one page without a word.
            None if so_far.first && !page.records.is_empty() => {
                let path = self.config.more().map_or("", |path| path.as_str());
                Err(Diagnostic::error(
                    Code::Extract,
                    format!("the answer has nothing at `{path}`, which should say whether there is more"),
                )
                .at(self.config.path_place.clone(), "for this path")
                .note(format!("it has {}", page.names()))
                .help("correct `more` of `paginate`, or leave it out: then pages are asked for until one is empty"))
            }
            None => Ok(false),
        }
    }
}

/// The position of the paginator's values in what is read from a page.
pub const MORE: usize = 0;
/// The total.
pub const TOTAL: usize = 1;
/// The cursor or the link.
pub const CURSOR: usize = 2;

/// The pages that probably follow a page of `count` records, to be asked for at the same time.
pub fn ahead(mark: &Mark, count: u64, most: usize) -> Vec<Mark> {
    match mark {
        Mark::Page(number) => (1..=most as u64).map(|step| Mark::Page(number + step)).collect(),
        Mark::Offset(offset) if count > 0 => {
            (1..=most as u64).map(|step| Mark::Offset(offset + step * count)).collect()
        }
        _ => vec![],
    }
}

/// Sets a parameter, in the place of one of that name.
fn set(params: &mut Vec<(String, String)>, name: &str, value: String) {
    match params.iter_mut().find(|(known, _)| known == name) {
        Some(param) => param.1 = value,
        None => params.push((name.to_owned(), value)),
    }
}

/// The path of a URL without that of the base URL, so that recordings do not depend on where the API is.
fn path_behind(base: &Url, url: &Url) -> String {
    let base = base.path().trim_end_matches('/');
    url.path().strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(url.path()).to_owned()
}
