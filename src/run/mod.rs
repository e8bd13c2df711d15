//! Carries out what was compiled: scheduling, materializing, testing, keeping the books.

mod books;
mod catalog;
mod clone;
pub mod control;
pub mod event;
mod extraction;
mod freshness;
mod hooks;
mod last_modified;
mod microbatch;
mod node;
mod operation;
mod row_diff;
pub mod scheduler;
mod seed;
mod session;
mod show;
mod slots;
mod test;
mod unit_test;
mod warehouse_batch;
mod warehouses;

pub use catalog::{CatalogColumn, CatalogStatistic, CatalogTable, catalog};
pub use clone::clone;
pub use extraction::Sources;
pub use freshness::{Measured, SourceResult, freshness};
pub use operation::{Operation, run_operation};
pub use session::WorkerSession;
pub use show::show;

use crate::adapter::{Adapter, DatabaseError, Relation, RelationCache, Response, Table};
use crate::compile::{Compiler, Message, Messages, Surroundings};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::RenderContext;
use crate::jinja::context::main_result;
use crate::jinja::host::Session;
use crate::manifest::{Batch, BatchResults, BatchStep, Materialized, Node};
use crate::name::{RelationName, ResourceType, UniqueId};
use crate::plan::Plan;
use crate::project::read_text;
use books::Books;
use chrono::{DateTime, Utc};
use control::ControlTables;
use event::{Emit, Event, NodeResult, Restoring};
use node::NodeWorker;
use rustc_hash::FxHashMap;
use scheduler::{CancelFlag, Drive, Worker};
use slots::Slots;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use warehouses::Warehouses;

/// What the command line asks of a run.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct RunOptions {
    /// The verb: `run`, `build`, ….
    pub command: String,
    /// How many workers.
    pub threads: usize,
    /// Whether the first failure stops the rest.
    pub fail_fast: bool,
    /// Whether extraction starts from the beginning. (Macros read the flag by themselves.)
    pub full_refresh: bool,
    /// Whether children wait for the tests on their parents: `build`.
    pub tests_gate: bool,
    /// Whether warnings count as failures.
    pub warn_error: bool,
    /// The id of this invocation.
    pub invocation_id: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Where extract models read from.
    pub sources: Sources,
    /// The span of event time that models are built for in batches, if one was asked for.
    pub event_times: Option<Batch>,
    /// Sessions of a former run that was killed: this one ends them.
    pub lost_sessions: Vec<String>,
    /// What that run has changed and not put back.
    pub restoring: Vec<Restoring>,
    /// What this run goes on with.
    pub former: FormerRun,
}

/// The run that this one goes on with; nothing is known of it where this one stands for itself.
#[derive(Debug, Clone, Default)]
pub struct FormerRun {
    /// The id of its invocation, and those of the runs that it went on with.
    pub invocations: Vec<String>,
    /// When it began: the newest batch is the one of then.
    pub started_at: Option<DateTime<Utc>>,
    /// The nodes that may have written what they were to write: if it is lasting, it is not written again.
    pub interrupted: BTreeSet<UniqueId>,
    /// What became of models that were built in part: only what is left of them is done.
    pub batches: BTreeMap<UniqueId, BatchResults>,
}

/// The SQL that `write()` was given, by node and by the beginning of its batch, until the node ends.
type Written = Arc<Mutex<FxHashMap<(UniqueId, Option<DateTime<Utc>>), String>>>;

/// Where templates speak to: their messages become events.
#[derive(Clone)]
pub struct Listener {
    emit: Emit,
    written: Written,
}

impl Listener {
    /// A listener that passes messages on as events.
    pub fn new(emit: &Emit) -> Self {
        Self { emit: Arc::clone(emit), written: Written::default() }
    }

    /// What a compiler needs to know of it.
    pub fn messages(&self) -> Messages {
        let (emit, written) = (Arc::clone(&self.emit), Arc::clone(&self.written));
        Arc::new(move |node, message| match message {
            Message::Log { text, visible: true } => emit(Event::Message(text)),
            Message::Log { text, visible: false } => emit(Event::Logged(text)),
            Message::Warning(text) => emit(Event::Found(Diagnostic::warning(Code::MacroWarning, text))),
            Message::Written { sql, batch } => {
                if let Some(node) = node {
                    written.lock().unwrap_or_else(PoisonError::into_inner).insert((node.clone(), batch), sql);
                }
            }
        })
    }
}

