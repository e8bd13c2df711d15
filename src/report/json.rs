//! For programs: one JSON object a line, in dbt's envelope `{"data": …, "info": …}` with dbt's names and codes,
//! so that what reads dbt's log reads strata's.

use super::wording::{Ending, Statistics, batch_line, dotted, installation, node_of, seconds};
use super::{Origin, Output, Product, Reporter};
use crate::artifact::{relative_output_path, timestamp};
use crate::deps::InstalledPackage;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Style, render};
use crate::manifest::{Manifest, Node};
use crate::name::{ResourceType, UniqueId};
use crate::run::event::{BatchEnd, Event, NodeResult, Status};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The width of dbt's lines.
const WIDTH: usize = 80;

/// Tells programs.
pub struct JsonLines {
    origin: Origin,
    output: Output,
    debug: bool,
    quiet: bool,
    target_path: PathBuf,
    manifest: OnceLock<Arc<Manifest>>,
    target: OnceLock<String>,
    total: AtomicUsize,
}

/// How much an event weighs, in dbt's words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// dbt's name and code of an event.
struct Kind(&'static str, &'static str, Level);

impl JsonLines {
    /// Writes lines to `output`; statements too with `debug`, only errors with `quiet`.
    pub fn new(origin: Origin, output: Output, debug: bool, quiet: bool, target_path: PathBuf) -> Self {
        let (manifest, target, total) = (OnceLock::new(), OnceLock::new(), AtomicUsize::new(0));
        Self { origin, output, debug, quiet, target_path, manifest, target, total }
    }

    fn emit(&self, kind: &Kind, message: &str, data: Value) {
        let Kind(name, code, level) = kind;
        // A command's product is told even where it is asked to be quiet, as are errors and what macros print.
        let spoken = matches!(*name, "ListCmdOut" | "ShowNode" | "CompiledNode" | "PrintEvent");
        if *level == Level::Debug && !self.debug || self.quiet && *level != Level::Error && !spoken {
            return;
        }
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let thread = std::thread::current();
        let thread = thread.name().filter(|name| *name != "main").unwrap_or("MainThread");
        let line = json!({
            "data": data,
            "info": {
                "category": "", "code": code, "extra": {}, "invocation_id": self.origin.invocation_id,
                "level": level, "msg": message, "name": name, "pid": self.origin.process_id, "thread": thread,
                "ts": timestamp(self.origin.now()),
            },
        });
        self.output.line(&line.to_string());
    }

    fn manifest(&self) -> Option<&Manifest> {
        self.manifest.get().map(Arc::as_ref)
    }

    fn node_info(&self, id: &UniqueId, result: Option<&NodeResult>) -> Value {
        let at =
            |since: Duration| timestamp(self.origin.started_at + chrono::Duration::from_std(since).unwrap_or_default());
        let started = result.map_or_else(|| timestamp(self.origin.now()), |result| at(result.timing.compile_start));
        let finished = result.map(|result| at(result.timing.end)).unwrap_or_default();
        let node = self.manifest().and_then(|manifest| manifest.nodes.get(id));
        let text = |read: &dyn Fn(&Node) -> String| node.map(read).unwrap_or_default();
        let relation = |node: &Node| node.relation_name.as_ref().map(ToString::to_string).unwrap_or_default();
        json!({
            "materialized": text(&|node| node.config.materialized().as_str().to_owned()),
            "meta": node.and_then(|node| node.config.get("meta")).cloned().unwrap_or_else(|| json!({})),
            "node_checksum": text(&|node| node.checksum.clone()),
            "node_finished_at": finished,
            "node_name": text(&|node| node.name.clone()),
            "node_path": text(&|node| node.path.clone()),
            "node_relation": {
                "alias": text(&|node| node.alias.clone()),
                "database": text(&|node| node.database.clone().unwrap_or_default()),
                "relation_name": text(&relation),
                "schema": text(&|node| node.schema.clone()),
            },
            "node_started_at": started,
            "node_status": result.map_or("started", |result| result.status.as_str()),
            "resource_type": text(&|node| node.resource_type.to_string()),
            "unique_id": id,
        })
    }

