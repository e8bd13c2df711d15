//! Runs one node on a worker: compile, materialize or test, and say how it ended.

use super::event::{CLONE_LABEL, Event, NodeResult, Status, Timing};
use super::extraction;
use super::scheduler::Worker;
use super::seed::{self, SeedRows};
use super::session::{SeedLoader, WorkerSession};
use super::slots::Slot;
use super::{Run, response_of, test, unit_test};
use crate::adapter::{DatabaseErrorKind, Response, Table};
use crate::compile::{CompiledNode, NodeHost, Surroundings, in_own_words};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, nearest};
use crate::jinja::context::returned_relations;
use crate::jinja::host::{FailedStatement, HostError, Session};
use crate::jinja::{RenderContext, Value};
use crate::manifest::{BatchResults, BatchStep, Materialized, Node};
use crate::name::{RelationName, ResourceType};
use crate::plan::kind_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// How often a node is tried when another transaction, or a lost connection, got in its way.
const TRIES: usize = 3;

/// One worker of a run, with a connection that it opens when it first needs it.
pub struct NodeWorker<'a> {
    pub(super) run: &'a Run,
    pub(super) number: usize,
    session: Option<Arc<WorkerSession>>,
    /// The slot of the node that is being run.
    pub(super) slot: Option<Slot<'a>>,
}

/// What a node left behind when it went well.
pub(super) struct Success {
    pub(super) status: Status,
    /// dbt's words for how it ended.
    pub(super) message: Option<String>,
    pub(super) failures: Option<u64>,
    pub(super) response: Response,
    pub(super) diagnostic: Option<Diagnostic>,
}

impl Success {
    /// An ending of which there is nothing more to say.
    pub(super) fn of(status: Status) -> Self {
        Self { status, message: None, failures: None, response: Response::default(), diagnostic: None }
    }
}

/// Times and texts that are known before the end.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) compiled: Option<CompiledNode>,
    pub(super) execute_start: Option<Duration>,
    pub(super) batches: Option<BatchResults>,
}

impl<'a> NodeWorker<'a> {
    /// The worker of a number from 1.
    pub fn new(run: &'a Run, number: usize) -> Self {
        Self { run, number, session: None, slot: None }
    }

    /// Leaves the connection: the next node opens another.
    pub(super) fn forget_session(&mut self) {
        self.session = None;
    }

    pub(super) fn session(&mut self) -> Result<Arc<WorkerSession>> {
        if let Some(session) = &self.session {
            return Ok(Arc::clone(session));
        }
        let session = self.run.open_session(&format!("worker {}", self.number))?;
        self.session = Some(Arc::clone(&session));
        Ok(session)
    }

    pub(super) fn surroundings(&self, session: &Arc<WorkerSession>) -> Surroundings {
        Surroundings {
            session: Some(Arc::clone(session) as Arc<dyn Session>),
            thread: format!("Thread-{}", self.number),
            ..Surroundings::default()
        }
    }

    /// Tries a node, or one of its batches, until it ends, or fails in a way that trying again would not change.
    pub(super) fn try_node(
        &mut self,
        node: &Node,
        step: Option<BatchStep>,
        progress: &mut Progress,
    ) -> Result<Success> {
        let mut attempt = 1;
        loop {
            let session = self.session()?;
            let result = match node.resource_type {
                _ if self.run.clones => self.clone_relation(node, &session, &Try { attempt, step }, progress),
                ResourceType::Test | ResourceType::UnitTest => self.test(node, &session, progress),
                _ => self.materialize(node, &session, &Try { attempt, step }, progress),
            };
            let Err(found) = result else { return result };
            // The rollback's own failure says nothing that the first failure does not.
            let _ = session.rollback();
            let failure = session.failure();
            let kind = failure.as_ref().map(|failed| failed.error.kind);
            if matches!(kind, Some(DatabaseErrorKind::Connection | DatabaseErrorKind::Unsettled)) {
                self.replace_session(session);
            }
            let may_try_again = match kind {
                Some(DatabaseErrorKind::Conflict | DatabaseErrorKind::Connection) => true,
                // The books tell whether the node's rows are there; of what a hook did they tell nothing.
                Some(DatabaseErrorKind::Unsettled) => self.run.books.tell_of_nodes() && !has_hooks(node),
                _ => false,
            };
            if !may_try_again || attempt == TRIES || self.run.cancel.is_cancelled() {
                let found: Diagnostics = match (&failure, &progress.compiled) {
                    (Some(failed), Some(compiled)) => {
                        found.into_iter().map(|finding| located(finding, failed, compiled)).collect()
                    }
                    _ => found,
                };
                if matches!(
                    kind,
                    Some(DatabaseErrorKind::Connection | DatabaseErrorKind::Unsettled | DatabaseErrorKind::Cancelled)
                ) {
                    (self.run.emit)(Event::NodeInterrupted { unique_id: node.unique_id.clone() });
                }
                if let Some(session) = &self.session {
                    self.run.books.failed(session, node, &found, attempt);
                }
                return Err(found);
            }
            attempt += 1;
            // What definitions did before the failure is lasting, whatever was noted of it.
            if let Some(name) = node.relation_name.as_ref().filter(|_| self.commits_definitions())
                && let Some(schema) = &name.schema
            {
                self.run.cache.forget(name.database.as_deref(), schema);
            }
        }
    }