/// What a run stands on.
pub struct Setup {
    /// Renders nodes; its messages go to `listener`.
    pub compiler: Arc<Compiler>,
    /// The warehouse.
    pub adapter: Arc<dyn Adapter>,
    /// What was asked.
    pub options: RunOptions,
    /// Where templates speak to.
    pub listener: Listener,
    /// A request to stop.
    pub cancel: Arc<CancelFlag>,
}

/// A run under way, shared by its workers.
pub struct Run {
    compiler: Arc<Compiler>,
    adapter: Arc<dyn Adapter>,
    options: RunOptions,
    listener: Listener,
    emit: Emit,
    cancel: Arc<CancelFlag>,
    cache: Arc<RelationCache>,
    books: Books,
    plan: Plan,
    /// Whether nodes are cloned from another environment instead of being built.
    clones: bool,
    clock: Instant,
    position: AtomicUsize,
    slots: Slots,
}

/// Runs the selected nodes. `order` is the whole project in topological order. What a node could not do is in its
/// result; an error is what kept the run from starting.
pub fn execute(setup: Setup, order: &[UniqueId], selected: &BTreeSet<UniqueId>) -> Result<Vec<NodeResult>> {
    let manifest = Arc::clone(setup.compiler.manifest());
    let runnable: BTreeSet<UniqueId> =
        selected.iter().filter(|id| manifest.nodes.get(*id).is_some_and(is_run)).cloned().collect();
    let plan = Plan::new(&manifest, order, &runnable, setup.options.tests_gate);
    let tables = ControlTables::new(&manifest, setup.compiler.dialect());
    let run = Run::new(setup, plan, tables);
    run.execute(&|number| NodeWorker::new(&run, number), true)
}

/// Whether a node is something to run: ephemeral models live in others, control tables are kept by strata
/// itself, analyses are only compiled, hooks run around everything else.
fn is_run(node: &Node) -> bool {
    !node.is_ephemeral()
        && node.config.materialized() != Materialized::Control
        && !matches!(node.resource_type, ResourceType::Analysis | ResourceType::Operation)
}

impl Run {
    fn new(setup: Setup, plan: Plan, tables: ControlTables) -> Self {
        let clock = Instant::now();
        let project = setup.compiler.project();
        let books = Books::new(tables, &setup.options, project.name(), &project.target.name, clock);
        let slots = Slots::new(setup.options.threads);
        Self {
            slots,
            emit: Arc::clone(&setup.listener.emit),
            compiler: setup.compiler,
            adapter: setup.adapter,
            options: setup.options,
            listener: setup.listener,
            cancel: setup.cancel,
            cache: Arc::default(),
            books,
            plan,
            clones: false,
            clock,
            position: AtomicUsize::new(0),
        }
    }

