//! An answer in JSON, and the parts of it that are wanted: the records and a few values of the paginator.
//!
//! Records stay the server's own text: a page is never built as a tree, and no number passes through binary
//! floating point. Paths of names, indexes and one closing `[*]` are read in a single pass; any other `JSONPath`
//! costs a tree to find the places, but gives the same texts.

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json_path::PathElement;
use std::fmt;

/// A path into a document, as people wrote it.
#[derive(Debug, Clone)]
pub struct Path {
    text: String,
    plain: Option<Vec<Step>>,
    query: serde_json_path::JsonPath,
}

/// One step of a path that needs no query.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Each,
}

impl Path {
    /// Reads a path such as `$.data[*]`; the error is the reason, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let query = serde_json_path::JsonPath::parse(text).map_err(|cause| cause.to_string())?;
        Ok(Self { text: text.to_owned(), plain: plain_steps(text), query })
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// `$.a.b[*]` in steps; none for anything beyond names and one `[*]` at the end.
fn plain_steps(text: &str) -> Option<Vec<Step>> {
    let rest = text.strip_prefix('$')?;
    let (names, each) = match rest.strip_suffix("[*]") {
        Some(names) => (names, true),
        None => (rest, false),
    };
    let mut steps = Vec::new();
    if !names.is_empty() {
        for name in names.strip_prefix('.')?.split('.') {
            let plain = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
            if !plain || name.starts_with(|letter: char| letter.is_ascii_digit()) {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
        }
    }
    if each {
        steps.push(Step::Each);
    }
    Some(steps)
}

/// What was found in a document. Texts are JSON as the server wrote it.
#[derive(Debug, PartialEq)]
pub struct Parts<'a> {
    /// The records; none if there is nothing at the path of the records at all.
    pub records: Option<Vec<&'a str>>,
    /// One for each path that was asked for.
    pub values: Vec<Option<&'a str>>,
}

/// Finds the records and the values at `paths`, where there is a path. An array at the path of the records counts
/// as its items.
pub fn read<'a>(text: &'a str, records: &Path, paths: &[Option<&Path>]) -> Result<Parts<'a>, serde_json::Error> {
    let mut want = Want::default();
    let mut taken = Taken { records: None, values: vec![None; paths.len()] };
    let values = paths.iter().enumerate().filter_map(|(index, path)| Some((Slot::Value(index), (*path)?)));
    let all: Vec<(Slot, &Path)> = std::iter::once((Slot::Records, records)).chain(values).collect();
    if all.iter().all(|(_, path)| path.plain.is_some()) {
        for (slot, path) in &all {
            want.add_plain(path, *slot);
        }
    } else {
        let tree: serde_json::Value = serde_json::from_str(text)?;
        for (slot, path) in &all {
            want.add_found(path, &tree, *slot);
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Walk { want: &want, taken: &mut taken }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Parts { records: taken.records, values: taken.values })
}

#[derive(Debug, Clone, Copy)]
enum Slot {
    Records,
    Value(usize),
}

/// The places of interest below one place of a document.
#[derive(Debug, Default)]
struct Want {
    slots: Vec<Slot>,
    each: Option<Slot>,
    names: FxHashMap<String, Want>,
    indexes: FxHashMap<usize, Want>,
}

impl Want {
    fn add_plain(&mut self, path: &Path, slot: Slot) {
        let mut at = self;
        for step in path.plain.iter().flatten() {
            match step {
                Step::Name(name) => at = at.names.entry(name.clone()).or_default(),
                Step::Each => {
                    at.each = Some(slot);
                    return;
                }
            }
        }
        at.slots.push(slot);
    }

    fn add_found(&mut self, path: &Path, tree: &serde_json::Value, slot: Slot) {
        for node in path.query.query_located(tree).iter() {
            let mut at = &mut *self;
            for element in node.location().iter() {
                at = match element {
                    PathElement::Name(name) => at.names.entry((*name).to_owned()).or_default(),
                    PathElement::Index(index) => at.indexes.entry(*index).or_default(),
                };
            }
            at.slots.push(slot);
        }
    }

    fn is_leaf(&self) -> bool {
        self.each.is_none() && self.names.is_empty() && self.indexes.is_empty()
    }
}

struct Taken<'a> {
    records: Option<Vec<&'a str>>,
    values: Vec<Option<&'a str>>,
}

impl<'a> Taken<'a> {
    fn take(&mut self, slot: Slot, raw: &'a str) -> Result<(), serde_json::Error> {
        match slot {
            Slot::Value(index) => self.values[index] = Some(raw),
            Slot::Records => {
                let records = self.records.get_or_insert_default();
                if raw.starts_with('[') {
                    records.extend(serde_json::from_str::<Vec<&RawValue>>(raw)?.into_iter().map(RawValue::get));
                } else if raw != "null" {
                    records.push(raw);
                }
            }
        }
        Ok(())
    }
}

/// Walks a document along the places of interest, skipping all others.
struct Walk<'w, 'a> {
    want: &'w Want,
    taken: &'w mut Taken<'a>,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.want.slots.is_empty() {
            return deserializer.deserialize_any(self);
        }
        let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?.get();
        for slot in &self.want.slots {
            self.taken.take(*slot, raw).map_err(D::Error::custom)?;
        }
        if self.want.is_leaf() {
            return Ok(());
        }
        serde_json::Deserializer::from_str(raw).deserialize_any(self).map_err(D::Error::custom)
    }
}

