//! The verbs that run nodes: `run`, `test`, `seed`, `snapshot`, `build`, `clone`.

use super::arguments::{
    Arguments, BuildArguments, CloneArguments, EventTimes, FullRefresh, ResourceTypeArguments, SelectionArguments,
    StoreFailures, TestArguments, Verb,
};
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome, interrupt};
use crate::artifact::{Invocation, Journal, JournalHead, TargetTree, read_journal, write_manifest, write_run_results};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::manifest::{Batch, Manifest, Materialized};
use crate::name::{ResourceType, UniqueId};
use crate::report::Reporter;
use crate::run::event::{BatchEnd, Emit, Event, NodeResult, Status};
use crate::run::{FormerRun, Listener, RunOptions, Setup, Sources, clone as clone_nodes, execute as run_nodes};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MODELS: &[ResourceType] = &[ResourceType::Model];
const TESTS: &[ResourceType] = &[ResourceType::Test, ResourceType::UnitTest];
const SEEDS: &[ResourceType] = &[ResourceType::Seed];
const SNAPSHOTS: &[ResourceType] = &[ResourceType::Snapshot];
const RELATIONS: &[ResourceType] = &[ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot];
const EVERYTHING: &[ResourceType] =
    &[ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot, ResourceType::Test, ResourceType::UnitTest];

/// What a verb is to run, in the terms that all of them share.
pub(super) struct Request {
    pub(super) verb: &'static str,
    pub(super) flags: VerbFlags,
    pub(super) selection: SelectionArguments,
    kinds: ResourceTypeArguments,
    all: &'static [ResourceType],
    /// Whether nodes are cloned from another environment instead of being built.
    clones: bool,
    /// What was typed after the program's name.
    pub(super) typed: Vec<String>,
    /// The span for which models are built in batches.
    event_times: Option<Batch>,
    /// What it goes on with.
    former: FormerRun,
}

impl Request {
    /// What a verb asks for; an error if it runs no nodes.
    pub(super) fn of(context: &Context, arguments: &Arguments) -> Result<Self, Diagnostic> {
        let settings = &context.settings;
        let (selection, kinds, refresh, store, all) = match &arguments.verb {
            Verb::Run(given) => (&given.selection, None, Some(&given.full_refresh), None, MODELS),
            Verb::Seed(given) => (&given.selection, None, Some(&given.full_refresh), None, SEEDS),
            Verb::Snapshot(given) => (&given.selection, None, None, None, SNAPSHOTS),
            Verb::Test(TestArguments { selection, kinds, store_failures }) => {
                (selection, Some(kinds), None, Some(store_failures), TESTS)
            }
            Verb::Build(BuildArguments { selection, kinds, full_refresh, store_failures, .. }) => {
                (selection, Some(kinds), Some(full_refresh), Some(store_failures), EVERYTHING)
            }
            Verb::Clone(CloneArguments { selection, kinds, full_refresh }) => {
                (selection, Some(kinds), Some(full_refresh), None, RELATIONS)
            }
            other => {
                let name = other.name();
                return Err(Diagnostic::error(Code::Usage, format!("`strata {name}` runs no nodes")));
            }
        };
        let event_times = match &arguments.verb {
            Verb::Run(given) => event_times(&given.event_times)?,
            Verb::Build(given) => event_times(&given.event_times)?,
            _ => None,
        };
        let shown = |at: fn(&Batch) -> DateTime<Utc>| json!(event_times.as_ref().map(at).map(|at| at.to_rfc3339()));
        let flags = VerbFlags {
            full_refresh: refresh.is_some_and(|given: &FullRefresh| settings.full_refresh(given)),
            store_failures: store.and_then(|given: &StoreFailures| given.store_failures).unwrap_or(false),
            state: selection.state.clone(),
            introspect: true,
            more: vec![("event_time_start", shown(Batch::start)), ("event_time_end", shown(Batch::end))],
        };
        Ok(Self {
            verb: arguments.verb.name(),
            flags,
            selection: selection.clone(),
            kinds: kinds.cloned().unwrap_or_default(),
            all,
            clones: matches!(arguments.verb, Verb::Clone(_)),
            typed: settings.typed.clone(),
            event_times,
            former: FormerRun::default(),
        })
    }
}

impl Request {
    /// The same, going on with another run.
    pub(super) fn going_on(self, former: FormerRun) -> Self {
        Self { former, ..self }
    }
}

