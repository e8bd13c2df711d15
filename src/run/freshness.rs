//! `source freshness`: how old each source is, judged by its thresholds.
//!
//! A plain source is asked in the warehouse. A source that strata fetches itself has no table of its own there: it is
//! judged by the table of the extract model that fetches it, or without a `loaded_at_field` by when that model last
//! took over a batch, new rows or not.

use super::control::ControlTables;
use super::event::{Event, NodeResult, Status, Timing};
use super::last_modified::LastModified;
use super::scheduler::Worker;
use super::session::WorkerSession;
use super::{Run, Setup, node};
use crate::adapter::{Cell, DatabaseErrorKind, Response};
use crate::compile::{Collected, Surroundings};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::host::Session;
use crate::manifest::{Materialized, Node, Source, SourceFreshness};
use crate::name::{RelationName, UniqueId};
use crate::plan::Plan;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// What the warehouse said of a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// When it was last loaded; a table without rows counts as loaded at the beginning of the calendar, as in dbt.
    pub max_loaded_at: DateTime<Utc>,
    /// When it was asked, by the warehouse's clock.
    pub snapshotted_at: DateTime<Utc>,
}

/// How the look at one source ended.
#[derive(Debug, Clone)]
pub struct SourceResult {
    /// The end: pass, warn, fail (dbt's `error`: too old) or error (dbt's `runtime error`).
    pub result: NodeResult,
    /// What was measured; none where it could not be.
    pub measured: Option<Measured>,
}

impl Measured {
    /// Seconds between loading and looking; negative for what claims to be from the future.
    pub fn age(&self) -> f64 {
        let age = self.snapshotted_at - self.max_loaded_at;
        // Exact: microseconds of some thousand years need fewer bits than a float has.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let seconds = age.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6;
        seconds
    }

    fn is_without_rows(&self) -> bool {
        self.max_loaded_at == beginning()
    }
}

/// dbt's "infinitely long ago".
fn beginning() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN).and_utc()
}

/// Looks at the selected sources, between the project's hooks if `with_hooks`. `order` is the whole project in
/// topological order. What could not be told of a source is in its result; an error is what kept the run from starting.
/// Results of hooks are not among those given.
pub fn freshness(
    setup: Setup,
    order: &[UniqueId],
    selected: &std::collections::BTreeSet<UniqueId>,
    with_hooks: bool,
) -> Result<Vec<SourceResult>> {
    let manifest = Arc::clone(setup.compiler.manifest());
    let sources = order.iter().filter(|id| selected.contains(*id) && manifest.sources.contains_key(*id));
    let plan = Plan::unordered(sources.cloned().collect());
    let dialect = setup.compiler.dialect();
    let batches = ControlTables::new(&manifest, dialect).relation("extract_batches").cloned();
    let run = Run::new(setup, plan, ControlTables::none(dialect));
    let measured = Mutex::default();
    let last_modified = LastModified::default();
    let worker = |number| FreshnessWorker {
        run: &run,
        number,
        session: None,
        batches: &batches,
        last_modified: &last_modified,
        measured: &measured,
    };
    let results = run.execute(&worker, with_hooks)?;
    let mut measured = measured.into_inner().unwrap_or_else(PoisonError::into_inner);
    let of_sources = results.into_iter().filter(|result| manifest.sources.contains_key(&result.unique_id));
    Ok(of_sources.map(|result| SourceResult { measured: measured.remove(&result.unique_id), result }).collect())
}

/// How the look at a source is called in progress lines.
pub(super) fn label(source: &Source) -> String {
    format!("freshness of {}", source.full_name())
}

struct FreshnessWorker<'a> {
    run: &'a Run,
    number: usize,
    session: Option<Arc<WorkerSession>>,
    batches: &'a Option<RelationName>,
    last_modified: &'a LastModified,
    measured: &'a Mutex<BTreeMap<UniqueId, Measured>>,
}

