//! `strata deps`: installs the packages of the project.

use super::arguments::{DepsArguments, PackageSource};
use super::{Context, Outcome};
use crate::deps::{AddedFrom, Addition, DEFAULT_HUB, DepsOptions, Installation, LOCK_FILE, ProxySettings, install};
use crate::diagnostic::Result;
use crate::project::{Environment, package_home};
use crate::report::Product;
use crate::secret::Secret;
use crate::template::SECRET_PREFIX;
use std::time::Duration;

/// How long dbt waits before it asks the hub again.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Resolves, locks and installs. No profile is needed.
pub(super) fn deps(context: &Context, arguments: &DepsArguments) -> Result<Outcome> {
    let settings = &context.settings;
    let environment = &settings.load.environment;
    let secrets = environment.variables.iter().filter(|(name, _)| name.starts_with(SECRET_PREFIX));
    secrets.for_each(|(_, value)| context.scrubber.add(&Secret::new(value.clone())));
    let addition = match &arguments.add_package {
        Some(package) => Some(Addition::parse(package, added_from(arguments.source))?),
        None => None,
    };
    let (home, warnings) = package_home(&settings.project_root, &settings.load)?;
    context.tolerate(warnings)?;
    let options = DepsOptions {
        hub: environment.get("DBT_PACKAGE_HUB_URL").unwrap_or(DEFAULT_HUB).to_owned(),
        proxy: proxy(environment),
        version_check: settings.version_check,
        upgrade: arguments.upgrade,
        lock_only: arguments.lock,
        addition,
        warnings_fail: settings.warn_error || settings.strict,
        retry_wait: RETRY_WAIT,
        scrubber: context.scrubber.clone(),
    };
    let install_path = home.install_path.clone();
    let asks = home.requests.file.is_some() || options.addition.is_some();
    let (done, warnings) = install(home, &options)?;
    context.tolerate(warnings)?;
    if !settings.quiet {
        tell(context, arguments, &done, asks, &install_path);
    }
    Ok(Outcome::Success)
}

fn tell(context: &Context, arguments: &DepsArguments, done: &Installation, asks: bool, install_path: &str) {
    let say = |text: String| context.reporter.product(&Product::Text(text));
    if !asks {
        return say("The project asks for no packages".to_owned());
    }
    if let (Some((file, removed)), Some(added)) = (&done.added_to, &arguments.add_package) {
        for former in removed {
            say(format!("Removed {former} from {file}"));
        }
        say(format!("Added {added} to {file}"));
    }
    if done.installed {
        done.packages.iter().for_each(|package| context.reporter.product(&Product::Installed(package.clone())));
    }
    if done.lock_written {
        say(format!("Wrote {LOCK_FILE}"));
    } else if arguments.lock {
        say(format!("{LOCK_FILE} is up to date"));
    }
    if done.installed {
        let count = match done.packages.len() {
            1 => "1 package is".to_owned(),
            count => format!("{count} packages are"),
        };
        say(format!("{count} in {install_path}/"));
    }
    let newer =
        |package: &&crate::deps::InstalledPackage| package.newest != package.version && package.newest.is_some();
    let newer: Vec<&str> = done.packages.iter().filter(newer).map(|package| package.name.as_str()).collect();
    if !newer.is_empty() {
        say(format!(
            "There are newer versions of {}: mend the versions asked for, then `strata deps --upgrade`",
            newer.join(", ")
        ));
    }
}

fn added_from(source: PackageSource) -> AddedFrom {
    match source {
        PackageSource::Hub => AddedFrom::Hub,
        PackageSource::Git => AddedFrom::Git,
        PackageSource::Local => AddedFrom::Local,
    }
}

fn proxy(environment: &Environment) -> ProxySettings {
    let either =
        |lower: &str, upper: &str| environment.get(lower).or_else(|| environment.get(upper)).map(str::to_owned);
    ProxySettings { proxy: either("https_proxy", "HTTPS_PROXY"), direct: either("no_proxy", "NO_PROXY") }
}
