//! What people and programs see of a command: reporters listen to events and print; nothing else does but `cli`.

mod github;
mod human;
mod json;
mod live;
mod table;
mod wording;

pub use github::GitHub;
pub use human::{Human, HumanOptions, TerminalStream};
pub use json::JsonLines;
pub use table::{TableFormat, format_table};

use crate::deps::InstalledPackage;
use crate::diagnostic::Diagnostics;
use crate::manifest::Manifest;
use crate::run::event::Event;
use crate::secret::Scrubber;
use chrono::{DateTime, Utc};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One way of telling what happens. Shared by all workers.
pub trait Reporter: Send + Sync {
    /// The command begins: `build`.
    fn began(&self, command: &str);

    /// The project was read: from here on events can be told with the names of its nodes.
    /// `summary` is `8 models, 20 data tests, 2 sources`, `target` the name of the profile's target.
    fn parsed(&self, manifest: &Arc<Manifest>, summary: &str, target: &str);

    /// Something happened.
    fn hear(&self, event: &Event);

    /// What the command was asked for: `show`'s rows, `ls`'s names, compiled SQL.
    fn product(&self, product: &Product);

    /// Findings that a command ended with, or that it could do its work in spite of.
    fn found(&self, diagnostics: &Diagnostics);

    /// The command is through.
    fn ended(&self, command: &str, success: bool);
}

/// What a command was asked for, as opposed to what it tells about its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// One line of `ls`.
    Listed(String),
    /// The SQL of a node; no name for `--inline`.
    Compiled {
        /// The node's name.
        node: Option<String>,
        /// Its SQL.
        sql: String,
    },
    /// The rows of a query, as a text in the format that was asked for; no name for `--inline`.
    Previewed {
        /// The node's name.
        node: Option<String>,
        /// The rows.
        rows: String,
    },
    /// A package that `deps` has put into place.
    Installed(InstalledPackage),
    /// Any other text: a diff, a check's outcome.
    Text(String),
}

/// Which call of the program the told things belong to.
#[derive(Debug, Clone)]
pub struct Origin {
    /// A UUID.
    pub invocation_id: String,
    /// When the program was started.
    pub started_at: DateTime<Utc>,
    /// The same moment on the clock that only goes forward.
    pub started: Instant,
    /// The process's id.
    pub process_id: u32,
}

impl Origin {
    fn now(&self) -> DateTime<Utc> {
        self.started_at + chrono::Duration::from_std(self.started.elapsed()).unwrap_or_default()
    }
}

/// A text's way out: every line passes the scrubber, and lines of different threads never mix.
pub struct Output {
    writer: Mutex<Box<dyn Write + Send>>,
    scrubber: Scrubber,
}

impl Output {
    /// Writes to `writer` what `scrubber` lets through.
    pub fn new(writer: Box<dyn Write + Send>, scrubber: Scrubber) -> Self {
        Self { writer: Mutex::new(writer), scrubber }
    }

    /// Writes a text and a line's end.
    fn line(&self, text: &str) {
        let text = self.scrubber.scrub(text);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that went away (`strata ls | head`) is no reason to stop the work that is reported.
        let _ = writeln!(writer, "{text}").and_then(|()| writer.flush());
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! A run with every kind of ending, for the reporters' snapshots.
    #![expect(clippy::unwrap_used, reason = "a broken fixture should stop the test")]

    use super::*;
    use crate::adapter::Response;
    use crate::artifact::fixture;
    use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
    use crate::run::event::{NodeResult, Status, Timing};
    use crate::secret::Secret;
    use std::time::Duration;

    /// Somewhere to write that a test can look at.
    #[derive(Clone, Default)]
    pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        pub(crate) fn output(&self) -> Output {
            Output::new(Box::new(self.clone()), Scrubber::new([&Secret::new("hunter22")]))
        }
    }

