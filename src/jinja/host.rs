//! What a render asks of the stage that runs it. `parse`, `compile` and `run` each answer in their own way;
//! the Jinja objects (`ref`, `source`, `config`, `adapter`, …) only translate between templates and this trait.

use crate::adapter::{Answer, DatabaseError, Relation, Table};
use crate::diagnostic::Span;
use crate::manifest::{ConfigMap, EventWindow, Manifest, RefCall, SourceCall};
use crate::name::{RelationName, UniqueId};
use serde_json::Value as Json;
use std::sync::Arc;

/// Whether templates are read for what they depend on, or rendered for what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Unknown names are soft, `execute` is false, `ref`, `source` and `config` are recorded.
    Parse,
    /// References are resolved; `execute` is true.
    Execute,
}

/// Why a host could not answer: the message becomes a located error of the template.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HostError {
    /// A finding that is already complete but for its place in the template.
    #[error("{message}")]
    Refused {
        /// The stable name of the finding.
        code: crate::diagnostic::Code,
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// The warehouse refused a statement.
    #[error(transparent)]
    Database(#[from] Box<FailedStatement>),
}

/// A statement that the warehouse refused, with its text, so that the place in it can be shown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct FailedStatement {
    /// The SQL as sent.
    pub sql: String,
    /// What the warehouse said.
    pub error: DatabaseError,
}

/// A relation of another environment, to which a `ref()` may be deferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// The relation there.
    pub relation: Relation,
    /// Whether it is meant even where the node's own relation exists.
    pub is_favored: bool,
}

/// The stage behind a render. One host serves one node in one phase.
pub trait Host: Send + Sync {
    /// Which of the two phases it is.
    fn phase(&self) -> Phase;

    /// The node that is rendered; none for `--inline` and for project-level templates.
    fn node(&self) -> Option<&UniqueId>;

    /// What `ref()` means. In the parse phase: record it, and answer with any relation.
    fn reference(&self, call: RefCall) -> Result<Relation, HostError>;

    /// What `ref()` may mean instead, where references may be deferred to another environment.
    fn deferred(&self, _call: &RefCall) -> Option<Deferred> {
        None
    }

    /// What `source()` means. In the parse phase: record it, and answer with any relation.
    fn source(&self, call: SourceCall) -> Result<Relation, HostError>;

    /// The rows of what `ref()` means that count in this render; none: all.
    fn window_of_reference(&self, _call: &RefCall) -> Option<EventWindow> {
        None
    }

    /// The rows of what `source()` means that count in this render; none: all.
    fn window_of_source(&self, _call: &SourceCall) -> Option<EventWindow> {
        None
    }

    /// `config(key=value, …)`: recorded in the parse phase, nothing later.
    fn configure(&self, values: ConfigMap, span: Option<Span>) -> Result<(), HostError>;

    /// The value of a config key of the node, as `config.get` sees it.
    fn config(&self, key: &str) -> Option<Json>;

    /// The whole config of the node.
    fn config_values(&self) -> ConfigMap;

    /// A project variable as seen from the node's package: `--vars`, then the root project's, then the package's.
    fn variable(&self, name: &str) -> Option<Json>;

    /// An environment variable. Names with the secret prefix are refused by the host where they are not allowed.
    fn environment_variable(&self, name: &str) -> Result<Option<String>, HostError>;

    /// Notes that the node's own text (not one of the macros that it calls) called a macro.
    fn macro_called(&self, id: &UniqueId);

    /// The manifest, for `graph` and for macros that look at other nodes; none while it is still being made.
    fn manifest(&self) -> Option<&Arc<Manifest>>;

    /// The warehouse session; none in the parse phase and where a command must not touch a warehouse.
    fn session(&self) -> Option<&dyn Session>;

    /// `log()` and `print()`: a message, and whether people should see it (else only the log file).
    fn log(&self, message: &str, visible: bool);

    /// `exceptions.warn`.
    fn warn(&self, message: &str);

    /// `write()`: the SQL that builds the node, kept under `target/run`.
    fn write(&self, sql: &str);

    /// The rows of the seed that is being loaded, typed as dbt types them: what `load_agate_table()` gives.
    fn seed(&self) -> Result<Arc<Table>, HostError>;

    /// The documentation block of `doc()`.
    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError>;
}

/// A warehouse connection with what is known of its relations: what the `adapter` object of Jinja works on.
pub trait Session: Send + Sync {
    /// Runs SQL. With `auto_begin`, a transaction is opened first if none is open.
    fn execute(&self, sql: &str, auto_begin: bool) -> Result<Answer, Box<FailedStatement>>;

    /// Says that the statement which the materialization calls `main` comes next. Sessions that make nothing of it
    /// have nothing to do.
    fn main_follows(&self, _sql: &str) {}

    /// Whether a statement that creates, alters or drops something commits by itself.
    fn definitions_commit(&self) -> bool {
        false
    }

    /// `adapter.commit()`: makes the node's work lasting (with whatever the stage adds to the transaction).
    fn commit(&self) -> Result<(), Box<FailedStatement>>;

    /// `{{ adapter.rollback }}` and failures: undoes the open transaction.
    fn rollback(&self) -> Result<(), Box<FailedStatement>>;

    /// The relations of a schema that were listed before. Where there are none, the caller lists them, while others wait
    /// until it calls [`remember_relations`](Self::remember_relations) or [`end_listing`](Self::end_listing).
    fn cached_relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>>;

    /// Remembers what a schema holds.
    fn remember_relations(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>);

    /// The caller is done with listing a schema, whether it remembered what it holds or not.
    fn end_listing(&self, _database: Option<&str>, _schema: &str) {}

    /// Remembers a new relation.
    fn relation_added(&self, relation: Relation);

    /// Forgets a relation.
    fn relation_dropped(&self, name: &RelationName);

    /// Remembers a rename.
    fn relation_renamed(&self, from: &RelationName, to: &RelationName);

    /// Loads a seed's rows into an existing table.
    fn load_seed(&self, into: &RelationName, node: &UniqueId) -> Result<u64, HostError>;
}
