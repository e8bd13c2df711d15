//! A worker's warehouse connection as Jinja sees it, with what is known of relations and what must go into a
//! node's transaction before it ends.

use super::event::{Emit, Event};
use crate::adapter::{
    Answer, Batch, Connection, DatabaseError, DatabaseErrorKind, Relation, RelationCache, Response, Texts,
};
use crate::jinja::host::{FailedStatement, HostError, Session};
use crate::name::{RelationName, UniqueId};
use crate::sql::{Dialect, StatementKind, split_statements, statement_kind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// SQL that belongs into a node's transaction, made when the transaction is about to end; it is given the
/// number of rows that the node's last writing statement changed.
pub type Closing = Box<dyn FnOnce(Option<u64>) -> Vec<String> + Send>;

/// Loads the seed that a node stands for; gives the number of rows.
pub type SeedLoader = Box<dyn Fn(&WorkerSession, &RelationName) -> Result<u64, HostError> + Send + Sync>;

/// How many sessions were opened.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// One worker's connection. It serves one node after the other.
pub struct WorkerSession {
    connection: Mutex<Box<dyn Connection>>,
    /// Whether a definition commits by itself: then a node is not one transaction.
    definitions_commit: bool,
    /// What tells sessions of one process apart.
    number: usize,
    cache: Arc<RelationCache>,
    emit: Emit,
    work: Mutex<Work>,
}

/// What belongs to the node that is being run.
#[derive(Default)]
struct Work {
    node: Option<UniqueId>,
    closing: Option<Closing>,
    /// The statement that the materialization calls `main`, as it was given to `write()`.
    main: Option<String>,
    /// How many rows the main statement has written, if that is lasting already: it is not run again.
    carried_out: Option<u64>,
    /// Whether statements that ask for it open a transaction, though no node waits to close it.
    begins: bool,
    seed: Option<SeedLoader>,
    changes: Vec<Change>,
    written: Response,
    failure: Option<FailedStatement>,
}

/// A change of the cache that a rollback takes back.
enum Change {
    Set { name: RelationName, before: Option<Relation> },
}

impl WorkerSession {
    /// A session over an open connection; the cache is shared by all workers.
    pub fn new(connection: Box<dyn Connection>, cache: Arc<RelationCache>, emit: Emit) -> Arc<Self> {
        let definitions_commit = connection.definitions_commit();
        let connection = Mutex::new(connection);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { connection, definitions_commit, number, cache, emit, work: Mutex::default() })
    }

    /// Turns to a node: what a former one left behind is forgotten.
    pub fn assign(&self, node: Option<UniqueId>, closing: Option<Closing>, seed: Option<SeedLoader>) {
        *self.work() = Work { node, closing, seed, ..Work::default() };
    }

    /// Says that what the node's main statement writes is lasting already.
    pub fn main_is_carried_out(&self, rows: Option<u64>) {
        self.work().carried_out = rows;
    }

    /// Turns to a macro that belongs to no node: statements open transactions, which the macro has to commit.
    pub fn assign_operation(&self) {
        *self.work() = Work { begins: true, ..Work::default() };
    }

    /// Opens the node's transaction. Where definitions commit by themselves there is none: macros open one around
    /// what they write.
    pub fn begin(&self) -> Result<(), Box<FailedStatement>> {
        if self.definitions_commit {
            return Ok(());
        }
        self.connection().begin().map_err(|error| failed("begin", error))
    }

    /// Ends the node's transaction if the node's macros left it open.
    pub fn finish(&self) -> Result<(), Box<FailedStatement>> {
        self.commit()
    }

    /// Appends the rows of a batch to a table.
    pub fn load(&self, into: &RelationName, batch: &Batch) -> Result<u64, Box<FailedStatement>> {
        self.connection().load(into, batch).map_err(|error| {
            let failed = failed(&format!("load into {into}"), error);
            self.work().failure = Some((*failed).clone());
            failed
        })
    }

    /// Appends rows of texts to a table, as [`Connection::load_texts`] does.
    pub fn load_texts(&self, into: &RelationName, rows: &Texts<'_>) -> Option<Result<u64, Box<FailedStatement>>> {
        let loaded = self.connection().load_texts(into, rows)?;
        Some(loaded.map_err(|error| {
            let failed = failed(&format!("load into {into}"), error);
            self.work().failure = Some((*failed).clone());
            failed
        }))
    }

    /// Runs statements as one transaction; with a number of rows, what belongs into the node's transaction is part of it.
    pub fn write_whole(&self, statements: &[String], rows: Option<u64>) -> Result<(), Box<FailedStatement>> {
        self.send("begin")?;
        for sql in statements {
            self.send(sql)?;
        }
        if rows.is_some() {
            self.close(rows)?;
        }
        self.send("commit").map(drop)
    }

    /// Notes how many rows the node has written, where no answer of the warehouse tells it.
    pub fn wrote(&self, rows: u64) {
        self.work().written = Response { rows_affected: Some(rows), ..Response::default() };
    }

    /// Works on the connection itself.
    pub fn with_connection<T>(&self, work: impl FnOnce(&mut dyn Connection) -> T) -> T {
        work(self.connection().as_mut())
    }

    /// What names the session in the warehouse, if it outlives this process.
    pub fn id(&self) -> Option<String> {
        self.connection().session_id()
    }

    /// The node's last failed statement.
    pub fn failure(&self) -> Option<FailedStatement> {
        self.work().failure.clone()
    }

    /// What the warehouse said of the last statement that wrote rows.
    pub fn written(&self) -> Response {
        self.work().written.clone()
    }

    /// A panic of a node leaves the connection usable: its transaction is rolled back by the runner.
    fn connection(&self) -> MutexGuard<'_, Box<dyn Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, sql: &str) -> Result<Answer, Box<FailedStatement>> {
        let started = Instant::now();
        let answer = self.connection().execute(sql);
        (self.emit)(Event::Statement {
            unique_id: self.work().node.clone(),
            sql: sql.to_owned(),
            elapsed: started.elapsed(),
        });
        answer.map_err(|error| {
            let failed = failed(sql, error);
            self.work().failure = Some((*failed).clone());
            failed
        })
    }

    /// Runs SQL where definitions commit by themselves. What belongs into the node's transaction goes into the one that
    /// the main statement opens, just before it ends; rows that are written without one get one.
    fn execute_committing(&self, sql: &str) -> Result<Answer, Box<FailedStatement>> {
        let (is_main, carried_out) = {
            let work = self.work();
            let is_main = work.main.as_deref().is_some_and(|main| main.trim() == sql.trim());
            (is_main && (work.closing.is_some() || work.carried_out.is_some()), work.carried_out)
        };
        let place = if is_main { place_of_closing(sql) } else { Place::After };
        match (place, carried_out) {
            (Place::Before(_) | Place::Around, Some(rows)) => Ok(carried_out_before(rows)),
            (place, _) => self.execute_in(place, sql),
        }
    }

    fn execute_in(&self, place: Place, sql: &str) -> Result<Answer, Box<FailedStatement>> {
        match place {
            Place::After => self.send(sql),
            Place::Within(mark) => {
                let (closing, written) = {
                    let mut work = self.work();
                    (work.closing.take(), work.written.rows_affected)
                };
                let rows: Vec<String> = closing.map(|closing| closing(written)).unwrap_or_default();
                self.send(&with_closing(sql, mark, &rows))
            }
            Place::Before(end) => {
                let answer = self.send(&sql[..end])?;
                self.close(answer.response.rows_affected)?;
                self.send(&sql[end..])?;
                Ok(answer)
            }
            Place::Around => {
                self.connection().begin().map_err(|error| failed("begin", error))?;
                let answer = self.send(sql)?;
                self.close(answer.response.rows_affected)?;
                self.connection().commit().map_err(|error| failed("commit", error))?;
                Ok(answer)
            }
        }
    }

    /// Runs what belongs into the node's transaction, once.
    fn close(&self, rows: Option<u64>) -> Result<(), Box<FailedStatement>> {
        let closing = self.work().closing.take();
        for sql in closing.into_iter().flat_map(|closing| closing(rows)) {
            self.send(&sql)?;
        }
        Ok(())
    }

    /// Notes what was known of a name before it changes; what commits by itself no rollback takes back.
    fn note(&self, name: &RelationName) {
        if self.definitions_commit {
            return;
        }
        let before = self.cache.get(name);
        self.work().changes.push(Change::Set { name: name.clone(), before });
    }
}

