//! Typed reading of a mapping: each key is asked for once, everything wrong is collected, keys that nobody asked
//! for are complained about with the nearest name that was.

use super::{Entry, Yaml, YamlValue};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use indexmap::IndexMap;
use std::cell::RefCell;

/// Where the readers of one file put what they find.
pub type Found = RefCell<Diagnostics>;

/// Reads one mapping. Call [`Reader::finish`] at the end to hear of unknown keys.
pub struct Reader<'a> {
    what: &'static str,
    span: &'a Span,
    entries: Option<&'a IndexMap<String, Entry>>,
    asked: Vec<&'static str>,
    found: &'a Found,
}

impl<'a> Reader<'a> {
    /// A reader of `yaml`, which is called `what` in messages (`model`, `column`). If it is no mapping, that is
    /// found, and every key is absent; `null` is an empty mapping.
    pub fn new(yaml: &'a Yaml, what: &'static str, found: &'a Found) -> Self {
        let entries = yaml.as_mapping();
        if entries.is_none() && !yaml.is_null() {
            found.borrow_mut().push(
                Diagnostic::error(Code::YamlValue, format!("the {what} must be a mapping, not {}", yaml.kind()))
                    .at(yaml.span.clone(), "expected `key: value` pairs"),
            );
        }
        Self { what, span: &yaml.span, entries, asked: Vec::new(), found }
    }