impl Worker for FreshnessWorker<'_> {
    fn run(&mut self, index: usize) -> NodeResult {
        let run = self.run;
        let id = &run.plan.nodes[index];
        let Some(source) = run.compiler.manifest().sources.get(id) else { return run.skipped(index, None) };
        let label = label(source);
        let position = run.next_position();
        (run.emit)(Event::NodeStarted { unique_id: id.clone(), index: position, label: label.clone() });
        let start = run.elapsed();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.measure(source)));
        let outcome = outcome.unwrap_or_else(|panic| {
            // The connection may be in the middle of anything: the next source opens another.
            self.session = None;
            Err(node::panicked(&*panic).into())
        });
        let mut result = NodeResult {
            unique_id: id.clone(),
            status: Status::Error,
            message: None,
            failures: None,
            response: Response::default(),
            diagnostic: None,
            timing: Timing { compile_start: start, execute_start: start, end: run.elapsed() },
            thread: self.number,
            compiled_code: None,
            executed_code: None,
            batches: None,
        };
        match outcome {
            Ok((response, measured)) => {
                result.response = response;
                (result.status, result.message, result.diagnostic) = judge(source, &measured);
                self.measured.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), measured);
            }
            Err(found) => {
                let within = |finding: Diagnostic| match finding.code() {
                    // These stand at the source already.
                    Code::Freshness => finding,
                    _ => {
                        finding.within(format!("in source `{}`", source.full_name()), Some(source.declared_at.clone()))
                    }
                };
                result.diagnostic = run.first_finding(found).map(within);
                result.message = result.diagnostic.as_ref().map(|first| first.message().to_owned());
            }
        }
        (run.emit)(Event::NodeFinished { result: Box::new(result.clone()), index: position, label });
        result
    }
}

impl FreshnessWorker<'_> {
    fn measure(&mut self, source: &Source) -> Result<(Response, Measured)> {
        let session = match &self.session {
            Some(session) => Arc::clone(session),
            None => Arc::clone(self.session.insert(self.run.open_session(&format!("worker {}", self.number))?)),
        };
        session.assign(Some(source.unique_id.clone()), None, None);
        let surroundings = Surroundings {
            session: Some(Arc::clone(&session) as Arc<dyn Session>),
            thread: format!("Thread-{}", self.number),
            ..Surroundings::default()
        };
        let measured = self.ask(source, &surroundings);
        if measured.is_err() {
            // The rollback's own failure says nothing that the first failure does not.
            let _ = session.rollback();
            if session.failure().is_some_and(|failed| failed.error.kind == DatabaseErrorKind::Connection) {
                self.session = None;
            }
        }
        measured
    }

    fn ask(&self, source: &Source, surroundings: &Surroundings) -> Result<(Response, Measured)> {
        let compiler = &self.run.compiler;
        let models = self.extract_models(source);
        let is_fetched = source.connector.is_some();
        if is_fetched && models.is_empty() {
            return Err(unknown(source, "is fetched by no extract model, so its age cannot be told")
                .help("write a model with `materialized='extract'` that selects from it, or drop its `freshness:`")
                .into());
        }
        if let Some(query) = &source.loaded_at_query {
            let table = models.first().and_then(|model| model.relation_name.as_ref()).unwrap_or(&source.relation_name);
            return read(source, compiler.collect_freshness_by_query(source, table, query, surroundings)?);
        }
        if let (Some(field), false) = (&source.loaded_at_field, is_fetched) {
            return read(source, compiler.collect_freshness(source, &source.relation_name, field, surroundings)?);
        }
        if !is_fetched {
            let surely = self.last_modified.of(source, &self.without_field(), compiler, surroundings)?;
            if let Some(found) = surely {
                return Ok(found);
            }
            let adapter = self.run.adapter.type_name();
            return Err(unknown(source, &format!("says nowhere when it was loaded, and {adapter} does not know it"))
                .help("add `loaded_at_field:` with a column that tells, or `loaded_at_query:`")
                .into());
        }
        let mut oldest: Option<(Response, Measured)> = None;
        for model in models {
            let found = self.ask_extracted(source, model, surroundings)?;
            if oldest.as_ref().is_none_or(|(_, known)| found.1.max_loaded_at < known.max_loaded_at) {
                oldest = Some(found);
            }
        }
        oldest.ok_or_else(|| unknown(source, "is fetched by no extract model").into())
    }

    /// How old what one extract model has of a source is.
    fn ask_extracted(
        &self,
        source: &Source,
        model: &Node,
        surroundings: &Surroundings,
    ) -> Result<(Response, Measured)> {
        let compiler = &self.run.compiler;
        let never = || {
            unknown(source, "has not been extracted yet").help(format!("`strata build -s {}` fetches it", model.name))
        };
        if let (Some(field), Some(table)) = (&source.loaded_at_field, &model.relation_name) {
            if !compiler.exists(table, surroundings)? {
                return Err(never().into());
            }
            return read(source, compiler.collect_freshness(source, table, field, surroundings)?);
        }
        let Some(batches) = self.batches else {
            return Err(unknown(
                source,
                "has no `loaded_at_field`, and the control table `extract_batches` is disabled",
            )
            .help("add `loaded_at_field:` with a column of the extract model's table, or enable the table")
            .into());
        };
        let Some(collected) = compiler.collect_extract_freshness(batches, &model.unique_id, surroundings)? else {
            return Err(never().into());
        };
        let (response, measured) = read(source, collected)?;
        if measured.is_without_rows() { Err(never().into()) } else { Ok((response, measured)) }
    }

    /// The sources that are to be looked at and say nowhere when they were loaded.
    fn without_field(&self) -> Vec<&Source> {
        let sources = &self.run.compiler.manifest().sources;
        let looked_at = self.run.plan.nodes.iter().filter_map(|id| sources.get(id));
        looked_at
            .filter(|source| {
                source.connector.is_none() && source.loaded_at_field.is_none() && source.loaded_at_query.is_none()
            })
            .collect()
    }

    fn extract_models(&self, source: &Source) -> Vec<&Node> {
        let nodes = self.run.compiler.manifest().nodes.values();
        let reads = |node: &&Node| {
            node.config.materialized() == Materialized::Extract && node.depends_on.nodes.contains(&source.unique_id)
        };
        nodes.filter(reads).collect()
    }
}