    /// dbt's three events about a package.
    fn installed(&self, package: &InstalledPackage) {
        let data = json!({"package_name": package.name});
        let start = Kind("DepsStartPackageInstall", "M014", Level::Info);
        self.emit(&start, &format!("Installing {}", package.name), data);
        let origin = installation(package);
        let data = json!({"version_name": package.version.as_deref().unwrap_or(&package.origin)});
        self.emit(&Kind("DepsInstallInfo", "M015", Level::Info), &format!("Installed {origin}"), data);
        match &package.newest {
            Some(newest) if Some(newest) == package.version.as_ref() => {
                self.emit(&Kind("DepsUpToDate", "M017", Level::Info), "Up to date!", json!({}));
            }
            Some(newest) => {
                let message = format!("Updated version available: {newest}");
                let data = json!({"version_latest": newest});
                self.emit(&Kind("DepsUpdateAvailable", "M016", Level::Info), &message, data);
            }
            None => {}
        }
    }

    /// dbt's event about a batch that ended.
    fn batch_finished(&self, end: &BatchEnd) {
        let level = if end.status.is_failure() { Level::Error } else { Level::Info };
        let status = match (end.status, &end.message) {
            (Status::Success, Some(message)) => message.as_str(),
            (Status::Success, None) => "OK",
            (status, _) => status.as_str(),
        };
        let data = json!({
            "node_info": self.node_info(&end.unique_id, None), "description": end.label, "status": status,
            "batch_index": end.index, "total_batches": end.total, "execution_time": end.elapsed.as_secs_f64(),
        });
        self.emit(&Kind("LogBatchResult", "Q046", level), &batch_line(end, WIDTH), data);
    }

    fn node_finished(&self, result: &NodeResult, index: usize, label: &str) {
        let total = self.total.load(Ordering::Relaxed);
        let node = node_of(self.manifest(), result);
        let ending = Ending::of(self.manifest(), label, result);
        let execution_time = result.timing.end.saturating_sub(result.timing.compile_start).as_secs_f64();
        let message = dotted(Some(index), total, &format!("{} {}", ending.word, ending.subject), &ending.detail, WIDTH);
        let level = if result.status.is_failure() {
            Level::Error
        } else if result.status == Status::Warn {
            Level::Warn
        } else {
            Level::Info
        };
        let status = match result.status {
            Status::Success if !result.response.message.is_empty() => result.response.message.clone(),
            Status::Success => "OK".to_owned(),
            other => other.as_str().to_owned(),
        };
        let mut data = json!({
            "node_info": self.node_info(&result.unique_id, Some(result)),
            "index": index, "total": total, "execution_time": execution_time,
        });
        let name = match node {
            // As in dbt, a unit test is named together with its model.
            Some(node) if node.resource_type != ResourceType::UnitTest => node.name.as_str(),
            _ => label,
        };
        let source = self.manifest().and_then(|manifest| manifest.sources.get(&result.unique_id));
        let own = match (result.status, node.map(|node| node.resource_type)) {
            _ if source.is_some() => {
                let names = source.map(|source| (source.source_name.as_str(), source.name.as_str()));
                let status = match result.status {
                    Status::Fail => "error",
                    Status::Error => "runtime error",
                    other => other.as_str(),
                };
                let (source_name, table_name) = names.unwrap_or_default();
                let more = json!({"status": status, "source_name": source_name, "table_name": table_name});
                (Kind("LogFreshnessResult", "Q018", level), more)
            }
            (Status::Skipped, kind) => {
                let schema = node.map(|node| node.schema.as_str());
                let more = json!({"node_name": name, "schema": schema, "resource_type": kind});
                (Kind("SkippingDetails", "Q034", level), more)
            }
            (Status::NoOp, _) => (Kind("LogNodeNoOpResult", "Q019", level), json!({"description": label})),
            (_, Some(ResourceType::Test | ResourceType::UnitTest)) => {
                let attached = node.and_then(|node| node.test.as_ref()?.attached_node.clone());
                let more = json!({
                    "name": name, "attached_node": attached, "num_failures": result.failures, "num_models": total,
                    "status": status,
                });
                (Kind("LogTestResult", "Q007", level), more)
            }
            (_, Some(ResourceType::Seed)) => {
                let node = node.map(|node| (node.schema.clone(), node.alias.clone())).unwrap_or_default();
                let more = json!({"schema": node.0, "relation": node.1, "result_message": status, "status": result.status.as_str()});
                (Kind("LogSeedResult", "Q016", level), more)
            }
            (_, Some(ResourceType::Snapshot)) => {
                let more = json!({"description": label, "result_message": status, "cfg": {}, "status": result.status.as_str()});
                (Kind("LogSnapshotResult", "Q015", level), more)
            }
            (_, Some(ResourceType::Operation)) => {
                (Kind("LogHookEndLine", "Q033", level), json!({"statement": label, "status": result.status.as_str()}))
            }
            _ => (Kind("LogModelResult", "Q012", level), json!({"description": label, "status": status})),
        };
        merge(&mut data, own.1);
        self.emit(&own.0, &message, data);
    }

