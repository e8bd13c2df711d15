//! One Snowflake session: statements one after the other, each with what the server says beside the rows.

use super::call::{CALL, Call, Input, Said};
use super::chunks::Parts;
use super::column::Column;
use super::failure::Failure;
use super::protocol::{captured, taken, until_done};
use super::wire::{Rules, Wire};
use super::{Shared, arrow_rows, json_rows, load};
use crate::adapter::{Answer, Batch, Cancel, Connection, DatabaseError, DatabaseErrorKind, Response, Table, Texts};
use crate::name::RelationName;
use crate::sql::{Dialect, StatementKind, split_statements, statement_kind};
use base64::Engine as _;
use bytes::Bytes;
use serde_json::Value as Json;
use snowflake_api::{RawQueryResult, SnowflakeApi};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the server is asked to stop a statement.
const ABORTS: u32 = 5;

/// A session. It is closed when it is dropped.
pub(super) struct SnowflakeConnection {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    api: SnowflakeApi,
    running: Running,
    in_transaction: bool,
    heartbeat: Option<tokio::task::AbortHandle>,
    /// What stands beside every statement, and whether it follows it.
    comment: Option<(String, bool)>,
}

/// The statement under way, for those who want to stop it.
type Running = Arc<Mutex<Option<Arc<Call>>>>;

/// The rows that come with the answer itself.
enum First {
    Nothing,
    Json(Json),
    Arrow(Vec<Bytes>),
}

impl SnowflakeConnection {
    /// Logs in, once.
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, Failure> {
        let (wire, api) = shared.session().map_err(|error| Failure::Foreign(error.to_string()))?;
        let mut connection = Self {
            shared: Arc::clone(shared),
            wire,
            api,
            running: Running::default(),
            in_transaction: false,
            heartbeat: None,
            comment: None,
        };
        let input = Input { only_login: true, ..Input::default() };
        let (login, _) = connection.send("select 1", input);
        connection.set_running(None);
        login?;
        if shared.settings.keep_alive {
            let wire = Arc::clone(&connection.wire);
            let beating = async move {
                loop {
                    tokio::time::sleep(wire.heartbeat_interval().await).await;
                    // A missed sign of life is made good by the next, or the next statement says what is wrong.
                    let _ = wire.heartbeat().await;
                }
            };
            connection.heartbeat = Some(shared.runtime.spawn(beating).abort_handle());
        }
        Ok(connection)
    }

    /// Sends one text through the client library.
    fn send(&self, sql: &str, input: Input) -> (Result<First, Failure>, Arc<Call>) {
        // A login has nothing on the server that could be stopped: it is given up at once.
        let limit = if input.only_login { Duration::ZERO } else { self.wire.settings.pace.cancel_limit };
        let call = Arc::new(Call::new(input));
        self.set_running(Some(&call));
        // The library would take a text that begins with PUT into its own hands.
        let text = format!(" {sql}");
        let sent = self.shared.runtime.block_on(async {
            tokio::select! {
                answered = CALL.scope(Arc::clone(&call), self.api.exec_raw(&text)) => {
                    // What went wrong behind the library's back is the true reason.
                    match (answered, call.said().failure.take()) {
                        (Ok(raw), None) => Ok(raw),
                        (_, Some(failure)) => Err(failure),
                        (Err(error), None) => Err(Failure::Foreign(format!("the answer cannot be read: {error}"))),
                    }
                }
                () = given_up(&call, limit) => Err(Failure::Cancelled),
            }
        });
        let first = sent.map(|raw| match raw {
            RawQueryResult::Empty => First::Nothing,
            RawQueryResult::Json(rows) => First::Json(rows.value),
            RawQueryResult::Bytes(parts) => First::Arrow(parts),
        });
        (first, call)
    }

    /// Says what there is to stop.
    fn set_running(&self, call: Option<&Arc<Call>>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = call.map(Arc::clone);
    }

    /// Runs one statement, and fetches all that it gives.
    pub(super) fn run(&mut self, sql: &str, input: Input) -> Result<Answer, DatabaseError> {
        let answer = self.run_to_end(sql, input);
        self.set_running(None);
        answer
    }