/// Where, in the text of a main statement, the node's own rows belong.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Before the commit that starts at this byte.
    Before(usize),
    /// Behind it, both within a transaction that is opened for them.
    Around,
    /// In the place of [`MARK`], which starts at this byte of a block that the server runs as one request.
    Within(usize),
    /// In a transaction of their own that follows: the text commits by itself.
    After,
}

/// Where macros want the node's own rows in a block of statements.
const MARK: &str = "/* the rows of the runner */";

/// A block with the node's own rows as a transaction of their own.
fn with_closing(block: &str, mark: usize, rows: &[String]) -> String {
    // What ends the block's text can stand only in literals.
    let rows: Vec<String> = rows.iter().map(|sql| sql.replace("$$", "$\\u0024")).collect();
    let (before, after) = (&block[..mark], &block[mark + MARK.len()..]);
    if rows.is_empty() {
        return format!("{before}{after}");
    }
    format!("{before}begin transaction;\n  {};\n  commit;{after}", rows.join(";\n  "))
}

fn place_of_closing(sql: &str) -> Place {
    let dialect = Dialect::Snowflake;
    if let Some(mark) = sql.find(MARK) {
        return Place::Within(mark);
    }
    let statements = split_statements(sql, dialect);
    let kinds: Vec<StatementKind> =
        statements.iter().map(|range| statement_kind(&sql[range.clone()], dialect)).collect();
    match (kinds.as_slice(), statements.last()) {
        ([.., StatementKind::Write { .. }, StatementKind::Transaction], Some(last))
            if sql[last.clone()].get(..6).is_some_and(|word| word.eq_ignore_ascii_case("commit")) =>
        {
            Place::Before(last.start)
        }
        (kinds, Some(_)) if kinds.iter().all(|kind| matches!(kind, StatementKind::Write { .. })) => Place::Around,
        _ => Place::After,
    }
}

