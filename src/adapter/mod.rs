//! The door to a warehouse: run SQL, load rows, keep a transaction.
//!
//! The trait is small and synchronous. What differs between warehouses is SQL in `macros/adapters/*.sql`
//! or an answer of [`crate::sql::Dialect`], never a condition in a caller. An adapter never sees a node,
//! and no type of its client library leaves it.

mod cache;
mod duckdb;
mod open;
mod recorder;
mod snowflake;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use cache::RelationCache;
pub use duckdb::{Attachment, DuckDb, DuckDbSettings, Extension};
pub use open::open;
pub use recorder::{Recorded, Recorder};
pub use snowflake::{
    Account, Login, Machine, Pace, PrivateKey, ShowPage, Snowflake, SnowflakeSettings, TokenKind, TokenStore,
};
pub use table::{Cell, ColumnType, Table};

use crate::name::RelationName;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A warehouse that was chosen by a profile's target.
pub trait Adapter: Send + Sync {
    /// `duckdb` or `snowflake`: the word in profiles, `target.type`, and prefix of dispatched macros.
    fn type_name(&self) -> &'static str;

    /// Opens a connection for one worker; `name` is for logs (a node's unique id or `master`).
    fn connect(&self, name: &str) -> Result<Box<dyn Connection>, DatabaseError>;

    /// A column type in the warehouse's own words, as in `create table`.
    fn type_word(&self, column_type: &ColumnType) -> String;

    /// What `debug` shows of the connection, secrets left out: label and value.
    fn describe(&self) -> Vec<(&'static str, String)>;

    /// Whether a worker keeps its connection from node to node.
    fn keeps_sessions(&self) -> bool {
        true
    }
}

/// One session in a warehouse. Statements run one after the other.
pub trait Connection: Send {
    /// Runs SQL, which may be several statements; the answer is the last one's. Rows are fetched whole.
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError>;

    /// Opens a transaction; an error if one is open.
    fn begin(&mut self) -> Result<(), DatabaseError>;

    /// Makes what happened since `begin` lasting, whole or not at all.
    fn commit(&mut self) -> Result<(), DatabaseError>;

    /// Undoes what happened since `begin`; without an open transaction nothing happens.
    fn rollback(&mut self) -> Result<(), DatabaseError>;

    /// Whether a transaction is open.
    fn in_transaction(&self) -> bool;

    /// Whether a statement that creates, alters or drops something commits what is open, and itself. Then no
    /// transaction can hold all that a node does.
    fn definitions_commit(&self) -> bool {
        false
    }

    /// Whether statements are kept in a history in which a comment beside them is of use.
    fn takes_comments(&self) -> bool {
        false
    }

    /// Puts a comment beside every statement from now on: behind it, unless `append` is false.
    fn set_comment(&mut self, _comment: Option<String>, _append: Option<bool>) {}

    /// What names the session for [`end_sessions`](Self::end_sessions); none where a session ends with its process.
    fn session_id(&self) -> Option<String> {
        None
    }

    /// Whether the session is there, asked without a statement.
    fn is_alive(&mut self) -> bool {
        true
    }

    /// Stops what sessions of processes that are dead still run or hold: their statements, their transactions with the
    /// locks. A session that is gone already is no error, nor is one of another warehouse.
    fn end_sessions(&mut self, _ids: &[String]) -> Result<(), DatabaseError> {
        Ok(())
    }

    /// Appends the rows of a batch to an existing table, matching columns by name. Gives the number of rows.
    fn load(&mut self, into: &RelationName, batch: &Batch) -> Result<u64, DatabaseError>;

    /// Appends rows of texts to a table whose columns take texts, if there is a better way than INSERT statements with
    /// literals; none where these do as well. Gives the number of rows.
    fn load_texts(&mut self, _into: &RelationName, _rows: &Texts<'_>) -> Option<Result<u64, DatabaseError>> {
        None
    }

    /// What stops the running statement from another thread.
    fn canceller(&self) -> Arc<dyn Cancel>;
}

/// Stops a running statement.
pub trait Cancel: Send + Sync {
    /// Asks the warehouse to stop; without a running statement nothing happens.
    fn cancel(&self);

    /// Ends the whole session, with all that it runs and has open, where it would outlive the process. Returns when the
    /// warehouse has done so, or cannot be reached.
    fn end_session(&self) {}
}

/// What a statement gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The warehouse's words and numbers, as `adapter_response` in `run_results.json`.
    pub response: Response,
    /// The rows; no columns where the statement gives none.
    pub table: Table,
}