    fn run_finished(&self, results: &[NodeResult], elapsed: Duration, interrupted: bool) {
        let statistics = Statistics::of(results);
        let partial = results.iter().filter(|result| result.status == Status::PartialSuccess).count();
        self.emit(
            &Kind("FinishedRunningStats", "E047", Level::Info),
            &format!("Finished running {} nodes in {}", results.len(), seconds(elapsed)),
            json!({"stat_line": format!("{} nodes", results.len()), "execution": format!(" in {}", seconds(elapsed)),
                "execution_time": elapsed.as_secs_f64()}),
        );
        self.emit(
            &Kind("EndOfRunSummary", "Z030", Level::Info),
            &format!("Completed with {} errors and {} warnings", statistics.error, statistics.warn),
            json!({"keyboard_interrupt": interrupted, "num_errors": statistics.error, "num_partial_success": partial,
                "num_warnings": statistics.warn}),
        );
        for result in results {
            self.tell_failure(result);
        }
        self.emit(
            &Kind("StatsLine", "Z023", Level::Info),
            &statistics.line(),
            json!({"stats": {"error": statistics.error, "noop": statistics.no_op, "pass": statistics.pass,
                "skip": statistics.skip, "total": statistics.total(), "warn": statistics.warn}}),
        );
    }

    fn tell_failure(&self, result: &NodeResult) {
        let kind = match result.status {
            Status::Fail | Status::Error | Status::PartialSuccess => Kind("RunResultFailure", "Z022", Level::Error),
            Status::Warn => Kind("RunResultWarning", "Z021", Level::Warn),
            _ => return,
        };
        let node = node_of(self.manifest(), result);
        let source = self.manifest().and_then(|manifest| manifest.sources.get(&result.unique_id));
        let known =
            node.map(|node| (node.name.as_str(), node.original_file_path.as_str(), node.resource_type.as_str()));
        let of_source = source.map(|source| (source.name.as_str(), source.original_file_path.as_str(), "source"));
        let (name, path, resource_type) = known.or(of_source).unwrap_or((result.unique_id.as_str(), "", ""));
        let word = if result.status == Status::Warn { "Warning" } else { "Failure" };
        let info = self.node_info(&result.unique_id, Some(result));
        let data = json!({"node_info": info, "node_name": name, "path": path, "resource_type": resource_type});
        self.emit(&kind, &format!("{word} in {resource_type} {name} ({path})"), data);
        let text = match (&result.diagnostic, &result.message) {
            (Some(diagnostic), _) => {
                render(diagnostic, Style::Plain) + result.difference().map_or("", |difference| difference.trim_end())
            }
            (None, Some(message)) => message.clone(),
            (None, None) => return,
        };
        let mut data = json!({"node_info": info, "msg": text});
        if let Some(diagnostic) = &result.diagnostic {
            merge(&mut data, json!({"diagnostic": shape(diagnostic)}));
        }
        self.emit(&Kind("RunResultError", "Z024", kind.2), &format!("  {text}"), data);
        if let (Some(node), Some(_)) = (node, &result.compiled_code) {
            let path = self.target_path.join("compiled").join(relative_output_path(node));
            let message = format!("  compiled code at {}", path.display());
            self.emit(
                &Kind("SQLCompiledPath", "Z026", Level::Info),
                &message,
                json!({"node_info": info, "path": path}),
            );
        }
    }
}