impl<'a> Visitor<'a> for Walk<'_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if let Some(want) = self.want.names.get(&name) {
                map.next_value_seed(Walk { want, taken: &mut *self.taken })?;
            } else if let Some(slot) = self.want.each {
                let raw = map.next_value::<&RawValue>()?.get();
                self.taken.take(slot, raw).map_err(A::Error::custom)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        match self.want.each {
            Some(Slot::Records) => {
                let records = self.taken.records.get_or_insert_default();
                while let Some(raw) = seq.next_element::<&RawValue>()? {
                    records.push(raw.get());
                }
            }
            Some(slot) => {
                while let Some(raw) = seq.next_element::<&RawValue>()? {
                    self.taken.take(slot, raw.get()).map_err(A::Error::custom)?;
                }
            }
            None => {
                for index in 0.. {
                    let more = match self.want.indexes.get(&index) {
                        Some(want) => seq.next_element_seed(Walk { want, taken: &mut *self.taken })?.is_some(),
                        None => seq.next_element::<IgnoredAny>()?.is_some(),
                    };
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // `"data": null` says that there are no records, which is not the same as saying nothing of records.
        if matches!(self.want.each, Some(Slot::Records)) {
            self.taken.records.get_or_insert_default();
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// The text of a JSON scalar: a text without quotes and escapes, a number or truth value as written.
/// None for `null`, objects and lists.
pub fn scalar(raw: &str) -> Option<String> {
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.to_owned()),
    }
}

/// Whether a value says "there is more": anything but false, null, 0 and the empty text.
pub fn says_yes(raw: &str) -> bool {
    !matches!(raw, "false" | "null" | "0" | "\"\"" | "\"false\"" | "[]" | "{}")
}

/// The names at the top of a document, for messages about a path that leads nowhere.
pub fn top_names(text: &str) -> Vec<String> {
    let tree: Result<IndexMap<String, IgnoredAny>, _> = serde_json::from_str(text);
    tree.map(|names| names.into_keys().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).expect("a JSONPath")
    }

    fn records<'a>(text: &'a str, at: &str) -> Option<Vec<&'a str>> {
        read(text, &path(at), &[]).expect("JSON").records
    }

    #[test]
    fn records_stay_the_text_of_the_server() {
        let text = r#"{"skip": [1, {"data": 2}], "data": [ {"a": 1.10} , {"a":12345678901234567890} ], "n": 1}"#;
        let expected = Some(vec![r#"{"a": 1.10}"#, r#"{"a":12345678901234567890}"#]);
        for at in ["$.data[*]", "$.data", "$['data'][*]", "$.data[0:]"] {
            assert_eq!(records(text, at), expected, "{at}");
        }
        assert_eq!(records("[{}, 1]", "$[*]"), Some(vec!["{}", "1"]));
        assert_eq!(records(r#"{"a": {"b": [[1], 2]}}"#, "$.a.b[*]"), Some(vec!["[1]", "2"]));
        assert_eq!(
            records(r#"{"a": {"x": {"i": 1}, "y": {"i": 2}}}"#, "$.a[*]"),
            Some(vec![r#"{"i": 1}"#, r#"{"i": 2}"#])
        );
        assert_eq!(
            records(r#"{"data": [{"on": true, "i": 1.0}, {"on": false}]}"#, "$.data[?@.on == true]")
                .map(|found| found.len()),
            Some(1)
        );
    }

    #[test]
    fn no_records_and_nothing_at_the_path_differ() {
        assert_eq!(records(r#"{"data": []}"#, "$.data[*]"), Some(vec![]));
        assert_eq!(records(r#"{"data": null}"#, "$.data[*]"), Some(vec![]));
        assert_eq!(records(r#"{"data": null}"#, "$.data"), Some(vec![]));
        assert_eq!(records(r#"{"date": []}"#, "$.data[*]"), None);
        assert_eq!(records("3", "$.data[*]"), None);
    }

    #[test]
    fn values_are_found_beside_the_records() {
        let text = r#"{"meta": {"next": "a\"b", "total": 7}, "data": [1], "has_next": false}"#;
        let paths = [path("$.meta.next"), path("$.meta"), path("$.has_next"), path("$.nothing")];
        let parts = read(text, &path("$.data[*]"), &paths.each_ref().map(Some)).expect("JSON");
        assert_eq!(parts.values, [Some(r#""a\"b""#), Some(r#"{"next": "a\"b", "total": 7}"#), Some("false"), None]);
        assert_eq!(scalar(parts.values[0].expect("found")).as_deref(), Some("a\"b"));
    }

    #[test]
    fn a_cut_body_is_an_error() {
        for cut in ["", "{\"data\": [{\"a\": 1}", "{\"data\": []} x", "{\"data\": [{\"a\": \"b"] {
            assert!(read(cut, &path("$.data[*]"), &[]).is_err(), "{cut}");
        }
        assert!(Path::parse("data[*]").is_err());
    }
}
