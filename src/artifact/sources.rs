//! `sources.json`, dbt's schema v3.

use super::node_shape::freshness;
use super::previous::read;
use super::{Invocation, timestamp, write_json};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Manifest;
use crate::run::SourceResult;
use crate::run::event::Status;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Writes `sources.json` to `path`: `results` in the order in which sources were looked at. Those that were skipped
/// are left out.
pub fn write_sources(
    path: &Path,
    manifest: &Manifest,
    invocation: &Invocation,
    results: &[SourceResult],
    elapsed: Duration,
) -> Result<(), Diagnostic> {
    let shown = results.iter().filter(|one| one.result.status != Status::Skipped);
    let shapes: Vec<Value> = shown.map(|one| shape(manifest, invocation, one)).collect();
    let document = json!({
        "metadata": invocation.metadata("sources/v3"),
        "results": shapes,
        "elapsed_time": elapsed.as_secs_f64(),
    });
    write_json(path, &document)
}

fn shape(manifest: &Manifest, invocation: &Invocation, one: &SourceResult) -> Value {
    let result = &one.result;
    let Some(measured) = &one.measured else {
        return json!({"unique_id": result.unique_id, "error": result.message, "status": "runtime error"});
    };
    let timing = &result.timing;
    let step = |name: &str, from: Duration, to: Duration| json!({"name": name, "started_at": timestamp(invocation.at(from)), "completed_at": timestamp(invocation.at(to))});
    let criteria = manifest.sources.get(&result.unique_id).and_then(|source| source.freshness.as_ref());
    json!({
        "unique_id": result.unique_id,
        "max_loaded_at": moment(measured.max_loaded_at),
        "snapshotted_at": moment(measured.snapshotted_at),
        "max_loaded_at_time_ago_in_s": measured.age(),
        "status": if result.status == Status::Fail { "error" } else { result.status.as_str() },
        "criteria": criteria.map(freshness),
        "adapter_response": result.response.values(),
        "timing": [
            step("compile", timing.compile_start, timing.execute_start),
            step("execute", timing.execute_start, timing.end),
        ],
        "thread_id": result.thread_id(),
        "execution_time": timing.end.saturating_sub(timing.compile_start).as_secs_f64(),
    })
}

/// A time as dbt writes what it measured: with the zone's offset, microseconds where there are any.
fn moment(at: DateTime<Utc>) -> String {
    let format = if at.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    at.to_rfc3339_opts(format, false)
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    results: Vec<Entry>,
}

#[derive(Deserialize)]
struct Metadata {
    dbt_schema_version: String,
}

#[derive(Deserialize)]
struct Entry {
    unique_id: String,
    max_loaded_at: Option<DateTime<Utc>>,
}

/// Reads when sources were last loaded from the `sources.json` of a target or state directory, by unique id; none
/// where there is no such file. Sources that could not be looked at are left out.
pub fn read_sources(directory: &Path) -> Result<Option<BTreeMap<String, DateTime<Utc>>>, Diagnostic> {
    let path = directory.join("sources.json");
    let Some(text) = read(&path)? else { return Ok(None) };
    let refused = |what: String| {
        Diagnostic::error(Code::Artifact, format!("`{}` {what}", path.display()))
            .help("make it again with `strata source freshness`, or name another directory with --state")
    };
    let document: Document =
        serde_json::from_str(&text).map_err(|error| refused(format!("is not dbt's sources: {error}")))?;
    let schema = &document.metadata.dbt_schema_version;
    if !schema.contains("/sources/v") {
        return Err(refused(format!("says that it is `{schema}`, not the freshness of sources")));
    }
    Ok(Some(document.results.into_iter().filter_map(|entry| Some((entry.unique_id, entry.max_loaded_at?))).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::adapter::Response;
    use crate::diagnostic::Code;
    use crate::run::Measured;
    use crate::run::event::{NodeResult, Timing};

    fn result(id: &str, status: Status, measured: Option<Measured>) -> SourceResult {
        let millis = Duration::from_millis;
        let result = NodeResult {
            unique_id: id.into(),
            status,
            message: Some("there is no table `orders`".into()),
            failures: None,
            response: Response { message: "OK".into(), ..Response::default() },
            diagnostic: None,
            timing: Timing { compile_start: millis(100), execute_start: millis(100), end: millis(400) },
            thread: 1,
            compiled_code: None,
            executed_code: None,
            batches: None,
        };
        SourceResult { result, measured }
    }

    #[test]
    fn the_whole_document_is_read_back() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let invocation = fixture::invocation(directory.path());
        let at = |text: &str| DateTime::parse_from_rfc3339(text).expect("a time").to_utc();
        let measured =
            Measured { max_loaded_at: at("2026-01-01T09:30:00.5Z"), snapshotted_at: at("2026-01-03T10:00:00Z") };
        let results = [
            result("source.shop.crm.customers", Status::Fail, Some(measured)),
            result("source.shop.crm.orders", Status::Error, None),
            result("source.shop.crm.skipped", Status::Skipped, None),
        ];
        assert_eq!(read_sources(directory.path()).expect("absent is fine"), None);
        let path = directory.path().join("sources.json");
        write_sources(&path, &fixture::manifest(), &invocation, &results, Duration::from_millis(500)).expect("written");
        let text = std::fs::read_to_string(&path).expect("read");
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        document["metadata"]["generated_at"] = json!("[time]");
        insta::assert_json_snapshot!(document);
        let read = read_sources(directory.path()).expect("readable").expect("there");
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("source.shop.crm.customers".to_owned(), measured.max_loaded_at)]
        );
        std::fs::write(&path, r#"{"metadata": {"dbt_schema_version": "x/manifest/v12.json"}, "results": []}"#)
            .expect("written");
        assert_eq!(read_sources(directory.path()).expect_err("refused").code(), Code::Artifact);
    }
}
