//! The package hub: which versions there are, and which of them fits.

use super::http::{Failure, Http};
use super::resolve::Wanted;
use crate::diagnostic::{Code, Diagnostic, SourceFile, nearest};
use crate::project::semver::{VersionRange, VersionSpecifier};
use crate::project::{PackageOrigin, PackageRequest, accepts, dbt_version, requests_in, yaml};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The hub that dbt asks.
pub const DEFAULT_HUB: &str = "https://hub.getdbt.com/";

/// How many versions a message lists.
const LISTED_VERSIONS: usize = 8;

/// A hub and what it has said so far.
pub(super) struct Hub<'a> {
    http: &'a Http,
    base: String,
    version_check: bool,
    packages: Mutex<HashMap<String, Arc<HubPackage>>>,
}

/// A package on the hub.
pub(super) struct HubPackage {
    versions: Vec<HubVersion>,
    /// Its new name, if it has moved.
    moved_to: Option<String>,
}

/// One version of it.
struct HubVersion {
    /// As the hub writes it.
    written: String,
    version: VersionSpecifier,
    json: Json,
}

/// A version that was chosen.
pub(super) struct Chosen {
    /// `1.3.0`.
    pub(super) version: String,
    /// The newest version that could be installed.
    pub(super) newest: String,
    /// The name of the project within.
    pub(super) name: String,
    /// Where the archive lies.
    pub(super) tarball: String,
    /// What it asks for itself.
    pub(super) requests: Vec<PackageRequest>,
    /// The package's new name, if it has moved.
    pub(super) moved_to: Option<String>,
}

impl<'a> Hub<'a> {
    pub(super) fn new(http: &'a Http, address: &str, version_check: bool) -> Self {
        let base = format!("{}/api/v1/", address.trim_end_matches('/'));
        Self { http, base, version_check, packages: Mutex::default() }
    }

    /// The newest version of a package that fulfils all that is asked of it.
    pub(super) fn choose(&self, package: &str, wanted: &Wanted) -> Result<Chosen, Diagnostic> {
        let conditions = conditions(wanted)?;
        let range = VersionRange::of(&conditions).ok_or_else(|| wanted.conflict(package, "version"))?;
        let known = self.package(package)?;
        let allows_prereleases = conditions.iter().any(VersionSpecifier::is_prerelease)
            || wanted
                .requests()
                .any(|request| matches!(request.origin, PackageOrigin::Hub { install_prerelease: true, .. }));
        let installable = |version: &&HubVersion| allows_prereleases || !version.version.is_prerelease();
        let mut candidates: Vec<&HubVersion> =
            known.versions.iter().filter(|version| self.accepts_dbt(version)).filter(installable).collect();
        candidates.sort_by(|one, other| one.version.compare(&other.version));
        let fitting = candidates.iter().rev().find(|candidate| range.contains(&candidate.version));
        let (Some(chosen), Some(newest)) = (fitting, candidates.last()) else {
            return Err(self.nothing_fits(package, &range, &known, &candidates));
        };
        let text = |value: &Json| value.as_str().map(str::to_owned);
        let incomplete = |what: &str| {
            let message = format!("the hub does not say {what} of `{package}` {}", chosen.written);
            Diagnostic::error(Code::PackageFetch, message).note(format!("asked at {}", self.address(package)))
        };
        Ok(Chosen {
            version: chosen.written.clone(),
            newest: newest.written.clone(),
            name: text(&chosen.json["name"]).ok_or_else(|| incomplete("the project's name"))?,
            tarball: text(&chosen.json["downloads"]["tarball"]).ok_or_else(|| incomplete("the archive's address"))?,
            requests: inner_requests(package, chosen)?,
            moved_to: known.moved_to.clone(),
        })
    }

    fn accepts_dbt(&self, version: &HubVersion) -> bool {
        let required = required_dbt(&version.json);
        !self.version_check || accepts(required.iter().map(String::as_str), &dbt_version())
    }

    fn address(&self, name: &str) -> String {
        format!("{}{name}.json", self.base)
    }

