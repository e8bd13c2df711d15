//! YAML with places: every key and value knows where it stands, so that every complaint can point at it.
//!
//! This directory is the only door to `saphyr-parser` (reading, with places) and `serde_yaml` (writing).

mod parse;
mod reader;
mod scalar;
mod write;

pub use parse::{parse, parse_text};
pub use reader::{Found, Reader};
pub use write::to_text;

use crate::diagnostic::Span;
use indexmap::IndexMap;
use serde_json::{Map, Number, Value as Json};

/// A YAML value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    /// The value's text in its file.
    pub span: Span,
    /// What it is.
    pub value: YamlValue,
}

/// What a YAML value is, scalars resolved as `PyYAML` resolves them.
#[derive(Debug, Clone, PartialEq)]
pub enum YamlValue {
    /// `null`, `~` or nothing.
    Null,
    /// A truth value; `yes`, `no`, `on` and `off` are truth values too.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    Sequence(Vec<Yaml>),
    /// Keys and values in order.
    Mapping(IndexMap<String, Entry>),
}

/// A key's place and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    /// The value.
    pub value: Yaml,
}

impl Yaml {
    /// The value under a key; none where this is no mapping or has no such key.
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        Some(&self.entry(key)?.value)
    }

    /// The key and value under a key; none where this is no mapping or has no such key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_mapping()?.get(key)
    }

    /// The text, where this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            YamlValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, where this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            YamlValue::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The items, where this is a list.
    pub fn as_sequence(&self) -> Option<&[Yaml]> {
        match &self.value {
            YamlValue::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, where this is a mapping.
    pub fn as_mapping(&self) -> Option<&IndexMap<String, Entry>> {
        match &self.value {
            YamlValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether this is `null` (or nothing at all).
    pub fn is_null(&self) -> bool {
        self.value == YamlValue::Null
    }

    /// A scalar as text, as people wrote it: `1.0` stays `1.0`. None for lists, mappings and null.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            YamlValue::String(text) => Some(text.clone()),
            YamlValue::Bool(value) => Some(value.to_string()),
            YamlValue::Integer(value) => Some(value.to_string()),
            YamlValue::Float(value) => {
                let written = self.span.text();
                if written.parse() == Ok(*value) { Some(written.to_owned()) } else { Some(value.to_string()) }
            }
            YamlValue::Null | YamlValue::Sequence(_) | YamlValue::Mapping(_) => None,
        }
    }

    /// What it is, in words for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            YamlValue::Null => "nothing",
            YamlValue::Bool(_) => "a truth value",
            YamlValue::Integer(_) => "a whole number",
            YamlValue::Float(_) => "a number",
            YamlValue::String(_) => "a text",
            YamlValue::Sequence(_) => "a list",
            YamlValue::Mapping(_) => "a mapping",
        }
    }

    /// The value without its places. Infinite numbers and NaN, which JSON has not, become texts.
    pub fn to_json(&self) -> Json {
        match &self.value {
            YamlValue::Null => Json::Null,
            YamlValue::Bool(value) => Json::Bool(*value),
            YamlValue::Integer(value) => Json::from(*value),
            YamlValue::Float(value) => {
                Number::from_f64(*value).map_or_else(|| Json::String(value.to_string()), Json::Number)
            }
            YamlValue::String(text) => Json::String(text.clone()),
            YamlValue::Sequence(items) => items.iter().map(Yaml::to_json).collect(),
            YamlValue::Mapping(_) => Json::Object(self.to_json_map()),
        }
    }

    /// The entries without their places; no entries where this is no mapping.
    pub fn to_json_map(&self) -> Map<String, Json> {
        self.as_mapping()
            .map(|entries| entries.iter().map(|(key, entry)| (key.clone(), entry.value.to_json())).collect())
            .unwrap_or_default()
    }

    /// The same tree with every scalar text replaced by what `render` makes of it. `render` is given the path of
    /// keys that led to the text, and gives none to leave it as it is. The first problem ends it.
    pub fn render_texts<E>(
        &self,
        path: &mut Vec<String>,
        render: &mut impl FnMut(&[String], &str, &Span) -> Result<Option<Json>, E>,
    ) -> Result<Yaml, E> {
        let value = match &self.value {
            YamlValue::String(text) => match render(path, text, &self.span)? {
                Some(json) => return Ok(Yaml::from_json(&json, &self.span)),
                None => return Ok(self.clone()),
            },
            YamlValue::Sequence(items) => {
                YamlValue::Sequence(items.iter().map(|item| item.render_texts(path, render)).collect::<Result<_, _>>()?)
            }
            YamlValue::Mapping(entries) => {
                let mut rendered = IndexMap::with_capacity(entries.len());
                for (key, entry) in entries {
                    path.push(key.clone());
                    let value = entry.value.render_texts(path, render)?;
                    path.pop();
                    rendered.insert(key.clone(), Entry { key: entry.key.clone(), value });
                }
                YamlValue::Mapping(rendered)
            }
            scalar => scalar.clone(),
        };
        Ok(Yaml { span: self.span.clone(), value })
    }

    /// A value that stands nowhere of its own (rendered from Jinja, given on the command line), as if all of it
    /// stood at `span`.
    pub fn from_json(json: &Json, span: &Span) -> Self {
        let value = match json {
            Json::Null => YamlValue::Null,
            Json::Bool(value) => YamlValue::Bool(*value),
            Json::Number(number) => number
                .as_i64()
                .map_or_else(|| YamlValue::Float(number.as_f64().unwrap_or(f64::NAN)), YamlValue::Integer),
            Json::String(text) => YamlValue::String(text.clone()),
            Json::Array(items) => YamlValue::Sequence(items.iter().map(|item| Self::from_json(item, span)).collect()),
            Json::Object(map) => YamlValue::Mapping(
                map.iter()
                    .map(|(key, value)| (key.clone(), Entry { key: span.clone(), value: Self::from_json(value, span) }))
                    .collect(),
            ),
        };
        Self { span: span.clone(), value }
    }
}
