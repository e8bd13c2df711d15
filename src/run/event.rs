//! What happens while a command runs. The runner emits, reporters listen; nobody else prints.

use crate::adapter::Response;
use crate::diagnostic::Diagnostic;
use crate::manifest::{BatchResults, BatchStep};
use crate::name::UniqueId;
use std::time::Duration;

/// How a node ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A model, seed, snapshot or hook did what it should.
    Success,
    /// A test found nothing wrong.
    Pass,
    /// A test found something, and only warns.
    Warn,
    /// A test found something.
    Fail,
    /// It could not be run to its end.
    Error,
    /// Some of its batches were built, others not.
    PartialSuccess,
    /// Something before it failed.
    Skipped,
    /// Nothing was to be done: an ephemeral model, an analysis.
    NoOp,
}

impl Status {
    /// dbt's word in `run_results.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::PartialSuccess => "partial success",
            Self::Skipped => "skipped",
            Self::NoOp => "no-op",
        }
    }

    /// The status that a word of `run_results.json` means.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Success,
            Self::Pass,
            Self::Warn,
            Self::Fail,
            Self::Error,
            Self::PartialSuccess,
            Self::Skipped,
            Self::NoOp,
        ];
        all.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the command fails because of it.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Fail | Self::Error | Self::PartialSuccess)
    }
}

/// How one node ended.
#[derive(Debug, Clone)]
pub struct NodeResult {
    /// The node.
    pub unique_id: UniqueId,
    /// How it ended.
    pub status: Status,
    /// dbt's line about it: `OK`, `Got 3 results, configured to fail if != 0`; none for a test that passed.
    pub message: Option<String>,
    /// Rows that a test found.
    pub failures: Option<u64>,
    /// What the warehouse said of the main statement.
    pub response: Response,
    /// What went wrong.
    pub diagnostic: Option<Diagnostic>,
    /// Since the run's start: when compiling began, when executing began, when it ended.
    pub timing: Timing,
    /// Which worker ran it, from 1.
    pub thread: usize,
    /// The SQL as compiled, if it came so far: what `target/compiled` keeps.
    pub compiled_code: Option<String>,
    /// The SQL that built it, if it came so far: what `target/run` keeps.
    pub executed_code: Option<String>,
    /// Of a model that is built in batches: which were built.
    pub batches: Option<BatchResults>,
}

/// dbt's message of a node of which nothing was to be done.
pub const NOTHING_DONE: &str = "No-op";

/// The first word of the label of a node that is cloned, whatever kind of node it is.
pub const CLONE_LABEL: &str = "clone";

impl NodeResult {
    /// dbt's name of the thread that ran it.
    pub fn thread_id(&self) -> String {
        if self.thread == 0 { "MainThread".to_owned() } else { format!("Thread-{} (worker)", self.thread) }
    }

    /// Whether it ended well because there was nothing to do: artifacts say so in the message alone, as dbt's do.
    pub fn did_nothing(&self) -> bool {
        self.status == Status::Success && self.message.as_deref() == Some(NOTHING_DONE)
    }

    /// What a unit test found: the difference between rows, drawn in several lines. Other messages are one.
    pub fn difference(&self) -> Option<&str> {
        self.message.as_deref().filter(|message| self.status == Status::Fail && message.contains('\n'))
    }

    /// The result of a node that was not run, for the reason that `message` gives, at a time since the run's start.
    pub fn skipped(unique_id: UniqueId, message: String, now: Duration) -> Self {
        Self {
            unique_id,
            status: Status::Skipped,
            message: Some(message),
            failures: None,
            response: Response::default(),
            diagnostic: None,
            timing: Timing { compile_start: now, execute_start: now, end: now },
            thread: 0,
            compiled_code: None,
            executed_code: None,
            batches: None,
        }
    }
}

