//! A batch on its way from a source to the warehouse: records in, staged files with typed columns out.

use super::intake::{Intake, Outcome, Rules, Snapshot};
use super::position::Position;
use super::record::Field;
use super::staging::{Head, Reject, Staging, first_rejects};
use super::{Fetched, Progress, Request, Since, SourcesMode, Watermark};
use crate::adapter::{Batch, BatchFormat, ColumnType};
use crate::diagnostic::{Code, Diagnostic, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;

/// How many rejects a message shows.
const SHOWN_REJECTS: usize = 3;

/// Puts the batch of one table together.
pub struct Build<'a> {
    request: &'a Request<'a>,
    rules: Rules,
    staging: Staging,
    intake: Intake,
    since: Option<Since>,
    line: Vec<u8>,
}

/// How a connector wants its records to be taken.
#[derive(Default)]
pub struct Manner {
    /// Rows that come twice in different versions are evidence that rows moved while they were read.
    pub watch_keys: bool,
    /// The source gives more than was asked for: rows before that are left out here.
    pub leaves_out: bool,
    /// What changed is found by file, not by row: rows have no field to look at.
    pub by_file: bool,
    /// The types of columns that a recording has kept.
    pub recorded: Vec<(String, ColumnType)>,
}

impl<'a> Build<'a> {
    /// An empty batch.
    pub fn begin(request: &'a Request<'a>, manner: Manner) -> Result<Self> {
        let since = request.since()?;
        let leaves_out = manner.leaves_out || (matches!(request.mode, SourcesMode::Replay(_)) && !manner.by_file);
        let left_out = since.as_ref().filter(|_| leaves_out).map(|since| since.position.clone());
        let rules = Rules {
            key: request.key.to_vec(),
            declared: request.config.columns.clone(),
            known: request.known_columns.to_vec(),
            incremental: (request.config.incremental().filter(|_| !manner.by_file))
                .map(|found| (found.field, found.kind)),
            recorded: manner.recorded,
            since: left_out,
            watch_keys: manner.watch_keys,
        };
        let head =
            Head { batch_id: uuid::Uuid::new_v4().to_string(), fingerprint: fingerprint(request, since.as_ref()) };
        // What a crashed run left stays where it is until it is known whether it is of use.
        let staging = Staging::idle(&request.staging_directory, head);
        Ok(Self { request, intake: Intake::new(rules.clone()), rules, staging, since, line: Vec::new() })
    }

    /// Takes over what a crashed run staged, and gives its pages; none if there is nothing of use.
    pub fn resume<S: DeserializeOwned>(&mut self) -> Result<Option<Vec<S>>> {
        if let SourcesMode::Replay(_) = self.request.mode {
            return Ok(None);
        }
        let resumed = Staging::resume::<S>(&self.request.staging_directory, &self.staging.head().fingerprint);
        let Some((staging, pages)) = resumed else { return Ok(None) };
        let mut intake = Intake::new(self.rules.clone());
        let restored =
            pages.last().and_then(|page| page.intake.as_ref()).is_some_and(|known: &Snapshot| intake.restore(known));
        if !restored {
            return Ok(None);
        }
        staging.each_row(|line| intake.rewatch(line))?;
        (self.staging, self.intake) = (staging, intake);
        Ok(Some(pages.into_iter().map(|page| page.walk).collect()))
    }

    /// Forgets all that was taken.
    pub fn restart(&mut self) -> Result<()> {
        let head = Head { batch_id: uuid::Uuid::new_v4().to_string(), ..self.staging.head().clone() };
        self.staging = Staging::begin(&self.request.staging_directory, head, self.is_durable())?;
        self.intake = Intake::new(self.rules.clone());
        Ok(())
    }

    /// A replay is quick and always the same: nothing of it has to survive.
    fn is_durable(&self) -> bool {
        matches!(self.request.mode, SourcesMode::Live { .. })
    }

    /// Rows beyond this position do not move the watermark.
    pub fn set_bound(&mut self, bound: Option<Position>) {
        self.intake.set_bound(bound);
    }

    /// Makes a column known before its first value.
    pub fn expect_column(&mut self, name: &str) {
        self.intake.expect_column(name);
    }

    /// Whether a row came twice in different versions.
    pub fn moved(&self) -> bool {
        self.intake.moved()
    }

    /// Takes one record, given as JSON text.
    pub fn record(&mut self, record: &str, page: u64) -> Result<()> {
        self.line.clear();
        let outcome = self.intake.take(record, &mut self.line);
        self.settle(outcome, page, || record.to_owned())
    }

    /// Takes one record whose fields are known.
    pub fn fields(&mut self, fields: Vec<Field<'_>>, page: u64) -> Result<()> {
        self.line.clear();
        let shown = fields.clone();
        let outcome = self.intake.take_fields(fields, &mut self.line);
        self.settle(outcome, page, || {
            let mut line = Vec::new();
            super::record::write_fields(&shown, false, &mut line);
            String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
        })
    }

