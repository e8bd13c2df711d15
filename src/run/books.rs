//! What is written into the control tables, and when.

use super::RunOptions;
use super::control::{ControlTables, Field};
use super::event::{NodeResult, Status};
use super::extraction::Staged;
use super::node::Try;
use super::session::{Closing, WorkerSession};
use crate::adapter::{Cell, Connection, DatabaseError};
use crate::diagnostic::{Diagnostics, Severity};
use crate::manifest::Node;
use crate::name::{ResourceType, UniqueId};
use chrono::{DateTime, Utc};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest error message that the books keep, as `ETL_CONTROL.ERROR_LOG` has it.
const LONGEST_MESSAGE: usize = 4_000;

/// Keeps the control tables of one run.
pub struct Books {
    tables: ControlTables,
    run_id: String,
    command: String,
    pipeline: String,
    target: String,
    started_at: DateTime<Utc>,
    clock: Instant,
    /// Rows about nodes that have no transaction of their own to write them in: tests, failures, skips.
    pending: Mutex<Vec<String>>,
}

impl Books {
    /// Books for a run that started at `clock`.
    pub fn new(tables: ControlTables, options: &RunOptions, pipeline: &str, target: &str, clock: Instant) -> Self {
        Self {
            tables,
            run_id: options.invocation_id.clone(),
            command: options.command.clone(),
            pipeline: pipeline.to_owned(),
            target: target.to_owned(),
            started_at: options.started_at,
            clock,
            pending: Mutex::default(),
        }
    }

    /// The control tables themselves.
    pub fn tables(&self) -> &ControlTables {
        &self.tables
    }

    /// The time at `elapsed` since the run's start: the clock is read once, then only counted on.
    fn at(&self, elapsed: Duration) -> DateTime<Utc> {
        self.started_at + chrono::TimeDelta::from_std(elapsed).unwrap_or_default()
    }

    fn run_id(&self) -> Field {
        Field::Text(self.run_id.clone())
    }

    /// Makes the tables where they are missing and opens the run.
    pub fn open(&self, connection: &mut dyn Connection) -> Result<(), DatabaseError> {
        let mut statements = self.tables.create_statements();
        if connection.definitions_commit() {
            // They would end a transaction in which they stand.
            for sql in statements.drain(..) {
                connection.execute(&sql)?;
            }
        }
        let row = [
            ("run_id", self.run_id()),
            ("command", self.command.as_str().into()),
            ("started_at", Field::Time(self.started_at)),
            ("status", "running".into()),
            ("target", self.target.as_str().into()),
            ("version", env!("CARGO_PKG_VERSION").into()),
        ];
        statements.extend(self.tables.insert("runs", &row));
        whole(connection, &statements)
    }

    /// Closes the run, with all rows that no transaction took.
    pub fn close(&self, connection: &mut dyn Connection, status: &str) -> Result<(), DatabaseError> {
        let mut statements = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        let end = [("finished_at", Field::Time(self.at(self.clock.elapsed()))), ("status", status.into())];
        statements.extend(self.tables.update("runs", ("run_id", &self.run_id()), &end));
        whole(connection, &statements)
    }

    /// What goes into the transaction of a node, or of one of its batches, that is about to end well: its row, and for
    /// an extract model the watermark and the batch.
    pub(super) fn closing(&self, node: &Node, now: &Try, staged: Option<&Staged>) -> Closing {
        let (tables, id, run_id) = (self.tables.clone(), node.unique_id.clone(), self.run_id());
        let (started, clock, base) = (self.at(self.clock.elapsed()), self.clock, self.started_at);
        let mut extracted = staged.map(|staged| self.extracted(node, staged)).unwrap_or_default();
        let attempt = now.attempt;
        let message = now.message();
        Box::new(move |rows| {
            let finished = base + chrono::TimeDelta::from_std(clock.elapsed()).unwrap_or_default();
            let row = NodeRow { status: "success", rows, started, finished, message: &message, attempt };
            extracted.extend(tables.insert("node_runs", &row.fields(&id, run_id)));
            extracted
        })
    }

    /// How many rows a node, or one of its batches, has written in this run, or in one that it goes on with, if what it
    /// wrote is lasting: its row in the books is committed with them.
    pub(super) fn carried_out(
        &self,
        node: &Node,
        now: &Try,
        former_runs: &[String],
        connection: &mut dyn Connection,
    ) -> Option<u64> {
        let table = self.tables.relation("node_runs")?;
        let runs: Vec<String> = former_runs
            .iter()
            .chain([&self.run_id])
            .map(|run| self.tables.literal(&Field::Text(run.clone())))
            .collect();
        let sql = format!(
            "select max(coalesce({}, 0)) from {table} where {} in ({}) and {} = {} and {} = 'success' and {} = {}",
            self.tables.column("rows_affected"),
            self.tables.column("run_id"),
            runs.join(", "),
            self.tables.column("unique_id"),
            self.tables.literal(&Field::Text(node.unique_id.to_string())),
            self.tables.column("status"),
            self.tables.column("message"),
            self.tables.literal(&Field::Text(now.message())),
        );
        // What cannot be asked counts as not carried out, as it is where there are no books.
        let answer = connection.execute(&sql).ok()?;
        answer.table.scalar().filter(|cell| **cell != Cell::Null)?.to_string().parse().ok()
    }

