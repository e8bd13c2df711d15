//! Recordings on disk: what sources answered, readable and writable by hand. `docs/recordings.md` is the format.

use super::Request;
use super::rest::{Answer, Ask};
use crate::diagnostic::{Code, Diagnostic};
use crate::secret::Scrubber;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was asked and how it was answered, without the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Method, path and query.
    pub request: String,
    /// The JSON body that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// From where rows were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The HTTP status.
    #[serde(default = "ok")]
    pub status: u16,
    /// The headers that count.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// The file with the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

fn ok() -> u16 {
    200
}

/// One recorded exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The file of its head.
    pub path: PathBuf,
    /// The head.
    pub head: Head,
}

impl Exchange {
    /// The recorded body.
    pub fn body(&self) -> Result<Vec<u8>, Diagnostic> {
        let file = match &self.head.body {
            Some(name) => self.path.with_file_name(name),
            None => self.path.with_extension("body.json"),
        };
        match fs::read(&file) {
            // An answer without a body needs no file for it.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && self.head.body.is_none() => Ok(vec![]),
            read => read.map_err(|cause| unreadable(&file, &cause)),
        }
    }
}

/// The directory of one table in a directory of recordings.
pub fn table_directory(directory: &Path, request: &Request<'_>) -> Result<PathBuf, Diagnostic> {
    Ok(directory.join(plain(request.source)?).join(plain(request.table)?))
}

/// A name that can be a directory's.
fn plain(name: &str) -> Result<&str, Diagnostic> {
    let odd = name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':']);
    if odd {
        return Err(Diagnostic::error(
            Code::Extract,
            format!("`{name}` cannot be recorded: it is no name of a directory"),
        ));
    }
    Ok(name)
}

/// The recording of a table, which must be there.
pub fn existing_directory(directory: &Path, request: &Request<'_>) -> Result<PathBuf, Diagnostic> {
    let table = table_directory(directory, request)?;
    if table.is_dir() {
        return Ok(table);
    }
    let there = names_in(&directory.join(request.source)).or_else(|_| names_in(directory)).unwrap_or_default();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    Err(Diagnostic::error(Code::Extract, format!("there is no recording of `{}.{}`", request.source, request.table))
        .at(request.config.place.clone(), "this table is to be replayed")
        .note(format!("looked for {}; recorded is {there}", table.display()))
        .help("record it with --record, or name another directory"))
}

