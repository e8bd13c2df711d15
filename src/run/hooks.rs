//! The project's hooks before and after everything else.

use super::event::{Event, NodeResult, Status, Timing};
use super::session::WorkerSession;
use super::{Run, node};
use crate::adapter::Response;
use crate::compile::Surroundings;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::context::{RunEnd, node_json, source_json};
use crate::jinja::host::{FailedStatement, Session};
use crate::manifest::{Manifest, Node};
use crate::name::ResourceType;
use crate::sql::split_statements;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// The tag of hooks before everything.
pub const ON_RUN_START: &str = "on-run-start";
/// The tag of hooks after everything.
pub const ON_RUN_END: &str = "on-run-end";

/// Runs the hooks of a kind, packages by name, the root project last; after the first that fails the others are skipped.
pub fn run(run: &Run, master: &Arc<WorkerSession>, kind: &str, results: Option<&[NodeResult]>) -> Vec<NodeResult> {
    let manifest = run.compiler.manifest();
    let mut hooks: Vec<&Node> = manifest
        .nodes
        .values()
        .filter(|node| {
            node.resource_type == ResourceType::Operation && node.config.tags().iter().any(|tag| tag == kind)
        })
        .collect();
    if hooks.is_empty() {
        return vec![];
    }
    hooks.sort_by_key(|node| (node.package_name == manifest.project_name, node.package_name.clone(), node.hook_index));
    let run_end = results.map(|results| run_end(run, results));
    let mut ended = Vec::new();
    let mut failed = false;
    for hook in hooks {
        let result = if failed { skipped(run, hook) } else { one(run, master, hook, run_end.clone()) };
        failed = failed || result.status.is_failure();
        ended.push(result);
    }
    ended
}

/// The result of a hook after one that failed.
fn skipped(run: &Run, hook: &Node) -> NodeResult {
    let message = "skipped because a hook before it failed".to_owned();
    let result = NodeResult::skipped(hook.unique_id.clone(), message, run.elapsed());
    let index = run.next_position();
    (run.emit)(Event::NodeFinished { result: Box::new(result.clone()), index, label: node::label(hook) });
    result
}

fn one(run: &Run, master: &Arc<WorkerSession>, hook: &Node, run_end: Option<RunEnd>) -> NodeResult {
    let label = node::label(hook);
    let index = run.next_position();
    (run.emit)(Event::NodeStarted { unique_id: hook.unique_id.clone(), index, label: label.clone() });
    let start = run.elapsed();
    let outcome = send(run, master, hook, run_end);
    let end = run.elapsed();
    let (status, diagnostic, compiled) = match outcome {
        Ok(sql) => (Status::Success, None, Some(sql)),
        Err(found) => (Status::Error, run.first_finding(found), None),
    };
    let result = NodeResult {
        unique_id: hook.unique_id.clone(),
        status,
        message: Some(diagnostic.as_ref().map_or_else(|| passed(hook), |found| found.message().to_owned())),
        failures: Some(u64::from(status.is_failure())),
        response: Response::default(),
        diagnostic,
        timing: Timing { compile_start: start, execute_start: start, end },
        thread: 0,
        compiled_code: compiled.clone(),
        executed_code: compiled,
        batches: None,
    };
    (run.emit)(Event::NodeFinished { result: Box::new(result.clone()), index, label });
    result
}

/// dbt's sentence about a hook that is through: `shop.on-run-start.0 passed`.
fn passed(hook: &Node) -> String {
    let kind = if hook.config.tags().iter().any(|tag| tag == ON_RUN_START) { ON_RUN_START } else { ON_RUN_END };
    format!("{}.{kind}.{} passed", hook.package_name, hook.hook_index.unwrap_or_default())
}

/// Renders a hook and runs its statements as one transaction. A hook that renders to nothing does nothing.
fn send(run: &Run, master: &Arc<WorkerSession>, hook: &Node, run_end: Option<RunEnd>) -> Result<String> {
    master.assign(Some(hook.unique_id.clone()), None, None);
    run.comment(master, Some(hook), hook.unique_id.as_str())?;
    let session = Arc::clone(master) as Arc<dyn Session>;
    let surroundings = Surroundings { session: Some(session), run_end, ..Surroundings::default() };
    let compiled = run.compiler.compile(hook, &surroundings)?;
    let refused = |failed: Box<FailedStatement>| {
        Diagnostics::from(
            Diagnostic::error(Code::Database, failed.error.message.clone())
                .at(hook.declared_at.clone(), "")
                .note(format!("the statement was: {}", failed.sql.trim())),
        )
    };
    if split_statements(&compiled.executable, run.compiler.dialect()).is_empty() {
        return Ok(compiled.sql.to_string());
    }
    master.begin().map_err(refused)?;
    let done = master.execute(&compiled.executable, false).and_then(|_| master.commit());
    if let Err(failed) = done {
        // The first failure is the one to tell.
        let _ = master.rollback();
        return Err(refused(failed));
    }
    Ok(compiled.sql.to_string())
}

/// What `on-run-end` hooks see of the run.
fn run_end(run: &Run, results: &[NodeResult]) -> RunEnd {
    let manifest = run.compiler.manifest();
    let node = |result: &NodeResult| {
        let Some(node) = manifest.nodes.get(&result.unique_id) else {
            return manifest.sources.get(&result.unique_id).map(source_json);
        };
        let mut shown = node_json(node);
        shown.insert("compiled".to_owned(), json!(result.compiled_code.is_some()));
        shown.insert("compiled_code".to_owned(), json!(result.compiled_code.as_deref()));
        Some(shown)
    };
    let shown = |result: &NodeResult| -> Json {
        json!({
            "status": result.status.as_str(),
            "timing": timing(run, result),
            "message": result.message,
            "failures": result.failures,
            "unique_id": result.unique_id.as_str(),
            "thread_id": result.thread_id(),
            "execution_time": (result.timing.end.saturating_sub(result.timing.compile_start)).as_secs_f64(),
            "adapter_response": result.response.values(),
            "node": node(result),
        })
    };
    let of_nodes = results.iter().filter(|result| !is_operation(manifest, result));
    RunEnd { results: of_nodes.map(shown).collect(), schemas: run.plan.schemas(manifest) }
}

/// Whether a result is that of another hook: hooks are not told of each other.
fn is_operation(manifest: &Manifest, result: &NodeResult) -> bool {
    manifest.nodes.get(&result.unique_id).is_some_and(|node| node.resource_type == ResourceType::Operation)
}

/// The steps of a node as `run_results.json` has them; a skipped node has none.
fn timing(run: &Run, result: &NodeResult) -> Vec<Json> {
    if result.status == Status::Skipped {
        return vec![];
    }
    let at = |since: Duration| {
        let moment = run.options.started_at + chrono::Duration::from_std(since).unwrap_or_default();
        moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let Timing { compile_start, execute_start, end } = result.timing;
    [("compile", compile_start, execute_start), ("execute", execute_start, end)]
        .into_iter()
        .map(|(name, from, to)| json!({"name": name, "started_at": at(from), "completed_at": at(to)}))
        .collect()
}