    pub(crate) fn origin() -> Origin {
        Origin {
            invocation_id: "00000000-0000-4000-8000-000000000001".into(),
            started_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
            started: Instant::now(),
            process_id: 42,
        }
    }

    fn result(id: &str, status: Status, millis: u64) -> NodeResult {
        NodeResult {
            unique_id: id.into(),
            status,
            message: None,
            failures: None,
            response: Response::default(),
            diagnostic: None,
            timing: Timing {
                compile_start: Duration::from_millis(100),
                execute_start: Duration::from_millis(150),
                end: Duration::from_millis(100 + millis),
            },
            thread: 1,
            compiled_code: None,
            executed_code: None,
            batches: None,
        }
    }

    fn results() -> Vec<(NodeResult, &'static str)> {
        let mut seed = result("seed.shop.orders", Status::Success, 40);
        seed.response = Response { message: "INSERT 3".into(), rows_affected: Some(3), ..Response::default() };
        let staging = result("model.shop.stg_orders", Status::Success, 125);
        let pass = result("test.shop.not_null_stg_orders_id", Status::Pass, 7);
        let mut warn = result("test.shop.unique_stg_orders_id", Status::Warn, 8);
        warn.failures = Some(2);
        warn.message = Some("Got 2 results, configured to warn if != 0".into());
        let mut fail = result("test.shop.positive", Status::Fail, 9);
        fail.failures = Some(1);
        fail.message = Some("Got 1 result, configured to fail if != 0".into());
        fail.compiled_code = Some("select 1".into());
        let mut error = result("model.shop.total", Status::Error, 61_000);
        let model = SourceFile::new("models/total.sql", "select nope\nfrom orders\n");
        error.diagnostic = Some(
            Diagnostic::error(Code::Database, "column `nope` does not exist")
                .at(Span::new(&model, 7..11), "not among the columns")
                .note("the password is hunter22"),
        );
        let mut skipped = result("model.shop.off", Status::Skipped, 0);
        skipped.message = Some("skipped because of model.shop.total".into());
        vec![
            (seed, "seed dev.orders"),
            (staging, "table model dev.stg_orders"),
            (pass, "data test not_null_stg_orders_id"),
            (warn, "data test unique_stg_orders_id"),
            (fail, "data test positive"),
            (error, "view model dev.total"),
            (skipped, "view model dev.off"),
        ]
    }

    /// Lets a reporter hear a whole `build`.
    pub(crate) fn tell(reporter: &dyn Reporter) {
        let manifest = Arc::new(fixture::manifest());
        reporter.began("build");
        reporter.parsed(&manifest, "2 models, 3 data tests, 1 seed, 1 source", "dev");
        reporter.found(&Diagnostics::from(
            Diagnostic::warning(Code::UnusedConfigPath, "nothing is configured by `models.shop.gone`")
                .help("remove it"),
        ));
        let results = results();
        reporter.hear(&Event::RunStarted {
            summary: "1 seed, 3 models, 3 data tests".into(),
            total: results.len(),
            threads: 2,
        });
        for (index, (result, label)) in results.iter().enumerate() {
            let (unique_id, label, index) = (result.unique_id.clone(), (*label).to_owned(), index + 1);
            if result.status != Status::Skipped {
                reporter.hear(&Event::NodeStarted { unique_id: unique_id.clone(), index, label: label.clone() });
                reporter.hear(&Event::Statement {
                    unique_id: Some(unique_id),
                    sql: "select\n  1".into(),
                    elapsed: Duration::from_millis(3),
                });
            }
            reporter.hear(&Event::NodeFinished { result: Box::new(result.clone()), index, label });
        }
        reporter.hear(&Event::Message("macro says hunter22".into()));
        reporter.hear(&Event::RunFinished {
            results: results.into_iter().map(|(result, _)| result).collect(),
            elapsed: Duration::from_millis(61_570),
            interrupted: false,
        });
        reporter.ended("build", false);
    }
}
