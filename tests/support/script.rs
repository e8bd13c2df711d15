//! A warehouse that is not there: it writes down what it is asked and answers from a script.

use std::sync::{Arc, Mutex, PoisonError};
use strata::adapter::{Answer, Batch, Cancel, Connection, DatabaseError, Table};
use strata::name::RelationName;

/// Answers by a part of the statement; the first that matches counts, and every other statement gives no rows.
pub type Answers = Vec<(&'static str, Table)>;

/// A connection to it.
pub struct ScriptedConnection {
    pub answers: Answers,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl ScriptedConnection {
    fn note(&self, what: &str) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what.to_owned());
    }
}

impl Connection for ScriptedConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        self.note(sql.trim());
        let found = self.answers.iter().find(|(part, _)| sql.contains(part));
        Ok(Answer { table: found.map(|(_, table)| table.clone()).unwrap_or_default(), ..Answer::default() })
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.note("begin");
        Ok(())
    }

    fn commit(&mut self) -> Result<(), DatabaseError> {
        self.note("commit");
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        self.note("rollback");
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        false
    }

    fn load(&mut self, into: &RelationName, _: &Batch) -> Result<u64, DatabaseError> {
        self.note(&format!("load {into}"));
        Ok(0)
    }

    fn canceller(&self) -> Arc<dyn Cancel> {
        Arc::new(Nothing)
    }
}

struct Nothing;

impl Cancel for Nothing {
    fn cancel(&self) {}
}
