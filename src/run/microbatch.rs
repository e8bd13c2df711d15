//! Models with the strategy `microbatch`: built batch by batch, each batch in a transaction of its own, so that its
//! rows are replaced as a whole or not at all.

use super::event::{BatchEnd, Event, Status};
use super::node::{NodeWorker, Progress, Success, panicked};
use super::scheduler::STACK_SIZE;
use super::{Run, WorkerSession};
use crate::adapter::Response;
use crate::compile::NodeHost;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::manifest::{Batch, BatchResults, BatchSize, BatchStep, Node};
use crate::parse::has_batches;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// dbt's macro that says whether a model is added to what is there.
const IS_INCREMENTAL: &str = "is_incremental";

/// The batches of a model that are to be built, and what became of them so far.
pub(super) struct Board<'a> {
    run: &'a Run,
    node: &'a Node,
    steps: Vec<BatchStep>,
    /// The next batch that nobody has taken.
    next: AtomicUsize,
    ended: Mutex<Ended>,
}

/// What became of batches.
#[derive(Default)]
struct Ended {
    results: BatchResults,
    rows: Option<u64>,
    /// What the first failed batch found; the others have told theirs.
    found: Option<Diagnostics>,
}

impl Run {
    /// Whether a model is built in batches.
    pub(super) fn builds_in_batches(&self, node: &Node) -> bool {
        if !node.config.is_microbatch() {
            return false;
        }
        has_batches(self.compiler.engine().registry(), &self.compiler.project().root_package().config)
    }

    /// The batches of a model: those that a former run left undone, those of the span that was asked for, or those from
    /// the beginning (or, where the table is there, from `lookback` batches ago) until now.
    fn steps(&self, node: &Node, is_incremental: bool) -> Result<Vec<BatchStep>> {
        let (config, options) = (&node.config, &self.options);
        let wrong = |key: &str| {
            let message = format!("the microbatch model `{}` needs a valid `{key}`", node.name);
            Diagnostics::from(Diagnostic::error(Code::Config, message).at(node.declared_at.clone(), ""))
        };
        let size = config.batch_size().ok_or_else(|| wrong("batch_size"))?;
        let former = options.former.batches.get(&node.unique_id);
        let batches = if let Some(former) = former {
            former.failed.clone()
        } else {
            let asked = options.event_times;
            let until = asked.map_or(options.former.started_at.unwrap_or(options.started_at), |span| span.end());
            let end = size.ceiling(until);
            let start = match asked {
                Some(span) => size.floor(span.start()),
                None if is_incremental => size.before(end, config.lookback().saturating_add(1)),
                None => size.floor(config.begin().ok_or_else(|| wrong("begin"))?),
            };
            size.batches(start, end)
        };
        let is_added = is_incremental || former.is_some_and(|former| !former.successful.is_empty());
        Ok(in_order(&batches, size, is_added))
    }
}

/// Batches with what follows from their place. Once the first one is there, the others are added to it.
fn in_order(batches: &[Batch], size: BatchSize, is_added: bool) -> Vec<BatchStep> {
    let last = batches.len().saturating_sub(1);
    let step = |(index, batch): (usize, &Batch)| BatchStep {
        batch: *batch,
        size,
        is_first: index == 0,
        is_last: index == last,
        is_added: is_added || index > 0,
    };
    batches.iter().enumerate().map(step).collect()
}

/// Whether the model's text reads the model's own table: then one batch may need what another one made.
fn reads_itself(node: &Node) -> bool {
    let text = &*node.raw_code;
    let tags = [("{{", "}}"), ("{%", "%}")];
    tags.iter().any(|(open, close)| {
        text.split(open).skip(1).any(|rest| {
            let tag = rest.split(close).next().unwrap_or(rest);
            let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
            tag.split(|letter| !is_part(letter)).any(|word| word == "this")
        })
    })
}

