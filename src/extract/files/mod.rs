//! Tables in files: CSV, JSON, JSON lines, Parquet.

mod csv;
mod listing;
mod parquet;

use super::batch::{Build, Manner};
use super::config::{FileFormat, FileIncremental, FilesConfig};
use super::document;
use super::recording::{Meta, MetaFile, Recorded, existing_directory, read_meta, unreadable, unwritable, write_meta};
use super::sqlite::covers;
use super::{Fetched, Request, SourcesMode, Watermark, WatermarkKind};
use crate::adapter::{Batch, BatchFormat, ColumnType};
use crate::diagnostic::{Code, Diagnostic, Result};
use listing::{Listed, list};
use std::cmp::Ordering;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// The name under which the watermark of `incremental: {by: modified}` is kept: the time of a file's last change.
pub const MODIFIED: &str = "modified";

const KIND: &str = "files";
/// The largest JSON document that is read whole, in bytes.
const LARGEST_DOCUMENT: u64 = 512 << 20;
/// How often files are read that change at the same time.
const MOST_WALKS: usize = 3;

/// Fetches a table.
pub fn fetch(request: &Request<'_>, config: &FilesConfig) -> Result<Fetched> {
    let mut recorded = None;
    let (root, meta) = match &request.mode {
        SourcesMode::Replay(directory) => {
            let table = existing_directory(directory, request)?;
            let meta = read_meta(&table, KIND)?.unwrap_or_default();
            covers(request, &meta)?;
            (table.join("files"), meta)
        }
        SourcesMode::Live { record } => {
            if let Some(directory) = record {
                recorded = Some(Recorded::begin(directory, request.source, request.table)?);
            }
            (request.project_root.join(&config.root), Meta::default())
        }
    };
    for _ in 0..MOST_WALKS {
        let files = changed(request, config, list(request, config, &root, &meta)?)?;
        let mut fetched = match config.format {
            FileFormat::Parquet => hand_over(request, &files)?,
            _ => read(request, config, &files)?,
        };
        if files.iter().any(|file| !file.is_unchanged()) {
            continue;
        }
        if config.incremental == Some(FileIncremental::Modified) {
            fetched.watermark = newest(request, &files);
        }
        if let Some(recorded) = recorded {
            record(request, recorded, &files)?;
        }
        return Ok(fetched);
    }
    Err(Diagnostic::error(Code::Extract, format!("the files of `{}` change while they are read", request.table))
        .at(config.path_place.clone(), "this path")
        .note(format!("they were read {MOST_WALKS} times"))
        .into())
}

/// The files that changed since the last run, those at the watermark included; all of them if rows decide.
fn changed(request: &Request<'_>, config: &FilesConfig, mut files: Vec<Listed>) -> Result<Vec<Listed>> {
    if config.incremental == Some(FileIncremental::Modified)
        && let Some(since) = request.since()?
    {
        files.retain(|file| {
            let position = WatermarkKind::TimestampTz.read(&file.modified);
            position.is_none_or(|position| position.compare(&since.position) != Ordering::Less)
        });
    }
    Ok(files)
}

/// The time of the last change of the newest file, or the watermark as it was.
fn newest(request: &Request<'_>, files: &[Listed]) -> Option<Watermark> {
    let kind = WatermarkKind::TimestampTz;
    let before = request.watermark.clone().filter(|_| !request.full_refresh);
    let texts = files.iter().map(|file| file.modified.clone());
    let texts = texts.chain(before.map(|before| before.text));
    let newest =
        texts.filter_map(|text| Some((kind.read(&text)?, text))).max_by(|left, right| left.0.compare(&right.0));
    newest.map(|(_, text)| Watermark { field: MODIFIED.to_owned(), text, kind })
}

