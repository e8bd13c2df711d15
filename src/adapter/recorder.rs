//! An adapter that answers questions for real and only notes what would change: for dry runs and tests.

use super::statements::{Statement, split};
use super::{Adapter, Answer, Batch, Cancel, Connection, DatabaseError, DatabaseErrorKind};
use crate::name::RelationName;
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
            in_transaction: false,
        }))
    }

    fn describe(&self) -> Vec<(&'static str, String)> {
        self.inner.describe()
    }
}

struct RecordingConnection {
    inner: Box<dyn Connection>,
    name: String,
    notes: Arc<Mutex<Vec<Recorded>>>,
    in_transaction: bool,
}

impl RecordingConnection {
    fn note(&self, sql: impl Into<String>) {
        let recorded = Recorded { connection: self.name.clone(), sql: sql.into() };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }

    fn run(&mut self, statement: &Statement<'_>) -> Result<Answer, DatabaseError> {
        let is_question = statement.is_question();
        if !is_question {
            self.note(statement.text.trim());
        }
        if is_question || statement.is_temporary() {
            return self.inner.execute(statement.text).map_err(|mut error| {
                error.offset = error.offset.map(|offset| offset + statement.start);
                error
            });
        }
        Ok(Answer::default())
    }
}

impl Connection for RecordingConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        split(sql).iter().try_fold(Answer::default(), |_, statement| self.run(statement))
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

    fn load(&mut self, into: &RelationName, _: &Batch) -> Result<u64, DatabaseError> {
        self.note(format!("load {into}"));
        Ok(0)
    }

    fn canceller(&self) -> Arc<dyn Cancel> {
        self.inner.canceller()
    }
}