    /// The place of the whole mapping.
    pub fn span(&self) -> &'a Span {
        self.span
    }

    /// Where findings go.
    pub fn found(&self) -> &'a Found {
        self.found
    }

    /// Adds a finding.
    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// The value of a key; null is absent.
    pub fn yaml(&mut self, key: &'static str) -> Option<&'a Yaml> {
        Some(&self.entry(key)?.value)
    }

    /// The key and the value; null is absent.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.entries?.get(key).filter(|entry| !entry.value.is_null())
    }

    /// The value of a key where the key is there at all, be it null.
    pub fn entry_or_null(&mut self, key: &'static str) -> Option<&'a Yaml> {
        self.asked.push(key);
        Some(&self.entries?.get(key)?.value)
    }

    /// A text; a number or truth value counts as the text that was written.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.yaml(key)?;
        value.scalar_text().or_else(|| self.wrong(key, value, "a text"))
    }

    /// A text with its place.
    pub fn placed_text(&mut self, key: &'static str) -> Option<(String, &'a Span)> {
        let value = self.yaml(key)?;
        match value.scalar_text() {
            Some(text) => Some((text, &value.span)),
            None => self.wrong(key, value, "a text"),
        }
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'static str) -> Option<(String, &'a Span)> {
        self.asked.push(key);
        match self.entries?.get(key).map(|entry| &entry.value) {
            Some(value) if !value.is_null() => match value.scalar_text() {
                Some(text) => Some((text, &value.span)),
                None => self.wrong(key, value, "a text"),
            },
            _ => {
                self.report(
                    Diagnostic::error(Code::YamlValue, format!("the {} needs a `{key}`", self.what))
                        .at(self.span.clone(), format!("`{key}` is missing here")),
                );
                None
            }
        }
    }

    /// A truth value; the words for it count in quotes too.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.yaml(key)?;
        let from_text = || match super::scalar::resolve(value.as_str()?.trim()) {
            YamlValue::Bool(value) => Some(value),
            _ => None,
        };
        value.as_bool().or_else(from_text).or_else(|| self.wrong(key, value, "`true` or `false`"))
    }

    /// A whole number that is not negative; one in quotes counts too.
    pub fn count(&mut self, key: &'static str) -> Option<u64> {
        let value = self.yaml(key)?;
        let number = match &value.value {
            YamlValue::Integer(number) => u64::try_from(*number).ok(),
            YamlValue::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.or_else(|| self.wrong(key, value, "a whole number"))
    }

    /// A list of texts; one text stands for a list of one.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.yaml(key)?;
        if let Some(text) = value.scalar_text() {
            return Some(vec![text]);
        }
        let Some(items) = value.as_sequence() else { return self.wrong(key, value, "a list of texts") };
        let text = |item: &Yaml| item.scalar_text().or_else(|| self.wrong(key, item, "a text"));
        Some(items.iter().filter_map(text).collect())
    }

    /// The items of a list; none are given where the key is absent.
    pub fn sequence(&mut self, key: &'static str) -> &'a [Yaml] {
        let Some(value) = self.yaml(key) else { return &[] };
        value.as_sequence().or_else(|| self.wrong(key, value, "a list")).unwrap_or(&[])
    }

    /// A mapping as it is.
    pub fn mapping(&mut self, key: &'static str) -> Option<&'a Yaml> {
        let value = self.yaml(key)?;
        if value.as_mapping().is_some() { Some(value) } else { self.wrong(key, value, "a mapping") }
    }

    /// A reader of the mapping under a key, called `what` in messages.
    pub fn reader(&mut self, key: &'static str, what: &'static str) -> Option<Reader<'a>> {
        Some(Reader::new(self.yaml(key)?, what, self.found))
    }

    /// Keys that are known but read elsewhere (or not at all): nobody complains about them.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Warns of a known key of dbt that strata does not have.
    pub fn not_supported(&mut self, key: &'static str) {
        if let Some(entry) = self.entry(key) {
            self.report(
                Diagnostic::warning(Code::NotSupported, format!("`{key}` of a {} is not supported yet", self.what))
                    .at(entry.key.clone(), "this has no effect"),
            );
        }
    }

    /// The entries that nobody asked for.
    pub fn rest(&self) -> impl Iterator<Item = (&'a String, &'a Entry)> + use<'a, '_> {
        self.entries.into_iter().flatten().filter(|(key, _)| !self.asked.contains(&key.as_str()))
    }

    /// Warns of each key that nobody asked for.
    pub fn finish(self) {
        for (key, entry) in self.rest() {
            let mut found = Diagnostic::warning(Code::UnknownKey, format!("a {} has no key `{key}`", self.what))
                .at(entry.key.clone(), "this has no effect");
            if let Some(name) = nearest(key, self.asked.iter().copied()) {
                found = found.help(format!("did you mean `{name}`?"));
            }
            self.report(found);
        }
    }

    /// Adds that a value is of the wrong kind.
    fn wrong<T>(&self, key: &str, value: &Yaml, wanted: &str) -> Option<T> {
        self.report(
            Diagnostic::error(
                Code::YamlValue,
                format!("`{key}` of the {} must be {wanted}, not {}", self.what, value.kind()),
            )
            .at(value.span.clone(), format!("expected {wanted}")),
        );
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_text;
    use super::*;
    use crate::diagnostic::{Style, render};

    #[test]
    fn everything_wrong_is_collected_at_once() {
        let yaml = parse_text("nam: orders\nenabled: perhaps\ntags: {a: 1}\ndepth: -1\ncolums: []\n", "schema.yml")
            .expect("valid YAML");
        let found = Found::default();
        let mut reader = Reader::new(&yaml, "model", &found);
        assert_eq!(reader.required_text("name"), None);
        assert_eq!(reader.boolean("enabled"), None);
        assert_eq!(reader.texts("tags"), None);
        assert_eq!(reader.count("depth"), None);
        assert!(reader.sequence("columns").is_empty());
        reader.finish();
        let frames: Vec<String> = found.borrow().iter().map(|found| render(found, Style::Plain)).collect();
        insta::assert_snapshot!(frames.join("\n\n"));
    }

    #[test]
    fn values_are_read_as_dbt_reads_them() {
        let yaml = parse_text("name: 1.10\nenabled: 'yes'\ntags: one\nlimit: '5'\n", "schema.yml").expect("valid YAML");
        let found = Found::default();
        let mut reader = Reader::new(&yaml, "model", &found);
        assert_eq!(reader.text("name").as_deref(), Some("1.10"));
        assert_eq!(reader.boolean("enabled"), Some(true));
        assert_eq!(reader.texts("tags"), Some(vec!["one".to_owned()]));
        assert_eq!(reader.count("limit"), Some(5));
        reader.finish();
        assert!(found.borrow().is_empty());
    }
}