impl Board<'_> {
    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next batch that may be built beside others: all but the last one, which ends the model.
    fn take(&self) -> Option<usize> {
        let next = self.next.fetch_add(1, Ordering::SeqCst);
        (next + 1 < self.steps.len()).then_some(next)
    }

    /// What was built in this run, and as failed what was not, be it that nobody came to it.
    fn results(&self) -> BatchResults {
        let mut results = self.ended().results.clone();
        let known: BTreeSet<Batch> = results.successful.iter().chain(&results.failed).copied().collect();
        results.failed.extend(self.steps.iter().map(|step| step.batch).filter(|batch| !known.contains(batch)));
        results.successful.sort_unstable();
        results.failed.sort_unstable();
        results
    }

    /// The same with what former runs have built.
    fn all_results(&self, mut results: BatchResults) -> BatchResults {
        if let Some(former) = self.run.options.former.batches.get(&self.node.unique_id) {
            results.successful.extend(&former.successful);
        }
        results
    }

    /// Notes and tells how a batch ended.
    fn end(&self, index: usize, end: BatchEnd, found: Option<Diagnostics>) {
        let mut ended = self.ended();
        let batch = self.steps[index].batch;
        if end.status == Status::Success {
            ended.results.successful.push(batch);
            if let Some(rows) = end.rows {
                ended.rows = Some(ended.rows.unwrap_or(0) + rows);
            }
        } else {
            ended.results.failed.push(batch);
        }
        let further = match found {
            Some(found) if ended.found.is_none() => {
                ended.found = Some(found);
                None
            }
            other => other,
        };
        drop(ended);
        (self.run.emit)(Event::BatchFinished(Box::new(end)));
        for finding in further.into_iter().flatten() {
            (self.run.emit)(Event::Found(finding));
        }
    }

    /// What the line of a batch says before anything is known of it.
    fn blank(&self, index: usize) -> BatchEnd {
        let step = self.steps[index];
        BatchEnd {
            unique_id: self.node.unique_id.clone(),
            step,
            index: index + 1,
            total: self.steps.len(),
            label: format!("batch {} of {}.{}", step.label(), self.node.schema, self.node.alias),
            status: Status::Skipped,
            message: None,
            rows: None,
            elapsed: std::time::Duration::ZERO,
            compiled_code: None,
            executed_code: None,
        }
    }
}

impl<'a> NodeWorker<'a> {
    /// Builds a model in batches: the first one alone, since it may make the table; those between beside each other,
    /// where that is allowed; the last one alone, since the model's hooks come after it.
    pub(super) fn build_in_batches(&mut self, node: &'a Node, progress: &mut Progress) -> Result<Success> {
        let run = self.run;
        let session = self.session()?;
        let is_incremental = self.is_incremental(node, &session)?;
        let steps = run.steps(node, is_incremental)?;
        progress.execute_start = Some(run.elapsed());
        let board = Board { run, node, steps, next: AtomicUsize::new(1), ended: Mutex::default() };
        (run.emit)(Event::BatchesPlanned {
            unique_id: node.unique_id.clone(),
            batches: board.all_results(board.results()),
        });
        let count = board.steps.len();
        let is_started = count > 0 && self.build_batch(&board, 0);
        if is_started {
            let together = node.config.flag("concurrent_batches").unwrap_or_else(|| !reads_itself(node));
            self.build_middle(&board, together && count > 3);
            if count > 1 {
                self.build_batch(&board, count - 1);
            }
        } else {
            // Without the first one there may be no table to add to.
            (1..count).for_each(|index| board.end(index, board.blank(index), None));
        }
        let results = board.results();
        progress.batches = Some(board.all_results(results.clone()));
        let Ended { rows, found, .. } = std::mem::take(&mut *board.ended());
        let response = Response { rows_affected: rows, ..Response::default() };
        let (built, missed) = (results.successful.len(), results.failed.len());
        if missed == 0 {
            return Ok(Success { message: Some("SUCCESS".to_owned()), response, ..Success::of(Status::Success) });
        }
        let found = found.unwrap_or_else(|| stopped().into());
        if built == 0 {
            return Err(found);
        }
        Ok(Success {
            message: Some(format!("PARTIAL SUCCESS ({built}/{})", built + missed)),
            response,
            diagnostic: run.first_finding(found),
            ..Success::of(Status::PartialSuccess)
        })
    }