    fn package(&self, name: &str) -> Result<Arc<HubPackage>, Diagnostic> {
        let held = |all: &Mutex<HashMap<String, Arc<HubPackage>>>| {
            all.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
        };
        if let Some(known) = held(&self.packages) {
            return Ok(known);
        }
        let address = self.address(name);
        let fits = |json: &Json| {
            let has_keys = |version: &Json| ["name", "packages", "downloads"].iter().all(|key| !version[key].is_null());
            json["name"].is_string() && json["versions"].as_object().is_some_and(|all| all.values().all(has_keys))
        };
        let json = self.http.json(&address, fits).map_err(|failure| match failure {
            Failure::NotFound => self.unknown(name),
            failure @ Failure::Failed(_) => {
                failure.into_diagnostic(&format!("what the hub knows of `{name}`"), &address)
            }
        })?;
        let package = Arc::new(HubPackage::read(&json));
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::clone(&package));
        Ok(package)
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let found = Diagnostic::error(Code::Package, format!("the hub has no package `{name}`"))
            .note(format!("asked at {}", self.address(name)));
        // Without the list there is nothing to propose; what is wrong is said all the same.
        let Ok(index) = self.http.json(&self.address("index"), Json::is_array) else { return found };
        let names: Vec<&str> = index.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let short = name.rsplit('/').next().unwrap_or(name);
        let namesake = names.iter().find(|known| known.rsplit('/').next() == Some(short)).copied();
        match namesake.or_else(|| nearest(name, names.iter().copied())) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found,
        }
    }

    fn nothing_fits(
        &self,
        package: &str,
        range: &VersionRange,
        known: &HubPackage,
        candidates: &[&HubVersion],
    ) -> Diagnostic {
        let found = Diagnostic::error(Code::PackageVersion, format!("no version of `{package}` fits {range}"));
        let in_range: Vec<&HubVersion> =
            known.versions.iter().filter(|version| range.contains(&version.version)).collect();
        let mut newest_first: Vec<&str> = candidates.iter().rev().map(|version| version.written.as_str()).collect();
        let left = newest_first.len().saturating_sub(LISTED_VERSIONS);
        newest_first.truncate(LISTED_VERSIONS);
        let more = if left > 0 { format!(" and {left} older ones") } else { String::new() };
        let found = if newest_first.is_empty() {
            found.note("there is none at all that could be installed")
        } else {
            found.note(format!("there are {}{more}", newest_first.join(", ")))
        };
        if let Some(other) = in_range.iter().find(|version| !self.accepts_dbt(version)) {
            let required = required_dbt(&other.json).join(", ");
            return found
                .note(format!("{} asks for dbt {required}; strata has the behaviour of {}", other.written, own_dbt()))
                .help("take another version, or `--no-version-check`");
        }
        if in_range.iter().any(|version| version.version.is_prerelease()) {
            return found.help("only pre-releases fit: allow them with `install_prerelease: true`");
        }
        found
    }
}

impl HubPackage {
    fn read(json: &Json) -> Self {
        let versions = json["versions"].as_object().into_iter().flatten();
        let versions = versions.filter_map(|(written, json)| {
            Some(HubVersion {
                written: written.clone(),
                version: VersionSpecifier::parse(written)?,
                json: json.clone(),
            })
        });
        let given = |key: &str| json[key].as_str().filter(|text| !text.is_empty());
        let moved = given("redirectnamespace").is_some() || given("redirectname").is_some();
        let namespace = given("redirectnamespace").or(given("namespace")).unwrap_or_default();
        let name = given("redirectname").or(given("name")).unwrap_or_default();
        Self { versions: versions.collect(), moved_to: moved.then(|| format!("{namespace}/{name}")) }
    }
}

fn own_dbt() -> String {
    dbt_version().to_string().trim_start_matches('=').to_owned()
}

fn required_dbt(version: &Json) -> Vec<String> {
    match &version["require_dbt_version"] {
        Json::String(one) => vec![one.clone()],
        Json::Array(all) => all.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => vec![],
    }
}

fn conditions(wanted: &Wanted) -> Result<Vec<VersionSpecifier>, Diagnostic> {
    let mut conditions = Vec::new();
    for request in wanted.requests() {
        let PackageOrigin::Hub { version, .. } = &request.origin else { continue };
        for text in version {
            conditions.push(VersionSpecifier::parse(text).ok_or_else(|| {
                let help = if text.contains(',') {
                    "write several conditions as a list: `[\">=1.0.0\", \"<2.0.0\"]`"
                } else {
                    "write it as `1.2.3`, or as a list of conditions: `[\">=1.0.0\", \"<2.0.0\"]`"
                };
                Diagnostic::error(Code::PackageVersion, format!("`{text}` is no version of a package"))
                    .at(request.version_span.clone(), "expected three numbers, perhaps with an operator before them")
                    .help(help)
            })?);
        }
    }
    Ok(conditions)
}

/// What a version asks for itself, placed in a text as its author might have written it.
fn inner_requests(package: &str, chosen: &HubVersion) -> Result<Vec<PackageRequest>, Diagnostic> {
    let path = format!("packages.yml of {package} {}, as the hub has it", chosen.written);
    let readable = |text: String| requests_in(&SourceFile::new(path.as_str(), text), None);
    let read = yaml::to_text(&json!({ "packages": chosen.json["packages"] })).and_then(readable);
    read.map(|(requests, _)| requests).map_err(|found| {
        let first = found.iter().next().cloned();
        first.unwrap_or_else(|| {
            Diagnostic::error(Code::Package, format!("`{package}` asks for packages in no known way"))
        })
    })
}
