//! What is asked and what is answered, whether by a server or by a recording.

use crate::diagnostic::Diagnostic;
use chrono::{DateTime, Utc};
use url::Url;

/// One request for a page.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The whole URL, without credentials.
    pub url: Url,
    /// How the request is known to recordings.
    pub line: RequestLine,
    /// The JSON body, if one is sent.
    pub json: Option<serde_json::Value>,
    /// The body without the parameter of `incremental`: how the request is known to recordings.
    pub recorded_json: Option<serde_json::Value>,
    /// From where rows are asked for, as watermark text.
    pub since: Option<String>,
}

/// Method, path behind the base URL, and parameters: what makes two requests the same.
#[derive(Debug, Clone)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The path, with a slash at its start.
    pub path: String,
    /// The parameters in the order in which they were sent.
    pub params: Vec<(String, String)>,
}

impl RequestLine {
    /// Reads `GET /path?a=1`. None if it is no such line.
    pub fn parse(text: &str) -> Option<Self> {
        let (method, target) = text.split_once(' ')?;
        let (path, query) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
        if !path.starts_with('/') {
            return None;
        }
        let params = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Some(Self { method: method.to_ascii_uppercase(), path: path.to_owned(), params })
    }
}

/// The order of parameters does not matter.
impl PartialEq for RequestLine {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |line: &Self| {
            let mut params = line.params.clone();
            params.sort();
            params
        };
        self.method == other.method && self.path == other.path && sorted(self) == sorted(other)
    }
}

impl std::fmt::Display for RequestLine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)?;
        if self.params.is_empty() {
            return Ok(());
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.params).finish();
        write!(formatter, "?{query}")
    }
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that count.
    pub headers: Headers,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

/// The headers that count, as the server wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// The server's clock.
    pub date: Option<String>,
    /// Links to other pages.
    pub link: Option<String>,
    /// How long to wait.
    pub retry_after: Option<String>,
    /// What the body is.
    pub content_type: Option<String>,
}

impl Headers {
    /// The headers by name, in the spelling of recordings.
    pub fn named(&self) -> [(&'static str, Option<&String>); 4] {
        [
            ("Date", self.date.as_ref()),
            ("Link", self.link.as_ref()),
            ("Retry-After", self.retry_after.as_ref()),
            ("Content-Type", self.content_type.as_ref()),
        ]
    }

    /// Takes a header if it counts.
    pub fn set(&mut self, name: &str, value: &str) {
        let slot = match name.to_ascii_lowercase().as_str() {
            "date" => &mut self.date,
            "link" => &mut self.link,
            "retry-after" => &mut self.retry_after,
            "content-type" => &mut self.content_type,
            _ => return,
        };
        match slot {
            // `Link` may come in several lines, which mean the same as one.
            Some(before) => {
                before.push_str(", ");
                before.push_str(value);
            }
            None => *slot = Some(value.to_owned()),
        }
    }

    /// The server's clock, if it says.
    pub fn date(&self) -> Option<DateTime<Utc>> {
        httpdate::parse_http_date(self.date.as_deref()?).ok().map(DateTime::from)
    }

    /// The target of the link with `rel="next"`.
    pub fn next_link(&self) -> Option<&str> {
        let mut rest = self.link.as_deref()?;
        loop {
            let (_, after) = rest.split_once('<')?;
            let (target, after) = after.split_once('>')?;
            let parameters = &after[..after.find('<').unwrap_or(after.len())];
            let next = parameters.split(';').any(|parameter| {
                let Some((name, value)) = parameter.split_once('=') else { return false };
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
            });
            if next {
                return Some(target);
            }
            rest = after;
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// It may work the next time.
    Again(String),
    /// It will not.
    Final(Diagnostic),
}

/// Where answers come from.
pub trait Transport: Sync {
    /// Sends one request, once.
    fn send(&self, ask: &Ask) -> Result<Answer, Trouble>;

    /// Makes new credentials after the server refused the old ones. False if there are no others.
    fn renew(&self) -> Result<bool, Trouble>;

    /// Whether a server is behind it, which needs time and patience.
    fn is_live(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parameters_does_not_matter() {
        let parse = |text| RequestLine::parse(text).expect("a request line");
        let line = parse("GET /v2/customers?page=1&q=a+b%26c");
        assert_eq!(line, parse("get /v2/customers?q=a%20b%26c&page=1"));
        assert_ne!(line, parse("GET /v2/customers?page=2&q=a+b%26c"));
        assert_ne!(line, parse("POST /v2/customers?page=1&q=a+b%26c"));
        assert_eq!(line.to_string(), "GET /v2/customers?page=1&q=a+b%26c");
        assert_eq!(RequestLine::parse("GET https://other/x").map(|line| line.path), None);
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        let mut headers = Headers::default();
        headers.set("link", r#"<https://h/p?page=1>; rel="first prev""#);
        headers.set("Link", r#"<https://h/p?page=3,4>; title="a;b"; rel="last next", <https://h/p?page=9>; rel=last"#);
        assert_eq!(headers.next_link(), Some("https://h/p?page=3,4"));
        headers.link = Some("<https://h/p>; rel=last".to_owned());
        assert_eq!(headers.next_link(), None);
    }
}
