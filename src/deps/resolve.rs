//! From what a project asks for to packages that are pinned, those included that packages ask for themselves.
//!
//! The rounds are dbt's, so that the result is the same: each round takes the packages that the former one asked for,
//! pins each with all that was asked of it so far, and reads what it asks for itself.

use super::fetch::Fetcher;
use super::lock::Lock;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span};
use crate::project::{PackageHome, PackageOrigin, PackageRequest, shown_address};
use indexmap::{IndexMap, IndexSet};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// One package that is asked for, and by whom.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) request: PackageRequest,
    /// The name of the project or package that asks.
    pub(super) asker: Arc<str>,
}

/// One package, with all that is asked of it; never empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    asks: Vec<Ask>,
}

/// A package of which is known what exactly to install.
#[derive(Debug, Clone)]
pub(super) struct Pin {
    /// The project's name, which is that of its directory, too.
    pub(super) name: String,
    pub(super) source: Source,
    /// Where it is asked for.
    pub(super) span: Span,
    /// What it asks for itself.
    pub(super) requests: Vec<PackageRequest>,
    /// What is doubtful about it.
    pub(super) warnings: Vec<Diagnostic>,
}

/// Where exactly a pinned package comes from. What is `written` may still hold Jinja, and no secret by that.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Hub { package: String, version: String, newest: String, tarball: String },
    Git { written: String, url: String, commit: String, subdirectory: Option<String>, tree: PathBuf },
    Local { path: String, directory: PathBuf },
    Tarball { written: String, url: String, tree: PathBuf },
}

impl Wanted {
    pub(super) fn of(ask: Ask) -> Self {
        Self { asks: vec![ask] }
    }

    /// The request that was there first.
    pub(super) fn first(&self) -> &PackageRequest {
        // Made with one, and never emptied.
        &self.asks[0].request
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &PackageRequest> {
        self.asks.iter().map(|ask| &ask.request)
    }

    /// That the versions or revisions asked for exclude each other: who asks for which, and where.
    pub(super) fn conflict(&self, package: &str, what: &str) -> Diagnostic {
        let mut found = Diagnostic::error(
            Code::PackageVersion,
            format!("no {what} of `{package}` is right for all that ask for it"),
        );
        for ask in &self.asks {
            let asked = match &ask.request.origin {
                PackageOrigin::Hub { version, .. } => version.join(", "),
                PackageOrigin::Git { revision: Some(revision), .. } => revision.clone(),
                _ => continue,
            };
            found = found.at(ask.request.version_span.clone(), format!("`{}` asks for {asked}", ask.asker));
        }
        found.help("widen what the project asks for, or take other versions of the packages that ask")
    }

    /// A finding about this package at its place, if it has none of its own.
    pub(super) fn locate(&self, found: Diagnostic) -> Diagnostic {
        if found.labels().is_empty() { found.at(self.first().span.clone(), "asked for here") } else { found }
    }
}

/// What is the same package, whatever version of it is asked for.
pub(super) fn key(origin: &PackageOrigin) -> String {
    match origin {
        PackageOrigin::Hub { package, .. } => format!("hub {package}"),
        PackageOrigin::Git { url, subdirectory, .. } => {
            let url = url.strip_suffix(".git").unwrap_or(url);
            format!("git {url} {}", subdirectory.as_deref().unwrap_or_default())
        }
        PackageOrigin::Local(path) => format!("local {path}"),
        PackageOrigin::Tarball { url, .. } => format!("tarball {url}"),
    }
}

impl Pin {
    /// What tells this version of the package from others of it.
    fn version(&self) -> &str {
        match &self.source {
            Source::Hub { version, .. } => version,
            Source::Git { commit, .. } => commit,
            Source::Local { .. } | Source::Tarball { .. } => "",
        }
    }