pub(super) fn unknown(source: &Source, what: &str) -> Diagnostic {
    Diagnostic::error(Code::Freshness, format!("source `{}` {what}", source.full_name()))
        .at(source.declared_at.clone(), "")
}

/// The two times of a freshness macro's row.
fn read(source: &Source, (response, table): Collected) -> Result<(Response, Measured)> {
    let cell = |position: usize| table.rows.first().and_then(|row| row.get(position)).unwrap_or(&Cell::Null);
    let max_loaded_at = time(source, cell(0))?.unwrap_or_else(beginning);
    let Some(snapshotted_at) = time(source, cell(1))? else {
        return Err(unknown(source, "was looked at without telling when: `snapshotted_at` is NULL").into());
    };
    // The row that was read is the answer, nothing that was done.
    let response = Response { rows_affected: None, ..response };
    Ok((response, Measured { max_loaded_at, snapshotted_at }))
}

/// A timestamp without zone is UTC, as in dbt.
pub(super) fn time(source: &Source, cell: &Cell) -> Result<Option<DateTime<Utc>>, Diagnostics> {
    let kind = match cell {
        Cell::Null => return Ok(None),
        Cell::Timestamp(at) => return Ok(Some(at.and_utc())),
        Cell::TimestampTz(at) => return Ok(Some(at.to_utc())),
        Cell::Date(_) => "a date",
        Cell::Text(_) => "a text",
        Cell::Integer(_) | Cell::Decimal(_) | Cell::Float(_) => "a number",
        _ => "something else",
    };
    let found = unknown(source, &format!("says when it was loaded with {kind}, not a timestamp: {cell}"));
    Err(match &source.loaded_at_field {
        Some(field) if source.loaded_at_query.is_none() => {
            found.help(format!("cast it: loaded_at_field: \"cast({field} as timestamp)\""))
        }
        _ => found.help("cast what the query gives to a timestamp"),
    }
    .into())
}

