//! Packages: those that lie under `packages-install-path`, and local ones wherever they lie.

mod address;
mod home;
mod request;

pub use address::{address_secrets, shown_address};
pub use home::{PackageHome, package_home, project_name};
pub use request::{PACKAGES_FILE, PackageOrigin, PackageRequest, Requests, requests, requests_in};

use super::config::{self, ProjectConfig};
use super::files::read_text;
use super::yaml;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::template::Templates;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A package that was found, with its config.
pub(super) struct FoundPackage {
    pub root: PathBuf,
    pub config: ProjectConfig,
}

/// Finds and reads every package that is installed or local, in order of name.
pub(super) fn find(
    root: &Path,
    project: &ProjectConfig,
    requests: &[PackageRequest],
    templates: &Templates,
) -> Result<(Vec<FoundPackage>, Diagnostics)> {
    let mut packages: BTreeMap<String, FoundPackage> = BTreeMap::new();
    let mut found = Diagnostics::new();
    let installed = installed_directories(&root.join(&project.packages_install_path));
    let mut known: BTreeSet<String> =
        installed.iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    for path in &installed {
        take(path, root, templates, &mut packages, &mut found);
    }
    let mut waiting: Vec<(PathBuf, PackageRequest)> =
        requests.iter().map(|request| (root.to_path_buf(), request.clone())).collect();
    let mut seen: BTreeSet<PathBuf> = BTreeSet::new();
    while let Some((base, request)) = waiting.pop() {
        let PackageOrigin::Local(path) = &request.origin else { continue };
        let path = local_directory(root, &base, path);
        let location = path.canonicalize().unwrap_or_else(|_| path.clone());
        if !seen.insert(location) {
            continue;
        }
        if !path.join("dbt_project.yml").is_file() {
            found.push(
                Diagnostic::error(Code::Package, format!("there is no package in {}", path.display()))
                    .at(request.span, "no dbt_project.yml in this directory"),
            );
            continue;
        }
        if let Some(name) = take(&path, root, templates, &mut packages, &mut found) {
            known.insert(name);
        }
        if let Some((inner, doubtful)) = found.keep(self::requests(&path, &shown(&path, root), templates)) {
            found.extend(doubtful);
            waiting.extend(inner.packages.into_iter().map(|request| (path.clone(), request)));
        }
    }
    known.extend(packages.keys().cloned());
    report_missing(requests, &known, installed.len(), &mut found);
    if packages.contains_key(&project.name) {
        found.push(Diagnostic::error(
            Code::Package,
            format!("a package has the project's own name, `{}`: names of packages must differ", project.name),
        ));
    }
    found.into_result(packages.into_values().collect())
}

/// Where a local package lies that the project or package in `base` asks for. As in dbt the path counts from the root
/// project; where there is no package, it counts from the package that asks.
pub fn local_directory(root: &Path, base: &Path, path: &str) -> PathBuf {
    let from_root = root.join(path);
    if from_root.join("dbt_project.yml").is_file() || base == root { from_root } else { base.join(path) }
}

/// The directories below the install path that are packages, in order.
fn installed_directories(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![] };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("dbt_project.yml").is_file())
        .collect();
    found.sort();
    found
}

/// A package's directory as shown in messages: relative to the project where it lies inside.
pub(super) fn shown(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).map_or_else(|_| path.to_path_buf(), Path::to_path_buf)
}

fn take(
    path: &Path,
    root: &Path,
    templates: &Templates,
    packages: &mut BTreeMap<String, FoundPackage>,
    found: &mut Diagnostics,
) -> Option<String> {
    let read = || {
        let file = read_text(&path.join("dbt_project.yml"), &shown(path, root).join("dbt_project.yml"))?;
        let (tree, _) = yaml::parse(&file)?;
        config::read(&tree, templates)
    };
    // What is doubtful in a package is its author's business; only errors are the user's.
    let (config, _) = found.keep(read())?;
    let name = config.name.clone();
    let package = FoundPackage { root: path.to_path_buf(), config };
    packages.entry(name.clone()).or_insert(package);
    Some(name)
}

/// Complains of packages that are asked for and not there. The directory of a package from git is not known
/// beforehand, so those are only counted.
fn report_missing(requests: &[PackageRequest], known: &BTreeSet<String>, installed: usize, found: &mut Diagnostics) {
    let mut named = 0;
    for request in requests {
        let name = match &request.origin {
            PackageOrigin::Hub { package, .. } => package.rsplit('/').next().unwrap_or(package),
            PackageOrigin::Tarball { name, .. } => name,
            PackageOrigin::Git { .. } | PackageOrigin::Local(_) => continue,
        };
        if known.contains(name) {
            named += 1;
        } else {
            found.push(
                Diagnostic::error(Code::Package, format!("the package `{name}` is not installed"))
                    .at(request.span.clone(), "asked for here")
                    .help("run `strata deps`"),
            );
        }
    }
    let unnamed: Vec<&PackageRequest> =
        requests.iter().filter(|request| matches!(request.origin, PackageOrigin::Git { .. })).collect();
    if let Some(first) = unnamed.first().filter(|_| installed < named + unnamed.len()) {
        // The line of the file is not shown where it holds a password: nothing is known to the scrubber yet.
        let is_open = matches!(&first.origin, PackageOrigin::Git { url, .. } if address_secrets(url).is_empty());
        let place = Some(first.span.clone()).filter(|_| is_open);
        found.push(
            Diagnostic::error(Code::Package, "a package from git is not installed")
                .at_if_known(place, "asked for here")
                .help("run `strata deps`"),
        );
    }
}