    fn run_to_end(&mut self, sql: &str, input: Input) -> Result<Answer, DatabaseError> {
        let kind = statement_kind(sql, Dialect::Snowflake);
        let (text, start) = self.commented(sql);
        let (first, call) = self.send(&text, input);
        let first = match first {
            Err(Failure::Network(why)) => self.settle(&call, &why, &text, kind),
            other => other.map_err(|failure| failure.into_error(Some(&text))),
        };
        self.track(sql, kind, first.is_ok());
        let rows = first.and_then(|first| self.rows(first, &call).map_err(|failure| failure.into_error(Some(&text))));
        let rows = rows.map_err(|error| {
            let offset =
                error.offset.and_then(|offset| offset.checked_sub(start)).filter(|offset| *offset <= sql.len());
            DatabaseError { offset, ..error }
        });
        let query_id = call.said().query_id.clone();
        let table = rows.map_err(|error| DatabaseError { query_id: error.query_id.clone().or(query_id), ..error })?;
        let answer = answer(table, &call.said(), kind);
        Ok(answer)
    }

    /// A statement with its comment, and where it starts in that text. What moves files is read by the client itself,
    /// which expects nothing else there.
    fn commented(&self, sql: &str) -> (String, usize) {
        let word = sql.split_whitespace().next().unwrap_or_default();
        let moves_files = word.eq_ignore_ascii_case("put") || word.eq_ignore_ascii_case("get");
        match &self.comment {
            Some((comment, true)) if !moves_files => {
                (format!("{}\n/* {comment} */", sql.trim_end().trim_end_matches(';')), 0)
            }
            Some((comment, false)) if !moves_files => {
                let before = format!("/* {comment} */\n");
                (format!("{before}{sql}"), before.len())
            }
            _ => (sql.to_owned(), 0),
        }
    }

    /// Keeps track of the transaction. A definition commits the one that is open.
    fn track(&mut self, sql: &str, kind: StatementKind, succeeded: bool) {
        match kind {
            StatementKind::Transaction => {
                let opens = opens_transaction(sql);
                self.in_transaction =
                    if opens { succeeded || self.in_transaction } else { self.in_transaction && !succeeded };
            }
            StatementKind::Definition => self.in_transaction = false,
            _ => {}
        }
    }

    /// Finds out what became of a statement whose answer was lost: it must not be repeated if it was carried out.
    fn settle(&self, call: &Arc<Call>, why: &str, sql: &str, kind: StatementKind) -> Result<First, DatabaseError> {
        let lost = |kind, message: String| DatabaseError {
            query_id: call.said().query_id.clone(),
            ..DatabaseError::new(kind, message)
        };
        let known = call.said().query_id.clone();
        if let Some(id) = known {
            let outcome = self.shared.runtime.block_on(CALL.scope(Arc::clone(call), outcome(&self.wire, call, &id)));
            match outcome {
                Ok(Some(first)) => return Ok(first),
                Err(Failure::Network(_)) | Ok(None) => {}
                Err(failure) => return Err(failure.into_error(Some(sql))),
            }
        }
        // What a session that is gone did in an open transaction is undone by the server.
        let is_harmless = kind == StatementKind::Query
            || (self.in_transaction && matches!(kind, StatementKind::Write { .. }))
            || (kind == StatementKind::Transaction && opens_transaction(sql));
        if is_harmless {
            return Err(lost(DatabaseErrorKind::Connection, why.to_owned()));
        }
        Err(lost(
            DatabaseErrorKind::Unsettled,
            format!("{why}; whether the statement was carried out could not be found out"),
        ))
    }

    /// All rows of an answer, its parts in order.
    fn rows(&self, first: First, call: &Arc<Call>) -> Result<Table, Failure> {
        let columns: Vec<Column> = call.said().row_type.iter().map(Column::read).collect();
        let mut rows = Vec::new();
        match first {
            First::Nothing => {}
            First::Json(value) => {
                rows = json_rows::read(value.as_array().map_or(&[][..], Vec::as_slice), &columns)
                    .map_err(Failure::Foreign)?;
            }
            First::Arrow(parts) => {
                for part in parts {
                    arrow_rows::read_part(part, &columns, &mut rows).map_err(Failure::Foreign)?;
                }
            }
        }
        let is_json = call.said().is_json;
        if !call.said().chunks.is_empty() {
            let mut parts = Parts::fetch(&self.wire, call, &mut call.said());
            self.shared.runtime.block_on(async {
                while let Some(part) = parts.next().await {
                    let part = part?;
                    if is_json {
                        rows.extend(json_rows::read_part(&part, &columns).map_err(Failure::Foreign)?);
                    } else {
                        arrow_rows::read_part(part, &columns, &mut rows).map_err(Failure::Foreign)?;
                    }
                }
                Ok::<(), Failure>(())
            })?;
        }
        let columns = columns.into_iter().map(|column| (column.name.clone(), column.column_type())).collect();
        Ok(Table { columns, rows })
    }

