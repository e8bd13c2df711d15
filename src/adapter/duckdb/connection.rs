//! One DuckDB session.

use super::{error, load, value};
use crate::adapter::{Answer, Batch, Cancel, Connection, DatabaseError, DatabaseErrorKind, Response, Table};
use crate::name::RelationName;
use crate::sql::{Dialect, StatementKind, split_statements, statement_kind};
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

    /// Runs one statement and keeps track of the transaction.
    fn run(&mut self, statement: &str) -> Result<Answer, DatabaseError> {
        let kind = statement_kind(statement, Dialect::DuckDb);
        let result = self.fetch(statement, kind).map_err(|failure| match failure {
            Failure::Client(failure) => error::from_client(&failure, Some(statement)),
            Failure::Unreadable { column, words } => DatabaseError::new(
                DatabaseErrorKind::Statement,
                format!("the column `{column}` has the type {words}, which cannot be read: cast it to VARCHAR"),
            ),
        });
        if kind == StatementKind::Transaction {
            let opens = ["begin", "start"]
                .iter()
                .any(|verb| statement.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb)));
            // A COMMIT that fails leaves nothing open either: DuckDB has rolled back.
            self.in_transaction = opens && (result.is_ok() || self.in_transaction);
        }
        result
    }

    fn fetch(&mut self, statement: &str, kind: StatementKind) -> Result<Answer, Failure> {
        let mut prepared = self.connection.prepare(statement)?;
        let changed = prepared.raw_execute()?;
        let columns = prepared.column_count();
        let names = prepared.column_names();
        let mut response = Response { message: "OK".into(), ..Response::default() };
        // What writes answers with one number, the rows it wrote; COPY and CREATE TABLE AS do so too. Other
        // definitions have the same column without a row.
        if columns == 1 && names[0] == "Count" && !kind.returns_rows() {
            let counted = match prepared.raw_query().next()? {
                Some(row) => u64::try_from(row.get::<_, i64>(0)?).ok(),
                None => u64::try_from(changed).ok().filter(|_| !kind.is_definition()),
            };
            response.rows_affected = counted;
            return Ok(Answer { response, table: Table::default() });
        }
        let types: Vec<LogicalTypeHandle> = (0..columns).map(|index| prepared.column_logical_type(index)).collect();
        if let Some((column, words)) =
            names.iter().zip(&types).find_map(|(name, logical)| Some((name, value::unreadable(logical)?)))
        {
            return Err(Failure::Unreadable { column: column.clone(), words });
        }
        let mut table =
            Table { columns: names.into_iter().zip(types.iter().map(value::column_type)).collect(), rows: Vec::new() };
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            let cells = types.iter().enumerate().map(|(index, logical)| Ok(value::cell(row.get_ref(index)?, logical)));
            table.rows.push(cells.collect::<duckdb::Result<_>>()?);
        }
        if kind.returns_rows() {
            response.rows_affected = u64::try_from(table.rows.len()).ok();
        } else {
            table = Table::default();
        }
        Ok(Answer { response, table })
    }
}

impl Connection for DuckDbConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        let mut answer =
            Answer { response: Response { message: "OK".into(), ..Response::default() }, ..Answer::default() };
        for range in split_statements(sql, Dialect::DuckDb) {
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

/// Why a statement gave no answer.
enum Failure {
    Client(duckdb::Error),
    /// A column of a type whose values the client cannot hand over.
    Unreadable {
        column: String,
        words: String,
    },
}

impl From<duckdb::Error> for Failure {
    fn from(failure: duckdb::Error) -> Self {
        Self::Client(failure)
    }
}

struct Interrupt(Arc<duckdb::InterruptHandle>);

impl Cancel for Interrupt {
    fn cancel(&self) {
        self.0.interrupt();
    }
}