/// The answer of a statement that was carried out before.
fn carried_out_before(rows: u64) -> Answer {
    let response = Response { message: format!("SUCCESS {rows}"), rows_affected: Some(rows), ..Response::default() };
    Answer { response, ..Answer::default() }
}

#[expect(clippy::unnecessary_box_returns, reason = "every caller returns it boxed: errors are rare and large")]
fn failed(sql: &str, error: DatabaseError) -> Box<FailedStatement> {
    Box::new(FailedStatement { sql: sql.to_owned(), error })
}

impl Session for WorkerSession {
    fn execute(&self, sql: &str, auto_begin: bool) -> Result<Answer, Box<FailedStatement>> {
        let begins = {
            let work = self.work();
            work.closing.is_some() || work.begins
        };
        let answer = if self.definitions_commit {
            self.execute_committing(sql)?
        } else {
            if auto_begin && begins && !self.connection().in_transaction() {
                self.begin()?;
            }
            self.send(sql)?
        };
        let mut work = self.work();
        if answer.response.rows_affected.is_some() && answer.table.columns.is_empty() {
            work.written = answer.response.clone();
        }
        Ok(answer)
    }

    fn definitions_commit(&self) -> bool {
        self.definitions_commit
    }

    fn main_follows(&self, sql: &str) {
        self.work().main = Some(sql.to_owned());
    }

