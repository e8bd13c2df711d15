//! `target/journal.jsonl`: what a run set out to do, then one line a finished node, each on disk before the
//! next begins. It outlives `kill -9`, so that `retry` can go on where the run was stopped. Sessions that outlive the
//! process stand in it too, for the next run to end. The process holds a lock on it as long as it lives.

use super::{Invocation, cannot_write, timestamp};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Batch, BatchResults};
use crate::name::UniqueId;
use crate::run::event::{NodeResult, Restoring};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const FILE_NAME: &str = "journal.jsonl";

/// What a run set out to do: the journal's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHead {
    /// The invocation's id.
    pub invocation_id: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The verb: `build`.
    pub command: String,
    /// What was typed after the program's name.
    pub arguments: Vec<String>,
    /// The nodes that were to be run, in order.
    pub selected: Vec<UniqueId>,
    /// The invocations of which this is a retry.
    #[serde(default)]
    pub continues: Vec<String>,
}

/// Every line but the first. Each kind has a key of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Finished {
        unique_id: UniqueId,
        status: String,
        finished_at: String,
    },
    /// The batches that a model is to be built in.
    Planned {
        unique_id: UniqueId,
        batches: BatchResults,
    },
    /// A batch that was built.
    Built {
        unique_id: UniqueId,
        built: Batch,
    },
    Session {
        session: String,
    },
    Interrupted {
        interrupted: UniqueId,
    },
    Restoring {
        account: String,
        restoring: String,
    },
    Ended {
        ended: bool,
    },
}

/// The journal of the run that is going on.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<File>,
}

impl Journal {
    /// Begins a journal; the former run's is replaced as a whole, so that a run that is still going on (and that
    /// the warehouse's lock did not keep out) goes on writing into its own.
    pub fn begin(invocation: &Invocation, head: &JournalHead) -> Result<Self, Diagnostic> {
        let path = invocation.in_target(FILE_NAME);
        let attempt = || {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let beginning = path.with_extension(format!("{}.tmp", std::process::id()));
            let mut file = File::create(&beginning)?;
            // Where files cannot be locked, the run counts as dead when the next begins, as it most often is.
            let _ = file.try_lock();
            write_line(&mut file, head)?;
            fs::rename(&beginning, &path)?;
            Ok(file)
        };
        attempt().map(|file| Self { file: Mutex::new(file) }).map_err(|error| cannot_write(&path, &error))
    }

    /// Notes which batches a model is about to be built in; the line is on disk when this returns.
    /// `batches.failed` are those, `batches.successful` what former runs have built of the same plan.
    pub fn planned(
        &self,
        invocation: &Invocation,
        unique_id: &UniqueId,
        batches: &BatchResults,
    ) -> Result<(), Diagnostic> {
        self.write(invocation, &Line::Planned { unique_id: unique_id.clone(), batches: batches.clone() })
    }

    /// Notes that a batch was built; the line is on disk when this returns.
    pub fn built(&self, invocation: &Invocation, unique_id: &UniqueId, batch: Batch) -> Result<(), Diagnostic> {
        self.write(invocation, &Line::Built { unique_id: unique_id.clone(), built: batch })
    }

    /// Notes that a node ended; the line is on disk when this returns.
    pub fn finished(&self, invocation: &Invocation, result: &NodeResult) -> Result<(), Diagnostic> {
        let line = Line::Finished {
            unique_id: result.unique_id.clone(),
            status: result.status.as_str().to_owned(),
            finished_at: timestamp(invocation.now()),
        };
        self.write(invocation, &line)
    }

    /// Notes a session that outlives the process; the line is on disk when this returns.
    pub fn session(&self, invocation: &Invocation, id: &str) -> Result<(), Diagnostic> {
        self.write(invocation, &Line::Session { session: id.to_owned() })
    }

    /// Notes that a node that is about to end was interrupted; the line is on disk when this returns.
    pub fn interrupted(&self, invocation: &Invocation, unique_id: &UniqueId) -> Result<(), Diagnostic> {
        self.write(invocation, &Line::Interrupted { interrupted: unique_id.clone() })
    }

