//! What a source's `connector:` and a table's `extract:` say, typed.

mod database;
mod files;
mod paginate;
mod rest;
mod warehouse;

use super::intake::{type_from_word, type_word};
use super::position::WatermarkKind;
use crate::adapter::ColumnType;
use crate::diagnostic::{Code, Diagnostic, Result, Span, nearest};
use crate::project::yaml::{Found, Reader, Yaml, YamlValue};
use crate::secret::Secret;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

pub use database::{Relation, SqliteConfig};
pub use files::{FileFormat, FileIncremental, FilesConfig};
pub use paginate::Paginate;
pub(super) use rest::below;
pub use rest::{Auth, CredentialsIn, KeyPlace, Method, ParameterFormat, RestConfig};
pub use warehouse::WarehouseConfig;

/// How one table is fetched.
#[derive(Debug, Clone)]
pub struct ExtractConfig {
    /// The table's `extract:`, for messages about the table as a whole.
    pub place: Span,
    /// What it is fetched from, and how.
    pub connector: Connector,
    /// Types of columns that win over what is inferred.
    pub columns: Vec<(String, ColumnType)>,
    /// A hash of all that decides what is fetched (credentials and limits do not).
    pub fingerprint: String,
}

/// What a table is fetched from.
#[derive(Debug, Clone)]
pub enum Connector {
    /// A REST API.
    Rest(Box<RestConfig>),
    /// A `SQLite` database file.
    Sqlite(SqliteConfig),
    /// Files.
    Files(FilesConfig),
    /// A table in the warehouse itself: nothing is fetched.
    Warehouse(WarehouseConfig),
}

/// The field that orders the rows of a table by their time of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incremental {
    /// The field's name.
    pub field: String,
    /// As what it is compared.
    pub kind: WatermarkKind,
}

impl ExtractConfig {
    /// Every secret in it, for the scrubber.
    pub fn secrets(&self) -> Vec<Secret> {
        match &self.connector {
            Connector::Rest(rest) => rest.secrets(),
            Connector::Sqlite(_) | Connector::Files(_) | Connector::Warehouse(_) => vec![],
        }
    }

    /// The field that the watermark follows, if the table is incremental.
    pub fn incremental(&self) -> Option<Incremental> {
        match &self.connector {
            Connector::Rest(rest) => rest.incremental.as_ref().map(|found| found.by.clone()),
            Connector::Sqlite(sqlite) => sqlite.incremental.clone(),
            Connector::Files(files) => files.incremental.as_ref().map(FileIncremental::by),
            Connector::Warehouse(warehouse) => warehouse.incremental.clone(),
        }
    }
}

const CONNECTORS: [&str; 6] = ["rest", "sqlite", "files", "postgres", "mysql", "warehouse"];

/// Reads a source's `connector:` and the `extract:` of its table `table_name`, both with Jinja rendered already.
/// All that is wrong is told at once.
pub fn parse_config(connector: &Yaml, table: &Yaml, table_name: &str) -> Result<ExtractConfig> {
    let found = Found::default();
    let config = read(connector, table, table_name, &found);
    // A key that nothing reads would be a setting that has no effect: in a connector that is an error.
    let found = found.into_inner().into_iter().map(|one| match one.code() {
        Code::UnknownKey => one.into_error(),
        _ => one,
    });
    let (config, _) = found.collect::<crate::diagnostic::Diagnostics>().into_result(config)?;
    config.ok_or_else(|| {
        Diagnostic::error(Code::Internal, format!("the connector of `{table_name}` could not be read"))
            .at(connector.span.clone(), "")
            .into()
    })
}

fn read(connector: &Yaml, table: &Yaml, table_name: &str, found: &Found) -> Option<ExtractConfig> {
    let mut connector_reader = Reader::new(connector, "connector", found);
    let mut table_reader = Reader::new(table, "table's `extract`", found);
    let (kind, place) = connector_reader.required_text("type")?;
    let selects = matches!(kind.as_str(), "sqlite" | "warehouse");
    let (columns, selected) = read_columns(&mut table_reader, selects);
    let connector_config = match kind.as_str() {
        "rest" => rest::read(connector_reader, table_reader).map(|rest| Connector::Rest(Box::new(rest))),
        "sqlite" => database::read(connector_reader, table_reader, table_name, selected).map(Connector::Sqlite),
        "files" => files::read(connector_reader, table_reader).map(Connector::Files),
        "warehouse" => Some(Connector::Warehouse(warehouse::read(connector_reader, table_reader, selected))),
        "postgres" | "mysql" => {
            connector_reader.report(
                Diagnostic::error(Code::NotSupported, format!("connectors of type `{kind}` are not supported yet"))
                    .at(place.clone(), "this type")
                    .help("`rest`, `sqlite`, `files` and `warehouse` are"),
            );
            None
        }
        _ => {
            connector_reader.report(unknown_word("type of connector", &kind, &CONNECTORS, place));
            None
        }
    };
    Some(ExtractConfig {
        place: table.span.clone(),
        connector: connector_config?,
        columns,
        fingerprint: fingerprint(connector, table),
    })
}

