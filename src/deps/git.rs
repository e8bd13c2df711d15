//! Packages in git repositories, by the `git` program.
//!
//! Nothing of a repository but its files is kept: only the wanted commit is fetched where the server allows it, and
//! its `.git` directory is removed.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::project::shown_address;
use crate::secret::Scrubber;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// Settings for every call: what is fetched is as the repository has it, and nothing else is run or fetched.
const SETTINGS: [&str; 10] = [
    "-c",
    "core.autocrlf=false",
    "-c",
    "advice.detachedHead=false",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "submodule.recurse=false",
    "-c",
    "init.defaultBranch=main",
];

/// Variables that a surrounding git sets for its hooks, and that would lead to another repository.
const SURROUNDING: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"];

/// A repository from which a package comes.
pub(super) struct Repository<'a> {
    /// Its address.
    pub(super) url: &'a str,
    /// The package's directory within it.
    pub(super) subdirectory: Option<&'a str>,
    /// What hides secrets in git's words.
    pub(super) scrubber: &'a Scrubber,
}

/// Where a revision is found.
enum Place {
    /// A tag or branch, by its full name.
    Reference(String),
    /// A commit, perhaps abbreviated.
    Commit(String),
}

impl Repository<'_> {
    /// Writes the files of a revision (`HEAD` where none is given) into a new directory. Gives the commit, and the
    /// package's directory.
    pub(super) fn checkout(&self, revision: Option<&str>, into: &Path) -> Result<(String, PathBuf), Diagnostic> {
        self.check(revision)?;
        let place = self.find(revision.unwrap_or("HEAD"))?;
        fs::create_dir_all(into).map_err(|cause| self.failed(&cause.to_string()))?;
        run(None, &["init", "--quiet", "--template=", "--", &into.to_string_lossy()])
            .map_err(|words| self.failed(&words))?;
        let commit = self.fetch(&place, into)?;
        let wanted = if let Some(subdirectory) = self.subdirectory {
            let part = run(Some(into), &["checkout", "--quiet", &commit, "--", subdirectory]);
            part.map_err(|_| self.no_directory(subdirectory))?;
            into.join(subdirectory)
        } else {
            run(Some(into), &["checkout", "--quiet", "--detach", &commit]).map_err(|words| self.failed(&words))?;
            into.to_path_buf()
        };
        if !wanted.is_dir() {
            return Err(self.no_directory(self.subdirectory.unwrap_or_default()));
        }
        fs::remove_dir_all(into.join(".git")).map_err(|cause| self.failed(&cause.to_string()))?;
        Ok((commit, wanted))
    }

    /// Refuses what git would take for an option, and what leads out of the repository.
    fn check(&self, revision: Option<&str>) -> Result<(), Diagnostic> {
        let refused =
            |what: &str, text: &str| Err(Diagnostic::error(Code::PackageUnsafe, format!("`{text}` cannot be {what}")));
        if self.url.starts_with('-') || self.url.contains(['\n', '\r', '\0']) {
            return refused("the address of a git repository", &shown_address(self.url));
        }
        let is_odd = |letter: char| letter.is_control() || letter.is_whitespace() || "~^:?*[\\".contains(letter);
        if let Some(revision) = revision
            && (revision.is_empty()
                || revision.starts_with('-')
                || revision.contains(is_odd)
                || revision.contains(".."))
        {
            return refused("a revision", revision);
        }
        let leads_out = |path: &str| Path::new(path).components().any(|part| !matches!(part, Component::Normal(_)));
        match self.subdirectory {
            Some(path) if path.is_empty() || path.starts_with('-') || leads_out(path) => {
                refused("a directory within a repository", path)
            }
            _ => Ok(()),
        }
    }

    /// Tags go before branches, as in dbt.
    fn find(&self, revision: &str) -> Result<Place, Diagnostic> {
        if is_commit(revision, 40) {
            return Ok(Place::Commit(revision.to_owned()));
        }
        let names = if revision == "HEAD" {
            vec!["HEAD".to_owned()]
        } else {
            vec![format!("refs/tags/{revision}"), format!("refs/heads/{revision}")]
        };
        let patterns: Vec<&str> = names.iter().map(String::as_str).collect();
        let there = self.references(&patterns)?;
        if let Some(name) = names.into_iter().find(|name| there.contains(name)) {
            return Ok(Place::Reference(name));
        }
        if is_commit(revision, 7) {
            return Ok(Place::Commit(revision.to_owned()));
        }
        let all = self.references(&["refs/tags/*", "refs/heads/*"])?;
        let short: Vec<&str> = all.iter().filter_map(|name| name.splitn(3, '/').nth(2)).collect();
        let message = format!("{} has no branch, tag or commit `{revision}`", self.shown());
        let found = Diagnostic::error(Code::PackageVersion, message);
        Err(match nearest(revision, short.iter().copied()) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found,
        })
    }

    /// The references that there are among patterns, by their full names.
    fn references(&self, patterns: &[&str]) -> Result<Vec<String>, Diagnostic> {
        let arguments: Vec<&str> = ["ls-remote", "--quiet", "--", self.url].iter().chain(patterns).copied().collect();
        let lines = run(None, &arguments).map_err(|words| self.failed(&words))?;
        Ok(lines.lines().filter_map(|line| Some(line.split_once('\t')?.1.to_owned())).collect())
    }

    fn fetch(&self, place: &Place, into: &Path) -> Result<String, Diagnostic> {
        let shallow = |what: &str| {
            run(Some(into), &["fetch", "--quiet", "--depth=1", "--no-tags", "--", self.url, what])?;
            run(Some(into), &["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"])
        };
        match place {
            Place::Reference(name) => shallow(name).map_err(|words| self.failed(&words)),
            Place::Commit(commit) => {
                if is_commit(commit, 40)
                    && let Ok(commit) = shallow(commit)
                {
                    return Ok(commit);
                }
                // Some servers give only what a branch or tag leads to, and an abbreviation has to be looked up.
                let everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
                run(Some(into), &["fetch", "--quiet", "--", self.url, everything[0], everything[1]])
                    .map_err(|words| self.failed(&words))?;
                run(Some(into), &["rev-parse", "--verify", "--quiet", &format!("{commit}^{{commit}}")]).map_err(|_| {
                    let message = format!("{} has no branch, tag or commit `{commit}`", self.shown());
                    Diagnostic::error(Code::PackageVersion, message)
                })
            }
        }
    }

    fn shown(&self) -> String {
        shown_address(self.url)
    }

    fn no_directory(&self, subdirectory: &str) -> Diagnostic {
        Diagnostic::error(Code::Package, format!("{} has no directory `{subdirectory}`", self.shown()))
    }

    fn failed(&self, words: &str) -> Diagnostic {
        let words = self.scrubber.scrub(&words.replace(self.url, &self.shown())).into_owned();
        let found = Diagnostic::error(Code::PackageFetch, format!("{} cannot be fetched by git", self.shown()));
        let found = if words.is_empty() { found } else { found.note(words.clone()) };
        if words.contains("terminal prompts disabled") {
            return found.help(
                "strata lets git ask for no password: give it a credential helper, an SSH key, or a token in \
                 packages.yml: \"https://{{ env_var('DBT_ENV_SECRET_GIT') }}@…\"",
            );
        }
        found
    }
}

fn is_commit(revision: &str, at_least: usize) -> bool {
    (at_least..=40).contains(&revision.len())
        && revision.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What git printed, without the line end; its words of failure otherwise.
fn run(directory: Option<&Path>, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    if let Some(directory) = directory {
        command.arg("-C").arg(directory);
    }
    command.arg("--literal-pathspecs").args(SETTINGS).args(arguments).stdin(Stdio::null());
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    for name in SURROUNDING {
        command.env_remove(name);
    }
    let output = command.output().map_err(|error| format!("git cannot be started: {error}"))?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(words(&output.stdout)) } else { Err(words(&output.stderr)) }
}