    /// Notes what has to be put back at the end of the run; the line is on disk when this returns.
    pub fn restoring(&self, invocation: &Invocation, restoring: &Restoring) -> Result<(), Diagnostic> {
        let line = Line::Restoring { account: restoring.account.clone(), restoring: restoring.sql.clone() };
        self.write(invocation, &line)
    }

    /// Notes that the run came to its end, and its sessions with it.
    pub fn ended(&self, invocation: &Invocation) -> Result<(), Diagnostic> {
        self.write(invocation, &Line::Ended { ended: true })
    }

    fn write(&self, invocation: &Invocation, line: &Line) -> Result<(), Diagnostic> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write_line(&mut file, line).map_err(|error| cannot_write(&invocation.in_target(FILE_NAME), &error))
    }
}

fn write_line(file: &mut File, line: &impl Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_data()
}

/// What a journal tells about a former run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousJournal {
    /// What the run set out to do.
    pub head: JournalHead,
    /// dbt's word for how each node ended that came to an end.
    pub finished: BTreeMap<UniqueId, String>,
    /// Of models that were being built in batches: which were built, and as failed which were not.
    pub batches: BTreeMap<UniqueId, BatchResults>,
    /// The nodes that ended because they were interrupted: what they wrote may be lasting.
    pub interrupted: BTreeSet<UniqueId>,
    /// The sessions that nobody has closed, unless the run is still going on.
    pub lost_sessions: Vec<String>,
    /// What the run has not put back, unless it is still going on.
    pub restoring: Vec<Restoring>,
}

/// Reads the journal of a target directory; none where there is none. A line that was torn when the process was
/// killed counts as not written.
pub fn read_journal(target: &Path) -> Result<Option<PreviousJournal>, Diagnostic> {
    let path = target.join(FILE_NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Diagnostic::error(Code::Io, format!("cannot read `{}`: {error}", path.display())));
        }
    };
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = complete.lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let unusable = |what: &str, error: &serde_json::Error| {
        Diagnostic::error(Code::Artifact, format!("`{}` has {what} that cannot be read: {error}", path.display()))
            .help("run the command again in full, or remove the file")
    };
    let head: JournalHead = serde_json::from_str(first).map_err(|error| unusable("a first line", &error))?;
    let mut finished = BTreeMap::new();
    let mut interrupted = BTreeSet::new();
    let mut batches: BTreeMap<UniqueId, BatchResults> = BTreeMap::new();
    let mut built: BTreeMap<UniqueId, BTreeSet<Batch>> = BTreeMap::new();
    let (mut lost_sessions, mut restoring) = (Vec::new(), Vec::new());
    for line in lines {
        match serde_json::from_str(line).map_err(|error| unusable("a line", &error))? {
            Line::Finished { unique_id, status, .. } => drop(finished.insert(unique_id, status)),
            Line::Planned { unique_id, batches: planned } => drop(batches.insert(unique_id, planned)),
            Line::Built { unique_id, built: batch } => drop(built.entry(unique_id).or_default().insert(batch)),
            Line::Interrupted { interrupted: id } => drop(interrupted.insert(id)),
            Line::Session { session } => lost_sessions.push(session),
            Line::Restoring { account, restoring: sql } => restoring.push(Restoring { account, sql }),
            Line::Ended { .. } => {
                lost_sessions.clear();
                restoring.clear();
            }
        }
    }
    for (id, built) in built {
        if let Some(results) = batches.get_mut(&id) {
            results.failed.retain(|batch| !built.contains(batch));
            results.successful.extend(built);
        }
    }
    // What is changed is changed in a session.
    if !lost_sessions.is_empty() && is_going_on(&path) {
        lost_sessions.clear();
        restoring.clear();
    }
    Ok(Some(PreviousJournal { head, finished, batches, interrupted, lost_sessions, restoring }))
}