    /// Whether the model is added to what is there, as the project's macros see it.
    fn is_incremental(&self, node: &Node, session: &Arc<WorkerSession>) -> Result<bool> {
        let compiler = &self.run.compiler;
        session.assign(Some(node.unique_id.clone()), None, None);
        self.run.comment(session, Some(node), node.unique_id.as_str())?;
        let surroundings = self.surroundings(session);
        let host = Arc::new(NodeHost::new(compiler, Some(node), &surroundings));
        let context = compiler.context(Some(node), None, &surroundings, &host)?;
        Ok(self.session_macro(IS_INCREMENTAL, &[], &context)?.is_true())
    }

    /// Builds the batches between the first and the last one. Helpers build beside this worker as long as there are
    /// slots for them.
    fn build_middle(&mut self, board: &Board<'a>, together: bool) {
        let run = self.run;
        let helpers = if together { run.options.threads.saturating_sub(1).min(board.steps.len() - 3) } else { 0 };
        thread::scope(|scope| {
            for helper in 1..=helpers {
                let number = self.number + helper * run.options.threads;
                let help = move || {
                    let mut worker = NodeWorker::new(run, number);
                    loop {
                        let _slot = run.slots.take();
                        let Some(index) = board.take() else { return };
                        worker.build_batch(board, index);
                    }
                };
                // A thread that the system refuses is work for the others.
                let builder = thread::Builder::new().name(format!("Thread-{number}")).stack_size(STACK_SIZE);
                let _ = builder.spawn_scoped(scope, help);
            }
            while let Some(index) = board.take() {
                self.build_batch(board, index);
            }
            // Helpers that wait for a slot must not wait for this one.
            self.slot = None;
        });
        self.slot = Some(run.slots.take());
    }

    /// Builds one batch; whether that went well.
    fn build_batch(&mut self, board: &Board<'a>, index: usize) -> bool {
        let (run, node, step) = (self.run, board.node, board.steps[index]);
        let mut end = board.blank(index);
        if run.cancel.is_cancelled() {
            board.end(index, end, None);
            return false;
        }
        let started = run.elapsed();
        (run.emit)(Event::BatchStarted {
            unique_id: node.unique_id.clone(),
            label: end.label.clone(),
            index: end.index,
            total: end.total,
        });
        let mut progress = Progress::default();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.try_node(node, Some(step), &mut progress)));
        let outcome = outcome.unwrap_or_else(|panic| {
            self.forget_session();
            Err(panicked(&*panic).into())
        });
        if !run.adapter.keeps_sessions() {
            self.forget_session();
        }
        end.elapsed = run.elapsed().saturating_sub(started);
        end.compiled_code = progress.compiled.map(|compiled| compiled.sql.to_string());
        end.executed_code = run.take_written(&node.unique_id, Some(step));
        match outcome {
            Ok(success) => {
                end.status = Status::Success;
                end.message = success.message;
                end.rows = success.response.rows_affected;
                board.end(index, end, None);
                true
            }
            Err(found) => {
                let place = |finding: Diagnostic| finding.note(format!("in the batch {}", step.label()));
                let found: Diagnostics = found.into_iter().map(place).collect();
                end.status = Status::Error;
                end.message = found.iter().next().map(|first| first.message().to_owned());
                board.end(index, end, Some(found));
                false
            }
        }
    }
}

fn stopped() -> Diagnostic {
    Diagnostic::error(Code::Database, "stopped before all batches were built")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse_time;

    #[test]
    fn only_the_first_batch_can_make_the_table() {
        let at = |text: &str| parse_time(text).expect("a time");
        let batches = BatchSize::Day.batches(at("2024-01-01"), at("2024-01-04"));
        let shown = |is_added: bool| -> Vec<(String, bool, bool, bool)> {
            let steps = in_order(&batches, BatchSize::Day, is_added);
            steps.iter().map(|step| (step.id(), step.is_first, step.is_last, step.is_added)).collect()
        };
        let [one, two, three] = ["20240101", "20240102", "20240103"].map(str::to_owned);
        let first = [(one.clone(), true, false, false), (two, false, false, true), (three, false, true, true)];
        assert_eq!(shown(false), first);
        assert_eq!(shown(true)[0], (one, true, false, true));
    }
}