    fn commits_definitions(&self) -> bool {
        self.session.as_ref().is_none_or(|session| session.definitions_commit())
    }

    /// Gives up a session that is lost, takes a new one, and has the server end what the old one left open.
    fn replace_session(&mut self, lost: Arc<WorkerSession>) {
        let id = lost.id();
        self.session = None;
        drop(lost);
        // Where there is no new session either, the next attempt says so.
        if let (Ok(session), Some(id)) = (self.session(), id) {
            self.run.end_lost_sessions(&session, &[id]);
        }
    }

    /// How many rows the node (or this batch of it) has written in an earlier attempt, or in the run that this one goes
    /// on with, if they are lasting though the node did not come to its end.
    fn carried_out(&self, node: &Node, session: &WorkerSession, now: &Try) -> Option<u64> {
        let former = &self.run.options.former;
        let former_runs: &[String] =
            if former.interrupted.contains(&node.unique_id) { &former.invocations } else { &[] };
        if !session.definitions_commit() || (now.attempt == 1 && former_runs.is_empty()) {
            return None;
        }
        session.with_connection(|connection| self.run.books.carried_out(node, now, former_runs, connection))
    }

    /// Runs a model, seed or snapshot: one transaction with its hooks, its row in the books and its watermark.
    fn materialize(
        &self,
        node: &Node,
        session: &Arc<WorkerSession>,
        now: &Try,
        progress: &mut Progress,
    ) -> Result<Success> {
        let run = self.run;
        self.prepare(node, session)?;
        let mut surroundings = Surroundings { batch: now.step, ..self.surroundings(session) };
        let extraction = match node.config.materialized() {
            Materialized::Extract => Some(extraction::fetch(run, node, session, &surroundings)?),
            _ => None,
        };
        surroundings.source = extraction.as_ref().map(extraction::Staged::source_override);
        let seed = match node.resource_type {
            ResourceType::Seed => Some(Arc::new(run.read_seed(node)?)),
            _ => None,
        };
        surroundings.seed.clone_from(&seed);
        begin(node, session)?;
        if let Some(staged) = &extraction {
            staged.load(run, session, &surroundings)?;
        }
        let compiled = match node.resource_type {
            ResourceType::Seed => CompiledNode::of(node, "".into()),
            _ => run.compiler.compile(node, &surroundings)?,
        };
        progress.compiled = Some(compiled.clone());
        progress.execute_start = Some(run.elapsed());
        let carried_out = self.carried_out(node, session, now);
        // Rows that are not written move no watermark.
        let closing = run.books.closing(node, now, extraction.as_ref().filter(|_| carried_out.is_none()));
        session.assign(Some(node.unique_id.clone()), Some(closing), seed.map(|table| loader(run, node, table)));
        session.main_is_carried_out(carried_out);
        let context = self.call_materialization(node.config.materialized().as_str(), node, &compiled, &surroundings)?;
        finish(node, session)?;
        if let Some(staged) = extraction {
            staged.clean_up()?;
        }
        let response = response_of(&context, session);
        let message = Some(response.message.clone()).filter(|message| !message.is_empty());
        Ok(Success { message, response, ..Success::of(Status::Success) })
    }

    /// Turns a session to a node.
    pub(super) fn prepare(&self, node: &Node, session: &Arc<WorkerSession>) -> Result<()> {
        session.assign(Some(node.unique_id.clone()), None, None);
        self.run.comment(session, Some(node), node.unique_id.as_str())
    }

