//! A project as the installation of packages sees it: without profile and target.

use super::super::config::is_name;
use super::super::files::read_text;
use super::super::yaml::{self, Yaml};
use super::super::{LoadOptions, read_project_file, scoped};
use super::request::{Requests, requests};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::template::{Templates, has_jinja};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where packages are installed by default, as in dbt.
const INSTALL_PATH: &str = "dbt_packages";

/// A project into which packages are installed.
#[derive(Debug)]
pub struct PackageHome {
    /// The project's directory.
    pub root: PathBuf,
    /// The project's name.
    pub name: String,
    /// Where packages go, as `dbt_project.yml` says it: relative to the project.
    pub install_path: String,
    /// The packages that it asks for.
    pub requests: Requests,
    /// Renders texts of `packages.yml` and of the lock, secrets allowed.
    pub templates: Templates,
}

/// Reads what installing packages into the project at `root` needs to know.
pub fn package_home(root: &Path, options: &LoadOptions) -> Result<(PackageHome, Diagnostics)> {
    let (tree, mut warnings) = read_project_file(root)?;
    let templates = scoped(&options.environment, Arc::new(options.variables.clone()), None, true);
    let name = text(&tree, "name", &templates)?.unwrap_or_default();
    if !is_name(&name) {
        return Err(nameless(&tree, &name).into());
    }
    let install_path = text(&tree, "packages-install-path", &templates)?.unwrap_or_else(|| INSTALL_PATH.to_owned());
    let (requests, doubtful) = requests(root, Path::new(""), &templates)?;
    warnings.extend(doubtful);
    let root = root.canonicalize().unwrap_or_else(|_| root.to_path_buf());
    Ok((PackageHome { root, name, install_path, requests, templates }, warnings))
}

/// The name that the project or package in a directory has by its `dbt_project.yml`: always a plain word, fit to be
/// the name of a directory. `shown_from` is the directory in messages.
pub fn project_name(directory: &Path, shown_from: &Path) -> Result<String> {
    let path = directory.join("dbt_project.yml");
    if !path.is_file() {
        let message = format!("there is no package in {}", shown_from.display());
        return Err(Diagnostic::error(Code::Package, message).note("it has no dbt_project.yml").into());
    }
    let (tree, _) = yaml::parse(&read_text(&path, &shown_from.join("dbt_project.yml"))?)?;
    let name = tree.get("name").and_then(Yaml::scalar_text).unwrap_or_default();
    if is_name(&name) { Ok(name) } else { Err(nameless(&tree, &name).into()) }
}

fn nameless(tree: &Yaml, name: &str) -> Diagnostic {
    let message = if name.is_empty() {
        "the project has no `name`".to_owned()
    } else {
        format!("`{name}` cannot be the name of a project")
    };
    let place = tree.get("name").map_or_else(|| tree.span.clone(), |value| value.span.clone());
    Diagnostic::error(Code::Package, message).at(place, "only letters, digits and `_`, and no digit first")
}

fn text(tree: &Yaml, key: &str, templates: &Templates) -> Result<Option<String>, Diagnostic> {
    let Some(value) = tree.get(key) else { return Ok(None) };
    let Some(text) = value.scalar_text() else { return Ok(None) };
    if !has_jinja(&text) {
        return Ok(Some(text));
    }
    match templates.render(&text, &value.span)? {
        Json::String(text) => Ok(Some(text)),
        other => Ok(Some(other.to_string())),
    }
}