/// A finding as data: code, severity, message, places, advice.
fn shape(diagnostic: &Diagnostic) -> Value {
    let places: Vec<Value> = diagnostic
        .labels()
        .iter()
        .map(|label| {
            let (line, column) = label.span.line_and_column();
            json!({"path": label.span.file().path(), "line": line, "column": column, "text": label.text})
        })
        .collect();
    json!({
        "code": diagnostic.code().name(),
        "severity": if diagnostic.severity() == Severity::Error { "error" } else { "warning" },
        "message": diagnostic.message(), "places": places, "notes": diagnostic.notes(), "help": diagnostic.advice(),
    })
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

impl Reporter for JsonLines {
    fn began(&self, _command: &str) {
        let version = env!("CARGO_PKG_VERSION");
        self.emit(
            &Kind("MainReportVersion", "A001", Level::Info),
            &format!("Running with strata={version}"),
            json!({"log_version": 3, "version": format!("={version}")}),
        );
    }

    fn parsed(&self, manifest: &Arc<Manifest>, summary: &str, target: &str) {
        // A second parse within one command (retry) is the same project: the first manifest stays.
        let _ = self.manifest.set(Arc::clone(manifest));
        let _ = self.target.set(target.to_owned());
        let message = format!("Found {summary}");
        self.emit(&Kind("FoundStats", "W006", Level::Info), &message, json!({"stat_line": summary}));
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::RunStarted { total, threads, .. } => {
                self.total.store(*total, Ordering::Relaxed);
                let target = self.target.get().map(String::as_str).unwrap_or_default();
                self.emit(
                    &Kind("ConcurrencyLine", "Q027", Level::Info),
                    &format!("Concurrency: {threads} threads (target='{target}')"),
                    json!({"node_count": total, "num_threads": threads, "target_name": target}),
                );
            }
            Event::BatchesPlanned { .. }
            | Event::SessionOpened { .. }
            | Event::NodeInterrupted { .. }
            | Event::WarehouseResized { .. } => {}
            Event::BatchStarted { unique_id, label, index, total } => {
                let data = json!({
                    "node_info": self.node_info(unique_id, None), "description": label, "batch_index": index,
                    "total_batches": total,
                });
                let message = dotted(Some(*index), *total, &format!("START {label}"), "RUN", WIDTH);
                self.emit(&Kind("LogStartBatch", "Q045", Level::Info), &format!("Batch {message}"), data);
            }
            Event::BatchFinished(end) => self.batch_finished(end),
            Event::NodeStarted { unique_id, index, label } => {
                let total = self.total.load(Ordering::Relaxed);
                let is_hook = self
                    .manifest()
                    .and_then(|manifest| manifest.nodes.get(unique_id))
                    .is_some_and(|node| node.resource_type == ResourceType::Operation);
                let kind = if is_hook {
                    Kind("LogHookStartLine", "Q032", Level::Info)
                } else {
                    Kind("LogStartLine", "Q011", Level::Info)
                };
                let what = if is_hook { "statement" } else { "description" };
                let message = dotted(Some(*index), total, &format!("START {label}"), "RUN", WIDTH);
                let info = self.node_info(unique_id, None);
                self.emit(&kind, &message, json!({what: label, "index": index, "node_info": info, "total": total}));
            }
            Event::NodeProgress { unique_id, rows, pages } => {
                let data = json!({"node_info": self.node_info(unique_id, None), "rows": rows, "pages": pages});
                let message = format!("{unique_id}: {rows} rows, {pages} pages");
                self.emit(&Kind("ExtractProgress", "S001", Level::Info), &message, data);
            }
            Event::NodeFinished { result, index, label } => self.node_finished(result, *index, label),
            Event::Found(diagnostic) => self.found(&diagnostic.clone().into()),
            Event::Message(text) => {
                self.emit(&Kind("PrintEvent", "Z052", Level::Info), text, json!({"msg": text}));
            }
            Event::Logged(text) => {
                self.emit(&Kind("JinjaLogDebug", "I063", Level::Debug), text, json!({"msg": text}));
            }
            Event::Statement { unique_id, sql, elapsed } => {
                let connection = unique_id.as_ref().map_or("master", |id| id.as_str());
                let data = json!({"conn_name": connection, "sql": sql, "elapsed": elapsed.as_secs_f64()});
                self.emit(&Kind("SQLQuery", "E016", Level::Debug), &format!("On {connection}: {sql}"), data);
            }
            Event::RunFinished { results, elapsed, interrupted } => {
                self.run_finished(results, *elapsed, *interrupted);
            }
        }
    }

    fn product(&self, product: &Product) {
        match product {
            Product::Listed(text) => {
                self.emit(&Kind("ListCmdOut", "Z049", Level::Info), text, json!({"msg": text}));
            }
            Product::Compiled { node, sql } => {
                let data =
                    json!({"node_name": node, "compiled": sql, "is_inline": node.is_none(), "output_format": "text"});
                self.emit(&Kind("CompiledNode", "Q042", Level::Info), sql, data);
            }
            Product::Previewed { node, rows } => {
                let data =
                    json!({"node_name": node, "preview": rows, "is_inline": node.is_none(), "output_format": "text"});
                self.emit(&Kind("ShowNode", "Q041", Level::Info), rows, data);
            }
            Product::Installed(package) => self.installed(package),
            Product::Text(text) => {
                self.emit(&Kind("PrintEvent", "Z052", Level::Info), text, json!({"msg": text}));
            }
        }
    }

    fn found(&self, diagnostics: &Diagnostics) {
        for diagnostic in diagnostics {
            let kind = match diagnostic.severity() {
                Severity::Error => Kind("MainEncounteredError", "Z002", Level::Error),
                Severity::Warning => Kind("DiagnosticWarning", "S002", Level::Warn),
            };
            let text = render(diagnostic, Style::Plain);
            let data = json!({"exc": text, "diagnostic": shape(diagnostic)});
            self.emit(&kind, &text, data);
        }
    }

    fn ended(&self, command: &str, success: bool) {
        let elapsed = self.origin.started.elapsed().as_secs_f64();
        let word = if success { "succeeded" } else { "failed" };
        let message = format!("Command `strata {command}` {word} after {elapsed:.2} seconds");
        let data = json!({
            "command": command, "success": success, "elapsed": elapsed, "completed_at": timestamp(self.origin.now()),
        });
        self.emit(&Kind("CommandCompleted", "Q039", Level::Debug), &message, data);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Shared};
    use super::*;

    fn told(debug: bool, quiet: bool) -> String {
        let written = Shared::default();
        fixture::tell(&JsonLines::new(fixture::origin(), written.output(), debug, quiet, "target".into()));
        written.text()
    }

    #[test]
    fn a_whole_build() {
        let text = told(false, false);
        assert!(!text.contains("hunter22"), "a secret is never shown");
        let mut shown = String::new();
        for line in text.lines() {
            let mut event: Value = serde_json::from_str(line).expect("one object a line");
            event["info"]["ts"] = json!("[time]");
            event["info"]["thread"] = json!("[thread]");
            if event["data"]["node_info"]["node_status"] == "started" {
                event["data"]["node_info"]["node_started_at"] = json!("[time]");
            }
            shown.push_str(&event.to_string());
            shown.push('\n');
        }
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn statements_only_on_request_and_errors_always() {
        let names = |text: String| -> Vec<String> {
            let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            events.filter_map(|event| event["info"]["name"].as_str().map(str::to_owned)).collect()
        };
        assert!(names(told(true, false)).contains(&"SQLQuery".to_owned()));
        assert_eq!(
            names(told(false, true)),
            [
                "LogTestResult",
                "LogModelResult",
                "PrintEvent",
                "RunResultFailure",
                "RunResultError",
                "RunResultFailure",
                "RunResultError"
            ]
        );
    }
}
