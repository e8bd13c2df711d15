//! `clone`: relations of another environment put into this one, as they are or as views of them. Nothing is compiled, and
//! no node waits for another.

use super::control::ControlTables;
use super::event::{NOTHING_DONE, NodeResult, Status};
use super::node::{NodeWorker, Progress, Success, Try, begin, finish};
use super::session::WorkerSession;
use super::{Run, Setup, is_run, response_of};
use crate::compile::CompiledNode;
use crate::diagnostic::Result;
use crate::jinja::context::main_result;
use crate::manifest::Node;
use crate::name::UniqueId;
use crate::plan::Plan;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The materialization that does it, whatever the node's own is.
const MATERIALIZATION: &str = "clone";

/// Clones the selected nodes, each on its own. What a node could not do is in its result; an error is what kept the run
/// from starting.
pub fn clone(setup: Setup, selected: &BTreeSet<UniqueId>) -> Result<Vec<NodeResult>> {
    let manifest = Arc::clone(setup.compiler.manifest());
    let nodes = selected.iter().filter(|id| manifest.nodes.get(*id).is_some_and(is_run));
    let plan = Plan::unordered(nodes.cloned().collect());
    let tables = ControlTables::new(&manifest, setup.compiler.dialect());
    let run = Run { clones: true, ..Run::new(setup, plan, tables) };
    run.execute(&|number| NodeWorker::new(&run, number), false)
}

impl NodeWorker<'_> {
    /// Clones one node: one transaction with its row in the books.
    pub(super) fn clone_relation(
        &self,
        node: &Node,
        session: &Arc<WorkerSession>,
        now: &Try,
        progress: &mut Progress,
    ) -> Result<Success> {
        self.prepare(node, session)?;
        let surroundings = self.surroundings(session);
        begin(node, session)?;
        progress.execute_start = Some(self.run.elapsed());
        let source = node.defer_relation.as_ref().map_or_else(String::new, |other| other.query());
        let source = CompiledNode::of(node, source.into());
        session.assign(Some(node.unique_id.clone()), Some(self.run.books.closing(node, now, None)), None);
        let context = self.call_materialization(MATERIALIZATION, node, &source, &surroundings)?;
        finish(node, session)?;
        // Without a statement nothing was done, whatever the transaction around it wrote.
        let response = main_result(&context).map(|_| response_of(&context, session));
        let message = response.as_ref().map_or(NOTHING_DONE, |response| &response.message).to_owned();
        let response = response.unwrap_or_default();
        Ok(Success { message: Some(message), response, ..Success::of(Status::Success) })
    }
}
