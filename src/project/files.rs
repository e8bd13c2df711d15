//! The files of a package by kind, read into memory.

use super::config::ProjectConfig;
use super::glob::IgnoreList;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::WalkDir;

/// Seeds above this size are known by their path, not by their content, as in dbt.
const LARGEST_HASHED_SEED: u64 = 1024 * 1024;

/// What a file is, by the directory in which it lies and by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// Macros and generic tests.
    Macro,
    /// A model.
    Model,
    /// A model in Python, which strata does not run.
    PythonModel,
    /// A seed; its text is not kept.
    Seed,
    /// Snapshot blocks.
    Snapshot,
    /// An analysis.
    Analysis,
    /// A singular test.
    Test,
    /// Properties YAML.
    Properties,
    /// Docs blocks.
    Docs,
    /// Rows for unit tests, as CSV or as a query.
    Fixture,
}

/// One file of a package.
#[derive(Debug, Clone)]
pub struct PackageFile {
    /// What it is.
    pub kind: FileKind,
    /// The path within its resource directory, with `/`: `staging/stg_orders.sql`.
    pub path: String,
    /// The path within its package, with `/`: `models/staging/stg_orders.sql`.
    pub original_file_path: String,
    /// Where it lies on disk; relative to nothing for embedded files.
    pub location: PathBuf,
    /// The text, line ends as `\n`; empty for seeds.
    pub source: Arc<SourceFile>,
    /// SHA-256 of the content, hexadecimal; for large seeds, of the path.
    pub checksum: String,
}

/// SHA-256, hexadecimal.
pub fn checksum(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

/// Bytes as hexadecimal digits in lower case.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A text file as strata sees it: without byte order mark, line ends as `\n`. `shown_as` is its path in messages.
pub fn read_text(path: &Path, shown_as: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
    text_of(read_bytes(path, shown_as)?, shown_as)
}

fn read_bytes(path: &Path, shown_as: &Path) -> Result<Vec<u8>, Diagnostic> {
    std::fs::read(path)
        .map_err(|error| Diagnostic::error(Code::Io, format!("cannot read {}: {error}", shown_as.display())))
}

fn text_of(bytes: Vec<u8>, shown_as: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Diagnostic::error(Code::Io, format!("{} is not UTF-8: line {line} has other bytes", shown_as.display()))
            .help("save the file as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let text = if text.contains('\r') { text.replace("\r\n", "\n") } else { text };
    Ok(SourceFile::new(shown_as, text))
}

/// A file that was found, not read yet.
struct Candidate {
    kind: FileKind,
    path: String,
    original_file_path: String,
    location: PathBuf,
    size: u64,
}

/// All files of the package at `root`, in order of path. `shown_from` is put before paths in messages.
pub fn read_package(
    root: &Path,
    shown_from: &Path,
    config: &ProjectConfig,
    skipped: &[PathBuf],
) -> Result<Vec<PackageFile>, Diagnostics> {
    let ignore =
        std::fs::read_to_string(root.join(".dbtignore")).map(|text| IgnoreList::new(&text)).unwrap_or_default();
    let mut candidates: BTreeMap<(FileKind, String), Candidate> = BTreeMap::new();
    let mut found = Diagnostics::new();
    for (directory, role) in config.directories() {
        walk(root, directory, role, skipped, &mut |candidate| {
            if !ignore.ignores(&candidate.original_file_path) {
                candidates.entry((candidate.kind, candidate.original_file_path.clone())).or_insert(candidate);
            }
        })
        .unwrap_or_else(|error| found.push(error));
    }
    let candidates: Vec<Candidate> = candidates.into_values().collect();
    let read: Vec<Result<PackageFile, Diagnostic>> =
        candidates.into_par_iter().map(|candidate| read_file(candidate, shown_from)).collect();
    let mut files = Vec::with_capacity(read.len());
    for file in read {
        match file {
            Ok(file) => files.push(file),
            Err(error) => found.push(error),
        }
    }
    if found.has_errors() { Err(found) } else { Ok(files) }
}

/// What a directory of `dbt_project.yml` is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryRole {
    /// `model-paths`
    Models,
    /// `seed-paths`
    Seeds,
    /// `snapshot-paths`
    Snapshots,
    /// `analysis-paths`
    Analyses,
    /// `test-paths`
    Tests,
    /// `macro-paths`
    Macros,
    /// `docs-paths`
    Docs,
}

fn kind_of(role: DirectoryRole, path: &str) -> Option<FileKind> {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension)?;
    match (role, extension) {
        (DirectoryRole::Docs, "md") => Some(FileKind::Docs),
        (DirectoryRole::Docs, _) => None,
        (DirectoryRole::Tests, "sql") if path.starts_with("generic/") => Some(FileKind::Macro),
        (DirectoryRole::Tests, "csv" | "sql") if path.starts_with("fixtures/") => Some(FileKind::Fixture),
        (_, "yml" | "yaml") => Some(FileKind::Properties),
        (DirectoryRole::Models, "sql") => Some(FileKind::Model),
        (DirectoryRole::Models, "py") => Some(FileKind::PythonModel),
        (DirectoryRole::Seeds, "csv") => Some(FileKind::Seed),
        (DirectoryRole::Snapshots, "sql") => Some(FileKind::Snapshot),
        (DirectoryRole::Analyses, "sql") => Some(FileKind::Analysis),
        (DirectoryRole::Tests, "sql") => Some(FileKind::Test),
        (DirectoryRole::Macros, "sql") => Some(FileKind::Macro),
        _ => None,
    }
}