    /// What stands before the number of a session: numbers are those of one account.
    fn account_mark(&self) -> String {
        format!("{}/", self.wire.settings.endpoint.host_str().unwrap_or_default())
    }

    pub(super) fn settings(&self) -> &super::SnowflakeSettings {
        &self.shared.settings
    }
}

/// Returns when a cancelled statement has had its time to end.
async fn given_up(call: &Call, limit: Duration) {
    call.cancelled().await;
    tokio::time::sleep(limit).await;
}

/// The answer of a statement that succeeded after all; none if the server does not know it.
async fn outcome(wire: &Wire, call: &Call, id: &str) -> Result<Option<First>, Failure> {
    if wire.status(id).await?.is_none() {
        return Ok(None);
    }
    let request = wire.request(reqwest::Method::GET, &format!("queries/{id}/result"), None);
    let rules = Rules { retries: wire.settings.pace.retries, in_session: true, numbered: false };
    let answer = until_done(wire, call, wire.send(request, rules).await?).await?;
    let mut data = captured(call, taken(call, answer)?);
    Ok(Some(match (data.remove("rowset"), data.get("rowsetBase64").and_then(Json::as_str)) {
        (Some(rows @ Json::Array(_)), _) => First::Json(rows),
        (_, Some(packed)) if !packed.is_empty() => {
            let part = base64::engine::general_purpose::STANDARD.decode(packed);
            First::Arrow(vec![part.map_err(|error| Failure::Foreign(error.to_string()))?.into()])
        }
        _ => First::Nothing,
    }))
}

