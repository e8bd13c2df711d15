//! An adapter that answers questions for real and only notes what would change: for dry runs and tests.

use super::{Adapter, Answer, Batch, Cancel, ColumnType, Connection, DatabaseError, DatabaseErrorKind};
use crate::name::RelationName;
use crate::sql::{Dialect, StatementKind, split_statements, statement_kind};
use std::sync::{Arc, Mutex, PoisonError};

/// Wraps an adapter. Questions (`select`, `show`, `describe`, `pragma`, …) and temporary relations reach the
/// warehouse; every other statement, load and transaction is noted in [`Recorder::recorded`] and goes no further.
pub struct Recorder {
    inner: Arc<dyn Adapter>,
    notes: Arc<Mutex<Vec<Recorded>>>,
}

/// One statement that would have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The connection's name, as given to [`Adapter::connect`].
    pub connection: String,
    /// The statement, white space around it removed; `begin`, `commit`, `rollback`, and `load <table>` for a load.
    pub sql: String,
}

impl Recorder {
    /// Records what would change in `inner`.
    pub fn new(inner: Arc<dyn Adapter>) -> Self {
        Self { inner, notes: Arc::default() }
    }

    /// What would have changed so far, in the order of the calls.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Adapter for Recorder {
    fn type_name(&self) -> &'static str {
        self.inner.type_name()
    }

    fn connect(&self, name: &str) -> Result<Box<dyn Connection>, DatabaseError> {
        Ok(Box::new(RecordingConnection {
            inner: self.inner.connect(name)?,
            name: name.to_owned(),
            notes: Arc::clone(&self.notes),
            dialect: Dialect::from_word(self.type_name()).unwrap_or(Dialect::DuckDb),
            in_transaction: false,
        }))
    }

    fn type_word(&self, column_type: &ColumnType) -> String {
        self.inner.type_word(column_type)
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        self.inner.describe()
    }

    fn keeps_sessions(&self) -> bool {
        self.inner.keeps_sessions()
    }
}

struct RecordingConnection {
    inner: Box<dyn Connection>,
    name: String,
    notes: Arc<Mutex<Vec<Recorded>>>,
    dialect: Dialect,
    in_transaction: bool,
}

impl RecordingConnection {
    fn note(&self, sql: impl Into<String>) {
        let recorded = Recorded { connection: self.name.clone(), sql: sql.into() };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }

    /// Runs a statement that changes nothing that lasts, and notes the others.
    fn run(&mut self, statement: &str) -> Result<Answer, DatabaseError> {
        match statement_kind(statement, self.dialect) {
            StatementKind::Query => return self.inner.execute(statement),
            StatementKind::Other if is_setting(statement) => return self.inner.execute(statement),
            _ => self.note(statement),
        }
        if is_temporary(statement) { self.inner.execute(statement) } else { Ok(Answer::default()) }
    }
}

/// Whether the statement concerns this session alone.
fn is_setting(statement: &str) -> bool {
    matches!(first_words(statement, 1).as_slice(), [verb] if verb == "set" || verb == "use")
}

/// Whether the statement makes a relation that only this session sees, and that later questions may be about.
fn is_temporary(statement: &str) -> bool {
    let words = first_words(statement, 4);
    let mut words = words.iter().map(String::as_str).filter(|word| !matches!(*word, "or" | "replace"));
    words.next() == Some("create") && matches!(words.next(), Some("temp" | "temporary"))
}

/// The first words of a statement in lower case, comments before it left out.
fn first_words(statement: &str, count: usize) -> Vec<String> {
    let mut rest = statement.trim_start();
    loop {
        let end = match rest {
            comment if comment.starts_with("--") => "\n",
            comment if comment.starts_with("/*") => "*/",
            _ => break,
        };
        rest = rest.split_once(end).map_or("", |(_, after)| after.trim_start());
    }
    rest.split_whitespace().take(count).map(str::to_ascii_lowercase).collect()
}

impl Connection for RecordingConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        let mut answer = Answer::default();
        for range in split_statements(sql, self.dialect) {
            let start = range.start;
            answer = self.run(&sql[range]).map_err(|failure| {
                let offset = failure.offset.map(|offset| offset + start);
                DatabaseError { offset, ..failure }
            })?;
        }
        Ok(answer)
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction {
            return Err(DatabaseError::new(DatabaseErrorKind::Statement, "a transaction is already open"));
        }
        self.in_transaction = true;
        self.note("begin");
        Ok(())
    }

    fn commit(&mut self) -> Result<(), DatabaseError> {
        self.in_transaction = false;
        self.note("commit");
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        if std::mem::take(&mut self.in_transaction) {
            self.note("rollback");
        }
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn definitions_commit(&self) -> bool {
        self.inner.definitions_commit()
    }

    fn load(&mut self, into: &RelationName, _: &Batch) -> Result<u64, DatabaseError> {
        self.note(format!("load {into}"));
        Ok(0)
    }

    fn canceller(&self) -> Arc<dyn Cancel> {
        self.inner.canceller()
    }
}