    /// Where it comes from, in words that may be shown.
    pub(super) fn origin(&self) -> String {
        match &self.source {
            Source::Hub { package, .. } => format!("{package} on the hub"),
            Source::Git { url, .. } | Source::Tarball { url, .. } => shown_address(url),
            Source::Local { path, .. } => path.clone(),
        }
    }
}

/// Pins all that a project asks for, and all that this asks for.
pub(super) fn resolve(fetcher: &Fetcher<'_>, home: &PackageHome) -> Result<(Vec<Pin>, Diagnostics)> {
    let mut listing: IndexMap<String, Wanted> = IndexMap::new();
    let mut results: IndexMap<String, Result<Pin, Diagnostics>> = IndexMap::new();
    let mut read: BTreeSet<(String, String)> = BTreeSet::new();
    let asker: Arc<str> = home.name.as_str().into();
    let ask = |asker: &Arc<str>, request: &PackageRequest| Ask { request: request.clone(), asker: Arc::clone(asker) };
    let mut round: Vec<Ask> = home.requests.packages.iter().map(|request| ask(&asker, request)).collect();
    while !round.is_empty() {
        let mut keys = IndexSet::new();
        for ask in round.drain(..) {
            let key = key(&ask.request.origin);
            listing.entry(key.clone()).or_default().asks.push(ask);
            keys.insert(key);
        }
        let keys: Vec<String> = keys.into_iter().collect();
        let pinned = fetcher.in_parallel(&keys, |key| fetcher.pin(&listing[key]));
        for (key, result) in keys.into_iter().zip(pinned) {
            // A version that was read asks for nothing new; so a circle comes to its end.
            if let Ok(pin) = &result
                && read.insert((key.clone(), pin.version().to_owned()))
            {
                let asker: Arc<str> = pin.name.as_str().into();
                round.extend(pin.requests.iter().map(|request| ask(&asker, request)));
            }
            results.insert(key, result);
        }
    }
    let mut found = Diagnostics::new();
    let mut pins = IndexMap::new();
    for key in listing.keys() {
        let pin = results.swap_remove(key).and_then(|result| found.keep(result));
        pins.extend(pin.map(|pin| (key.clone(), pin)));
    }
    report_circles(&pins, &mut found);
    let pins: Vec<Pin> = pins.into_values().collect();
    check_names(&pins, Some(&home.name), &mut found);
    found.extend(pins.iter().flat_map(|pin| pin.warnings.iter().cloned()));
    found.into_result(pins)
}

/// Pins what a lock names, and nothing else.
pub(super) fn locked(fetcher: &Fetcher<'_>, lock: &Lock) -> Result<(Vec<Pin>, Diagnostics)> {
    let asker: Arc<str> = "package-lock.yml".into();
    let pinned = fetcher.in_parallel(&lock.requests, |request| {
        fetcher.pin(&Wanted::of(Ask { request: request.clone(), asker: Arc::clone(&asker) }))
    });
    let mut found = Diagnostics::new();
    let pins: Vec<Pin> = pinned.into_iter().filter_map(|result| found.keep(result)).collect();
    check_names(&pins, None, &mut found);
    found.into_result(pins)
}

/// Two packages of one name would lie in one directory, and a package cannot have the project's name.
fn check_names(pins: &[Pin], project: Option<&str>, found: &mut Diagnostics) {
    let mut by_name: BTreeMap<&str, Vec<&Pin>> = BTreeMap::new();
    for pin in pins {
        by_name.entry(&pin.name).or_default().push(pin);
    }
    for (name, pins) in by_name {
        if project == Some(name) {
            found.push(
                Diagnostic::error(Code::Package, format!("a package has the project's own name, `{name}`"))
                    .at(pins[0].span.clone(), "asked for here")
                    .help("names of packages must differ: rename the project"),
            );
        }
        if pins.len() > 1 {
            let message = format!("{} packages have the name `{name}`", pins.len());
            let labelled = pins.iter().fold(Diagnostic::error(Code::Package, message), |found, pin| {
                found.at(pin.span.clone(), format!("from {}", pin.origin()))
            });
            found.push(labelled.help("ask for it at one place only; a package that asks for it counts too"));
        }
    }
}

/// Packages that ask for each other: dbt would never come to an end with them.
fn report_circles(pins: &IndexMap<String, Pin>, found: &mut Diagnostics) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in pins.keys() {
        // The way from `start`, and how many of each one's requests were followed.
        let mut way: Vec<(&str, usize)> = vec![(start, 0)];
        while let Some((at, next)) = way.last_mut() {
            let (at, index) = (*at, *next);
            *next += 1;
            let request = pins.get(at).filter(|_| !done.contains(at)).and_then(|pin| pin.requests.get(index));
            let Some(request) = request else {
                done.insert(at);
                way.pop();
                continue;
            };
            let Some((to, _)) = pins.get_key_value(&key(&request.origin)) else { continue };
            match way.iter().position(|(before, _)| before == to) {
                Some(position) => found.push(circle(pins, &way[position..], request)),
                None => way.push((to, 0)),
            }
        }
    }
}

fn circle(pins: &IndexMap<String, Pin>, way: &[(&str, usize)], closing: &PackageRequest) -> Diagnostic {
    let mut names: Vec<&str> = way.iter().filter_map(|(key, _)| Some(pins.get(*key)?.name.as_str())).collect();
    names.extend(names.first().copied());
    Diagnostic::error(Code::Package, format!("packages ask for each other in a circle: {}", names.join(" → ")))
        .at(closing.span.clone(), "this closes the circle")
}