    /// Has workers carry out the plan, between the project's hooks if `with_hooks`.
    fn execute<W: Worker>(&self, worker: &(impl Fn(usize) -> W + Sync), with_hooks: bool) -> Result<Vec<NodeResult>> {
        let manifest = self.compiler.manifest();
        (self.emit)(Event::RunStarted {
            summary: self.plan.summary(manifest),
            total: self.plan.nodes.len(),
            threads: self.options.threads,
        });
        if self.plan.nodes.is_empty() {
            (self.emit)(Event::RunFinished { results: vec![], elapsed: self.elapsed(), interrupted: false });
            return Ok(vec![]);
        }
        let master = self.open_session("master")?;
        self.end_lost_sessions(&master, &self.options.lost_sessions);
        master.with_connection(|connection| self.books.open(connection)).map_err(|error| refused(&error))?;
        self.create_schemas(&master)?;
        self.list_relations(&master)?;
        let hooks = |session: &Arc<WorkerSession>, kind: &str, results: Option<&[NodeResult]>| {
            if with_hooks { hooks::run(self, session, kind, results) } else { vec![] }
        };
        let warehouses = Warehouses::resize(self, &master)?;
        let mut results = hooks(&master, hooks::ON_RUN_START, None);
        // As in dbt, a failing hook keeps the nodes from running only where the project says so.
        let flags = &self.compiler.project().root_package().config;
        let hooks_gate = flags.flag("skip_nodes_if_on_run_start_fails").unwrap_or(false);
        if !hooks_gate || results.iter().all(|result| !result.status.is_failure()) {
            let skip = |node: usize, because: Option<usize>| self.skipped(node, because);
            let drive = Drive {
                plan: &self.plan,
                threads: self.options.threads,
                fail_fast: self.options.fail_fast,
                cancel: &self.cancel,
                skip: &skip,
            };
            results.extend(drive.run(worker));
        } else {
            results.extend((0..self.plan.nodes.len()).map(|node| self.skipped(node, None)));
        }
        // A long run may outlive a session that has nothing to do.
        let master = self.still_open(master);
        let end = hooks(&master, hooks::ON_RUN_END, Some(&results));
        results.extend(end);
        warehouses.restore(self, &master);
        let interrupted = self.cancel.is_cancelled();
        let failed = results.iter().any(|result| result.status.is_failure());
        let status = if interrupted {
            "interrupted"
        } else if failed {
            "error"
        } else {
            "success"
        };
        let closed = master.with_connection(|connection| self.books.close(connection, status));
        if let Err(error) = closed {
            (self.emit)(Event::Found(refused(&error)));
        }
        (self.emit)(Event::RunFinished { results: results.clone(), elapsed: self.elapsed(), interrupted });
        Ok(results)
    }

    /// Makes the schemas of the planned nodes, by the macro that projects may override.
    fn create_schemas(&self, master: &Arc<WorkerSession>) -> Result<(), Diagnostics> {
        let session = Some(Arc::clone(master) as Arc<dyn Session>);
        let surroundings = Surroundings { session, ..Surroundings::default() };
        let mut found = Diagnostics::new();
        for (database, schema) in self.plan.schemas(self.compiler.manifest()) {
            let name = RelationName {
                database,
                schema: Some(schema),
                identifier: None,
                quoting: self.compiler.project().quoting(),
            };
            let schema = Relation { name, relation_type: None };
            found.keep(self.compiler.call_for_relation("create_schema", &schema, &surroundings));
        }
        found.into_result(()).map(|_| ())
    }

    /// Has what exists listed where nodes will be asked for it in another environment's stead, before they change it.
    fn list_relations(&self, master: &Arc<WorkerSession>) -> Result<()> {
        let session = Some(Arc::clone(master) as Arc<dyn Session>);
        let surroundings = Surroundings { session, ..Surroundings::default() };
        let nodes = &self.plan.nodes;
        if self.clones {
            self.compiler.list_both_sides(nodes, &surroundings)?;
        }
        self.compiler.list_deferred(nodes, &surroundings)
    }

    /// A new connection for a worker.
    fn open_session(&self, name: &str) -> Result<Arc<WorkerSession>, Diagnostic> {
        let session = open_session(self.adapter.as_ref(), name, &self.cache, &self.emit)?;
        self.cancel.register(session.with_connection(|connection| connection.canceller()));
        if let Some(id) = session.id() {
            (self.emit)(Event::SessionOpened { id });
        }
        self.comment(&session, None, name).map_err(first_of)?;
        Ok(session)
    }

    /// The session, or a new one in its place if the warehouse does not know it any more.
    fn still_open(&self, session: Arc<WorkerSession>) -> Arc<WorkerSession> {
        if session.with_connection(|connection| connection.is_alive()) {
            return session;
        }
        self.open_session("master").unwrap_or(session)
    }

    /// Ends sessions that have lost their process or their line. If that fails, the warehouse does it in its own time.
    fn end_lost_sessions(&self, session: &WorkerSession, ids: &[String]) {
        if let Err(error) = session.with_connection(|connection| connection.end_sessions(ids)) {
            let message = format!("what an interrupted session left open could not be ended: {}", error.message);
            (self.emit)(Event::Found(Diagnostic::warning(Code::Database, message)));
        }
    }

