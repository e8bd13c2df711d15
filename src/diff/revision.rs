//! The files of another revision, by git.
//!
//! A revision is written into a directory of its own through an index of its own: neither the working tree nor
//! the repository's index, branches or worktrees are touched, and uncommitted work stays where it is.

use crate::diagnostic::{Code, Diagnostic};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names under which the branch that work is merged into is looked for.
const MAIN_BRANCHES: [&str; 5] = ["origin/HEAD", "origin/main", "main", "origin/master", "master"];

/// A git repository, seen from the directory of a project in it.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The directory of the project.
    directory: PathBuf,
    /// Where the project lies in the repository: `analytics/shop`; empty at its root.
    prefix: PathBuf,
}

impl Repository {
    /// The repository in which the project's directory lies.
    pub fn of(directory: &Path) -> Result<Self, Diagnostic> {
        let repository = Self { directory: directory.to_owned(), prefix: PathBuf::new() };
        let prefix = repository.git(&["rev-parse", "--show-prefix"]).map_err(|words| {
            Diagnostic::error(Code::Diff, format!("{} is in no git repository", directory.display()))
                .note(words)
                .help("compare with the artifacts of another run instead: `strata diff --state DIR`")
        })?;
        Ok(Self { prefix: PathBuf::from(prefix), ..repository })
    }

    /// The commit that a branch, tag or hash means.
    pub fn resolve(&self, revision: &str) -> Result<String, Diagnostic> {
        let commit = format!("{revision}^{{commit}}");
        self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]).map_err(|_| {
            Diagnostic::error(Code::Diff, format!("git knows no revision `{revision}`"))
                .help("name a branch, a tag or a commit; in CI, fetch it first (`fetch-depth: 0`)")
        })
    }

    /// The commit at which this branch left the main one. With `onto` it is that branch, else the repository's
    /// main branch is looked for.
    pub fn merge_base(&self, onto: Option<&str>) -> Result<String, Diagnostic> {
        let branch = match onto {
            Some(branch) => self.resolve(branch)?,
            None => MAIN_BRANCHES.iter().find_map(|name| self.resolve(name).ok()).ok_or_else(|| {
                Diagnostic::error(Code::Diff, "there is no branch to compare with")
                    .note(format!("looked for {}", MAIN_BRANCHES.join(", ")))
                    .help("name one: `strata diff --base BRANCH`")
            })?,
        };
        self.git(&["merge-base", "HEAD", &branch]).map_err(|words| {
            let finding =
                Diagnostic::error(Code::Diff, "this branch and the one to compare with have no commit in common")
                    .help("in CI, fetch the whole history (`fetch-depth: 0`)");
            if words.is_empty() { finding } else { finding.note(words) }
        })
    }

    /// Writes the files of a revision under `into`, an empty directory, and gives the project's directory there.
    pub fn checkout(&self, revision: &str, into: &Path) -> Result<PathBuf, Diagnostic> {
        let commit = self.resolve(revision)?;
        let tree = into.join("tree");
        fs::create_dir_all(&tree).map_err(|error| cannot_write(&tree, &error))?;
        let index = into.join("index");
        let failed = |words: String| {
            Diagnostic::error(Code::Diff, format!("git cannot write the files of `{revision}`")).note(words)
        };
        self.git_with_index(&["read-tree", &commit], &index).map_err(failed)?;
        // git wants the prefix to end with a slash: it is put before each path as it is.
        let prefix = format!("--prefix={}/", tree.display());
        self.git_with_index(&["checkout-index", "--all", "--quiet", &prefix], &index).map_err(failed)?;
        let project = tree.join(&self.prefix);
        if project.is_dir() {
            return Ok(project);
        }
        let message = format!("`{revision}` has no directory {}", self.prefix.display());
        Err(Diagnostic::error(Code::Diff, message)
            .help("the project was moved or is new: there is nothing to compare with"))
    }

    /// Lets the checked-out project share directories that git does not hold (installed packages), where this tree
    /// has them and the revision has not.
    pub fn share(&self, project: &Path, names: &[&str]) -> Result<(), Diagnostic> {
        for name in names {
            let (here, there) = (self.directory.join(name), project.join(name));
            if here.is_dir() && !there.exists() {
                let here = here.canonicalize().map_err(|error| cannot_write(&here, &error))?;
                link(&here, &there).map_err(|error| cannot_write(&there, &error))?;
            }
        }
        Ok(())
    }

    fn git(&self, arguments: &[&str]) -> Result<String, String> {
        run(Command::new("git").arg("-C").arg(&self.directory).args(arguments))
    }

    fn git_with_index(&self, arguments: &[&str], index: &Path) -> Result<String, String> {
        // From the repository's root: `read-tree` and `checkout-index` would else see the project's part only.
        let root = self.git(&["rev-parse", "--show-toplevel"])?;
        run(Command::new("git").arg("-C").arg(root).args(arguments).env("GIT_INDEX_FILE", index))
    }
}

/// What git printed, without the line end; its words of failure otherwise.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("git cannot be started: {error}"))?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(words(&output.stdout)) } else { Err(words(&output.stderr)) }
}

#[cfg(unix)]
fn link(here: &Path, there: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(here, there)
}

#[cfg(windows)]
fn link(here: &Path, there: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(here, there)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(Code::Diff, format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with a project in a subdirectory: one commit on `main`, one on a branch, and uncommitted work.
    fn repository() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let project = directory.path().join("analytics/shop");
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
            let mut command = Command::new("git");
            run(command.arg("-C").arg(directory.path()).args(identity).args(arguments)).expect("git works")
        };
        let write = |name: &str, text: &str| {
            let path = project.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        git(&["init", "--quiet", "--initial-branch=main"]);
        write("models/a.sql", "select 1");
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "one"]);
        git(&["checkout", "--quiet", "-b", "work"]);
        write("models/a.sql", "select 2");
        git(&["commit", "--quiet", "-am", "two"]);
        write("models/a.sql", "select 3");
        write("dbt_packages/utils/x.sql", "select 4");
        (directory, project)
    }

    #[test]
    fn a_revision_is_written_beside_and_the_tree_stays() {
        let (directory, project) = repository();
        let repository = Repository::of(&project).expect("a repository");
        let base = repository.merge_base(None).expect("a base");
        let into = tempfile::tempdir().expect("a directory");
        let other = repository.checkout(&base, into.path()).expect("the files");
        assert_eq!(fs::read_to_string(other.join("models/a.sql")).expect("a file"), "select 1");
        assert_eq!(fs::read_to_string(project.join("models/a.sql")).expect("a file"), "select 3");
        repository.share(&other, &["dbt_packages", "none"]).expect("a link");
        assert_eq!(fs::read_to_string(other.join("dbt_packages/utils/x.sql")).expect("a file"), "select 4");
        let status = run(Command::new("git").arg("-C").arg(directory.path()).args(["status", "--porcelain"]));
        assert_eq!(status.as_deref(), Ok("M analytics/shop/models/a.sql\n?? analytics/shop/dbt_packages/"));
    }

    #[test]
    fn what_git_refuses_is_said() {
        let (_directory, project) = repository();
        let repository = Repository::of(&project).expect("a repository");
        let unknown = repository.merge_base(Some("nope")).expect_err("no such branch");
        assert_eq!(unknown.message(), "git knows no revision `nope`");
        assert!(repository.resolve("--help").is_err());
        let nowhere = tempfile::tempdir().expect("a directory");
        let error = Repository::of(nowhere.path()).expect_err("no repository");
        assert!(error.message().ends_with("is in no git repository"), "{error}");
    }
}
