//! Packages: what a project asks for is resolved, locked, fetched, checked and put into place.

mod add;
mod archive;
mod fetch;
mod git;
mod http;
mod hub;
mod lock;
mod place;
mod resolve;
mod tree;

pub use add::{AddedFrom, Addition};
pub use http::ProxySettings;
pub use hub::DEFAULT_HUB;
pub use lock::LOCK_FILE;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile};
use crate::project::{
    PACKAGES_FILE, PackageHome, PackageOrigin, PackageRequest, Requests, address_secrets, read_text, requests_in,
};
use crate::secret::Scrubber;
use fetch::Fetcher;
use http::Http;
use hub::Hub;
use lock::Lock;
use place::{Placed, Staging};
use resolve::{Pin, Source};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How packages are installed.
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is on or off")]
#[derive(Debug, Clone)]
pub struct DepsOptions {
    /// The hub's address.
    pub hub: String,
    /// Which proxy is used.
    pub proxy: ProxySettings,
    /// Whether versions that ask for another dbt are left out.
    pub version_check: bool,
    /// Whether the lock is ignored and written anew.
    pub upgrade: bool,
    /// Whether only the lock is written.
    pub lock_only: bool,
    /// A package to add to what the project asks for.
    pub addition: Option<Addition>,
    /// Whether a warning is a reason to change nothing.
    pub warnings_fail: bool,
    /// How long to wait before something that failed is tried again.
    pub retry_wait: Duration,
    /// What hides secrets; those that stand in addresses are made known to it.
    pub scrubber: Scrubber,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Installation {
    /// The packages in the order of the lock.
    pub packages: Vec<InstalledPackage>,
    /// The file that got one more entry, and the addresses of the entries that this replaced.
    pub added_to: Option<(String, Vec<String>)>,
    /// Whether the lock was written.
    pub lock_written: bool,
    /// Whether the packages were put into place.
    pub installed: bool,
}

/// A package that was installed or locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPackage {
    /// The project's name.
    pub name: String,
    /// The version or commit; none for directories and archives.
    pub version: Option<String>,
    /// Where it comes from, in words that may be shown.
    pub origin: String,
    /// The directory within a repository.
    pub subdirectory: Option<String>,
    /// The newest version, for a package of the hub.
    pub newest: Option<String>,
    /// Whether it is a link to a directory.
    pub is_local: bool,
}

/// Installs the packages of a project. All of them are fetched and checked before anything changes; an error leaves
/// files and packages as they were.
pub fn install(mut home: PackageHome, options: &DepsOptions) -> Result<(Installation, Diagnostics)> {
    let edited = options.addition.as_ref().map(|addition| add(&mut home, addition)).transpose()?;
    let mut done = Installation::default();
    if home.requests.file.is_none() {
        return Ok((done, Diagnostics::new()));
    }
    know_secrets(&home.requests.packages, &options.scrubber);
    let input = lock::input_hash(&home.requests);
    let former = if options.upgrade { None } else { lock::read(&home.root, &home.templates)? };
    let former = former.filter(|lock| lock.input.as_ref() == Some(&input));
    if let Some(lock) = &former {
        know_secrets(&lock.requests, &options.scrubber);
        if options.lock_only && lock.is_complete() {
            return Ok((done, Diagnostics::new()));
        }
    }
    let staging = Staging::new(&home.root, &home.install_path)?;
    let http = Http::new(&options.proxy, options.retry_wait, &options.scrubber)?;
    let hub = Hub::new(&http, &options.hub, options.version_check);
    let fetcher = Fetcher::new(&home, &http, hub, &staging, &options.scrubber)?;
    let (pins, warnings) = match &former {
        Some(lock) => resolve::locked(&fetcher, lock)?,
        None => resolve::resolve(&fetcher, &home)?,
    };
    let (placed, trees) = fetch_all(&fetcher, &pins, former.as_ref())?;
    if options.warnings_fail && !warnings.is_empty() {
        return Err(warnings.into_iter().map(Diagnostic::into_error).collect());
    }
    if let Some(edited) = &edited {
        let path = home.root.join(&edited.file);
        let was_windows = std::fs::read_to_string(&path).is_ok_and(|text| text.contains("\r\n"));
        write(&path, &if was_windows { edited.text.replace('\n', "\r\n") } else { edited.text.clone() })?;
    }
    done.added_to = edited.map(|edited| (edited.file, edited.removed));
    if former.is_none() || options.lock_only {
        let text = lock::text(&pins, &trees, &input, &options.scrubber)?;
        write(&home.root.join(LOCK_FILE), &text)?;
        done.lock_written = true;
    }
    if !options.lock_only {
        staging.place(&placed)?;
        done.installed = true;
    }
    done.packages = pins.iter().map(InstalledPackage::of).collect();
    Ok((done, warnings))
}