/// The span of event time that was asked for.
fn event_times(given: &EventTimes) -> Result<Option<Batch>, Diagnostic> {
    let (Some(start), Some(end)) = (given.event_time_start, given.event_time_end) else { return Ok(None) };
    if start >= end {
        let message = "--event-time-start must be before --event-time-end";
        return Err(Diagnostic::error(Code::Usage, message));
    }
    Ok(Some(Batch::new(start, end)))
}

/// Selects and runs.
pub(super) fn execute(context: &Context, request: &Request) -> Result<Outcome> {
    let workspace = open(context, request)?;
    let wanted = |kind| request.kinds.wants(kind, request.all, request.all);
    let selected = workspace.select(context, &request.selection, &wanted)?;
    execute_selected(context, &workspace, request, selected)
}

/// The project that the request is about, and what it needs to know of another environment.
pub(super) fn open(context: &Context, request: &Request) -> Result<Workspace> {
    let workspace = Workspace::open(context, request.verb, request.flags.clone())?;
    let state = request.selection.state.as_deref();
    let workspace = if request.clones { workspace.beside(context, state, "strata clone")? } else { workspace };
    workspace.deferring(context, state)
}

/// Runs nodes that were selected before.
pub(super) fn execute_selected(
    context: &Context,
    workspace: &Workspace,
    request: &Request,
    selected: BTreeSet<UniqueId>,
) -> Result<Outcome> {
    let runnable: BTreeSet<UniqueId> = selected.into_iter().filter(|id| is_runnable(&workspace.manifest, id)).collect();
    if runnable.is_empty() {
        let nothing = Diagnostic::warning(Code::Selector, "nothing is selected, so nothing was done")
            .help("`strata ls` with the same selection shows what it means");
        context.tolerate(nothing.into())?;
        return Ok(Outcome::Success);
    }
    let order = workspace.ordered(&runnable);
    // First the warehouse: where another run holds it, that run's journal must stay.
    let warehouse = Warehouse::open(&workspace.project, is_translated(workspace, &order))?;
    // What the former run left is mended in passing: a journal that cannot be read must not keep this one from running.
    let former = read_journal(&workspace.project.target_path).ok().flatten();
    let books = Books::begin(context, workspace, request, &order)?;
    let (lost_sessions, restoring) =
        former.map(|journal| (journal.lost_sessions, journal.restoring)).unwrap_or_default();
    // If this run is killed before it has ended and put back what is left of the former, the next one does.
    for id in &lost_sessions {
        books.complain(books.journal.session(&workspace.invocation, id));
    }
    for restoring in &restoring {
        books.complain(books.journal.restoring(&workspace.invocation, restoring));
    }
    let emit = books.emit();
    let listener = Listener::new(&emit);
    let compiler = Arc::new(workspace.compiler_for(order.clone(), &listener));
    interrupt::listen(&context.cancel, &emit)?;
    let setup = Setup {
        compiler,
        adapter: warehouse.adapter,
        options: RunOptions { lost_sessions, restoring, ..options(context, workspace, request) },
        listener,
        cancel: Arc::clone(&context.cancel),
    };
    let results = if request.clones {
        clone_nodes(setup, &runnable)?
    } else {
        run_nodes(setup, workspace.graph.order(), &runnable)?
    };
    books.complain(books.journal.ended(&workspace.invocation));
    if context.settings.write_json {
        let elapsed = workspace.invocation.started.elapsed();
        write_manifest(&workspace.manifest, &workspace.invocation, &results)?;
        write_run_results(&workspace.manifest, &workspace.invocation, &results, elapsed)?;
    }
    Ok(if context.cancel.is_cancelled() {
        Outcome::Interrupted
    } else if results.iter().any(|result| result.status.is_failure()) {
        Outcome::Failure
    } else {
        Outcome::Success
    })
}

/// Whether a node is carried out by itself: ephemeral models live in others, control tables are kept by strata.
fn is_runnable(manifest: &Manifest, id: &UniqueId) -> bool {
    manifest.nodes.get(id).is_some_and(|node| {
        EVERYTHING.contains(&node.resource_type)
            && !node.is_ephemeral()
            && node.config.materialized() != Materialized::Control
    })
}

/// Whether any of the nodes may be written in another dialect than the target's.
fn is_translated(workspace: &Workspace, order: &[UniqueId]) -> bool {
    let nodes = order.iter().filter_map(|id| workspace.manifest.nodes.get(id));
    nodes.filter_map(|node| node.config.dialect()).any(|dialect| dialect != workspace.manifest.adapter_type)
}

fn options(context: &Context, workspace: &Workspace, request: &Request) -> RunOptions {
    let tests_gate = request.verb == "build";
    let full_refresh = request.flags.full_refresh;
    let plain = run_options(context, workspace, request.verb);
    RunOptions { full_refresh, tests_gate, event_times: request.event_times, former: request.former.clone(), ..plain }
}

