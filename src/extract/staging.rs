//! The directory in which a batch is put together, page by page, so that a crash loses nothing that has arrived.
//!
//! `part-00001.ndjson` … hold the rows, `rejects.ndjson` the records that cannot be rows, `journal.ndjson` one line
//! for the walk and one for each page. A page counts once its journal line is on disk, and the line is written only
//! after the page's rows are: what stands behind the last journaled byte of a file is the rest of a crash.

use super::intake::Snapshot;
use crate::diagnostic::{Code, Diagnostic};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The most rows of one file.
const MOST_ROWS: u64 = 50_000;
/// The size at which a file is closed, in bytes.
const MOST_BYTES: u64 = 32 << 20;

const JOURNAL: &str = "journal.ndjson";
const REJECTS: &str = "rejects.ndjson";

/// The first line of a journal: which walk this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The batch.
    pub batch_id: String,
    /// What the walk depends on: configuration and request, as a hash.
    pub fingerprint: String,
}

/// How far the files of a batch go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    part: u32,
    part_bytes: u64,
    part_rows: u64,
    rejects_bytes: u64,
    /// Rows in all parts.
    pub rows: u64,
    /// Records among the rejects.
    pub rejected: u64,
}

/// One line of the journal: all that is known after a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Page<S> {
    /// How far the files go.
    pub extent: Extent,
    /// What the intake knows; absent where nothing changed since the line before.
    pub intake: Option<Snapshot>,
    /// What the walk knows.
    pub walk: S,
}

/// A batch that is being put together.
pub struct Staging {
    directory: PathBuf,
    head: Head,
    extent: Extent,
    part: Option<BufWriter<File>>,
    rejects: Option<BufWriter<File>>,
    journal: Option<File>,
    last_intake: Option<Snapshot>,
}

/// A record that cannot be a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Why not.
    pub reason: String,
    /// The page or file from which it came, from 1.
    pub page: u64,
    /// The record as the source gave it.
    pub record: String,
}

impl Staging {
    /// A batch that touches its directory only once it is [begun](Self::begin) or [resumed](Self::resume).
    pub fn idle(directory: &Path, head: Head) -> Self {
        Self {
            directory: directory.to_owned(),
            head,
            extent: Extent::default(),
            part: None,
            rejects: None,
            journal: None,
            last_intake: None,
        }
    }

    /// Starts an empty batch; whatever was in the directory is gone. With `durable` a journal is kept.
    pub fn begin(directory: &Path, head: Head, durable: bool) -> Result<Self, Diagnostic> {
        let begin = || {
            if directory.exists() {
                fs::remove_dir_all(directory)?;
            }
            fs::create_dir_all(directory)?;
            if !durable {
                return Ok(None);
            }
            let mut journal = OpenOptions::new().append(true).create_new(true).open(directory.join(JOURNAL))?;
            write_json_line(&mut journal, &head)?;
            journal.sync_all()?;
            sync_directory(directory)?;
            Ok(Some(journal))
        };
        let journal = begin().map_err(|cause| failure(directory, "prepare", &cause))?;
        Ok(Self { journal, ..Self::idle(directory, head) })
    }

    /// Goes on with the batch that a crashed run left, if there is one of the same walk with a page at least.
    /// Gives the staging and the pages of its journal; the last one's `intake` is filled.
    pub fn resume<S: DeserializeOwned>(directory: &Path, fingerprint: &str) -> Option<(Self, Vec<Page<S>>)> {
        let text = fs::read(directory.join(JOURNAL)).ok()?;
        // A line without its end was being written when the crash came.
        let whole = text.iter().rposition(|byte| *byte == b'\n')? + 1;
        let mut lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let head: Head =
            serde_json::from_slice(lines.next()?).ok().filter(|head: &Head| head.fingerprint == fingerprint)?;
        let mut pages: Vec<Page<S>> = lines.map(serde_json::from_slice).collect::<Result<_, _>>().ok()?;
        let intake = pages.iter_mut().rev().find_map(|page| page.intake.take())?;
        let last = pages.last_mut()?;
        last.intake = Some(intake.clone());
        let extent = last.extent.clone();
        let journal = cut(&directory.join(JOURNAL), whole as u64).ok()?;
        let mut staging = Self {
            directory: directory.to_owned(),
            head,
            extent,
            part: None,
            rejects: None,
            journal: Some(journal),
            last_intake: Some(intake),
        };
        staging.reopen().ok()?;
        Some((staging, pages))
    }