    /// Puts a record aside that could not even be read.
    pub fn reject(&mut self, reason: String, page: u64, record: String) -> Result<()> {
        self.settle(Outcome::Rejected(reason), page, || record)
    }

    fn settle(&mut self, outcome: Outcome, page: u64, record: impl FnOnce() -> String) -> Result<()> {
        match outcome {
            Outcome::Row => self.staging.row(&self.line)?,
            Outcome::LeftOut => {}
            Outcome::Rejected(reason) => self.staging.reject(&Reject { reason, page, record: record() })?,
        }
        Ok(())
    }

    /// Makes a page lasting and tells how far the batch is.
    pub fn page_done(&mut self, walk: impl Serialize, pages: u64) -> Result<()> {
        if self.is_durable() {
            self.staging.page_done(self.intake.snapshot(), walk)?;
        }
        self.tell(pages);
        Ok(())
    }

    /// Tells how far the batch is.
    pub fn tell(&self, pages: u64) {
        (self.request.progress)(Progress { rows: self.staging.extent().rows, pages });
    }

    /// The whole batch, if it may land.
    /// `empty_type` gives the type of a column that has only NULLs.
    pub fn finish(&mut self, pages: u64, empty_type: &dyn Fn(&str) -> ColumnType) -> Result<Fetched> {
        self.staging.finish()?;
        let columns = self.intake.columns(empty_type);
        let mut found = self.judge_rejects().err().unwrap_or_default();
        found.extend(self.intake.drift(&columns, self.request.table, &self.request.config.place));
        if !found.is_empty() {
            // What was read is refused for what it is: the next run must ask again, not find the same rows here.
            super::staging::remove(&self.request.staging_directory)?;
            return Err(found);
        }
        let extent = self.staging.extent();
        let rejects = self.staging.rejects().map(|file| Batch {
            format: BatchFormat::JsonLines,
            files: vec![file],
            columns: vec![
                ("reason".to_owned(), ColumnType::Text),
                ("page".to_owned(), ColumnType::BigInt),
                ("record".to_owned(), ColumnType::Text),
            ],
        });
        Ok(Fetched {
            batch: Batch { format: BatchFormat::JsonLines, files: self.staging.files(), columns },
            rows: extent.rows,
            pages,
            rejects,
            rejected: extent.rejected,
            watermark: self.watermark(),
            // A record that was rejected is in the source all the same.
            complete: self.since.is_none() && extent.rejected == 0,
            batch_id: self.staging.head().batch_id.clone(),
            staging_directory: self.request.staging_directory.clone(),
        })
    }

    /// Above the limit nothing lands.
    fn judge_rejects(&self) -> Result<()> {
        let extent = self.staging.extent();
        let all = extent.rows + extent.rejected;
        #[expect(clippy::cast_precision_loss, reason = "a percentage of rows needs no more than 52 bits")]
        let percent = if all == 0 { 0.0 } else { extent.rejected as f64 * 100.0 / all as f64 };
        if extent.rejected == 0 || percent <= self.request.max_reject_percent {
            return Ok(());
        }
        let mut found = Diagnostic::error(
            Code::Extract,
            format!(
                "{} of {all} records of `{}` cannot be rows: nothing is loaded",
                extent.rejected, self.request.table
            ),
        )
        .at(self.request.config.place.clone(), "extracted here");
        for reject in self.staging.rejects().iter().flat_map(|file| first_rejects(file, SHOWN_REJECTS)) {
            let record: String = reject.record.chars().take(200).collect();
            let shown = format!("{} (page {}): {record}", reject.reason, reject.page);
            found = found.note(self.request.scrubber.scrub(&shown).into_owned());
        }
        Err(found
            .help(format!(
                "`max_reject_pct` allows {} %; rejected records are kept in `<model>__rejects` where it allows them",
                self.request.max_reject_percent
            ))
            .into())
    }

    /// The highest value that was read, or the watermark as it was if that is higher: it never goes back.
    fn watermark(&self) -> Option<Watermark> {
        let incremental = self.request.config.incremental()?;
        let before = self.request.watermark.as_ref().filter(|_| !self.request.full_refresh);
        let Some(text) = self.intake.highest() else { return before.cloned() };
        let now = Watermark { field: incremental.field, text: text.to_owned(), kind: incremental.kind };
        match before {
            Some(before) if before.position()?.compare(&now.position()?) != Ordering::Less => Some(before.clone()),
            _ => Some(now),
        }
    }
}

/// What two runs must have in common for one to go on where the other stopped.
fn fingerprint(request: &Request<'_>, since: Option<&Since>) -> String {
    let known: Vec<(&str, String)> =
        request.known_columns.iter().map(|(name, known)| (name.as_str(), super::intake::type_word(known))).collect();
    let parts = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "config": request.config.fingerprint,
        "source": request.source,
        "table": request.table,
        "since": since.map(|since| &since.text),
        "full_refresh": request.full_refresh,
        "key": request.key,
        "known": known,
    });
    super::config::hex(&Sha256::digest(parts.to_string().as_bytes()))
}
