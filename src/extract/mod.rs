//! From a source system to files that a warehouse can load.
//!
//! [`parse_config`] reads what a source's `connector:` and a table's `extract:` say, [`fetch`] brings the rows.
//! What holds, whatever happens on the way:
//!
//! - Rows are asked for from the watermark on, inclusive, minus the lookback. The watermark is the highest value of
//!   the source's own field among the rows read, in the source's own text; it never goes back, and rows dated after
//!   the walk began (by the server's clock, never ours) do not move it.
//! - A walk over pages is believed only if its pages fit together.
//! - Pages are on disk before the next one is asked for; a run that was killed goes on where it stopped, if the
//!   source still gives the page it read last.
//! - Every value is held exactly, or the record is rejected with a reason.
//! - Memory is bounded by the page, whatever the total.

mod batch;
mod clock;
mod config;
mod document;
mod files;
mod infer;
mod intake;
mod position;
mod record;
mod recording;
mod rest;
mod sqlite;
mod staging;

pub use clock::{Clock, SystemClock};
pub use config::{Connector, ExtractConfig, Incremental, WarehouseConfig, parse_config};
pub use intake::{type_from_word, type_word};
pub use position::{Lookback, Position, WatermarkKind, read_duration};

use crate::adapter::{Batch, ColumnType};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::secret::Scrubber;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// How far a table has been read: the highest value of its incremental field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// The field.
    pub field: String,
    /// The value, in the source's own text.
    pub text: String,
    /// As what it is compared.
    pub kind: WatermarkKind,
}

impl Watermark {
    /// The value, ready to be compared; none if the text is not of the kind.
    pub fn position(&self) -> Option<Position> {
        self.kind.read(&self.text)
    }
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcesMode {
    /// From the sources themselves; what they answer is kept in a directory if one is given.
    Live {
        /// The directory of the recording.
        record: Option<PathBuf>,
    },
    /// From a directory of recordings.
    Replay(PathBuf),
}

/// One table that is to be fetched, and all that fetching needs.
pub struct Request<'a> {
    /// How the table is fetched.
    pub config: &'a ExtractConfig,
    /// The source's name.
    pub source: &'a str,
    /// The table's name.
    pub table: &'a str,
    /// How far the table has been read.
    pub watermark: Option<Watermark>,
    /// How far before the watermark to begin.
    pub lookback: Option<Lookback>,
    /// Whether everything is to be read again, whatever the watermark says.
    pub full_refresh: bool,
    /// The fields that identify a row; records without them are rejected.
    pub key: &'a [String],
    /// Columns and types that earlier batches had: they stay, and are only widened.
    pub known_columns: &'a [(String, ColumnType)],
    /// How many records, in percent, may be rejected; 0 lets none pass.
    pub max_reject_percent: f64,
    /// A directory for this table alone; what a crashed run left there is taken up.
    pub staging_directory: PathBuf,
    /// Where rows come from.
    pub mode: SourcesMode,
    /// To which paths of files are relative.
    pub project_root: &'a Path,
    /// The proxy for HTTP, if one is to be used.
    pub proxy: Option<&'a str>,
    /// Knows the secrets of this run; tokens are added to it.
    pub scrubber: &'a Scrubber,
    /// Measures and passes time.
    pub clock: &'a dyn Clock,
    /// Once set, fetching stops at the next page.
    pub cancel: &'a AtomicBool,
    /// Hears of every page.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far fetching is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows so far.
    pub rows: u64,
    /// Pages or files so far.
    pub pages: u64,
}

/// A batch that is ready to be loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The rows. No columns if the source has never shown any.
    pub batch: Batch,
    /// How many rows.
    pub rows: u64,
    /// From how many pages or files.
    pub pages: u64,
    /// The records that cannot be rows, with the reason: `reason`, `page`, `record`.
    pub rejects: Option<Batch>,
    /// How many of them.
    pub rejected: u64,
    /// How far the table has been read now; as it was if no row says more.
    pub watermark: Option<Watermark>,
    /// Whether these are all rows of the table: a key that is not among them is gone from the source.
    pub complete: bool,
    /// The id of this batch; it stays the same when a crashed run is taken up.
    pub batch_id: String,
    /// Where the files are.
    pub staging_directory: PathBuf,
}

impl Fetched {
    /// Removes the staged files, once the rows are committed.
    pub fn discard(&self) -> Result<(), Diagnostic> {
        staging::remove(&self.staging_directory)
    }
}

/// From where rows are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Since {
    /// As text, in the shape of the source's own.
    text: String,
    position: Position,
}

impl Request<'_> {
    /// From where rows are asked for, as text in the shape of the source's own; none if everything is.
    pub fn since_text(&self) -> Result<Option<String>, Diagnostic> {
        Ok(self.since()?.map(|since| since.text))
    }

    /// From where rows are asked for: the watermark minus the lookback; none if everything is.
    fn since(&self) -> Result<Option<Since>, Diagnostic> {
        let (Some(incremental), Some(watermark)) = (self.config.incremental(), &self.watermark) else {
            return Ok(None);
        };
        if self.full_refresh {
            return Ok(None);
        }
        let wrong =
            |message: String| Diagnostic::error(Code::Extract, message).at(self.config.place.clone(), "for this table");
        if watermark.field != incremental.field || watermark.kind != incremental.kind {
            return Err(wrong(format!(
                "`{}` was read by `{}` ({}) so far, and is to be read by `{}` ({}) now",
                self.table,
                watermark.field,
                watermark.kind.as_str(),
                incremental.field,
                incremental.kind.as_str()
            ))
            .help("the old watermark says nothing about the new field: run with --full-refresh"));
        }
        let Some(text) = position::before(watermark.kind, &watermark.text, self.lookback) else {
            return Err(wrong(format!(
                "the lookback of `{}` does not fit its watermark `{}` ({})",
                self.table,
                watermark.text,
                watermark.kind.as_str()
            ))
            .help("write a span of time for timestamps and dates (`10 minutes`), a number for whole numbers"));
        };
        match watermark.kind.read(&text) {
            Some(position) => Ok(Some(Since { text, position })),
            None => Err(wrong(format!("the watermark `{}` is no {}", watermark.text, watermark.kind.as_str()))),
        }
    }
}

/// Brings the rows of a table into its staging directory. On an error the directory stays as it is, so that the next
/// run can go on from there; after a commit [`Fetched::discard`] removes it.
pub fn fetch(request: &Request<'_>) -> Result<Fetched> {
    request.config.secrets().iter().for_each(|secret| request.scrubber.add(secret));
    match &request.config.connector {
        Connector::Rest(config) => rest::fetch(request, config),
        Connector::Sqlite(config) => sqlite::fetch(request, config),
        Connector::Files(config) => files::fetch(request, config),
        Connector::Warehouse(_) => {
            let message = format!("`{}` is in the warehouse: there is nothing to fetch", request.table);
            Err(Diagnostic::error(Code::Internal, message).at(request.config.place.clone(), "").into())
        }
    }
}

#[cfg(test)]
mod tests;