/// Whether the process that writes a journal is alive.
fn is_going_on(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::manifest::{BatchSize, parse_time};
    use crate::run::event::{Status, Timing};
    use std::fs::OpenOptions;

    fn result(id: &str, status: Status) -> NodeResult {
        NodeResult {
            unique_id: id.into(),
            status,
            message: None,
            failures: None,
            response: crate::adapter::Response::default(),
            diagnostic: None,
            timing: Timing::default(),
            thread: 1,
            compiled_code: None,
            executed_code: None,
            batches: None,
        }
    }

    #[test]
    fn a_torn_last_line_counts_as_not_written() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let invocation = fixture::invocation(directory.path());
        let target = directory.path().join("target");
        assert_eq!(read_journal(&target).expect("absent is fine"), None);
        let head = JournalHead {
            invocation_id: invocation.id.clone(),
            started_at: invocation.started_at,
            command: "build".into(),
            arguments: vec!["build".into(), "-s".into(), "a b".into()],
            selected: vec!["model.shop.a".into(), "model.shop.b".into()],
            continues: vec![],
        };
        let journal = Journal::begin(&invocation, &head).expect("begun");
        journal.finished(&invocation, &result("model.shop.a", Status::Success)).expect("noted");
        let at = |text: &str| parse_time(text).expect("a time");
        let days = BatchSize::Day.batches(at("2024-01-01"), at("2024-01-04"));
        let (id, before) = ("model.shop.b".into(), Batch::new(at("2023-12-31"), at("2024-01-01")));
        let planned = BatchResults { successful: vec![before], failed: days.clone() };
        journal.planned(&invocation, &id, &planned).expect("noted");
        journal.built(&invocation, &id, days[1]).expect("noted");
        let mut file = OpenOptions::new().append(true).open(target.join(FILE_NAME)).expect("opened");
        file.write_all(br#"{"unique_id":"model.shop.b","sta"#).expect("torn");
        let read = read_journal(&target).expect("readable").expect("there");
        assert_eq!(read.head, head);
        assert_eq!(read.finished, BTreeMap::from([("model.shop.a".into(), "success".to_owned())]));
        let left = BatchResults { successful: vec![before, days[1]], failed: vec![days[0], days[2]] };
        assert_eq!(read.batches, BTreeMap::from([(id, left)]));
    }

    #[test]
    fn sessions_are_lost_once_the_process_is_dead() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let invocation = fixture::invocation(directory.path());
        let head = JournalHead {
            invocation_id: invocation.id.clone(),
            started_at: invocation.started_at,
            command: "build".into(),
            arguments: vec!["build".into()],
            selected: vec![],
            continues: vec![],
        };
        let lost = || {
            let read = read_journal(&directory.path().join("target")).expect("readable").expect("there");
            read.lost_sessions
        };
        let journal = Journal::begin(&invocation, &head).expect("begun");
        journal.session(&invocation, "host/7").expect("noted");
        assert!(lost().is_empty(), "it is still going on");
        drop(journal);
        assert_eq!(lost(), ["host/7"]);
        let journal = Journal::begin(&invocation, &head).expect("begun");
        let restoring = Restoring { account: "host".into(), sql: "alter warehouse w set x = 1".into() };
        journal.restoring(&invocation, &restoring).expect("noted");
        drop(journal);
        let read = read_journal(&directory.path().join("target")).expect("readable").expect("there");
        assert_eq!(read.restoring, [restoring]);
        let journal = Journal::begin(&invocation, &head).expect("begun");
        journal.session(&invocation, "host/8").expect("noted");
        journal.ended(&invocation).expect("noted");
        drop(journal);
        assert!(lost().is_empty(), "it ended well");
    }

    #[test]
    fn a_run_killed_within_its_first_line_left_nothing_and_garbage_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join(FILE_NAME), "{\"invocation").expect("written");
        assert_eq!(read_journal(directory.path()).expect("torn head"), None);
        fs::write(directory.path().join(FILE_NAME), "nonsense\n").expect("written");
        assert_eq!(read_journal(directory.path()).expect_err("not a journal").code(), Code::Artifact);
    }
}