    fn commit(&self) -> Result<(), Box<FailedStatement>> {
        let is_open = self.connection().in_transaction();
        let (closing, rows) = {
            let mut work = self.work();
            // What definitions changed is lasting already, and the node's rows follow in a transaction of their own.
            let closing = if is_open || self.definitions_commit { work.closing.take() } else { None };
            (closing, work.written.rows_affected)
        };
        let statements: Vec<String> = closing.map(|closing| closing(rows)).unwrap_or_default();
        if !is_open && statements.is_empty() {
            return Ok(());
        }
        // A single statement is a transaction by itself.
        let needs_transaction = is_open || statements.len() > 1;
        if needs_transaction && !is_open {
            self.connection().begin().map_err(|error| failed("begin", error))?;
        }
        for sql in statements {
            self.send(&sql)?;
        }
        if needs_transaction {
            self.connection().commit().map_err(|error| failed("commit", error))?;
        }
        self.work().changes.clear();
        Ok(())
    }

    fn rollback(&self) -> Result<(), Box<FailedStatement>> {
        let undone = self.connection().rollback().map_err(|error| failed("rollback", error));
        let changes = std::mem::take(&mut self.work().changes);
        for Change::Set { name, before } in changes.into_iter().rev() {
            match before {
                Some(relation) => self.cache.add(relation),
                None => self.cache.drop_relation(&name),
            }
        }
        undone
    }

    fn cached_relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        self.cache.relations_or_turn(database, schema, self.number)
    }

    fn remember_relations(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        self.cache.remember(database, schema, relations);
    }

    fn end_listing(&self, database: Option<&str>, schema: &str) {
        self.cache.end_listing(database, schema, self.number);
    }

    fn relation_added(&self, relation: Relation) {
        self.note(&relation.name);
        self.cache.add(relation);
    }

    fn relation_dropped(&self, name: &RelationName) {
        self.note(name);
        self.cache.drop_relation(name);
    }

    fn relation_renamed(&self, from: &RelationName, to: &RelationName) {
        self.note(from);
        self.note(to);
        self.cache.rename(from, to);
    }

    fn load_seed(&self, into: &RelationName, node: &UniqueId) -> Result<u64, HostError> {
        let seed = self.work().seed.take();
        let Some(seed) = seed else {
            let error =
                DatabaseError::new(DatabaseErrorKind::Statement, format!("{node} is not a seed that is being loaded"));
            return Err(HostError::Database(failed("", error)));
        };
        let rows = seed(self, into);
        self.work().seed = Some(seed);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_rows_go_into_the_transaction_of_the_main_statement() {
        let merge = "begin;\nmerge into t using s on t.a = s.a when matched then delete;\ncommit;";
        assert_eq!(place_of_closing(merge), Place::Before(merge.find("commit").expect("a commit")));
        assert_eq!(place_of_closing("insert into t select 1"), Place::Around);
        assert_eq!(place_of_closing("delete from t; insert into t select 1;"), Place::Around);
        assert_eq!(place_of_closing("create or replace table t as select 1"), Place::After);
        assert_eq!(place_of_closing("begin; create table t (a int); commit"), Place::After);
        assert_eq!(place_of_closing("begin; insert into t select 1"), Place::After);
        assert_eq!(place_of_closing("select 1"), Place::After);
        let block = "execute immediate $$\nbegin\n  drop table t;\n  /* the rows of the runner */\nend;\n$$";
        let Place::Within(mark) = place_of_closing(block) else { panic!("a mark") };
        let rows = ["insert into n values ('a$$b')".to_owned()];
        assert_eq!(
            with_closing(block, mark, &rows),
            "execute immediate $$\nbegin\n  drop table t;\n  begin transaction;\n  insert into n values ('a$\\u0024b');\n  commit;\nend;\n$$"
        );
        assert!(!with_closing(block, mark, &[]).contains("transaction"));
        assert_eq!(place_of_closing(""), Place::After);
    }
}
