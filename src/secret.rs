//! Values that must never be shown, and the filter that every text passes on its way out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands in place of a secret wherever it would have been shown.
pub const MASK: &str = "*****";

/// A text that cannot be displayed or serialised: passwords, keys, tokens.
///
/// It has no `Display` and no `Serialize`; its `Debug` shows [`MASK`], so that structs that hold one
/// may still be printed while developing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text out of sight.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that has to send it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// Replaces known secrets in texts, in each form in which they may come back: as they are, URL-encoded,
/// in base64 (also within a longer text that was encoded, as in basic authentication), escaped for JSON
/// or SQL.
///
/// Clones share what they know: a token that was fetched in the middle of a run is added once and is
/// masked everywhere from then on.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// Every form of every secret, longest first, so that a form within another one leaves no rest.
    forms: Arc<RwLock<Vec<String>>>,
}

impl Scrubber {
    /// Knows the given secrets.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let scrubber = Self::default();
        secrets.into_iter().for_each(|secret| scrubber.add(secret));
        scrubber
    }

    /// Makes one more secret known. An empty one is ignored: it would match everywhere.
    pub fn add(&self, secret: &Secret) {
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms_of(secret.expose()) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
    }

    /// The text with [`MASK`] in place of every secret.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut scrubbed = Cow::Borrowed(text);
        for form in forms.iter() {
            if scrubbed.contains(form.as_str()) {
                scrubbed = Cow::Owned(scrubbed.replace(form.as_str(), MASK));
            }
        }
        scrubbed
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        write!(formatter, "Scrubber({} forms)", forms.len())
    }
}

/// Secrets shorter than this are looked for as they are only: their encoded forms would match by chance.
const SHORTEST_ENCODED: usize = 4;

fn forms_of(secret: &str) -> Vec<String> {
    if secret.trim().is_empty() {
        return vec![];
    }
    let mut forms = vec![secret.to_owned(), secret.replace('\'', "''"), json_escaped(secret)];
    forms.push(forms[2].replace('/', "\\/"));
    for plus in [false, true] {
        for lower in [false, true] {
            forms.push(url_encoded(secret, plus, lower));
        }
    }
    if secret.len() >= SHORTEST_ENCODED {
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.extend((0..3).filter_map(|offset| base64_within(engine, secret, offset)));
        }
    }
    forms
}

fn json_escaped(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Percent-encoded, space as `%20` or `+`, hexadecimal digits in either case.
fn url_encoded(secret: &str, plus: bool, lower: bool) -> String {
    use fmt::Write as _;
    let mut encoded = String::with_capacity(secret.len());
    for byte in secret.bytes() {
        let written = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
                Ok(())
            }
            b' ' if plus => {
                encoded.push('+');
                Ok(())
            }
            _ if lower => write!(encoded, "%{byte:02x}"),
            _ => write!(encoded, "%{byte:02X}"),
        };
        debug_assert!(written.is_ok(), "writing to a string does not fail");
    }
    encoded
}

/// The characters of base64 that only the secret decides, when `offset` bytes (modulo 3) stand before it
/// and anything may stand behind it.
fn base64_within(engine: &base64::engine::GeneralPurpose, secret: &str, offset: usize) -> Option<String> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(secret.as_bytes());
    let encoded = engine.encode(&bytes);
    let start = (offset * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    encoded.get(start..end).filter(|form| form.len() >= SHORTEST_ENCODED).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = "p@ss w/or\"d'é\n";
        let scrubber = Scrubber::new([&Secret::new(secret)]);
        let basic = |user: &str| STANDARD.encode(format!("{user}:{secret}"));
        for shown in [
            secret.to_owned(),
            serde_json::json!({ "password": secret }).to_string(),
            format!("create user with password '{}'", secret.replace('\'', "''")),
            "https://h/?key=p%40ss%20w%2For%22d%27%C3%A9%0A&x=1".to_owned(),
            "key=p%40ss+w%2for%22d%27%c3%a9%0a".to_owned(),
            basic("a"),
            basic("ab"),
            basic("abc"),
        ] {
            let masked = scrubber.scrub(&shown);
            assert!(masked.contains(MASK), "not masked: {shown}");
            assert!(!masked.contains("ss w") && !masked.contains("p%40ss"), "{masked}");
        }
    }

    #[test]
    fn nothing_else_is_touched_and_an_empty_secret_is_ignored() {
        let scrubber = Scrubber::new([&Secret::new(""), &Secret::new("  ")]);
        assert!(matches!(scrubber.scrub("select 1"), Cow::Borrowed("select 1")));
    }

    #[test]
    fn clones_share_what_is_added_later_and_debug_shows_nothing() {
        let first = Scrubber::default();
        let second = first.clone();
        let token = Secret::new("tok_123456");
        first.add(&token);
        assert_eq!(second.scrub("Bearer tok_123456"), "Bearer *****");
        assert_eq!(format!("{token:?}"), MASK);
        assert!(!format!("{second:?}").contains("tok"));
    }
}