/// How one batch of a model ended.
#[derive(Debug, Clone)]
pub struct BatchEnd {
    /// The model.
    pub unique_id: UniqueId,
    /// The batch.
    pub step: BatchStep,
    /// Its position among the model's batches in this run, from 1.
    pub index: usize,
    /// How many batches of the model there are in this run.
    pub total: usize,
    /// How it is called in progress lines: `batch 2024-01-31 of dev.daily`.
    pub label: String,
    /// `Success`, `Error` or `Skipped`.
    pub status: Status,
    /// What the warehouse said, or what went wrong.
    pub message: Option<String>,
    /// Rows that were written.
    pub rows: Option<u64>,
    /// How long it took.
    pub elapsed: Duration,
    /// The SQL as compiled for the batch.
    pub compiled_code: Option<String>,
    /// The SQL that built it.
    pub executed_code: Option<String>,
}

/// Times since the start of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// When compiling began.
    pub compile_start: Duration,
    /// When executing began.
    pub execute_start: Duration,
    /// When the node was through.
    pub end: Duration,
}

/// A statement that puts back what a run has changed for its own time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// The account in which it is to be run: what stands before `/` in the ids of its sessions.
    pub account: String,
    /// The statement.
    pub sql: String,
}

/// Something that reporters may tell.
#[derive(Debug, Clone)]
pub enum Event {
    /// The command knows what it will do: a label (`8 models, 20 tests`) and how many workers do it.
    RunStarted {
        /// What was found, as counts by kind.
        summary: String,
        /// The number of nodes that will be run.
        total: usize,
        /// The number of workers.
        threads: usize,
    },
    /// A session was opened that outlives its process: its id, as [`crate::adapter::Connection::session_id`] gives it.
    SessionOpened {
        /// The id.
        id: String,
    },
    /// The size of a warehouse is about to be changed for the time of the run.
    WarehouseResized {
        /// What undoes it.
        restoring: Restoring,
    },
    /// A node failed because its session, its line or the command was interrupted: what it wrote may be lasting.
    NodeInterrupted {
        /// The node.
        unique_id: UniqueId,
    },
    /// A worker took a node.
    NodeStarted {
        /// The node.
        unique_id: UniqueId,
        /// Its position among the nodes of this run, from 1.
        index: usize,
        /// How it is called in progress lines: `sql view model dev.stg_orders`.
        label: String,
    },
    /// A long node tells how far it is.
    NodeProgress {
        /// The node.
        unique_id: UniqueId,
        /// Rows so far.
        rows: u64,
        /// Pages or files so far.
        pages: u64,
    },
    /// A model is about to be built in batches.
    BatchesPlanned {
        /// The model.
        unique_id: UniqueId,
        /// As failed, those that are to be built; as successful, what former runs have built of the same plan.
        batches: BatchResults,
    },
    /// A batch of a model is being built.
    BatchStarted {
        /// The model.
        unique_id: UniqueId,
        /// How it is called in progress lines.
        label: String,
        /// Its position among the model's batches, from 1.
        index: usize,
        /// How many there are.
        total: usize,
    },
    /// A batch of a model ended.
    BatchFinished(Box<BatchEnd>),
    /// A node ended.
    NodeFinished {
        /// How.
        result: Box<NodeResult>,
        /// Its position, as in `NodeStarted`.
        index: usize,
        /// How it is called, as in `NodeStarted`.
        label: String,
    },
    /// A finding that is not a node's end: warnings of parse, of macros.
    Found(Diagnostic),
    /// A macro said something to people.
    Message(String),
    /// A macro said something to the log file only.
    Logged(String),
    /// A statement was sent, for `--debug` and the log file.
    Statement {
        /// The node on whose behalf.
        unique_id: Option<UniqueId>,
        /// The SQL.
        sql: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// All is done.
    RunFinished {
        /// Every result in the order in which nodes ended.
        results: Vec<NodeResult>,
        /// From start to end.
        elapsed: Duration,
        /// Whether it was stopped before its end.
        interrupted: bool,
    },
}

/// Where events go; shared by all workers.
pub type Emit = std::sync::Arc<dyn Fn(Event) + Send + Sync>;