/// Packages with what is put into place for them.
type AllPlaced = Vec<(String, Placed)>;

/// Fetches what was not yet, and compares all with the lock.
fn fetch_all<'p>(
    fetcher: &Fetcher<'_>,
    pins: &'p [Pin],
    lock: Option<&Lock>,
) -> Result<(AllPlaced, Vec<(&'p Pin, String)>)> {
    let mut found = Diagnostics::new();
    let fetched = fetcher.in_parallel(pins, |pin| {
        let placed = fetcher.placed(pin)?;
        let hash = match &placed {
            Placed::Local(_) => None,
            Placed::Tree(tree) => Some(tree::hash(tree).map_err(|cause| {
                Diagnostic::error(Code::Io, format!("the package `{}` cannot be read: {cause}", pin.name))
            })?),
        };
        Ok::<_, Diagnostic>((placed, hash))
    });
    let (mut all, mut trees) = (Vec::new(), Vec::new());
    for (pin, result) in pins.iter().zip(fetched) {
        let Some((placed, hash)) = found.keep(result.map_err(Diagnostics::from)) else { continue };
        all.push((pin.name.clone(), placed));
        trees.extend(hash.map(|hash| (pin, hash)));
    }
    if let Some(lock) = lock {
        found.extend(lock.verify(&trees));
    }
    found.into_result((all, trees)).map(|(fetched, _)| fetched)
}

/// A file with one more package, not written yet.
struct EditedFile {
    file: String,
    text: String,
    removed: Vec<String>,
}

/// Lets the project ask for one more package.
fn add(home: &mut PackageHome, addition: &Addition) -> Result<EditedFile> {
    let path = home.root.join(PACKAGES_FILE);
    let file = match &home.requests.file {
        Some(file) => Arc::clone(file),
        // It may hold comments.
        None if path.is_file() => read_text(&path, Path::new(PACKAGES_FILE))?,
        None => SourceFile::new(PACKAGES_FILE, ""),
    };
    let edited = add::edit(&file, addition)?;
    let name = file.path().display().to_string();
    let file = SourceFile::new(file.path(), edited.text.as_str());
    let templates = (name == PACKAGES_FILE).then_some(&home.templates);
    let (packages, _) = requests_in(&file, templates)?;
    home.requests = Requests { file: Some(Arc::clone(&file)), packages };
    Ok(EditedFile { file: name, text: edited.text, removed: edited.removed })
}

fn know_secrets(requests: &[PackageRequest], scrubber: &Scrubber) {
    for request in requests {
        if let PackageOrigin::Git { url, .. } | PackageOrigin::Tarball { url, .. } = &request.origin {
            for secret in address_secrets(url) {
                scrubber.add(&secret);
            }
        }
    }
}

/// Writes a file as a whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Diagnostic> {
    let new = path.with_extension("yml.strata-new");
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|cause| Diagnostic::error(Code::Io, format!("cannot write {}: {cause}", path.display())))
}

impl InstalledPackage {
    fn of(pin: &Pin) -> Self {
        let (version, newest, subdirectory) = match &pin.source {
            Source::Hub { version, newest, .. } => (Some(version.clone()), Some(newest.clone()), None),
            Source::Git { commit, subdirectory, .. } => (Some(commit.clone()), None, subdirectory.clone()),
            Source::Local { .. } | Source::Tarball { .. } => (None, None, None),
        };
        let is_local = matches!(pin.source, Source::Local { .. });
        Self { name: pin.name.clone(), version, origin: pin.origin(), subdirectory, newest, is_local }
    }
}