    /// Calls the materialization of that name for a node.
    pub(super) fn call_materialization(
        &self,
        word: &str,
        node: &Node,
        compiled: &CompiledNode,
        surroundings: &Surroundings,
    ) -> Result<Arc<RenderContext>> {
        let compiler = &self.run.compiler;
        let registry = compiler.engine().registry();
        let adapter = self.run.adapter.type_name();
        let Some(definition) = registry.find_materialization(word, adapter) else {
            let known = registry.materializations(adapter);
            let found = Diagnostic::error(Code::Config, format!("there is no materialization `{word}` for {adapter}"))
                .at(node.declared_at.clone(), "");
            let help = match nearest(word, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("materializations: {}", known.join(", ")),
            };
            return Err(found.help(help).into());
        };
        let context = if let Some(test) = &node.unit_test {
            compiler.unit_test_context(node, test, compiled, surroundings)?
        } else {
            let host = Arc::new(NodeHost::new(compiler, Some(node), surroundings));
            compiler.context(Some(node), Some(compiled), surroundings, &host)?
        };
        let place = |found: Diagnostic| {
            let found = match &node.unit_test {
                Some(test) => in_own_words(found, &test.expect.span),
                None => found,
            };
            let kind = if node.unit_test.is_some() { "unit test" } else { node.resource_type.as_str() };
            found.within(format!("in {kind} `{}`", node.name), Some(node.declared_at.clone()))
        };
        let original = self.session_macro("begin_node_session", &[], &context).map_err(place)?;
        let returned = compiler.engine().call_macro(&definition, &[], &[], &context).map_err(place);
        let ended = self.session_macro("end_node_session", &[original, Value::from(returned.is_err())], &context);
        // A failure of the node says more than what failed after it.
        let returned = returned?;
        ended.map_err(place)?;
        if let Some(session) = &surroundings.session {
            for relation in returned_relations(&returned) {
                session.relation_added(relation);
            }
        }
        Ok(context)
    }

    /// Calls one of the macros that prepare a session for a node, and put it back as it was.
    pub(super) fn session_macro(
        &self,
        name: &str,
        arguments: &[Value],
        context: &Arc<RenderContext>,
    ) -> std::result::Result<Value, Diagnostic> {
        let engine = self.run.compiler.engine();
        match engine.registry().find(name, context.package()) {
            Some(definition) => engine.call_macro(&definition, arguments, &[], context),
            None => Ok(Value::default()),
        }
    }

    /// Runs a test of either kind and judges what it found.
    fn test(&self, node: &Node, session: &Arc<WorkerSession>, progress: &mut Progress) -> Result<Success> {
        self.prepare(node, session)?;
        let surroundings = self.surroundings(session);
        let compiled = self.run.compiler.compile(node, &surroundings)?;
        progress.compiled = Some(compiled.clone());
        progress.execute_start = Some(self.run.elapsed());
        let context = self.call_materialization(node.config.materialized().as_str(), node, &compiled, &surroundings)?;
        finish(node, session)?;
        let (response, table) = crate::jinja::context::main_result(&context).unwrap_or_default();
        let mut verdict = match &node.unit_test {
            Some(test) => unit_test::judge(node, test, &table)?,
            None => test::judge(node, &table)?,
        };
        if verdict.status == Status::Warn && self.run.options.warn_error {
            verdict.status = Status::Fail;
            verdict.diagnostic = verdict.diagnostic.map(Diagnostic::into_error);
        }
        Ok(Success {
            status: verdict.status,
            message: verdict.message,
            failures: Some(verdict.failures),
            response,
            diagnostic: verdict.diagnostic,
        })
    }
}

/// Opens the node's transaction.
pub(super) fn begin(node: &Node, session: &WorkerSession) -> Result<()> {
    Ok(session.begin().map_err(|failed| database(node, &failed.error))?)
}

/// Ends the node's transaction.
pub(super) fn finish(node: &Node, session: &WorkerSession) -> Result<()> {
    Ok(session.finish().map_err(|failed| database(node, &failed.error))?)
}

/// One of several tries of a node, or of one of its batches.
pub(super) struct Try {
    /// Which one, from 1.
    pub(super) attempt: usize,
    /// The batch.
    pub(super) step: Option<BatchStep>,
}

impl Try {
    /// What the books say of it if it ends well.
    pub(super) fn message(&self) -> String {
        self.step.map_or_else(|| "OK".to_owned(), |step| format!("batch {}", step.label()))
    }
}

