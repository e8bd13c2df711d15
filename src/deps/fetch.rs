//! Fetching packages from wherever they come, into the staging directory.

use super::archive::{self, LIMITS, Refused};
use super::git::Repository;
use super::http::Http;
use super::hub::Hub;
use super::place::{Placed, Staging};
use super::resolve::{Pin, Source, Wanted};
use super::tree;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::project::{
    PackageHome, PackageOrigin, PackageRequest, local_directory, project_name, requests, shown_address,
};
use crate::secret::Scrubber;
use rayon::prelude::*;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use url::Url;

/// How many packages are fetched at a time.
const AT_A_TIME: usize = 8;

/// What identifies a checkout: address, revision, directory.
type CheckoutKey = (String, Option<String>, Option<String>);

/// Everything that fetching needs.
pub(super) struct Fetcher<'a> {
    pub(super) home: &'a PackageHome,
    pub(super) http: &'a Http,
    pub(super) hub: Hub<'a>,
    pub(super) staging: &'a Staging,
    pub(super) scrubber: &'a Scrubber,
    threads: rayon::ThreadPool,
    checkouts: Mutex<HashMap<CheckoutKey, (String, PathBuf)>>,
    archives: Mutex<HashMap<String, PathBuf>>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(
        home: &'a PackageHome,
        http: &'a Http,
        hub: Hub<'a>,
        staging: &'a Staging,
        scrubber: &'a Scrubber,
    ) -> Result<Self, Diagnostic> {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(AT_A_TIME).build();
        let threads = threads
            .map_err(|cause| Diagnostic::error(Code::Internal, format!("threads cannot be started: {cause}")))?;
        let (checkouts, archives) = (Mutex::default(), Mutex::default());
        Ok(Self { home, http, hub, staging, scrubber, threads, checkouts, archives })
    }

    /// Does the same for several things at a time, whose results come in the same order.
    pub(super) fn in_parallel<T: Sync, R: Send>(&self, things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        self.threads.install(|| things.par_iter().map(&work).collect())
    }

    /// Settles what exactly a package is, which for all but those of the hub means fetching it.
    pub(super) fn pin(&self, wanted: &Wanted) -> Result<Pin> {
        let pinned = match &wanted.first().origin {
            PackageOrigin::Hub { package, .. } => self.pin_hub(package, wanted).map_err(Diagnostics::from),
            PackageOrigin::Git { url, subdirectory, .. } => self.pin_git(url, subdirectory.as_deref(), wanted),
            PackageOrigin::Local(path) => self.pin_local(path, wanted),
            PackageOrigin::Tarball { url, name } => self.pin_tarball(url, name, wanted),
        };
        pinned.map_err(|found| found.into_iter().map(|found| wanted.locate(found)).collect())
    }

    fn pin_hub(&self, package: &str, wanted: &Wanted) -> Result<Pin, Diagnostic> {
        let chosen = self.hub.choose(package, wanted)?;
        if !crate::project::config::is_name(&chosen.name) {
            let message = format!("the hub names the project of `{package}` `{}`, which cannot be a name", chosen.name);
            return Err(Diagnostic::error(Code::PackageUnsafe, message));
        }
        let span = wanted.first().span.clone();
        let moved = chosen.moved_to.map(|new| {
            Diagnostic::warning(Code::Package, format!("`{package}` has moved to `{new}`"))
                .at(span.clone(), "asked for here")
                .help(format!("ask for `{new}`"))
        });
        let (package, name) = (package.to_owned(), chosen.name);
        let source = Source::Hub { package, version: chosen.version, newest: chosen.newest, tarball: chosen.tarball };
        Ok(Pin { name, source, span, requests: chosen.requests, warnings: moved.into_iter().collect() })
    }

    fn pin_git(&self, url: &str, subdirectory: Option<&str>, wanted: &Wanted) -> Result<Pin> {
        let mut revisions: Vec<&str> = Vec::new();
        let mut warn = true;
        for request in wanted.requests() {
            let PackageOrigin::Git { revision, warn_unpinned, .. } = &request.origin else { continue };
            revisions.extend(revision.as_deref().filter(|revision| !revisions.contains(revision)));
            warn &= warn_unpinned;
        }
        if revisions.len() > 1 {
            return Err(wanted.conflict(&shown_address(url), "revision").into());
        }
        let revision = revisions.first().copied();
        let (commit, tree) = self.checkout(url, revision, subdirectory)?;
        let unpinned = match revision {
            None | Some("HEAD") => Some("its newest commit".to_owned()),
            Some(branch @ ("main" | "master")) => Some(format!("the newest commit of `{branch}`")),
            Some(_) => None,
        };
        let warnings = unpinned.filter(|_| warn).map(|what| {
            Diagnostic::warning(
                Code::Package,
                format!("{} is pinned to no version: {what} is taken", shown_address(url)),
            )
            .at(wanted.first().span.clone(), "asked for here")
            .help("give a tag or a commit as `revision`, or `warn-unpinned: false`")
        });
        let (name, requests) = self.read(&tree, Path::new(&shown_address(url)))?;
        let (written, url) = (written(wanted.first(), "git", url), url.to_owned());
        let source = Source::Git { written, url, commit, subdirectory: subdirectory.map(str::to_owned), tree };
        let span = wanted.first().span.clone();
        Ok(Pin { name, source, span, requests, warnings: warnings.into_iter().collect() })
    }

    fn checkout(
        &self,
        url: &str,
        revision: Option<&str>,
        subdirectory: Option<&str>,
    ) -> Result<(String, PathBuf), Diagnostic> {
        let key = (url.to_owned(), revision.map(str::to_owned), subdirectory.map(str::to_owned));
        let held = |all: &Mutex<HashMap<_, _>>| all.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(done) = held(&self.checkouts) {
            return Ok(done);
        }
        let repository = Repository { url, subdirectory, scrubber: self.scrubber };
        let done = repository.checkout(revision, &self.staging.fresh())?;
        self.checkouts.lock().unwrap_or_else(PoisonError::into_inner).insert(key, done.clone());
        Ok(done)
    }

    fn pin_local(&self, path: &str, wanted: &Wanted) -> Result<Pin> {
        let root = &self.home.root;
        let directory = root.join(path);
        let (name, mut requests) = self.read(&directory, Path::new(path))?;
        for request in &mut requests {
            if let PackageOrigin::Local(inner) = &mut request.origin
                && local_directory(root, &directory, inner) != root.join(&*inner)
            {
                // It counts from the package that asks; in the lock all paths count from the project, as dbt has it.
                *inner = format!("{}/{inner}", path.trim_end_matches('/'));
            }
        }
        let directory = directory.canonicalize().unwrap_or(directory);
        let source = Source::Local { path: path.to_owned(), directory };
        Ok(Pin { name, source, span: wanted.first().span.clone(), requests, warnings: vec![] })
    }

    fn pin_tarball(&self, url: &str, name: &str, wanted: &Wanted) -> Result<Pin> {
        if !crate::project::config::is_name(name) {
            return Err(Diagnostic::error(Code::PackageUnsafe, format!("`{name}` cannot be the name of a package"))
                .at(wanted.first().span.clone(), "only letters, digits and `_`, and no digit first")
                .into());
        }
        let held = self.archives.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let tree = match held {
            Some(tree) => tree,
            None => self.archive(url, name)?,
        };
        self.archives.lock().unwrap_or_else(PoisonError::into_inner).insert(url.to_owned(), tree.clone());
        let (_, requests) = self.read(&tree, Path::new(name))?;
        let source = Source::Tarball { written: written(wanted.first(), "tarball", url), url: url.to_owned(), tree };
        Ok(Pin { name: name.to_owned(), source, span: wanted.first().span.clone(), requests, warnings: vec![] })
    }

    /// What is put into place for a package, fetched if it was not yet.
    pub(super) fn placed(&self, pin: &Pin) -> Result<Placed, Diagnostic> {
        let tree = match &pin.source {
            Source::Local { directory, .. } => return Ok(Placed::Local(directory.clone())),
            Source::Git { tree, .. } | Source::Tarball { tree, .. } => tree.clone(),
            Source::Hub { tarball, .. } => {
                let tree = self.archive(tarball, &pin.name).map_err(|found| located(found, pin))?;
                project_name(&tree, Path::new(&pin.name)).map_err(|found| first(found, pin))?;
                tree
            }
        };
        let unreadable = |cause: std::io::Error| {
            located(Diagnostic::error(Code::Io, format!("`{}` cannot be read: {cause}", pin.name)), pin)
        };
        match tree::objection(&tree).map_err(unreadable)? {
            None => Ok(Placed::Tree(tree)),
            Some(words) => Err(located(unfit(&pin.name, &words), pin)),
        }
    }

    /// Fetches and unpacks an archive.
    fn archive(&self, address: &str, name: &str) -> Result<PathBuf, Diagnostic> {
        let what = format!("the package `{name}`");
        let url = Url::parse(address).map_err(|cause| no_address(address, &cause.to_string()))?;
        let file = match url.scheme() {
            "http" | "https" => {
                let file = self.staging.fresh();
                self.http.download(address, &file).map_err(|failure| failure.into_diagnostic(&what, address))?;
                file
            }
            "file" => url.to_file_path().map_err(|()| no_address(address, "it names no file of this machine"))?,
            other => return Err(no_address(address, &format!("`{other}` is not among http, https and file"))),
        };
        let failed = |words: &str| {
            Diagnostic::error(Code::PackageFetch, format!("the archive of `{name}` cannot be unpacked: {words}"))
                .note(format!("from {}", shown_address(address)))
        };
        let opened = File::open(&file).map_err(|cause| failed(&cause.to_string()))?;
        let unpacked = archive::unpack(opened, &self.staging.fresh(), LIMITS).map_err(|refused| match refused {
            Refused::Broken(words) => failed(&words),
            Refused::Unsafe(words) => unfit(name, &words).note(format!("from {}", shown_address(address))),
        })?;
        if url.scheme() != "file" {
            // The staging directory goes as a whole anyway.
            let _ = fs::remove_file(file);
        }
        Ok(unpacked)
    }

    /// The name of a package, and what it asks for. What is doubtful in its file is its author's business.
    fn read(&self, directory: &Path, shown_from: &Path) -> Result<(String, Vec<PackageRequest>)> {
        let name = project_name(directory, shown_from)?;
        let (asked, _) = requests(directory, Path::new(&name), &self.home.templates)?;
        Ok((name, asked.packages))
    }
}

/// An address as its file has it, before Jinja.
fn written(request: &PackageRequest, key: &str, rendered: &str) -> String {
    request.written[key].as_str().unwrap_or(rendered).to_owned()
}

fn no_address(address: &str, why: &str) -> Diagnostic {
    Diagnostic::error(Code::Package, format!("`{}` cannot be fetched: {why}", shown_address(address)))
}

fn unfit(name: &str, words: &str) -> Diagnostic {
    Diagnostic::error(Code::PackageUnsafe, format!("the package `{name}` is refused: {words}"))
        .help("nothing was installed; tell its author, or take another version")
}

fn located(found: Diagnostic, pin: &Pin) -> Diagnostic {
    if found.labels().is_empty() { found.at(pin.span.clone(), "asked for here") } else { found }
}

fn first(found: Diagnostics, pin: &Pin) -> Diagnostic {
    let found = found.into_iter().next();
    located(found.unwrap_or_else(|| unfit(&pin.name, "it cannot be read")), pin)
}
