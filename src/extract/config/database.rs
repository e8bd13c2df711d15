//! `type: sqlite`: a database file, and the table or query to read.

use super::{Incremental, incremental_of};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::project::yaml::Reader;
use std::path::PathBuf;

/// A table in a `SQLite` database file.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The file, relative to the project's root.
    pub path: PathBuf,
    /// Where the path stands.
    pub path_place: Span,
    /// What is read.
    pub relation: Relation,
    /// The columns to read; all if none are named.
    pub columns: Vec<String>,
    /// How only what changed is read.
    pub incremental: Option<Incremental>,
}

/// What is read from a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relation {
    /// A table or view.
    Table(String),
    /// The rows of a SELECT.
    Query(String),
}

pub(super) fn read(
    mut connector: Reader<'_>,
    mut table: Reader<'_>,
    table_name: &str,
    columns: Vec<String>,
) -> Option<SqliteConfig> {
    let path = connector.required_text("path");
    let name = table.text("table");
    let query = table.text("query");
    let relation = match (name, query) {
        (Some(_), Some(_)) => {
            table.report(
                Diagnostic::error(Code::YamlValue, "`table` and `query` exclude each other")
                    .at(table.span().clone(), "both are given here"),
            );
            None
        }
        (_, Some(query)) => Some(Relation::Query(query)),
        (name, None) => Some(Relation::Table(name.unwrap_or_else(|| table_name.to_owned()))),
    };
    let incremental = incremental_of(&mut table);
    connector.finish();
    table.finish();
    let (path, path_place) = path?;
    Some(SqliteConfig {
        path: PathBuf::from(path),
        path_place: path_place.clone(),
        relation: relation?,
        columns,
        incremental,
    })
}
