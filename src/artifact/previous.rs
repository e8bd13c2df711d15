//! `run_results.json` and `manifest.json` of a former run, by strata or by dbt, read back for `retry` and for the
//! selectors `result:` and `state:`.

use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::BatchResults;
use crate::name::UniqueId;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A former run.
#[derive(Debug, Clone, PartialEq)]
pub struct PreviousRun {
    /// The invocation's id.
    pub invocation_id: Option<String>,
    /// When the file was written.
    pub generated_at: Option<DateTime<Utc>>,
    /// The resolved options; `which` is the verb.
    pub options: Map<String, Value>,
    /// How each node ended, in the order in which they ended.
    pub results: Vec<PreviousResult>,
}

/// How a node ended in a former run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PreviousResult {
    /// The node.
    pub unique_id: UniqueId,
    /// dbt's word, also those that strata itself never writes (`runtime error`).
    pub status: String,
    /// Of a model that was built in batches: which were built.
    #[serde(default)]
    pub batch_results: Option<BatchResults>,
}

#[derive(Deserialize)]
struct Document {
    metadata: Metadata,
    results: Vec<PreviousResult>,
    #[serde(default)]
    args: Map<String, Value>,
}

#[derive(Deserialize)]
struct Metadata {
    dbt_schema_version: String,
    invocation_id: Option<String>,
    generated_at: Option<DateTime<Utc>>,
}

/// The text of an artifact; none where there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, Diagnostic> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error(Code::Io, format!("cannot read `{}`: {error}", path.display()))),
    }
}

/// Reads `manifest.json` of a target or state directory; none where there is none.
pub fn read_manifest(directory: &Path) -> Result<Option<Value>, Diagnostic> {
    let path = directory.join("manifest.json");
    let Some(text) = read(&path)? else { return Ok(None) };
    let refused = |what: String| {
        Diagnostic::error(Code::Artifact, format!("`{}` {what}", path.display()))
            .help("make it again with `strata parse`, or name another directory with --state")
    };
    let document: Value = serde_json::from_str(&text).map_err(|error| refused(format!("is not JSON: {error}")))?;
    match document["metadata"]["dbt_schema_version"].as_str() {
        Some(schema) if schema.contains("/manifest/v") => Ok(Some(document)),
        Some(schema) => Err(refused(format!("says that it is `{schema}`, not a manifest"))),
        None => Err(refused("does not say that it is a manifest".to_owned())),
    }
}

/// Reads `run_results.json` of a target or state directory; none where there is none.
pub fn read_previous_run(directory: &Path) -> Result<Option<PreviousRun>, Diagnostic> {
    let path = directory.join("run_results.json");
    let Some(text) = read(&path)? else { return Ok(None) };
    let document: Document = serde_json::from_str(&text).map_err(|error| {
        Diagnostic::error(Code::Artifact, format!("`{}` is not dbt's run_results: {error}", path.display()))
            .help("run the command again in full, or name another directory with --state")
    })?;
    let schema = &document.metadata.dbt_schema_version;
    if !schema.contains("/run-results/v") {
        return Err(Diagnostic::error(
            Code::Artifact,
            format!("`{}` says that it is `{schema}`, not run results", path.display()),
        ));
    }
    Ok(Some(PreviousRun {
        invocation_id: document.metadata.invocation_id,
        generated_at: document.metadata.generated_at,
        options: document.args,
        results: document.results,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dbt_wrote_is_read_and_other_documents_are_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        assert_eq!(read_previous_run(directory.path()).expect("absent is fine"), None);
        let write = |text: &str| fs::write(directory.path().join("run_results.json"), text).expect("written");
        write(
            r#"{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json",
                "dbt_version": "1.11.16", "generated_at": "2026-01-01T00:00:00.123456Z", "invocation_id": "i"},
                "results": [{"unique_id": "model.shop.a", "status": "runtime error", "timing": []}],
                "elapsed_time": 1.0, "args": {"which": "build"}}"#,
        );
        let run = read_previous_run(directory.path()).expect("readable").expect("there");
        assert_eq!(run.results[0].status, "runtime error");
        assert_eq!(run.options["which"], "build");
        write(
            r#"{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json"}, "results": []}"#,
        );
        assert_eq!(read_previous_run(directory.path()).expect_err("refused").code(), Code::Artifact);
        write("{");
        assert!(read_previous_run(directory.path()).is_err());
        assert_eq!(read_manifest(directory.path()).expect("absent is fine"), None);
        fs::write(directory.path().join("manifest.json"), r#"{"metadata": {}}"#).expect("written");
        assert_eq!(read_manifest(directory.path()).expect_err("refused").code(), Code::Artifact);
    }
}
