//! Runs the nodes of a plan on several workers, each node as soon as what it waits for is through.

use super::event::{NodeResult, Status};
use crate::adapter::Cancel;
use crate::plan::Plan;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Macros may call each other a few hundred levels deep, and a level takes some 20 KB in a debug build.
pub(super) const STACK_SIZE: usize = 64 * 1024 * 1024;

/// A request to stop that all threads see.
#[derive(Default)]
pub struct CancelFlag {
    asked: AtomicBool,
    statements: Mutex<Vec<Arc<dyn Cancel>>>,
}

impl CancelFlag {
    /// Asks everything to stop, and stops the statements that run.
    pub fn cancel(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.statements().iter().for_each(|statement| statement.cancel());
    }

    /// Ends all sessions, and waits no longer than the limit for it.
    pub fn end_sessions(&self, limit: Duration) {
        let (done, ended) = unbounded::<()>();
        let sessions = self.statements().clone();
        for session in &sessions {
            let (session, done) = (Arc::clone(session), done.clone());
            // Without a thread to ask for it, the warehouse ends the session in its own time.
            let _ = thread::Builder::new().spawn(move || {
                session.end_session();
                let _ = done.send(());
            });
        }
        drop(done);
        let until = Instant::now() + limit;
        while ended.recv_deadline(until).is_ok() {}
    }

    /// Whether something asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Has a connection's statements stopped as well.
    pub fn register(&self, connection: Arc<dyn Cancel>) {
        self.statements().push(connection);
    }

    /// The flag itself, for those who only look.
    pub fn as_atomic(&self) -> &AtomicBool {
        &self.asked
    }

    fn statements(&self) -> MutexGuard<'_, Vec<Arc<dyn Cancel>>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker: runs nodes (by their index in the plan), keeping what is costly to open, such as a connection.
pub trait Worker {
    /// Runs a node to its end; whatever goes wrong is part of the result.
    fn run(&mut self, node: usize) -> NodeResult;
}

/// How a plan is driven.
pub struct Drive<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// How many workers; at least one is used.
    pub threads: usize,
    /// Whether the first failure stops the rest.
    pub fail_fast: bool,
    /// Whether someone asked to stop.
    pub cancel: &'a CancelFlag,
    /// Told of every node that is skipped, because of `Some(node)` or because everything stops.
    pub skip: &'a (dyn Fn(usize, Option<usize>) -> NodeResult + Sync),
}

impl Drive<'_> {
    /// Runs the plan; `worker` makes the worker of a number from 1. Results come in the order in which nodes ended.
    pub fn run<W: Worker>(&self, worker: impl Fn(usize) -> W + Sync) -> Vec<NodeResult> {
        let threads = self.threads.clamp(1, self.plan.nodes.len().max(1));
        let (work, tasks) = unbounded::<usize>();
        let (done, results) = unbounded::<(usize, NodeResult)>();
        thread::scope(|scope| {
            for number in 1..=threads {
                let (tasks, done, worker) = (tasks.clone(), done.clone(), &worker);
                // A thread that the system refuses is work for the others; without any, nothing can be handed
                // out and every node is reported as skipped.
                let _ = thread::Builder::new()
                    .name(format!("Thread-{number}"))
                    .stack_size(STACK_SIZE)
                    .spawn_scoped(scope, move || serve(&mut worker(number), &tasks, &done));
            }
            drop((tasks, done));
            Coordinator::new(self).drive(work, &results, threads)
        })
    }
}

fn serve<W: Worker>(worker: &mut W, tasks: &Receiver<usize>, done: &Sender<(usize, NodeResult)>) {
    for node in tasks {
        if done.send((node, worker.run(node))).is_err() {
            return;
        }
    }
}

/// The state of a run as the coordinating thread sees it.
struct Coordinator<'a> {
    drive: &'a Drive<'a>,
    waits: Vec<usize>,
    settled: Vec<bool>,
    ready: BinaryHeap<Reverse<usize>>,
    results: Vec<NodeResult>,
    stopping: bool,
}

impl<'a> Coordinator<'a> {
    fn new(drive: &'a Drive<'a>) -> Self {
        let waits = drive.plan.waits.clone();
        let ready = (0..waits.len()).filter(|node| waits[*node] == 0).map(Reverse).collect();
        Self { drive, settled: vec![false; waits.len()], waits, ready, results: vec![], stopping: false }
    }