    /// Puts the project's comment beside the statements that follow: those of a node, or of a connection without one.
    fn comment(&self, session: &WorkerSession, node: Option<&Node>, connection: &str) -> Result<()> {
        if !session.with_connection(|connection| connection.takes_comments()) {
            return Ok(());
        }
        let comment = self.compiler.query_comment(node, connection)?;
        let append = self.compiler.project().root_package().config.query_comment.append;
        session.with_connection(|connection| connection.set_comment(comment, append));
        Ok(())
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The position of the next node that starts, from 1.
    fn next_position(&self) -> usize {
        self.position.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The result of a node that is not run, because something before it failed or everything stops.
    fn skipped(&self, node: usize, because: Option<usize>) -> NodeResult {
        let id = self.plan.nodes[node].clone();
        let message = match because {
            Some(failed) => format!("skipped because of {}", self.plan.nodes[failed]),
            None => "skipped because the run was stopped".to_owned(),
        };
        let result = NodeResult::skipped(id.clone(), message, self.elapsed());
        let manifest = self.compiler.manifest();
        let label = match (manifest.nodes.get(&id), manifest.sources.get(&id)) {
            (Some(node), _) => {
                self.books.ended(node, &result);
                Some(node::label(node))
            }
            (None, source) => source.map(freshness::label),
        };
        if let Some(label) = label {
            (self.emit)(Event::NodeFinished { result: Box::new(result.clone()), index: self.next_position(), label });
        }
        result
    }

    /// The finding that stands for a node's failure; the others are told on their own.
    fn first_finding(&self, found: Diagnostics) -> Option<Diagnostic> {
        let mut found = found.into_iter();
        let first = found.next();
        found.for_each(|further| (self.emit)(Event::Found(further)));
        first
    }

    /// The SQL that built a node, as its macros gave it to `write()`.
    fn take_written(&self, id: &UniqueId, step: Option<BatchStep>) -> Option<String> {
        let key = (id.clone(), step.map(|step| step.batch.start()));
        self.listener.written.lock().unwrap_or_else(PoisonError::into_inner).remove(&key)
    }

    /// The rows of a seed, typed.
    fn read_seed(&self, node: &Node) -> Result<Table, Diagnostic> {
        let project = self.compiler.project();
        let root = project.package(&node.package_name).map_or(project.root.as_path(), |package| package.root.as_path());
        let file = read_text(&root.join(&node.original_file_path), Path::new(&node.original_file_path))?;
        let delimiter = node.config.text("delimiter").and_then(|text| text.bytes().next()).unwrap_or(b',');
        let types = node.config.get("column_types").and_then(|types| types.as_object());
        seed::read(&file, delimiter, &|column| types.is_some_and(|types| types.contains_key(column)))
    }
}

/// The first of some findings, of which there is at least one.
fn first_of(found: Diagnostics) -> Diagnostic {
    let unsaid = || Diagnostic::error(Code::Internal, "something failed without a word");
    found.into_iter().next().unwrap_or_else(unsaid)
}

fn refused(error: &DatabaseError) -> Diagnostic {
    Diagnostic::error(Code::Database, format!("the control tables cannot be written: {}", error.message)).help(
        "strata keeps its books in the schema of the package `strata`: check that the target may write there, or \
         disable them with `models: {strata: {+enabled: false}}`",
    )
}

/// What the warehouse said of a node: of its statement `main`, with the rows of its last writing statement.
fn response_of(context: &RenderContext, session: &WorkerSession) -> Response {
    let mut response = main_result(context).map(|(response, _)| response).unwrap_or_default();
    response.rows_affected = response.rows_affected.or(session.written().rows_affected);
    response
}

/// Opens a connection as Jinja sees it.
pub fn open_session(
    adapter: &dyn Adapter,
    name: &str,
    cache: &Arc<RelationCache>,
    emit: &Emit,
) -> Result<Arc<WorkerSession>, Diagnostic> {
    let connection = adapter.connect(name).map_err(|error| {
        Diagnostic::error(Code::Connection, format!("cannot connect to {}: {}", adapter.type_name(), error.message))
            .help("`strata debug` shows what it tries to connect to")
    })?;
    Ok(WorkerSession::new(connection, Arc::clone(cache), Arc::clone(emit)))
}
