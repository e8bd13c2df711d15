//! `constraints:` of models and columns in properties YAML.

use super::not_one_of;
use crate::diagnostic::Span;
use crate::project::yaml::{Found, Reader, Yaml};

/// What a constraint demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A condition on each row.
    Check,
    /// No NULL.
    NotNull,
    /// No value twice.
    Unique,
    /// Both.
    PrimaryKey,
    /// A row of another table.
    ForeignKey,
    /// DDL as it is written.
    Custom,
}

impl ConstraintKind {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Check, Self::NotNull, Self::Unique, Self::PrimaryKey, Self::ForeignKey, Self::Custom];

    /// The word under `type:`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::NotNull => "not_null",
            Self::Unique => "unique",
            Self::PrimaryKey => "primary_key",
            Self::ForeignKey => "foreign_key",
            Self::Custom => "custom",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A constraint as written.
#[derive(Debug, Clone)]
pub struct ConstraintProperties {
    /// What it demands.
    pub kind: ConstraintKind,
    /// Where it stands.
    pub span: Span,
    /// Its name in the warehouse.
    pub name: Option<String>,
    /// SQL whose meaning depends on the kind.
    pub expression: Option<String>,
    /// The columns that it is about, where it stands at a model.
    pub columns: Vec<String>,
    /// Of a foreign key: `ref('…')` or `source('…', '…')`, and where it stands.
    pub to: Option<(String, Span)>,
    /// Of a foreign key: the columns there.
    pub to_columns: Vec<String>,
    /// Whether to warn where the warehouse takes it without checking it.
    pub warn_unenforced: bool,
    /// Whether to warn where the warehouse has no such constraints.
    pub warn_unsupported: bool,
}

/// Where constraints stand: those of a model name their columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Model,
    Column,
}

/// The constraints under `constraints:`.
pub(super) fn read_all(reader: &mut Reader<'_>, level: Level) -> Vec<ConstraintProperties> {
    let entries = reader.sequence("constraints");
    entries.iter().filter_map(|entry| read(entry, level, reader.found())).collect()
}

fn read(entry: &Yaml, level: Level, found: &Found) -> Option<ConstraintProperties> {
    let mut reader = Reader::new(entry, "constraint", found);
    let word = reader.required_text("type");
    let kind = word.and_then(|(word, span)| {
        let kind = ConstraintKind::from_word(&word);
        if kind.is_none() {
            let allowed = ConstraintKind::ALL.map(ConstraintKind::as_str);
            reader.report(not_one_of("type of constraints", &word, span, &allowed));
        }
        kind
    });
    let columns = if level == Level::Model { reader.texts("columns") } else { None };
    let properties = ConstraintProperties {
        kind: kind.unwrap_or(ConstraintKind::Custom),
        span: entry.span.clone(),
        name: reader.text("name"),
        expression: reader.text("expression"),
        columns: columns.unwrap_or_default(),
        to: reader.placed_text("to").map(|(text, span)| (text, span.clone())),
        to_columns: reader.texts("to_columns").unwrap_or_default(),
        warn_unenforced: reader.boolean("warn_unenforced").unwrap_or(true),
        warn_unsupported: reader.boolean("warn_unsupported").unwrap_or(true),
    };
    reader.finish();
    kind.map(|_| properties)
}
