//! One DuckDB session.

use super::{error, load, value};
use crate::adapter::statements::{Statement, split};
use crate::adapter::{Answer, Batch, Cancel, Connection, DatabaseError, DatabaseErrorKind, Response, Table};
use crate::name::RelationName;
use duckdb::core::LogicalTypeHandle;
use std::sync::Arc;

/// A session of the process's one database. Temporary tables and the transaction are its own.
pub(super) struct DuckDbConnection {
    connection: duckdb::Connection,
    in_transaction: bool,
}

impl DuckDbConnection {
    pub(super) fn new(connection: duckdb::Connection) -> Self {
        Self { connection, in_transaction: false }
    }

    /// Runs one statement; offsets of errors count from the start of the whole text.
    fn run(&mut self, statement: &Statement<'_>) -> Result<Answer, DatabaseError> {
        let result = self.fetch(statement).map_err(|failure| {
            let mut failure = error::from_client(&failure, Some(statement.text));
            failure.offset = failure.offset.map(|offset| offset + statement.start);
            failure
        });
        match statement.verb() {
            "begin" | "start" if result.is_ok() => self.in_transaction = true,
            // A COMMIT that fails leaves nothing open either: DuckDB has rolled back.
            "commit" | "end" | "rollback" | "abort" => self.in_transaction = false,
            _ => {}
        }
        result
    }

    fn fetch(&mut self, statement: &Statement<'_>) -> duckdb::Result<Answer> {
        let mut prepared = self.connection.prepare(statement.text)?;
        let changed = prepared.raw_execute()?;
        let columns = prepared.column_count();
        let names = prepared.column_names();
        let is_count = columns == 1 && names[0] == "Count" && statement.writes_rows();
        let types: Vec<LogicalTypeHandle> = (0..columns).map(|index| prepared.column_logical_type(index)).collect();
        let mut response = Response { message: "OK".into(), ..Response::default() };
        if is_count {
            response.rows_affected = u64::try_from(changed).ok();
            return Ok(Answer { response, table: Table::default() });
        }
        let mut table = Table {
            columns: names.into_iter().zip(types.iter().map(value::column_type)).collect(),
            rows: Vec::new(),
        };
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            let cells = types.iter().enumerate().map(|(index, logical)| Ok(value::cell(row.get_ref(index)?, logical)));
            table.rows.push(cells.collect::<duckdb::Result<_>>()?);
        }
        if statement.is_question() && columns > 0 {
            response.rows_affected = u64::try_from(table.rows.len()).ok();
        }
        Ok(Answer { response, table })
    }
}

impl Connection for DuckDbConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        let nothing = Answer { response: Response { message: "OK".into(), ..Response::default() }, table: Table::default() };
        split(sql).iter().try_fold(nothing, |_, statement| self.run(statement))
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction {
            return Err(DatabaseError::new(DatabaseErrorKind::Statement, "a transaction is already open"));
        }
        self.execute("begin transaction").map(drop)
    }

    fn commit(&mut self) -> Result<(), DatabaseError> {
        self.execute("commit").map(drop)
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction { self.execute("rollback").map(drop) } else { Ok(()) }
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn load(&mut self, into: &RelationName, batch: &Batch) -> Result<u64, DatabaseError> {
        if batch.files.is_empty() || batch.columns.is_empty() {
            return Ok(0);
        }
        let sql = load::insert_statement(into, batch)?;
        // Places in this statement mean nothing to anyone: nobody wrote it.
        let answer = self.execute(&sql).map_err(|failure| DatabaseError { offset: None, ..failure })?;
        Ok(answer.response.rows_affected.unwrap_or_default())
    }

    fn canceller(&self) -> Arc<dyn Cancel> {
        Arc::new(Interrupt(self.connection.interrupt_handle()))
    }
}

struct Interrupt(Arc<duckdb::InterruptHandle>);

impl Cancel for Interrupt {
    fn cancel(&self) {
        self.0.interrupt();
    }
}
