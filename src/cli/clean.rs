//! `strata clean`: removes what commands leave behind.

use super::{Context, Outcome};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::project::{ProjectConfig, load_config};
use crate::report::Product;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Removes the directories of `clean-targets`: only inside the project, and never where its files lie.
pub(super) fn clean(context: &Context) -> Result<Outcome> {
    let root = &context.settings.project_root;
    let (config, warnings) = load_config(root, &context.settings.load)?;
    context.reporter.found(&warnings);
    let mut found = Diagnostics::new();
    let targets: Vec<(String, PathBuf)> = config
        .clean_targets
        .iter()
        .filter_map(|target| match inside(root, target, &config) {
            Ok(path) => Some((target.clone(), path)),
            Err(refused) => {
                found.push(refused);
                None
            }
        })
        .collect();
    if found.has_errors() {
        return Err(found);
    }
    for (target, path) in targets {
        let removed = match fs::symlink_metadata(&path) {
            Ok(data) if data.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => context.reporter.product(&Product::Text(format!("Removed {target}"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                found.push(Diagnostic::error(Code::Io, format!("cannot remove `{}`: {error}", path.display())));
            }
        }
    }
    if found.has_errors() { Err(found) } else { Ok(Outcome::Success) }
}

/// Where a clean target lies; refused outside the project, for the project itself, and where its files lie.
fn inside(root: &Path, target: &str, config: &ProjectConfig) -> Result<PathBuf, Diagnostic> {
    let refused = |why: &str| {
        Diagnostic::error(Code::Usage, format!("clean-targets names `{target}`, {why}"))
            .note("nothing was removed")
            .help("take it out of clean-targets in dbt_project.yml")
    };
    let relative = lexical(Path::new(target)).ok_or_else(|| refused("which is outside the project"))?;
    if relative.as_os_str().is_empty() {
        return Err(refused("which is the project itself"));
    }
    let holds_files = |path: &Path| path.starts_with(&relative) || relative.starts_with(path);
    for path in config.paths.values().flatten() {
        if lexical(Path::new(path)).is_some_and(|path| !path.as_os_str().is_empty() && holds_files(&path)) {
            return Err(refused(&format!("which holds the project's own files ({path})")));
        }
    }
    // A link inside the project may lead out of it.
    let path = root.join(&relative);
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, root.canonicalize()) {
        (Some(parent), Ok(root)) if !parent.starts_with(&root) => Err(refused("which is outside the project")),
        _ => Ok(path),
    }
}

/// A relative path without `.` and `..`; none if it leads out.
fn lexical(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !clean.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_inside_and_holds_no_files_of_the_project() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut config = ProjectConfig::embedded("shop");
        config.paths.insert("model-paths", vec!["src/models".into()]);
        let check = |target: &str| inside(directory.path(), target, &config).is_ok();
        for fine in ["target", "./target/", "dbt_packages", "a/../target"] {
            assert!(check(fine), "{fine}");
        }
        for refused in ["..", "../other", "/tmp", ".", "a/..", "src", "src/models", "src/models/staging"] {
            assert!(!check(refused), "{refused}");
        }
    }
}
