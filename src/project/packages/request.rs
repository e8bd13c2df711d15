//! What `packages.yml` and `dependencies.yml` ask for.

use super::super::files::read_text;
use super::super::yaml::{self, Found, Reader, Yaml};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, Span};
use crate::template::{Templates, has_jinja};
use serde_json::Value as Json;
use std::path::Path;
use std::sync::Arc;

/// A package that a project asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct PackageRequest {
    /// What it is and where it comes from.
    pub origin: PackageOrigin,
    /// Where it is asked for.
    pub span: Span,
    /// Where the version or revision stands; the whole entry where there is none.
    pub version_span: Span,
    /// The entry as it is read. May hold secrets.
    pub rendered: Json,
    /// The entry as it is written, before Jinja.
    pub written: Json,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackageOrigin {
    /// The package hub: name (`dbt-labs/dbt_utils`) and version conditions.
    Hub {
        /// Namespace and name.
        package: String,
        /// Conditions that a version must all fulfil.
        version: Vec<String>,
        /// Whether pre-releases will do where no condition names one.
        install_prerelease: bool,
    },
    /// A git repository.
    Git {
        /// Its address. May hold secrets.
        url: String,
        /// Branch, tag or commit.
        revision: Option<String>,
        /// The package's directory within it.
        subdirectory: Option<String>,
        /// Whether to warn where the revision is none that stays the same.
        warn_unpinned: bool,
    },
    /// A directory, relative to the root project.
    Local(String),
    /// An archive.
    Tarball {
        /// Its address. May hold secrets.
        url: String,
        /// The package's name.
        name: String,
    },
}

/// The packages that a project asks for.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// The file that asks; none where there is neither `packages.yml` nor `packages:` in `dependencies.yml`.
    pub file: Option<Arc<SourceFile>>,
    /// The packages in the order of the file.
    pub packages: Vec<PackageRequest>,
}

/// The name of the file that is rendered.
pub const PACKAGES_FILE: &str = "packages.yml";
/// The name of the file that is read as it is.
const DEPENDENCIES_FILE: &str = "dependencies.yml";

/// The packages that the project at `root` asks for in `packages.yml` or `dependencies.yml`.
pub fn requests(root: &Path, shown_from: &Path, templates: &Templates) -> Result<(Requests, Diagnostics)> {
    let mut found = Diagnostics::new();
    let mut asking: Option<(Arc<SourceFile>, Span)> = None;
    let mut all = Requests::default();
    for (name, templates) in [(PACKAGES_FILE, Some(templates)), (DEPENDENCIES_FILE, None)] {
        let path = root.join(name);
        if !path.is_file() {
            continue;
        }
        let file = read_text(&path, &shown_from.join(name))?;
        let (tree, _) = yaml::parse(&file)?;
        if let Some(entry) = tree.entry("packages") {
            if let Some((_, other)) = &asking {
                let message = "packages are asked for both in packages.yml and in dependencies.yml";
                found.push(
                    Diagnostic::error(Code::Package, message)
                        .at(entry.key.clone(), "here")
                        .at(other.clone(), "and here")
                        .help("move them into one of the two files"),
                );
            } else {
                asking = Some((Arc::clone(&file), entry.key.clone()));
            }
        }
        if let Some(entry) = tree.entry("projects").filter(|_| name == PACKAGES_FILE) {
            found.push(
                Diagnostic::error(Code::Package, "packages.yml cannot ask for `projects`").at(entry.key.clone(), ""),
            );
        }
        if let Some((packages, doubtful)) = found.keep(requests_in(&file, templates)) {
            found.extend(doubtful);
            all.packages.extend(packages);
        }
    }
    all.file = asking.map(|(file, _)| file);
    found.into_result(all)
}