fn walk(
    root: &Path,
    directory: &str,
    role: DirectoryRole,
    skipped: &[PathBuf],
    take: &mut impl FnMut(Candidate),
) -> Result<(), Diagnostic> {
    let start = root.join(directory);
    if !start.is_dir() {
        return Ok(());
    }
    let entries = WalkDir::new(&start)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| !skipped.iter().any(|path| path == entry.path()));
    for entry in entries {
        let entry =
            entry.map_err(|error| Diagnostic::error(Code::Io, format!("cannot read `{directory}`: {error}")))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let relative = |base: &Path| entry.path().strip_prefix(base).ok().map(slashed);
        let (Some(path), Some(original_file_path)) = (relative(&start), relative(root)) else { continue };
        if let Some(kind) = kind_of(role, &path) {
            let size = entry.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            take(Candidate { kind, path, original_file_path, location: entry.path().to_path_buf(), size });
        }
    }
    Ok(())
}

/// A relative path as text with `/`.
fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn read_file(candidate: Candidate, shown_from: &Path) -> Result<PackageFile, Diagnostic> {
    let Candidate { kind, path, original_file_path, location, size } = candidate;
    let shown_as = shown_from.join(&original_file_path);
    if kind == FileKind::Seed && size > LARGEST_HASHED_SEED {
        let checksum = checksum(original_file_path.as_bytes());
        let source = SourceFile::new(shown_as, "");
        return Ok(PackageFile { kind, path, original_file_path, location, source, checksum });
    }
    let bytes = read_bytes(&location, &shown_as)?;
    // As in dbt, whitespace at the ends does not count.
    let checksum = checksum(bytes.trim_ascii());
    let source = if kind == FileKind::Seed { SourceFile::new(shown_as, "") } else { text_of(bytes, &shown_as)? };
    Ok(PackageFile { kind, path, original_file_path, location, source, checksum })
}

/// The files of a package that is embedded in the binary: `directory` is `macros` or `models`.
pub fn embedded(directory: &str, files: &[super::builtin::EmbeddedFile]) -> Vec<PackageFile> {
    let role = if directory == "macros" { DirectoryRole::Macros } else { DirectoryRole::Models };
    let file = |file: &super::builtin::EmbeddedFile| {
        let original_file_path = format!("{directory}/{}", file.path);
        Some(PackageFile {
            kind: kind_of(role, file.path)?,
            path: file.path.to_owned(),
            location: PathBuf::from(&original_file_path),
            source: SourceFile::new(format!("<strata>/{original_file_path}"), file.text()),
            checksum: checksum(file.text().trim().as_bytes()),
            original_file_path,
        })
    };
    files.iter().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_byte_order_mark_and_carriage_returns() {
        let file = text_of(b"\xef\xbb\xbfselect 1\r\nfrom x\r\n".to_vec(), Path::new("a.sql")).expect("UTF-8");
        assert_eq!(&**file.text(), "select 1\nfrom x\n");
        let error = text_of(b"a\n\xff".to_vec(), Path::new("a.sql")).expect_err("no UTF-8");
        assert!(error.message().contains("line 2"));
    }

    #[test]
    fn kinds_follow_directory_and_extension() {
        use DirectoryRole::*;
        assert_eq!(kind_of(Tests, "generic/even.sql"), Some(FileKind::Macro));
        assert_eq!(kind_of(Tests, "a.sql"), Some(FileKind::Test));
        assert_eq!(kind_of(Tests, "fixtures/a.sql"), Some(FileKind::Fixture));
        assert_eq!(kind_of(Tests, "fixtures/a.csv"), Some(FileKind::Fixture));
        assert_eq!(kind_of(Tests, "a.csv"), None);
        assert_eq!(kind_of(Models, "x/a.py"), Some(FileKind::PythonModel));
        assert_eq!(kind_of(Seeds, "a.sql"), None);
        assert_eq!(kind_of(Docs, "a.yml"), None);
    }
}