    /// Hands out at most as many nodes as there are workers, so that a stop takes effect at once.
    fn drive(
        mut self,
        work: Sender<usize>,
        results: &Receiver<(usize, NodeResult)>,
        workers: usize,
    ) -> Vec<NodeResult> {
        let mut running = 0;
        loop {
            self.stopping |= self.drive.cancel.is_cancelled();
            while running < workers && !self.stopping {
                let Some(Reverse(node)) = self.ready.pop() else { break };
                if work.send(node).is_err() {
                    break;
                }
                running += 1;
            }
            if running == 0 {
                break;
            }
            let Ok((node, result)) = results.recv() else { break };
            running -= 1;
            self.finish(node, result);
        }
        drop(work);
        for node in 0..self.settled.len() {
            if !self.settled[node] {
                self.settled[node] = true;
                self.results.push((self.drive.skip)(node, None));
            }
        }
        self.results
    }

    fn finish(&mut self, node: usize, result: NodeResult) {
        let status = result.status;
        self.settled[node] = true;
        self.results.push(result);
        if status.is_failure() {
            self.stopping |= self.drive.fail_fast;
            self.skip_below(node);
            return;
        }
        self.release(node);
    }

    fn release(&mut self, node: usize) {
        for &child in &self.drive.plan.children[node] {
            self.waits[child] -= 1;
            if self.waits[child] == 0 && !self.settled[child] {
                self.ready.push(Reverse(child));
            }
        }
    }

    /// Skips everything that stands below a failed node, each once.
    fn skip_below(&mut self, failed: usize) {
        let mut below: Vec<usize> = self.drive.plan.children[failed].clone();
        while let Some(node) = below.pop() {
            if std::mem::replace(&mut self.settled[node], true) {
                continue;
            }
            let result = (self.drive.skip)(node, Some(failed));
            debug_assert_eq!(result.status, Status::Skipped);
            self.results.push(result);
            below.extend(&self.drive.plan.children[node]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::UniqueId;

    /// Runs every node at once; those listed fail.
    struct Scripted<'a> {
        plan: &'a Plan,
        failing: &'a [usize],
    }

    fn result(plan: &Plan, node: usize, status: Status) -> NodeResult {
        NodeResult {
            unique_id: plan.nodes[node].clone(),
            status,
            message: None,
            failures: None,
            response: crate::adapter::Response::default(),
            diagnostic: None,
            timing: crate::run::event::Timing::default(),
            thread: 1,
            compiled_code: None,
            executed_code: None,
            batches: None,
        }
    }

    impl Worker for Scripted<'_> {
        fn run(&mut self, node: usize) -> NodeResult {
            let status = if self.failing.contains(&node) { Status::Error } else { Status::Success };
            result(self.plan, node, status)
        }
    }

    fn plan(children: &[&[usize]]) -> Plan {
        let mut waits = vec![0; children.len()];
        children.iter().flat_map(|children| children.iter()).for_each(|child| waits[*child] += 1);
        Plan {
            nodes: (0..children.len()).map(|index| UniqueId::from(format!("model.p.{index}").as_str())).collect(),
            children: children.iter().map(|children| children.to_vec()).collect(),
            waits,
        }
    }

    fn drive(plan: &Plan, threads: usize, fail_fast: bool, failing: &[usize]) -> Vec<(String, &'static str)> {
        let cancel = CancelFlag::default();
        let skip = |node: usize, _: Option<usize>| result(plan, node, Status::Skipped);
        let drive = Drive { plan, threads, fail_fast, cancel: &cancel, skip: &skip };
        let mut ended: Vec<(String, &'static str)> = drive
            .run(|_| Scripted { plan, failing })
            .into_iter()
            .map(|result| (result.unique_id.to_string(), result.status.as_str()))
            .collect();
        ended.sort();
        ended
    }

    #[test]
    fn a_failure_skips_what_stands_below_and_nothing_else() {
        // 0 -> 1 -> 3, 2 -> 3, 2 -> 4
        let plan = plan(&[&[1], &[3], &[3, 4], &[], &[]]);
        let ended = drive(&plan, 3, false, &[0]);
        let statuses: Vec<&str> = ended.iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, ["error", "skipped", "success", "skipped", "success"]);
    }

    #[test]
    fn fail_fast_stops_what_has_not_begun() {
        let plan = plan(&[&[], &[], &[]]);
        let statuses: Vec<&str> = drive(&plan, 1, true, &[0]).iter().map(|(_, status)| *status).collect();
        assert_eq!(statuses, ["error", "skipped", "skipped"]);
    }

    #[test]
    fn every_node_ends_once_on_any_number_of_workers() {
        let plan = plan(&[&[2, 3], &[3], &[4], &[4], &[]]);
        for threads in [1, 2, 9] {
            assert_eq!(drive(&plan, threads, false, &[]).len(), 5);
        }
    }
}