    /// Cuts off what was written after the last journaled page.
    fn reopen(&mut self) -> io::Result<()> {
        for part in 1..self.extent.part {
            fs::metadata(self.part_path(part))?;
        }
        if self.extent.part > 0 {
            self.part = Some(BufWriter::new(cut(&self.part_path(self.extent.part), self.extent.part_bytes)?));
        }
        let mut after = self.extent.part + 1;
        while self.part_path(after).exists() {
            fs::remove_file(self.part_path(after))?;
            after += 1;
        }
        if self.extent.rejected > 0 {
            self.rejects = Some(BufWriter::new(cut(&self.directory.join(REJECTS), self.extent.rejects_bytes)?));
        } else if self.directory.join(REJECTS).exists() {
            fs::remove_file(self.directory.join(REJECTS))?;
        }
        Ok(())
    }

    /// The batch that is put together here.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How far it is.
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Appends one row, given with its line end.
    pub fn row(&mut self, line: &[u8]) -> Result<(), Diagnostic> {
        self.append(line).map_err(|cause| failure(&self.directory, "write", &cause))
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let full = self.extent.part_rows >= MOST_ROWS || self.extent.part_bytes >= MOST_BYTES;
        if full && let Some(mut part) = self.part.take() {
            part.flush()?;
            if self.journal.is_some() {
                part.get_ref().sync_data()?;
            }
        }
        if self.part.is_none() {
            self.extent.part += 1;
            (self.extent.part_rows, self.extent.part_bytes) = (0, 0);
            let file = File::create(self.part_path(self.extent.part))?;
            if self.journal.is_some() {
                sync_directory(&self.directory)?;
            }
            self.part = Some(BufWriter::with_capacity(1 << 18, file));
        }
        if let Some(part) = &mut self.part {
            part.write_all(line)?;
        }
        self.extent.part_rows += 1;
        self.extent.part_bytes += line.len() as u64;
        self.extent.rows += 1;
        Ok(())
    }

    /// Puts a record aside.
    pub fn reject(&mut self, reject: &Reject) -> Result<(), Diagnostic> {
        let mut write = || {
            if self.rejects.is_none() {
                self.rejects = Some(BufWriter::new(File::create(self.directory.join(REJECTS))?));
            }
            if let Some(rejects) = &mut self.rejects {
                self.extent.rejects_bytes += write_json_line(rejects, reject)?;
            }
            self.extent.rejected += 1;
            Ok(())
        };
        write().map_err(|cause| failure(&self.directory, "write", &cause))
    }

    /// Makes everything so far lasting, with what is needed to go on from here.
    pub fn page_done<S: Serialize>(&mut self, intake: Snapshot, walk: S) -> Result<(), Diagnostic> {
        let write = || {
            let Some(journal) = &mut self.journal else { return Ok(()) };
            for file in [&mut self.part, &mut self.rejects].into_iter().flatten() {
                file.flush()?;
                file.get_ref().sync_data()?;
            }
            let changed = self.last_intake.as_ref() != Some(&intake);
            let page = Page { extent: self.extent.clone(), intake: changed.then(|| intake.clone()), walk };
            write_json_line(journal, &page)?;
            self.last_intake = Some(intake);
            journal.sync_data()
        };
        write().map_err(|cause| failure(&self.directory, "write", &cause))
    }

    /// Calls `each` with every staged row, for what has to be known again after a crash.
    pub fn each_row(&self, mut each: impl FnMut(&str)) -> Result<(), Diagnostic> {
        let mut read = || {
            for path in self.files() {
                let mut lines = BufReader::new(File::open(path)?);
                let mut line = String::new();
                while lines.read_line(&mut line)? > 0 {
                    each(line.trim_end());
                    line.clear();
                }
            }
            Ok(())
        };
        read().map_err(|cause| failure(&self.directory, "read", &cause))
    }

    /// Closes the files: the batch is whole.
    pub fn finish(&mut self) -> Result<(), Diagnostic> {
        let mut close =
            || [self.part.take(), self.rejects.take()].into_iter().flatten().try_for_each(|mut file| file.flush());
        close().map_err(|cause| failure(&self.directory, "write", &cause))
    }

    /// The files with rows, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        (1..=self.extent.part).map(|part| self.part_path(part)).collect()
    }

    /// The file with rejects, if there are any.
    pub fn rejects(&self) -> Option<PathBuf> {
        (self.extent.rejected > 0).then(|| self.directory.join(REJECTS))
    }

    fn part_path(&self, part: u32) -> PathBuf {
        self.directory.join(format!("part-{part:05}.ndjson"))
    }
}