/// `columns:` as a mapping of names to types, or, where the connector can select, a list of names (or
/// `{name, type}`). Gives the declared types, and the names to select.
fn read_columns(table: &mut Reader<'_>, selects: bool) -> (Vec<(String, ColumnType)>, Vec<String>) {
    let (mut declared, mut selected) = (Vec::new(), Vec::new());
    let Some(yaml) = table.yaml("columns") else { return (declared, selected) };
    match &yaml.value {
        YamlValue::Mapping(entries) => {
            for (name, entry) in entries {
                if let Some(column_type) = read_type(&entry.value, table) {
                    declared.push((name.clone(), column_type));
                }
            }
        }
        YamlValue::Sequence(items) if selects => {
            for item in items {
                if let Some(name) = item.as_str() {
                    selected.push(name.to_owned());
                    continue;
                }
                let mut column = Reader::new(item, "column", table.found());
                let name = column.required_text("name").map(|(name, _)| name);
                let column_type = column.yaml("type").and_then(|yaml| read_type(yaml, table));
                column.finish();
                if let Some(name) = name {
                    selected.push(name.clone());
                    declared.extend(column_type.map(|column_type| (name, column_type)));
                }
            }
        }
        _ => table.report(
            Diagnostic::error(Code::YamlValue, "`columns` must be a mapping of names to types")
                .at(yaml.span.clone(), format!("this is {}", yaml.kind()))
                .help("write `columns: {amount: 'decimal(12,2)'}`; columns that are not named get the type that their values show"),
        ),
    }
    (declared, selected)
}

fn read_type(yaml: &Yaml, table: &Reader<'_>) -> Option<ColumnType> {
    let known = yaml.as_str().and_then(type_from_word);
    if known.is_none() {
        let words = [
            ColumnType::Boolean,
            ColumnType::BigInt,
            ColumnType::Decimal(12, 2),
            ColumnType::Double,
            ColumnType::Text,
            ColumnType::Date,
            ColumnType::Time,
            ColumnType::Timestamp,
            ColumnType::TimestampTz,
            ColumnType::Binary,
            ColumnType::Json,
        ]
        .map(|known| type_word(&known));
        let shown = yaml.scalar_text().unwrap_or_else(|| yaml.kind().to_owned());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        table.report(unknown_word("type of a column", &shown, &words, &yaml.span));
    }
    known
}

/// `incremental: {field, type}` and what else the connector reads from it.
fn read_incremental(reader: &mut Reader<'_>) -> Option<Incremental> {
    let field = reader.required_text("field").map(|(field, _)| field);
    let kind = match reader.required_text("type") {
        Some((word, place)) => {
            let kind = WatermarkKind::from_word(&word);
            if kind.is_none() {
                let words = WatermarkKind::ALL.map(WatermarkKind::as_str);
                reader.report(unknown_word("type of an incremental field", &word, &words, place));
            }
            kind
        }
        None => None,
    };
    Some(Incremental { field: field?, kind: kind? })
}

/// A table's `incremental`, where the connector reads nothing else from it.
fn incremental_of(table: &mut Reader<'_>) -> Option<Incremental> {
    let mut reader = table.reader("incremental", "`incremental` of a table")?;
    let read = read_incremental(&mut reader);
    reader.finish();
    read
}

/// A word that is none of those that are allowed.
fn unknown_word(what: &str, word: &str, known: &[&str], place: &Span) -> Diagnostic {
    let found = Diagnostic::error(Code::YamlValue, format!("`{word}` is no {what}"))
        .at(place.clone(), format!("expected one of {}", known.join(", ")));
    match nearest(word, known.iter().copied()) {
        Some(name) => found.help(format!("did you mean `{name}`?")),
        None => found,
    }
}

/// What decides which rows come, as a hash.
fn fingerprint(connector: &Yaml, table: &Yaml) -> String {
    let mut connector = connector.to_json_map();
    for key in ["auth", "limits"] {
        connector.remove(key);
    }
    let text = serde_json::Value::from(vec![serde_json::Value::Object(connector), table.to_json()]).to_string();
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests;