impl Worker for NodeWorker<'_> {
    fn run(&mut self, index: usize) -> NodeResult {
        let run = self.run;
        let id = &run.plan.nodes[index];
        // The plan is made of the manifest's nodes.
        let Some(node) = run.compiler.manifest().nodes.get(id) else {
            return run.skipped(index, None);
        };
        self.slot = Some(run.slots.take());
        let label = if run.clones { clone_label(node) } else { label(node) };
        let position = run.next_position();
        (run.emit)(Event::NodeStarted { unique_id: id.clone(), index: position, label: label.clone() });
        let compile_start = run.elapsed();
        let mut progress = Progress::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if !run.clones && run.builds_in_batches(node) {
                self.build_in_batches(node, &mut progress)
            } else {
                self.try_node(node, None, &mut progress)
            }
        }));
        let outcome = outcome.unwrap_or_else(|panic| {
            // The connection may be in the middle of anything: the next node opens another.
            self.session = None;
            Err(panicked(&*panic).into())
        });
        if !run.adapter.keeps_sessions() {
            self.session = None;
        }
        let end = run.elapsed();
        let timing = Timing { compile_start, execute_start: progress.execute_start.unwrap_or(end), end };
        let mut result = NodeResult {
            unique_id: id.clone(),
            status: Status::Error,
            message: None,
            failures: None,
            response: Response::default(),
            diagnostic: None,
            timing,
            thread: self.number,
            compiled_code: progress.compiled.map(|compiled| compiled.sql.to_string()),
            executed_code: run.take_written(id, None),
            batches: progress.batches,
        };
        match outcome {
            Ok(success) => {
                result.status = success.status;
                result.message = success.message;
                result.failures = success.failures;
                result.response = success.response;
                result.diagnostic = success.diagnostic;
            }
            Err(found) => {
                result.diagnostic = run.first_finding(found);
                result.message = result.diagnostic.as_ref().map(|first| first.message().to_owned());
            }
        }
        run.books.ended(node, &result);
        (run.emit)(Event::NodeFinished { result: Box::new(result.clone()), index: position, label });
        self.slot = None;
        result
    }
}

/// Whether a node does more than what its materialization does.
fn has_hooks(node: &Node) -> bool {
    ["pre-hook", "post-hook"]
        .iter()
        .any(|hook| node.config.get(hook).is_some_and(|hooks| hooks.as_array().is_none_or(|hooks| !hooks.is_empty())))
}

/// How a node is called in progress lines: `view model staging.stg_orders`.
pub fn label(node: &Node) -> String {
    match node.resource_type {
        ResourceType::Test => node.name.clone(),
        ResourceType::UnitTest => match &node.unit_test {
            Some(test) => format!("{}::{}", test.model, node.alias),
            None => node.alias.clone(),
        },
        _ => format!("{} {}.{}", kind_of(node), node.schema, node.alias),
    }
}

/// How a node that is cloned is called: its own kind says nothing of what becomes of it.
fn clone_label(node: &Node) -> String {
    format!("{CLONE_LABEL} {}.{}", node.schema, node.alias)
}

/// Points at the model's own text where the warehouse pointed at the SQL that came of it.
fn located(finding: Diagnostic, failed: &FailedStatement, compiled: &CompiledNode) -> Diagnostic {
    let place = || {
        let offset = failed.error.offset?;
        let sent = compiled.executable.trim();
        let within = offset.checked_sub(failed.sql.find(sent)?).filter(|within| *within < sent.len())?;
        let leading = compiled.executable.len() - compiled.executable.trim_start().len();
        let is_name = |letter: &char| letter.is_alphanumeric() || *letter == '_';
        let word: String = failed.sql[offset..].chars().take_while(is_name).collect();
        compiled.source_of(leading + within, &word)
    };
    match place() {
        Some(span) if finding.code() == Code::Database => finding.first_at(span, "this became the SQL that failed"),
        _ => finding,
    }
}

/// What loads a seed's rows, once the materialization asks for it: in the node's transaction, or where there is none
/// in one of their own.
fn loader(run: &Run, node: &Node, table: Arc<Table>) -> SeedLoader {
    let dialect = run.compiler.dialect();
    let quoted = node.config.flag("quote_columns").unwrap_or(false);
    let types = node.config.get("column_types");
    let declared = |name: &str| types.and_then(|types| types.get(name)?.as_str().map(str::to_owned));
    let casts = seed::casts(&table, declared, |column_type| run.adapter.type_word(column_type));
    let rows = SeedRows {
        columns: seed::column_names(&table, dialect, quoted).into_iter().zip(casts).collect(),
        texts: extraction::temporary_name(node, "seed", dialect),
        directory: run.compiler.project().target_path.join("seeds"),
        target: node.relation_name.clone(),
        table: Arc::clone(&table),
    };
    Box::new(move |session: &WorkerSession, into: &RelationName| {
        if let Some(loaded) = rows.load(session, into) {
            return loaded.map_err(HostError::Database);
        }
        let mut statements = seed::inserts(into, &table, dialect, quoted);
        if session.definitions_commit() {
            statements.insert(0, "begin".to_owned());
            statements.push("commit".to_owned());
        }
        for sql in statements {
            session.execute(&sql, true).map_err(HostError::Database)?;
        }
        Ok(table.rows.len() as u64)
    })
}

fn database(node: &Node, error: &crate::adapter::DatabaseError) -> Diagnostic {
    Diagnostic::error(Code::Database, error.message.clone())
        .within(format!("in {} `{}`", node.resource_type, node.name), Some(node.declared_at.clone()))
}

pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Diagnostic {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Diagnostic::error(
        Code::Internal,
        format!("strata failed at something it should not: {}", words.unwrap_or("no words")),
    )
    .help("this is a defect of strata: please report it with the model that shows it")
}