/// The first rejects of a file, for messages.
pub fn first_rejects(file: &Path, count: usize) -> Vec<Reject> {
    let Ok(file) = File::open(file) else { return vec![] };
    let lines = BufReader::new(file).lines().map_while(Result::ok).take(count);
    lines.filter_map(|line| serde_json::from_str(&line).ok()).collect()
}

/// Removes a staging directory; that it is gone already is fine.
pub fn remove(directory: &Path) -> Result<(), Diagnostic> {
    match fs::remove_dir_all(directory) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failure(directory, "remove", &cause)),
        _ => Ok(()),
    }
}

fn cut(path: &Path, length: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() < length {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "shorter than its journal says"));
    }
    file.set_len(length)?;
    file.seek(SeekFrom::End(0))?;
    Ok(file)
}

fn write_json_line(file: &mut impl io::Write, value: &impl Serialize) -> io::Result<u64> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(line.len() as u64)
}

/// A new file is lasting only once its directory is; where directories cannot be synced nothing is lost by that.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn failure(directory: &Path, what: &str, cause: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::Io, format!("cannot {what} the staged batch in {}: {cause}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::super::intake::{Intake, Rules};
    use super::*;

    fn head() -> Head {
        Head { batch_id: "b".to_owned(), fingerprint: "f".to_owned() }
    }

    fn rows(staging: &Staging) -> Vec<String> {
        let mut rows = Vec::new();
        staging.each_row(|row| rows.push(row.to_owned())).expect("rows can be read");
        rows
    }

    fn staged(directory: &Path) -> Staging {
        let mut staging = Staging::begin(directory, head(), true).expect("a directory");
        let snapshot = Intake::new(Rules::default()).snapshot();
        staging.row(b"{\"a\":1}\n").expect("written");
        staging.page_done(snapshot.clone(), 1).expect("written");
        staging.row(b"{\"a\":2}\n").expect("written");
        staging.reject(&Reject { reason: "r".to_owned(), page: 2, record: "7".to_owned() }).expect("written");
        staging.page_done(snapshot, 2).expect("written");
        staging
    }

    #[test]
    fn a_crash_loses_only_the_page_under_way() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut staging = staged(directory.path());
        staging.row(b"{\"a\":3}\n").expect("written");
        staging.reject(&Reject { reason: "r".to_owned(), page: 3, record: "8".to_owned() }).expect("written");
        staging.finish().expect("written");
        OpenOptions::new()
            .append(true)
            .open(directory.path().join(JOURNAL))
            .expect("open")
            .write_all(b"{\"ext")
            .expect("written");
        drop(staging);
        let (mut staging, pages) = Staging::resume::<i32>(directory.path(), "f").expect("resumes");
        assert_eq!(pages.iter().map(|page| page.walk).collect::<Vec<_>>(), [1, 2]);
        assert!(pages[1].intake.is_some());
        assert_eq!((staging.extent().rows, staging.extent().rejected), (2, 1));
        staging.row(b"{\"a\":4}\n").expect("written");
        staging.finish().expect("written");
        assert_eq!(rows(&staging), ["{\"a\":1}", "{\"a\":2}", "{\"a\":4}"]);
        assert_eq!(first_rejects(&staging.rejects().expect("rejects"), 9).len(), 1);
    }

    #[test]
    fn another_walk_or_a_damaged_directory_is_not_resumed() {
        let directory = tempfile::tempdir().expect("a directory");
        drop(staged(directory.path()));
        assert!(Staging::resume::<i32>(directory.path(), "other").is_none());
        fs::write(directory.path().join("part-00001.ndjson"), "").expect("written");
        assert!(Staging::resume::<i32>(directory.path(), "f").is_none());
        remove(directory.path()).expect("removed");
        remove(directory.path()).expect("gone is fine");
        assert!(Staging::resume::<i32>(directory.path(), "f").is_none());
    }

    #[test]
    fn files_are_closed_when_they_are_full() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut staging = Staging::begin(directory.path(), head(), false).expect("a directory");
        for _ in 0..=MOST_ROWS {
            staging.row(b"{}\n").expect("written");
        }
        staging.finish().expect("written");
        assert_eq!(staging.files().len(), 2);
        assert_eq!(rows(&staging).len() as u64, MOST_ROWS + 1);
    }
}