fn names_in(directory: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<String> =
        fs::read_dir(directory)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// The exchanges of a table, in order.
pub fn read_exchanges(directory: &Path, request: &Request<'_>) -> Result<Vec<Exchange>, Diagnostic> {
    let table = existing_directory(directory, request)?;
    let names = names_in(&table).map_err(|cause| unreadable(&table, &cause))?;
    let mut numbered: Vec<(u64, PathBuf)> =
        names.iter().filter_map(|name| Some((name.strip_suffix(".json")?.parse().ok()?, table.join(name)))).collect();
    numbered.sort();
    let read = |(_, path): (u64, PathBuf)| {
        let text = fs::read(&path).map_err(|cause| unreadable(&path, &cause))?;
        let head = serde_json::from_slice(&text).map_err(|cause| {
            Diagnostic::error(Code::Extract, format!("the recording {} is broken: {cause}", path.display()))
                .at(request.config.place.clone(), "recorded for this table")
        })?;
        Ok(Exchange { path, head })
    };
    numbered.into_iter().map(read).collect()
}

/// A directory that takes the place of an older recording once it is whole.
pub struct Recorded {
    partial: PathBuf,
    directory: PathBuf,
    finished: bool,
}

impl Recorded {
    /// Starts a recording of a table; an older one stays until this one is whole.
    pub fn begin(directory: &Path, source: &str, table: &str) -> Result<Self, Diagnostic> {
        let source = directory.join(plain(source)?);
        let recorded = Self {
            partial: source.join(format!(".{}.partial", plain(table)?)),
            directory: source.join(table),
            finished: false,
        };
        let begin = || {
            if recorded.partial.exists() {
                fs::remove_dir_all(&recorded.partial)?;
            }
            fs::create_dir_all(&recorded.partial)
        };
        begin().map_err(|cause| unwritable(&recorded.partial, &cause))?;
        Ok(recorded)
    }

    /// Where files of the recording are written.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Writes one file, secrets masked.
    pub fn write(&self, name: &str, content: &[u8], scrubber: &Scrubber) -> Result<(), Diagnostic> {
        let path = self.partial.join(name);
        let written = match std::str::from_utf8(content) {
            Ok(text) => fs::write(&path, scrubber.scrub(text).as_bytes()),
            Err(_) => fs::write(&path, content),
        };
        written.map_err(|cause| unwritable(&path, &cause))
    }

    /// Puts the recording in its place.
    pub fn finish(mut self) -> Result<(), Diagnostic> {
        let put = || {
            if self.directory.exists() {
                fs::remove_dir_all(&self.directory)?;
            }
            fs::rename(&self.partial, &self.directory)
        };
        put().map_err(|cause| unwritable(&self.directory, &cause))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.finished {
            // Best effort: a left-over directory is removed by the next recording.
            drop(fs::remove_dir_all(&self.partial));
        }
    }
}

/// Keeps what a server answered.
pub struct ExchangeRecorder {
    recorded: Recorded,
    scrubber: Scrubber,
    count: u64,
}

impl ExchangeRecorder {
    /// Starts the recording of a table.
    pub fn begin(directory: &Path, source: &str, table: &str, scrubber: Scrubber) -> Result<Self, Diagnostic> {
        Ok(Self { recorded: Recorded::begin(directory, source, table)?, scrubber, count: 0 })
    }

    /// Keeps every answer to a request, refusals included.
    pub fn exchanges(&mut self, ask: &Ask, answers: &[Answer]) -> Result<(), Diagnostic> {
        for answer in answers {
            self.count += 1;
            let extension =
                if serde_json::from_slice::<serde::de::IgnoredAny>(&answer.body).is_ok() { "json" } else { "txt" };
            let body = format!("{:04}.body.{extension}", self.count);
            let head = Head {
                request: ask.line.to_string(),
                json: ask.recorded_json.clone(),
                since: ask.since.clone(),
                status: answer.status,
                headers: (answer.headers.named().into_iter())
                    .filter_map(|(name, value)| Some((name.to_owned(), value?.clone())))
                    .collect(),
                body: Some(body.clone()),
            };
            let mut text =
                serde_json::to_vec_pretty(&head).map_err(|cause| unwritable(self.recorded.path(), &cause.into()))?;
            text.push(b'\n');
            self.recorded.write(&format!("{:04}.json", self.count), &text, &self.scrubber)?;
            self.recorded.write(&body, &answer.body, &self.scrubber)?;
        }
        Ok(())
    }

    /// Puts the recording in its place.
    pub fn finish(self) -> Result<(), Diagnostic> {
        self.recorded.finish()
    }
}

/// How rows of a database, or files, were recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// `sqlite` or `files`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Names and types of the columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<MetaColumn>,
    /// From where rows were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<MetaFile>,
}

/// A column of a recorded table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaColumn {
    /// Its name.
    pub name: String,
    /// Its type, in the words of `columns:`.
    #[serde(rename = "type")]
    pub column_type: String,
}

/// A recorded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaFile {
    /// Its path below `files/`, with slashes.
    pub path: String,
    /// When it was changed last.
    pub modified: String,
}

/// Reads `meta.json` of a recorded table; none if there is none.
pub fn read_meta(table: &Path, kind: &str) -> Result<Option<Meta>, Diagnostic> {
    let path = table.join("meta.json");
    let text = match fs::read(&path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|cause| unreadable(&path, &cause))?,
    };
    let broken =
        |why: String| Diagnostic::error(Code::Extract, format!("the recording {} is broken: {why}", path.display()));
    let meta: Meta = serde_json::from_slice(&text).map_err(|cause| broken(cause.to_string()))?;
    if meta.kind != kind {
        return Err(broken(format!("it is of type `{}`, and the connector is of type `{kind}`", meta.kind)));
    }
    Ok(Some(meta))
}

/// Writes `meta.json` of a recorded table.
pub fn write_meta(recorded: &Recorded, meta: &Meta, scrubber: &Scrubber) -> Result<(), Diagnostic> {
    let mut text = serde_json::to_vec_pretty(meta).map_err(|cause| unwritable(recorded.path(), &cause.into()))?;
    text.push(b'\n');
    recorded.write("meta.json", &text, scrubber)
}

pub(super) fn unreadable(path: &Path, cause: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::Io, format!("cannot read {}: {cause}", path.display()))
}

pub(super) fn unwritable(path: &Path, cause: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::Io, format!("cannot write {}: {cause}", path.display()))
}