    /// Whether the books tell what nodes have committed.
    pub fn tell_of_nodes(&self) -> bool {
        self.tables.relation("node_runs").is_some()
    }

    fn extracted(&self, node: &Node, staged: &Staged) -> Vec<String> {
        let model = Field::Text(node.unique_id.to_string());
        let now = Field::Time(self.at(self.clock.elapsed()));
        let mut statements: Vec<String> = staged.closing().into_iter().collect();
        if let Some(mark) = staged.watermark() {
            statements.extend(self.tables.delete("watermarks", ("model", &model)));
            let row = [
                ("model", model.clone()),
                ("field", mark.field.as_str().into()),
                ("value", mark.text.as_str().into()),
                ("type", mark.kind.as_str().into()),
                ("run_id", self.run_id()),
                ("updated_at", now.clone()),
            ];
            statements.extend(self.tables.insert("watermarks", &row));
        }
        let fetched = staged.fetched();
        let row = [
            ("batch_id", fetched.batch_id.as_str().into()),
            ("model", model),
            ("run_id", self.run_id()),
            ("rows", Some(fetched.rows).into()),
            ("pages", Some(fetched.pages).into()),
            ("rejects", Some(fetched.rejected).into()),
            ("last_value", staged.watermark().map_or(Field::Null, |mark| mark.text.as_str().into())),
            ("columns", Field::Text(staged.columns())),
            ("created_at", now),
        ];
        statements.extend(self.tables.insert("extract_batches", &row));
        statements
    }

    /// Writes a failure into the error log, in a transaction of its own. What cannot be written there is not
    /// lost: it is in the output and in `run_results.json`.
    pub fn failed(&self, session: &WorkerSession, node: &Node, found: &Diagnostics, attempt: usize) {
        let now = self.at(self.clock.elapsed());
        let statements: Vec<String> = found
            .iter()
            .filter_map(|finding| {
                let message: String = finding.to_string().chars().take(LONGEST_MESSAGE).collect();
                let severity = if finding.severity() == Severity::Error { "ERROR" } else { "WARNING" };
                self.error_row(node, ErrorEntry { at: now, message, records: None, severity, attempt })
            })
            .collect();
        let _ = session.with_connection(|connection| whole(connection, &statements));
    }

    fn error_row(&self, node: &Node, entry: ErrorEntry<'_>) -> Option<String> {
        let row = [
            ("run_id", self.run_id()),
            ("pipeline_name", self.pipeline.as_str().into()),
            ("task_name", node.name.as_str().into()),
            ("model", node.unique_id.as_str().into()),
            ("attempt", Some(entry.attempt as u64).into()),
            ("error_timestamp", Field::Time(entry.at)),
            ("error_message", Field::Text(entry.message)),
            ("record_count", entry.records.into()),
            ("severity", entry.severity.into()),
        ];
        self.tables.insert("error_log", &row)
    }

    /// Remembers how a node ended, where its own transaction did not.
    pub fn ended(&self, node: &Node, result: &NodeResult) {
        let own_transaction = result.status == Status::Success && node.resource_type != ResourceType::Test;
        if own_transaction {
            return;
        }
        let row = NodeRow {
            status: result.status.as_str(),
            rows: result.failures,
            started: self.at(result.timing.compile_start),
            finished: self.at(result.timing.end),
            message: result.message.as_deref().unwrap_or_default(),
            attempt: 1,
        };
        let mut rows: Vec<String> =
            self.tables.insert("node_runs", &row.fields(&node.unique_id, self.run_id())).into_iter().collect();
        if result.status == Status::Fail {
            let message = result.message.clone().unwrap_or_default();
            let at = self.at(result.timing.end);
            rows.extend(
                self.error_row(
                    node,
                    ErrorEntry { at, message, records: result.failures, severity: "ERROR", attempt: 1 },
                ),
            );
        }
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
    }
}

/// What one row of `error_log` says beside the node's names.
struct ErrorEntry<'a> {
    at: DateTime<Utc>,
    message: String,
    records: Option<u64>,
    severity: &'a str,
    attempt: usize,
}

/// One row of `node_runs`.
struct NodeRow<'a> {
    status: &'a str,
    rows: Option<u64>,
    started: DateTime<Utc>,
    finished: DateTime<Utc>,
    message: &'a str,
    attempt: usize,
}

impl NodeRow<'_> {
    fn fields(&self, id: &UniqueId, run_id: Field) -> [(&'static str, Field); 8] {
        [
            ("run_id", run_id),
            ("unique_id", id.as_str().into()),
            ("status", self.status.into()),
            ("rows_affected", self.rows.into()),
            ("started_at", Field::Time(self.started)),
            ("finished_at", Field::Time(self.finished)),
            ("message", Field::Text(self.message.chars().take(LONGEST_MESSAGE).collect())),
            ("attempt", Some(self.attempt as u64).into()),
        ]
    }
}

/// Runs statements as one transaction.
fn whole(connection: &mut dyn Connection, statements: &[String]) -> Result<(), DatabaseError> {
    if statements.is_empty() {
        return Ok(());
    }
    connection.begin()?;
    for sql in statements {
        if let Err(error) = connection.execute(sql) {
            // The first error is the one to tell.
            let _ = connection.rollback();
            return Err(error);
        }
    }
    connection.commit()
}
