//! Whole tables fetched from servers with faults, databases and files.

mod files;
mod recordings;
mod resume;
mod rest;
mod sqlite;
mod walks;

use super::*;
use crate::adapter::tests::server;
use crate::diagnostic::{Diagnostics, Style, render};
use crate::project::yaml::parse_text;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A clock on which only sleeping passes time.
#[derive(Default)]
pub(super) struct TestClock {
    now: Mutex<Duration>,
    sleeps: Mutex<Vec<Duration>>,
}

impl TestClock {
    /// Every wait so far.
    pub(super) fn sleeps(&self) -> Vec<Duration> {
        self.sleeps.lock().expect("no panic").clone()
    }

    pub(super) fn pass(&self, time: Duration) {
        *self.now.lock().expect("no panic") += time;
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        *self.now.lock().expect("no panic")
    }

    fn sleep(&self, time: Duration, _cancel: &AtomicBool) {
        self.sleeps.lock().expect("no panic").push(time);
        self.pass(time);
    }

    fn jitter(&self) -> f64 {
        1.0
    }
}

/// All that a request needs, and a directory of its own.
pub(super) struct Bench {
    pub(super) directory: tempfile::TempDir,
    pub(super) clock: TestClock,
    pub(super) scrubber: Scrubber,
    pub(super) cancel: AtomicBool,
    pub(super) key: Vec<String>,
    pub(super) known_columns: Vec<(String, ColumnType)>,
    /// The last progress that was told.
    pub(super) told: Mutex<Option<Progress>>,
    /// Set the cancel flag once this many pages were staged.
    pub(super) cancel_after: Option<u64>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a directory"),
            clock: TestClock::default(),
            scrubber: Scrubber::default(),
            cancel: AtomicBool::new(false),
            key: vec!["id".to_owned()],
            known_columns: vec![],
            told: Mutex::default(),
            cancel_after: None,
        }
    }

    /// Fetches the table `crm.customers`, with what `change` makes of the request.
    pub(super) fn fetch(&self, config: &ExtractConfig, change: impl FnOnce(&mut Request<'_>)) -> Result<Fetched> {
        self.cancel.store(false, Ordering::Relaxed);
        let progress = |progress: Progress| {
            *self.told.lock().expect("no panic") = Some(progress);
            if self.cancel_after.is_some_and(|pages| progress.pages >= pages) {
                self.cancel.store(true, Ordering::Relaxed);
            }
        };
        let mut request = Request {
            config,
            source: "crm",
            table: "customers",
            watermark: None,
            lookback: None,
            full_refresh: false,
            key: &self.key,
            known_columns: &self.known_columns,
            max_reject_percent: 0.0,
            staging_directory: self.directory.path().join("staging"),
            mode: SourcesMode::Live { record: None },
            project_root: self.directory.path(),
            proxy: None,
            scrubber: &self.scrubber,
            clock: &self.clock,
            cancel: &self.cancel,
            progress: &progress,
        };
        change(&mut request);
        fetch(&request)
    }
}

pub(super) fn config(connector: &str, table: &str) -> ExtractConfig {
    try_config(connector, table).unwrap_or_else(|found| panic!("{}", frames(&found)))
}

pub(super) fn try_config(connector: &str, table: &str) -> Result<ExtractConfig> {
    let yaml = |text: &str, name: &str| parse_text(text, name).expect("YAML");
    parse_config(&yaml(connector, "models/connector.yml"), &yaml(table, "models/table.yml"), "customers")
}

pub(super) fn frames(found: &Diagnostics) -> String {
    found.iter().map(|one| render(one, Style::Plain)).collect::<Vec<_>>().join("\n\n")
}

pub(super) fn failure(fetched: Result<Fetched>) -> String {
    frames(&fetched.expect_err("fetching must fail"))
}

/// The staged rows, in order.
pub(super) fn rows(batch: &Batch) -> Vec<serde_json::Value> {
    let text: String = batch.files.iter().map(|file| std::fs::read_to_string(file).expect("staged")).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

pub(super) fn ids(fetched: &Fetched) -> Vec<i64> {
    rows(&fetched.batch).iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

pub(super) fn watermark(text: &str) -> Watermark {
    Watermark { field: "at".to_owned(), text: text.to_owned(), kind: WatermarkKind::TimestampTz }
}