/// The part of an answer that is kept in artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// What to show: `OK`, `SUCCESS 5`.
    pub message: String,
    /// Rows that were written (or read by a query), where the warehouse says so.
    pub rows_affected: Option<u64>,
    /// The warehouse's id of the statement.
    pub query_id: Option<String>,
    /// Whatever else the warehouse says.
    pub details: BTreeMap<String, String>,
}

impl Response {
    /// What is known of it, under dbt's keys.
    pub fn values(&self) -> Map<String, Value> {
        let mut values = Map::new();
        if !self.message.is_empty() {
            values.insert("_message".into(), json!(self.message));
        }
        values.extend(self.details.iter().map(|(key, value)| (key.clone(), json!(value))));
        if let Some(rows) = self.rows_affected {
            values.insert("rows_affected".into(), json!(rows));
        }
        if let Some(id) = &self.query_id {
            values.insert("query_id".into(), json!(id));
        }
        values
    }
}

/// Rows on disk that are to be loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The format of every file.
    pub format: BatchFormat,
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Names and types of the columns to read.
    pub columns: Vec<(String, ColumnType)>,
}

/// Rows in memory that are to be loaded as texts.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// The columns to fill, as SQL names them.
    pub columns: &'a [String],
    /// The rows, with a cell for each of the columns; every cell is loaded as the text that it displays, or as NULL.
    pub rows: &'a [Vec<Cell>],
    /// A directory for files on the way; they are gone at the end.
    pub directory: &'a Path,
}

/// The format of a batch's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFormat {
    /// One JSON object a line. Exact numbers with a fraction stand as JSON texts (`"12.50"`): JSON readers take a
    /// bare `12.50` for a binary floating point number. Bytes are in base64.
    JsonLines,
    /// CSV with a header, `"` as quote, doubled inside; an unquoted empty field is NULL.
    Csv,
    /// Parquet.
    Parquet,
}

/// What a warehouse refused or could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DatabaseError {
    /// The warehouse's own words, without prefix and position.
    pub message: String,
    /// What it means for the caller.
    pub kind: DatabaseErrorKind,
    /// The byte offset in the statement at which it went wrong, where known.
    pub offset: Option<usize>,
    /// The warehouse's id of the statement.
    pub query_id: Option<String>,
    /// The warehouse's own code: an SQLSTATE or a class of errors.
    pub code: Option<String>,
}

/// What a database error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The statement is wrong, or the data do not fit: trying again would give the same.
    Statement,
    /// A conflict with another transaction: trying again may work.
    Conflict,
    /// The connection is gone or could not be made, and nothing was done: trying again may work.
    Connection,
    /// The connection was lost, and it could not be found out whether the statement was carried out: trying again
    /// could do it twice.
    Unsettled,
    /// The statement was stopped on request.
    Cancelled,
}

impl DatabaseError {
    /// An error of a kind, without a place.
    pub fn new(kind: DatabaseErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind, offset: None, query_id: None, code: None }
    }
}

/// What kind of thing a relation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationType {
    /// A table.
    Table,
    /// A view.
    View,
    /// A CTE: an ephemeral model.
    Cte,
    /// A materialized view.
    MaterializedView,
    /// Snowflake's dynamic table.
    DynamicTable,
    /// A table outside the warehouse.
    External,
    /// A table in Iceberg's format; dbt's word for it is that of any table.
    IcebergTable,
}

impl RelationType {
    /// dbt's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table | Self::IcebergTable => "table",
            Self::View => "view",
            Self::Cte => "cte",
            Self::MaterializedView => "materialized_view",
            Self::DynamicTable => "dynamic_table",
            Self::External => "external",
        }
    }

    /// The type that a word means; none for an unknown one.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "table" => Some(Self::Table),
            "view" => Some(Self::View),
            "cte" => Some(Self::Cte),
            "materialized_view" | "materializedview" => Some(Self::MaterializedView),
            "dynamic_table" => Some(Self::DynamicTable),
            "external" => Some(Self::External),
            _ => None,
        }
    }
}

impl fmt::Display for RelationType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A relation that exists (or is about to), and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relation {
    /// Its name.
    pub name: RelationName,
    /// What it is, where known.
    pub relation_type: Option<RelationType>,
}