/// What every verb that works in the warehouse asks for, the flags of its own left out.
pub(super) fn run_options(context: &Context, workspace: &Workspace, verb: &str) -> RunOptions {
    let settings = &context.settings;
    let target = &workspace.project.target;
    let sources = match settings.replay.as_ref().or(target.replay.as_ref()) {
        // `--record` asks for the sources themselves, whatever the target says.
        Some(directory) if settings.record.is_none() => Sources::Replay(directory.clone()),
        _ => Sources::Live { record: settings.record.clone() },
    };
    RunOptions {
        command: verb.to_owned(),
        threads: settings.threads.unwrap_or(target.threads),
        fail_fast: settings.fail_fast,
        full_refresh: false,
        tests_gate: false,
        warn_error: settings.warn_error,
        invocation_id: workspace.invocation.id.clone(),
        started_at: workspace.invocation.started_at,
        sources,
        event_times: None,
        lost_sessions: vec![],
        restoring: vec![],
        former: FormerRun::default(),
    }
}

/// What is kept on disk while nodes end: the journal and the trees of SQL.
struct Books {
    journal: Journal,
    tree: TargetTree,
    manifest: Arc<Manifest>,
    invocation: Arc<Invocation>,
    reporter: Arc<dyn Reporter>,
    complained: AtomicBool,
}

impl Books {
    fn begin(context: &Context, workspace: &Workspace, request: &Request, order: &[UniqueId]) -> Result<Arc<Self>> {
        let head = JournalHead {
            invocation_id: workspace.invocation.id.clone(),
            started_at: workspace.invocation.started_at,
            command: request.verb.to_owned(),
            arguments: request.typed.clone(),
            selected: order.to_vec(),
            continues: request.former.invocations.clone(),
        };
        Ok(Arc::new(Self {
            journal: Journal::begin(&workspace.invocation, &head)?,
            tree: TargetTree::new(&workspace.invocation),
            manifest: Arc::clone(&workspace.manifest),
            invocation: Arc::clone(&workspace.invocation),
            reporter: Arc::clone(&context.reporter),
            complained: AtomicBool::new(false),
        }))
    }

    /// Where events go: onto disk first, then to the reporter.
    fn emit(self: &Arc<Self>) -> Emit {
        let books = Arc::clone(self);
        Arc::new(move |event| {
            match &event {
                Event::NodeFinished { result, .. } => books.keep(result),
                Event::BatchesPlanned { unique_id, batches } => {
                    books.complain(books.journal.planned(&books.invocation, unique_id, batches));
                }
                Event::BatchFinished(end) => books.keep_batch(end),
                Event::NodeInterrupted { unique_id } => {
                    books.complain(books.journal.interrupted(&books.invocation, unique_id));
                }
                Event::WarehouseResized { restoring } => {
                    books.complain(books.journal.restoring(&books.invocation, restoring));
                }
                Event::SessionOpened { id } => books.complain(books.journal.session(&books.invocation, id)),
                _ => {}
            }
            books.reporter.hear(&event);
        })
    }

    fn keep_batch(&self, end: &BatchEnd) {
        if end.status == Status::Success {
            self.complain(self.journal.built(&self.invocation, &end.unique_id, end.step.batch));
        }
        if let Some(node) = self.manifest.nodes.get(&end.unique_id) {
            self.complain(self.tree.write_batch(node, end));
        }
    }

    /// Tells what could not be kept, once: a full disk would else be told once a node.
    fn complain(&self, kept: Result<(), Diagnostic>) {
        let mut found = Diagnostics::new();
        found.keep(kept.map_err(Diagnostics::from));
        self.tell(&found);
    }

    fn tell(&self, found: &Diagnostics) {
        if !found.is_empty() && !self.complained.swap(true, Ordering::Relaxed) {
            self.reporter.found(found);
        }
    }

    fn keep(&self, result: &NodeResult) {
        let mut found = Diagnostics::new();
        found.keep(self.journal.finished(&self.invocation, result).map_err(Diagnostics::from));
        if let Some(node) = self.manifest.nodes.get(&result.unique_id) {
            let has_code = node.resource_type != ResourceType::Seed;
            if let Some(sql) = result.compiled_code.as_ref().filter(|_| has_code) {
                found.keep(self.tree.write_compiled(node, sql).map_err(Diagnostics::from));
            }
            if let Some(sql) = &result.executed_code {
                found.keep(self.tree.write_run(node, sql).map_err(Diagnostics::from));
            }
        }
        self.tell(&found);
    }
}