fn opens_transaction(sql: &str) -> bool {
    let word = sql.split(|letter: char| !letter.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    word.eq_ignore_ascii_case("begin") || word.eq_ignore_ascii_case("start")
}

/// What a statement gave, in the words of dbt's adapter.
fn answer(table: Table, said: &Said, kind: StatementKind) -> Answer {
    let counts = match kind {
        StatementKind::Write { .. } => counts(&table),
        _ => vec![],
    };
    let rows_affected = match kind {
        StatementKind::Write { .. } if !counts.is_empty() => Some(counts.iter().map(|(_, count)| count).sum()),
        StatementKind::Query => said.total.or_else(|| u64::try_from(table.rows.len()).ok()),
        _ => None,
    };
    let count = rows_affected.or(said.total).unwrap_or_default();
    let mut response = Response {
        message: format!("SUCCESS {count}"),
        rows_affected,
        query_id: said.query_id.clone(),
        ..Response::default()
    };
    response.details.insert("code".to_owned(), "SUCCESS".to_owned());
    response.details.extend(counts.into_iter().map(|(name, count)| (name.to_owned(), count.to_string())));
    // The counts of a writing statement are in the response.
    let table = if matches!(kind, StatementKind::Write { .. }) && response.rows_affected.is_some() {
        Table::default()
    } else {
        table
    };
    Answer { response, table }
}

/// How many rows a writing statement wrote, by what it did with them.
fn counts(table: &Table) -> Vec<(&'static str, u64)> {
    let number = |name: &str| {
        let position = table.position(name)?;
        let cells = table.rows.iter().filter_map(|row| row.get(position));
        cells.map(|cell| cell.to_string().parse::<u64>().ok()).sum::<Option<u64>>()
    };
    let names = [
        ("number of rows inserted", "rows_inserted"),
        ("number of rows updated", "rows_updated"),
        ("number of rows deleted", "rows_deleted"),
        ("rows_loaded", "rows_inserted"),
    ];
    names.into_iter().filter_map(|(column, name)| Some((name, number(column)?))).collect()
}

impl Connection for SnowflakeConnection {
    fn execute(&mut self, sql: &str) -> Result<Answer, DatabaseError> {
        let mut last: Option<Answer> = None;
        for range in split_statements(sql, Dialect::Snowflake) {
            let start = range.start;
            let statement = &sql[range];
            let answer = self.run(statement, Input::default()).map_err(|failure| {
                let offset = failure.offset.map(|offset| offset + start);
                DatabaseError { offset, ..failure }
            })?;
            // Of `begin; merge …; commit;` the merge's answer counts.
            let controls = statement_kind(statement, Dialect::Snowflake) == StatementKind::Transaction;
            if last.is_none() || !controls {
                last = Some(answer);
            }
        }
        Ok(last.unwrap_or_else(|| Answer {
            response: Response { message: "SUCCESS 0".into(), ..Response::default() },
            ..Answer::default()
        }))
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction {
            return Err(DatabaseError::new(DatabaseErrorKind::Statement, "a transaction is already open"));
        }
        self.execute("begin").map(drop)
    }

    fn commit(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction { self.execute("commit").map(drop) } else { Ok(()) }
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        if self.in_transaction { self.execute("rollback").map(drop) } else { Ok(()) }
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn takes_comments(&self) -> bool {
        true
    }

    fn set_comment(&mut self, comment: Option<String>, append: Option<bool>) {
        self.comment = comment.map(|comment| (comment, append.unwrap_or(true)));
    }

    fn definitions_commit(&self) -> bool {
        true
    }

    fn is_alive(&mut self) -> bool {
        self.shared.runtime.block_on(self.wire.is_alive())
    }

    fn session_id(&self) -> Option<String> {
        Some(format!("{}{}", self.account_mark(), self.wire.session_id()?))
    }

    fn end_sessions(&mut self, ids: &[String]) -> Result<(), DatabaseError> {
        let mark = self.account_mark();
        let is_number = |id: &&str| !id.is_empty() && id.chars().all(|digit| digit.is_ascii_digit());
        let ids: Vec<&str> = ids.iter().filter_map(|id| id.strip_prefix(mark.as_str())).filter(is_number).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for id in &ids {
            // A session that has ended runs nothing; which error says so is not documented.
            match self.execute(&format!("select system$cancel_all_queries({id})")) {
                Err(error) if error.kind != DatabaseErrorKind::Statement => return Err(error),
                _ => {}
            }
        }
        let open = self.execute("show transactions")?.table;
        let (Some(number), Some(session)) = (open.position("id"), open.position("session")) else { return Ok(()) };
        for row in open.rows {
            if ids.contains(&row[session].to_string().as_str()) {
                self.execute(&format!("select system$abort_transaction({})", row[number]))?;
            }
        }
        Ok(())
    }

    fn load(&mut self, into: &RelationName, batch: &Batch) -> Result<u64, DatabaseError> {
        load::load(self, into, batch)
    }

    fn load_texts(&mut self, into: &RelationName, rows: &Texts<'_>) -> Option<Result<u64, DatabaseError>> {
        Some(load::load_texts(self, into, rows))
    }

    fn canceller(&self) -> Arc<dyn Cancel> {
        Arc::new(Canceller {
            shared: Arc::clone(&self.shared),
            wire: Arc::clone(&self.wire),
            running: Arc::clone(&self.running),
        })
    }
}

impl Drop for SnowflakeConnection {
    fn drop(&mut self) {
        if let Some(heartbeat) = &self.heartbeat {
            heartbeat.abort();
        }
        let limit = self.wire.settings.pace.close_limit;
        self.shared.runtime.block_on(async {
            if self.wire.is_logged_in().await {
                // A session that cannot be closed ends by itself some hours later.
                let _ = tokio::time::timeout(limit, self.api.close_session()).await;
            }
        });
    }
}

/// Stops what a session runs.
struct Canceller {
    shared: Arc<Shared>,
    wire: Arc<Wire>,
    running: Running,
}

impl Cancel for Canceller {
    fn end_session(&self) {
        self.shared.runtime.block_on(async {
            if self.wire.is_logged_in().await {
                self.wire.close().await;
            }
        });
    }

    fn cancel(&self) {
        let Some(call) = self.running.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return };
        call.cancel();
        let (wire, running) = (Arc::clone(&self.wire), Arc::clone(&self.running));
        // Whoever cancels does not wait: there may be other statements to stop.
        self.shared.runtime.spawn(async move {
            let wait = wire.settings.pace.poll_first;
            for _ in 0..ABORTS {
                let request = call.said().request_id.clone();
                if let Some(request) = request {
                    wire.abort(&request).await;
                }
                // A request that was not there yet when it was to be stopped is stopped the next time.
                tokio::time::sleep(wait).await;
                let still = running
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .as_ref()
                    .is_some_and(|now| Arc::ptr_eq(now, &call));
                if !still {
                    return;
                }
            }
        });
    }
}
