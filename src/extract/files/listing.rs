//! The files that a pattern finds, with what tells whether they changed.

use super::super::Request;
use super::super::config::FilesConfig;
use super::super::recording::Meta;
use crate::diagnostic::{Code, Diagnostic};
use crate::project::glob;
use chrono::{DateTime, SecondsFormat, Utc};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that was found.
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the root, with slashes.
    pub relative: String,
    /// As shown to people.
    pub shown: String,
    /// When it was changed last, as the source says.
    pub modified: String,
    stamp: (u64, Option<SystemTime>),
}

impl Listed {
    /// Whether the file is still as it was when it was found.
    pub fn is_unchanged(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|now| (now.len(), now.modified().ok()) == self.stamp)
    }
}

/// The files of a table in the order of their paths; that there are none is an error.
pub fn list(request: &Request<'_>, config: &FilesConfig, root: &Path, meta: &Meta) -> Result<Vec<Listed>, Diagnostic> {
    let segments: Vec<&str> = config.path.split('/').filter(|segment| !matches!(*segment, "" | ".")).collect();
    let refused =
        |message: String| Diagnostic::error(Code::Extract, message).at(config.path_place.clone(), "this path");
    if segments.contains(&"..") {
        return Err(refused(format!("`{}` leaves the directory of the source", config.path))
            .help("write the directory as `root` of the connector"));
    }
    let mut found = Vec::new();
    search(root, &segments, &mut found);
    found.sort();
    found.dedup();
    if found.is_empty() {
        let what = if root.is_dir() { "no file matches" } else { "the directory is not there" };
        return Err(refused(format!("there are no files for `{}`: {what}", request.table))
            .note(format!("looked for {}", root.join(&config.path).display())));
    }
    let listed = |path: PathBuf| {
        let metadata = fs::metadata(&path).map_err(|cause| super::unreadable(&path, &cause))?;
        let below = path.strip_prefix(root).unwrap_or(&path);
        let relative = below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        let changed = metadata.modified().ok();
        let modified = match meta.files.iter().find(|file| file.path == relative) {
            Some(recorded) => recorded.modified.clone(),
            None => changed
                .map(|changed| DateTime::<Utc>::from(changed).to_rfc3339_opts(SecondsFormat::Nanos, true))
                .unwrap_or_default(),
        };
        let shown = path.strip_prefix(request.project_root).unwrap_or(&path).display().to_string();
        Ok(Listed { relative, shown, modified, stamp: (metadata.len(), changed), path })
    };
    found.into_iter().map(listed).collect()
}

/// Adds the files below `directory` whose path matches the segments. Hidden files have to be named.
fn search(directory: &Path, segments: &[&str], found: &mut Vec<PathBuf>) {
    let Some((segment, rest)) = segments.split_first() else { return };
    if *segment == "**" {
        search(directory, rest, found);
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && !segment.starts_with('.') {
            continue;
        }
        let path = entry.path();
        if *segment == "**" {
            if path.is_dir() && !path.is_symlink() {
                search(&path, segments, found);
            }
        } else if glob::matches(segment, &name) {
            if rest.is_empty() && path.is_file() {
                found.push(path);
            } else if !rest.is_empty() && path.is_dir() {
                search(&path, rest, found);
            }
        }
    }
}
