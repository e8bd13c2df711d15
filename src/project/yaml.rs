//! YAML with places: every key and value knows where it stands, so that every complaint can point at it.

use crate::diagnostic::Span;
use indexmap::IndexMap;

/// A YAML value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    /// The value's text in its file.
    pub span: Span,
    /// What it is.
    pub value: YamlValue,
}

/// What a YAML value is, scalars resolved as PyYAML resolves them.
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