/// Stages the rows of files.
fn read(request: &Request<'_>, config: &FilesConfig, files: &[Listed]) -> Result<Fetched> {
    let by_row = matches!(config.incremental, Some(FileIncremental::Field(_)));
    let mut build = Build::begin(request, Manner { leaves_out: by_row, by_file: !by_row, ..Manner::default() })?;
    build.restart()?;
    for (file, page) in files.iter().zip(1..) {
        request.check_cancelled()?;
        match &config.format {
            FileFormat::Csv { delimiter, header } => csv::read(request, &mut build, file, page, (*delimiter, *header))?,
            FileFormat::JsonLines => read_lines(request, &mut build, &file.path, page)?,
            FileFormat::Json(records) => {
                let text = read_document(&file.path, &file.shown)?;
                let broken = |why: String| {
                    Diagnostic::error(Code::Extract, format!("{} {why}", file.shown))
                        .at(config.path_place.clone(), "found by this path")
                };
                let parts =
                    document::read(&text, records, &[]).map_err(|cause| broken(format!("is broken JSON: {cause}")))?;
                let records = parts.records.ok_or_else(|| {
                    broken(format!("has nothing at `{}`", records.as_str())).help("correct `records` of the table")
                })?;
                for record in records {
                    build.record(record, page)?;
                }
            }
            FileFormat::Parquet => {}
        }
        build.tell(page);
    }
    build.finish(files.len() as u64, &|_| ColumnType::Text)
}

fn read_document(path: &Path, shown: &str) -> Result<String, Diagnostic> {
    let length = fs::metadata(path).map_err(|cause| unreadable(path, &cause))?.len();
    if length > LARGEST_DOCUMENT {
        return Err(Diagnostic::error(Code::Extract, format!("{shown} is larger than 512 MB"))
            .help("write one record a line (`format: ndjson`): such files may have any size"));
    }
    fs::read_to_string(path).map_err(|cause| unreadable(path, &cause))
}

fn read_lines(request: &Request<'_>, build: &mut Build<'_>, path: &Path, page: u64) -> Result<()> {
    let unreadable = |cause: std::io::Error| unreadable(path, &cause);
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut line, mut count) = (Vec::new(), 0_u64);
    while lines.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        match std::str::from_utf8(line.trim_ascii()) {
            Ok("") => {}
            Ok(record) => build.record(record, page)?,
            Err(_) => {
                let record = String::from_utf8_lossy(&line).into_owned();
                build.reject("the line is no UTF-8".to_owned(), page, record)?;
            }
        }
        line.clear();
        count += 1;
        if count % 10_000 == 0 {
            request.check_cancelled()?;
            build.tell(page);
        }
    }
    Ok(())
}

/// Parquet files are loaded as they are; their footers say what is in them.
fn hand_over(request: &Request<'_>, files: &[Listed]) -> Result<Fetched> {
    let mut columns: Vec<(String, ColumnType)> = Vec::new();
    let mut rows = 0;
    for (index, file) in files.iter().enumerate() {
        let footer = parquet::read_footer(&file.path).map_err(|why| {
            Diagnostic::error(Code::Extract, format!("{} cannot be read: {why}", file.shown))
                .at(request.config.place.clone(), "for this table")
        })?;
        rows += footer.rows;
        if index > 0 && footer.columns != columns {
            return Err(Diagnostic::error(
                Code::Extract,
                format!("{} has other columns than {}", file.shown, files[0].shown),
            )
            .at(request.config.place.clone(), "for this table")
            .help("give each kind of file a table of its own")
            .into());
        }
        columns = footer.columns;
    }
    for (name, declared) in &request.config.columns {
        if let Some(column) = columns.iter_mut().find(|(column, _)| column == name) {
            column.1 = declared.clone();
        }
    }
    let pages = files.len() as u64;
    (request.progress)(super::Progress { rows, pages });
    Ok(Fetched {
        batch: Batch {
            format: BatchFormat::Parquet,
            files: files.iter().map(|file| file.path.clone()).collect(),
            columns,
        },
        rows,
        pages,
        rejects: None,
        rejected: 0,
        watermark: request.watermark.clone(),
        complete: request.since()?.is_none(),
        batch_id: uuid::Uuid::new_v4().to_string(),
        staging_directory: request.staging_directory.clone(),
    })
}

/// Keeps copies of the files.
fn record(request: &Request<'_>, recorded: Recorded, files: &[Listed]) -> Result<()> {
    let mut meta = Meta { kind: KIND.to_owned(), since: request.since()?.map(|since| since.text), ..Meta::default() };
    for file in files {
        let copy: PathBuf = recorded.path().join("files").join(&file.relative);
        let put = || {
            copy.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::copy(&file.path, &copy)
        };
        put().map_err(|cause| unwritable(&copy, &cause))?;
        meta.files.push(MetaFile { path: file.relative.clone(), modified: file.modified.clone() });
    }
    write_meta(&recorded, &meta, request.scrubber)?;
    Ok(recorded.finish()?)
}