/// Holds what was measured against the thresholds: the status, the words for people, the finding.
fn judge(source: &Source, measured: &Measured) -> (Status, Option<String>, Option<Diagnostic>) {
    let age = measured.age();
    let words = if measured.is_without_rows() { "no rows".to_owned() } else { format!("loaded {}", ago(age)) };
    let freshness = source.freshness.clone().unwrap_or_default();
    let Some((status, limit)) = exceeded(&freshness, age) else { return (Status::Pass, Some(words), None) };
    let (count, period) = limit;
    let plural = if *count == 1 { "" } else { "s" };
    let (verb, new): (&str, fn(Code, String) -> Diagnostic) = match status {
        Status::Fail => ("an error", |code, message| Diagnostic::error(code, message)),
        _ => ("a warning", |code, message| Diagnostic::warning(code, message)),
    };
    let what = if measured.is_without_rows() { "has no rows" } else { "is stale" };
    let reason = if measured.is_without_rows() { String::new() } else { format!(": it was {words}") };
    let found = new(Code::Freshness, format!("source `{}` {what}{reason}", source.full_name()))
        .at(source.declared_at.clone(), format!("{verb} after {count} {period}{plural}"));
    (status, Some(words), Some(found))
}

/// The threshold that an age exceeds, the graver first.
fn exceeded(freshness: &SourceFreshness, age: f64) -> Option<(Status, &(u64, String))> {
    let exceeds = |(count, period): &&(u64, String)| {
        let unit = match period.as_str() {
            "minute" => 60.0,
            "hour" => 3_600.0,
            _ => 86_400.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "nobody waits for 2^52 minutes")]
        let limit = *count as f64 * unit;
        age > limit
    };
    let error = freshness.error_after.as_ref().filter(exceeds).map(|limit| (Status::Fail, limit));
    error.or_else(|| freshness.warn_after.as_ref().filter(exceeds).map(|limit| (Status::Warn, limit)))
}

/// An age for people: `5s ago`, `12m ago`, `3h 05m ago`, `4d 02h ago`.
fn ago(age: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "ages fit, and saturate where they do not")]
    let seconds = age as i64;
    let words = match seconds.unsigned_abs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        seconds => format!("{}d {:02}h", seconds / 86_400, seconds / 3_600 % 24),
    };
    if seconds < 0 { format!("{words} in the future") } else { format!("{words} ago") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness(warn: Option<(u64, &str)>, error: Option<(u64, &str)>) -> SourceFreshness {
        let limit = |given: Option<(u64, &str)>| given.map(|(count, period)| (count, period.to_owned()));
        SourceFreshness { warn_after: limit(warn), error_after: limit(error), filter: None }
    }

    #[test]
    fn the_graver_threshold_counts_and_its_bound_is_still_fresh() {
        let status = |given: &SourceFreshness, age: f64| exceeded(given, age).map(|(status, _)| status);
        let both = freshness(Some((12, "hour")), Some((1, "day")));
        assert_eq!(status(&both, 43_200.0), None);
        assert_eq!(status(&both, 43_200.1), Some(Status::Warn));
        assert_eq!(status(&both, 86_401.0), Some(Status::Fail));
        assert_eq!(status(&both, -5.0), None);
        assert_eq!(status(&freshness(None, Some((2, "minute"))), 121.0), Some(Status::Fail));
        assert_eq!(status(&freshness(Some((2, "minute")), None), 1e12), Some(Status::Warn));
        assert_eq!(status(&freshness(None, None), 1e12), None);
    }

    #[test]
    fn the_age_of_an_empty_table_is_dbts() {
        let snapshotted_at = DateTime::from_timestamp(1_795_401_783, 923_656_000).expect("a time");
        let measured = Measured { max_loaded_at: beginning(), snapshotted_at };
        assert!(measured.is_without_rows());
        assert!((measured.age() - 63_930_998_583.923_65).abs() < 1e-3, "{}", measured.age());
    }

    #[test]
    fn ages_are_for_people() {
        assert_eq!(ago(5.9), "5s ago");
        assert_eq!(ago(725.0), "12m ago");
        assert_eq!(ago(11_100.0), "3h 05m ago");
        assert_eq!(ago(353_000.0), "4d 02h ago");
        assert_eq!(ago(-7_192.0), "1h 59m in the future");
    }
}
