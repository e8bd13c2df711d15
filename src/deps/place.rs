//! Putting packages into place: all of them at once, or none.

use super::archive::symlink;
use super::tree;
use crate::diagnostic::{Code, Diagnostic};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A directory beside the installed packages, in which new ones are prepared. It goes with this value.
pub(super) struct Staging {
    install_path: PathBuf,
    directory: PathBuf,
    former: PathBuf,
    count: AtomicUsize,
}

/// What is put into place.
pub(super) enum Placed {
    /// A directory within the staging one.
    Tree(PathBuf),
    /// A directory elsewhere, which stays there.
    Local(PathBuf),
}

impl Staging {
    /// Makes an empty directory beside `packages-install-path`, and undoes what a killed installation left behind.
    pub(super) fn new(root: &Path, install_path: &str) -> Result<Self, Diagnostic> {
        let path = lexical(&root.join(install_path));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let (Some(name), Some(parent)) = (name.filter(|_| !root.starts_with(&path)), path.parent()) else {
            let message = format!("packages cannot be installed into `{install_path}`, which holds the project");
            return Err(Diagnostic::error(Code::Package, message).help("mend `packages-install-path`"));
        };
        let beside = |ending: &str| parent.join(format!(".{name}.{ending}"));
        let staging = Self {
            directory: beside("strata-new"),
            former: beside("strata-old"),
            install_path: path.clone(),
            count: AtomicUsize::new(0),
        };
        staging.prepare().map_err(|cause| unwritable(&staging.directory, &cause))?;
        Ok(staging)
    }

    fn prepare(&self) -> io::Result<()> {
        if exists(&self.former) && !exists(&self.install_path) {
            fs::rename(&self.former, &self.install_path)?;
        }
        remove(&self.former)?;
        remove(&self.directory)?;
        fs::create_dir_all(&self.directory)
    }

    /// A path for a new file or directory that nobody else gets.
    pub(super) fn fresh(&self) -> PathBuf {
        self.directory.join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Puts packages into place by their names, instead of all that was there.
    pub(super) fn place(&self, packages: &[(String, Placed)]) -> Result<(), Diagnostic> {
        let fail = |cause: io::Error| unwritable(&self.install_path, &cause);
        let new = self.fresh();
        fs::create_dir_all(&new).map_err(fail)?;
        for (name, placed) in packages {
            let at = new.join(name);
            let done = match placed {
                Placed::Tree(tree) => fs::rename(tree, &at),
                Placed::Local(directory) => symlink(directory, &at).or_else(|_| tree::copy(directory, &at)),
            };
            done.map_err(fail)?;
        }
        let had_some = exists(&self.install_path);
        if had_some {
            fs::rename(&self.install_path, &self.former).map_err(fail)?;
        }
        if let Err(cause) = fs::rename(&new, &self.install_path) {
            if had_some {
                fs::rename(&self.former, &self.install_path).map_err(fail)?;
            }
            return Err(fail(cause));
        }
        remove(&self.former).map_err(fail)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now, the next installation removes.
        let _ = remove(&self.directory);
    }
}

fn unwritable(path: &Path, cause: &io::Error) -> Diagnostic {
    Diagnostic::error(Code::Io, format!("packages cannot be put into {}: {cause}", path.display()))
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Removes a file, a link (not what it leads to) or a directory, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// A path without `.` and `..`.
fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_packages_change_at_once_and_nothing_is_left_beside() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        write(&root.join("dbt_packages/old/x"), "1");
        let staging = Staging::new(root, "dbt_packages").expect("prepared");
        let tree = staging.fresh();
        write(&tree.join("y"), "2");
        staging.place(&[("new".to_owned(), Placed::Tree(tree))]).expect("placed");
        drop(staging);
        assert_eq!(names(root), ["dbt_packages"]);
        assert_eq!(names(&root.join("dbt_packages")), ["new"]);
    }

    #[test]
    fn a_failure_leaves_what_was_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        write(&root.join("dbt_packages/old/x"), "1");
        let staging = Staging::new(root, "dbt_packages").expect("prepared");
        let gone = staging.fresh();
        staging.place(&[("new".to_owned(), Placed::Tree(gone))]).expect_err("there is no such tree");
        drop(staging);
        assert_eq!(names(root), ["dbt_packages"]);
        assert_eq!(names(&root.join("dbt_packages")), ["old"]);
    }

    #[test]
    fn what_a_killed_installation_left_is_undone() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        write(&root.join(".dbt_packages.strata-old/old/x"), "1");
        write(&root.join(".dbt_packages.strata-new/0/x"), "2");
        drop(Staging::new(root, "dbt_packages").expect("prepared"));
        assert_eq!(names(root), ["dbt_packages"]);
        assert_eq!(names(&root.join("dbt_packages")), ["old"]);
    }

    #[test]
    fn the_project_itself_is_no_place_for_packages() {
        let directory = tempfile::tempdir().expect("a directory");
        for path in [".", "..", "a/..", "/"] {
            assert!(Staging::new(directory.path(), path).is_err(), "{path}");
        }
    }
}