/// The packages that one file asks for. Without templates its texts are taken as they are.
pub fn requests_in(
    file: &Arc<SourceFile>,
    templates: Option<&Templates>,
) -> Result<(Vec<PackageRequest>, Diagnostics)> {
    let (written, mut warnings) = yaml::parse(file)?;
    let rendered = match templates {
        Some(templates) => written.render_texts(&mut Vec::new(), &mut |_, text, span| {
            if has_jinja(text) { templates.render(text, span).map(Some) } else { Ok(None) }
        })?,
        None => written.clone(),
    };
    let found = Found::default();
    let mut reader = Reader::new(&rendered, "package file", &found);
    let mut requests = Vec::new();
    let entries = reader.sequence("packages");
    let as_written = written.get("packages").and_then(Yaml::as_sequence).unwrap_or(&[]);
    for (index, entry) in entries.iter().enumerate() {
        // A whole list may come out of one expression; then there is nothing written for each of its entries.
        let json = as_written.get(index).unwrap_or(entry).to_json();
        requests.extend(read_request(entry, json, &found));
    }
    // `requests` has refused it where Jinja is rendered.
    if templates.is_none() {
        reader.not_supported("projects");
    }
    reader.ignore(&["projects", "sha1_hash"]);
    reader.finish();
    let (requests, doubtful) = found.into_inner().into_result(requests)?;
    warnings.extend(doubtful);
    Ok((requests, warnings))
}

fn read_request(yaml: &Yaml, written: Json, found: &Found) -> Option<PackageRequest> {
    let mut reader = Reader::new(yaml, "package", found);
    let kinds = ["package", "git", "local", "tarball", "private"];
    let Some(kind) = kinds.into_iter().find(|kind| yaml.get(kind).is_some()) else {
        reader.report(
            Diagnostic::error(Code::Package, "a package needs one of `package`, `git`, `local` and `tarball`")
                .at(yaml.span.clone(), ""),
        );
        return None;
    };
    let (address, place) = reader.required_text(kind)?;
    if address.trim().is_empty() {
        reader.report(
            Diagnostic::error(Code::Package, format!("`{kind}` says nothing"))
                .at(place.clone(), "expected where the package comes from"),
        );
        return None;
    }
    let versioned = if kind == "package" { "version" } else { "revision" };
    let version_span = yaml.get(versioned).map_or_else(|| yaml.span.clone(), |value| value.span.clone());
    let origin = match kind {
        "package" => read_hub(&mut reader, address, place),
        "git" => Some(PackageOrigin::Git {
            url: address,
            revision: reader.text("revision"),
            subdirectory: reader.text("subdirectory"),
            warn_unpinned: either(&mut reader, "warn-unpinned", "warn_unpinned").unwrap_or(true),
        }),
        "local" => Some(PackageOrigin::Local(address)),
        "tarball" => reader.required_text("name").map(|(name, _)| PackageOrigin::Tarball { url: address, name }),
        _ => {
            reader.report(
                Diagnostic::error(Code::NotSupported, "private packages of the hosted platform are not supported")
                    .at(place.clone(), "")
                    .help("use `git:` with the repository's address"),
            );
            return None;
        }
    };
    reader.ignore(&["name", "unrendered"]);
    reader.finish();
    Some(PackageRequest { origin: origin?, span: yaml.span.clone(), version_span, rendered: yaml.to_json(), written })
}

/// A flag that people write both ways, though dbt knows one of them only.
fn either(reader: &mut Reader<'_>, hyphened: &'static str, other: &'static str) -> Option<bool> {
    let first = reader.boolean(hyphened);
    reader.boolean(other).or(first)
}

fn read_hub(reader: &mut Reader<'_>, package: String, place: &Span) -> Option<PackageOrigin> {
    let install_prerelease = either(reader, "install-prerelease", "install_prerelease").unwrap_or(false);
    let version = reader.texts("version").filter(|texts| !texts.is_empty());
    let is_named = matches!(package.split_once('/'), Some((namespace, name)) if is_slug(namespace) && is_slug(name));
    if !is_named {
        reader.report(
            Diagnostic::error(Code::Package, format!("`{package}` cannot be a package of the hub"))
                .at(place.clone(), "expected namespace and name, such as `dbt-labs/dbt_utils`"),
        );
        return None;
    }
    if version.is_none() {
        reader.report(
            Diagnostic::error(Code::Package, format!("`{package}` needs a `version`"))
                .at(reader.span().clone(), "`version` is missing here")
                .help("give one, such as `version: [\">=1.0.0\", \"<2.0.0\"]`"),
        );
    }
    Some(PackageOrigin::Hub { package, version: version?, install_prerelease })
}

/// Whether a text can be a part of a package's name on the hub, and so of an address.
fn is_slug(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    !text.is_empty() && !text.starts_with('.') && text.chars().all(fits)
}
