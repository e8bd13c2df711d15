//! `run_results.json`, dbt's schema v6.

use super::{Invocation, timestamp, write_json};
use crate::diagnostic::Diagnostic;
use crate::manifest::Manifest;
use crate::name::ResourceType;
use crate::run::event::{NodeResult, Status};
use serde_json::{Value, json};
use std::time::Duration;

/// Writes `run_results.json` into the target directory: `results` in the order in which nodes ended.
pub fn write_run_results(
    manifest: &Manifest,
    invocation: &Invocation,
    results: &[NodeResult],
    elapsed: Duration,
) -> Result<(), Diagnostic> {
    let shapes: Vec<Value> = results.iter().map(|result| shape(manifest, invocation, result)).collect();
    let document = json!({
        "metadata": invocation.metadata("run-results/v6"),
        "results": shapes,
        "elapsed_time": elapsed.as_secs_f64(),
        "args": invocation.options,
    });
    write_json(&invocation.in_target("run_results.json"), &document)
}

fn shape(manifest: &Manifest, invocation: &Invocation, result: &NodeResult) -> Value {
    let node = manifest.nodes.get(&result.unique_id);
    let skipped = result.status == Status::Skipped;
    let timing = &result.timing;
    let step = |name: &str, from: Duration, to: Duration| json!({"name": name, "started_at": timestamp(invocation.at(from)), "completed_at": timestamp(invocation.at(to))});
    let steps = if skipped {
        vec![]
    } else {
        vec![
            step("compile", timing.compile_start, timing.execute_start),
            step("execute", timing.execute_start, timing.end),
        ]
    };
    let has_code = node.is_some_and(|node| node.resource_type != ResourceType::Seed);
    json!({
        "status": result.status.as_str(),
        "timing": steps,
        "thread_id": result.thread_id(),
        "execution_time": if skipped { 0.0 } else { timing.end.saturating_sub(timing.compile_start).as_secs_f64() },
        "adapter_response": result.response.values(),
        "message": message(result),
        "failures": result.failures,
        "unique_id": result.unique_id,
        // A macro that was called by its name is no node.
        "compiled": (has_code || node.is_none()).then_some(result.compiled_code.is_some()),
        "compiled_code": result.compiled_code.as_ref().filter(|_| has_code),
        "relation_name": node.and_then(|node| node.relation_name.as_ref()).map(ToString::to_string),
        "batch_results": result.batches,
    })
}

/// The line for people: dbt's words for what a test found; for an error what is wrong, where, and what the warehouse
/// added.
fn message(result: &NodeResult) -> Option<String> {
    let Some(diagnostic) = result.diagnostic.as_ref().filter(|_| result.status == Status::Error) else {
        return result.message.clone();
    };
    let mut text = diagnostic.to_string();
    for note in diagnostic.notes() {
        text.push_str("\n  ");
        text.push_str(note);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::adapter::Response;
    use crate::diagnostic::Code;
    use crate::run::event::Timing;

    #[test]
    fn the_whole_document() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let invocation = fixture::invocation(directory.path());
        let millis = Duration::from_millis;
        let result = |id: &str, status: Status| NodeResult {
            unique_id: id.into(),
            status,
            message: None,
            failures: None,
            response: Response::default(),
            diagnostic: None,
            timing: Timing { compile_start: millis(100), execute_start: millis(150), end: millis(400) },
            thread: 1,
            compiled_code: None,
            executed_code: None,
            batches: None,
        };
        let mut seed = result("seed.shop.orders", Status::Success);
        seed.message = Some("INSERT 3".into());
        seed.response = Response { message: "INSERT 3".into(), rows_affected: Some(3), ..Response::default() };
        let mut failed = result("test.shop.unique_stg_orders_id", Status::Fail);
        failed.failures = Some(2);
        failed.message = Some("Got 2 results, configured to fail if != 0".into());
        failed.compiled_code = Some("select 1".into());
        let mut broken = result("model.shop.stg_orders", Status::Error);
        broken.diagnostic = Some(Diagnostic::error(Code::Database, "column `nope` does not exist").note("LINE 1"));
        let skipped = result("model.shop.total", Status::Skipped);
        write_run_results(&fixture::manifest(), &invocation, &[seed, failed, broken, skipped], millis(500))
            .expect("written");
        let text = std::fs::read_to_string(directory.path().join("target/run_results.json")).expect("read");
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        document["metadata"]["generated_at"] = json!("[time]");
        insta::assert_json_snapshot!(document);
    }
}
