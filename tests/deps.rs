//! Packages installed from a hub on loopback, from repositories made here, from archives and directories.

use crate::support::hub::{Hub, archive};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use strata::deps::{AddedFrom, Addition, DepsOptions, Installation, ProxySettings, install};
use strata::diagnostic::{Diagnostic, Diagnostics, Result, Style, render};
use strata::project::{Environment, LoadOptions, package_home};
use strata::secret::{Scrubber, Secret};
use tempfile::TempDir;

/// A project in a directory of its own, with room for repositories and archives beside it.
struct Stage {
    directory: TempDir,
    hub: Hub,
    variables: BTreeMap<String, String>,
}

impl Stage {
    fn new(packages: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let stage = Self { directory, hub: Hub::start(), variables: BTreeMap::new() };
        stage.write("shop/dbt_project.yml", "name: shop\nprofile: shop\n");
        stage.write("shop/packages.yml", packages);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The lock without the hashes of strata: what dbt writes.
    fn lock(&self) -> String {
        let text = self.read("shop/package-lock.yml").replace(&self.path("").display().to_string(), "[dir]/");
        text.replace(&self.hub.url(), "[hub]")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn deps(&self) -> Result<(Installation, Diagnostics)> {
        self.deps_with(|_| {})
    }

    fn deps_with(&self, change: impl FnOnce(&mut DepsOptions)) -> Result<(Installation, Diagnostics)> {
        let environment =
            Environment { variables: Arc::new(self.variables.clone()), home: None, now: chrono::DateTime::UNIX_EPOCH };
        let load = LoadOptions {
            profiles_dir: None,
            profile: None,
            target: None,
            variables: json!({"where": "../loc"}).as_object().expect("an object").clone(),
            target_path: None,
            environment: Arc::new(environment),
        };
        let (home, _) = package_home(&self.path("shop"), &load)?;
        let scrubber = Scrubber::default();
        let secrets = self.variables.iter().filter(|(name, _)| name.starts_with("DBT_ENV_SECRET_"));
        secrets.for_each(|(_, value)| scrubber.add(&Secret::new(value.as_str())));
        let mut options = DepsOptions {
            hub: self.hub.url(),
            proxy: ProxySettings::default(),
            version_check: true,
            upgrade: false,
            lock_only: false,
            addition: None,
            warnings_fail: false,
            retry_wait: Duration::ZERO,
            scrubber: scrubber.clone(),
        };
        change(&mut options);
        install(home, &options).inspect_err(|found| {
            // What is shown passes the scrubber, as on its way to a terminal.
            assert!(!self.shown(found, &scrubber).contains("hunter22"));
        })
    }

    fn shown(&self, found: &Diagnostics, scrubber: &Scrubber) -> String {
        let frames: Vec<String> = found.iter().map(|found| render(found, Style::Plain)).collect();
        let text = scrubber.scrub(&frames.join("\n\n")).replace(&self.hub.url(), "[hub]");
        text.replace(&self.path("").display().to_string(), "[dir]/")
    }

    /// The frames of what went wrong.
    fn refused(&self) -> String {
        let found = self.deps().expect_err("something is wrong");
        self.shown(&found, &Scrubber::default())
    }

    /// The names below `dbt_packages`, each with the text of its `marker` file.
    fn installed(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("shop/dbt_packages")) else { return vec![] };
        let mut found: Vec<String> = entries
            .flatten()
            .map(|entry| {
                let marker = fs::read_to_string(entry.path().join("marker")).unwrap_or_default();
                format!("{} {marker}", entry.file_name().to_string_lossy()).trim_end().to_owned()
            })
            .collect();
        found.sort();
        found
    }

    /// An address in Jinja, so that frames do not depend on where temporary directories lie.
    fn let_env_say(&mut self, repository: &str) {
        let path = self.path(repository).display().to_string();
        self.variables.insert("REPOSITORY".to_owned(), path);
    }

    /// A repository with a package at its top and one in a directory: tag `v1`, branch `main` ahead of it.
    fn repository(&self, name: &str) -> Vec<String> {
        let at = self.path(name);
        fs::create_dir_all(&at).expect("made");
        git(&at, &["init", "--quiet", "--initial-branch=main"]);
        let mut commits = Vec::new();
        for (marker, tag) in [("one", Some("v1")), ("two", None)] {
            self.write(&format!("{name}/dbt_project.yml"), &format!("name: {name}\n"));
            self.write(&format!("{name}/marker"), marker);
            self.write(&format!("{name}/deep/inner/dbt_project.yml"), &format!("name: {name}_inner\n"));
            self.write(&format!("{name}/deep/inner/marker"), marker);
            git(&at, &["add", "."]);
            git(&at, &["commit", "--quiet", "-m", marker]);
            if let Some(tag) = tag {
                git(&at, &["tag", "-a", tag, "-m", tag]);
            }
            commits.push(git(&at, &["rev-parse", "HEAD"]));
        }
        commits
    }
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let output =
        Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// `date` asks for `utils`, as the project does.
fn publish_family(hub: &Hub) {
    for version in ["1.0.0", "1.1.0", "1.2.0", "2.0.0"] {
        hub.publish("acme/utils", version, json!([]), &[("marker", version)]);
    }
    let asks = json!([{"package": "acme/utils", "version": [">=1.0.0", "<1.2.0"]}]);
    hub.publish("acme/date", "0.5.0", asks, &[("marker", "0.5.0")]);
}

#[test]
fn ranges_of_all_who_ask_are_taken_together() {
    let stage = Stage::new(
        "packages:\n  - package: acme/date\n    version: 0.5.0\n  - package: acme/utils\n    version: [\">=1.0.0\", \"<2.0.0\"]\n",
    );
    publish_family(&stage.hub);
    let (done, warnings) = stage.deps().expect("installed");
    assert!(warnings.is_empty() && done.lock_written && done.installed);
    assert_eq!(stage.installed(), ["date 0.5.0", "utils 1.1.0"]);
    let newest: Vec<_> = done.packages.iter().map(|package| package.newest.as_deref()).collect();
    assert_eq!(newest, [Some("0.5.0"), Some("2.0.0")]);
    // What dbt 1.11 writes for the same hub.
    insta::assert_snapshot!(stage.lock());
}

#[test]
fn the_lock_holds_until_it_is_asked_for_newer_ones() {
    let stage = Stage::new("packages:\n  - package: acme/utils\n    version: [\">=1.0.0\", \"<2.0.0\"]\n");
    publish_family(&stage.hub);
    stage.deps().expect("installed");
    let lock = stage.read("shop/package-lock.yml");
    stage.hub.publish("acme/utils", "1.3.0", json!([]), &[("marker", "1.3.0")]);
    let (again, _) = stage.deps().expect("installed");
    assert!(!again.lock_written);
    assert_eq!((stage.installed(), stage.read("shop/package-lock.yml")), (vec!["utils 1.2.0".to_owned()], lock));
    stage.hub.take_asked();
    let (only_lock, _) = stage.deps_with(|options| options.lock_only = true).expect("nothing to do");
    assert!(!only_lock.lock_written && stage.hub.take_asked().is_empty(), "a lock that is up to date asks nobody");
    let upgraded = stage.deps_with(|options| (options.upgrade, options.lock_only) = (true, true)).expect("locked");
    assert!(upgraded.0.lock_written && !upgraded.0.installed);
    assert_eq!(stage.installed(), ["utils 1.2.0"], "--lock installs nothing");
    stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["utils 1.3.0"]);
    // Asking for something else makes the lock void.
    stage.write("shop/packages.yml", "packages:\n  - package: acme/utils\n    version: 1.0.0\n");
    assert!(stage.deps().expect("installed").0.lock_written);
    assert_eq!(stage.installed(), ["utils 1.0.0"]);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let stage = Stage::new(
        "packages:\n  - package: acme/utils\n    version: 2.0.0\n  - package: acme/date\n    version: 0.5.0\n  - package: acme/utls\n    version: 1.0.0\n  - package: acme/odd\n    version: \">=1.0.0,<2.0.0\"\n  - package: acme/new\n    version: \">=3.0.0\"\n  - local: ../nowhere\n",
    );
    publish_family(&stage.hub);
    stage.hub.publish("acme/new", "1.0.0", json!([]), &[]);
    insta::assert_snapshot!(stage.refused());
    assert!(stage.installed().is_empty() && !stage.path("shop/package-lock.yml").exists());
}

#[test]
fn names_must_differ_and_circles_end() {
    let mut stage = Stage::new(
        "packages:\n  - git: \"file://{{ env_var('REPOSITORY') }}\"\n    revision: v1\n  - package: acme/utils\n    version: 1.0.0\n  - package: acme/shop\n    version: 1.0.0\n",
    );
    stage.repository("utils");
    stage.let_env_say("utils");
    stage.hub.publish("acme/utils", "1.0.0", json!([]), &[]);
    stage.hub.publish("acme/shop", "1.0.0", json!([]), &[]);
    insta::assert_snapshot!("names_must_differ", stage.refused());
    let ask = |name: &str| json!([{"package": name, "version": "1.0.0"}]);
    stage.hub.publish("acme/a", "1.0.0", ask("acme/b"), &[]);
    stage.hub.publish("acme/b", "1.0.0", ask("acme/c"), &[]);
    stage.hub.publish("acme/c", "1.0.0", ask("acme/b"), &[]);
    stage.write("shop/packages.yml", "packages:\n  - package: acme/a\n    version: 1.0.0\n");
    insta::assert_snapshot!("circles_end", stage.refused());
}

#[test]
fn versions_for_another_dbt_and_prereleases_wait_to_be_asked_for() {
    let stage = Stage::new("packages:\n  - package: acme/utils\n    version: \">=1.0.0\"\n");
    for version in ["1.0.0", "1.1.0", "2.0.0", "3.0.0-rc1"] {
        stage.hub.publish("acme/utils", version, json!([]), &[("marker", version)]);
    }
    stage.hub.edit("acme/utils", |json| {
        json["versions"]["1.1.0"]["require_dbt_version"] = json!([">=1.3.0", "<2.0.0"]);
        json["versions"]["2.0.0"]["require_dbt_version"] = json!(">=2.0.0,<3.0.0");
        json["redirectnamespace"] = json!("better");
    });
    let (_, warnings) = stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["utils 1.1.0"]);
    assert_eq!(warnings.iter().next().map(Diagnostic::message), Some("`acme/utils` has moved to `better/utils`"));
    stage.deps_with(|options| (options.upgrade, options.version_check) = (true, false)).expect("installed");
    assert_eq!(stage.installed(), ["utils 2.0.0"]);
    stage.write("shop/packages.yml", "packages:\n  - package: acme/utils\n    version: \">=2.0.0\"\n");
    insta::assert_snapshot!("for_another_dbt", stage.refused());
    stage.write(
        "shop/packages.yml",
        "packages:\n  - package: acme/utils\n    version: \">=1.0.0\"\n    install-prerelease: true\n",
    );
    stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["utils 3.0.0-rc1"]);
}

#[test]
fn what_fails_for_a_while_is_tried_again_and_what_fails_for_good_changes_nothing() {
    let stage = Stage::new("packages:\n  - package: acme/utils\n    version: 1.0.0\n");
    publish_family(&stage.hub);
    let (document, tarball) = ("/api/v1/acme/utils.json", "/archives/acme/utils/1.1.0.tar.gz");
    stage.hub.fail(document, 5);
    stage.deps().expect("the sixth time works");
    stage.write("shop/packages.yml", "packages:\n  - package: acme/utils\n    version: 1.1.0\n");
    let lock = stage.read("shop/package-lock.yml");
    stage.hub.fail(tarball, 99);
    insta::assert_snapshot!("never_comes", stage.refused());
    assert_eq!(stage.hub.take_asked().iter().filter(|path| path.as_str() == tarball).count(), 6);
    // Not even the lock, and nothing is left beside the packages.
    assert_eq!((stage.installed(), stage.read("shop/package-lock.yml")), (vec!["utils 1.0.0".to_owned()], lock));
    assert!(!stage.path("shop/.dbt_packages.strata-new").exists());
}

#[test]
fn a_package_that_changed_behind_the_lock_is_refused() {
    let stage = Stage::new("packages:\n  - package: acme/utils\n    version: 1.0.0\n");
    publish_family(&stage.hub);
    stage.deps().expect("installed");
    let files = [("dbt_project.yml", "name: utils\n"), ("marker", "evil")];
    stage.hub.put("/archives/acme/utils/1.0.0.tar.gz", archive("utils-1.0.0", &files));
    let refused = stage.refused();
    assert!(
        refused.starts_with("error[package-changed]: the package `utils` is not the one that was locked"),
        "{refused}"
    );
    assert_eq!(stage.installed(), ["utils 1.0.0"]);
    // A lock as dbt writes it has no hashes: everything fits, until `--lock` adds them.
    let without = stage.lock() + "\n";
    stage.write("shop/package-lock.yml", &without);
    assert!(!stage.deps().expect("installed").0.lock_written);
    assert_eq!(stage.installed(), ["utils evil"]);
    stage.deps_with(|options| options.lock_only = true).expect("locked");
    assert!(stage.read("shop/package-lock.yml").contains("# sha256 utils "));
    stage.deps_with(|options| options.upgrade = true).expect("installed");
}

#[test]
fn attacks_of_archives_change_nothing() {
    let stage = Stage::new("packages:\n  - package: acme/utils\n    version: 1.0.0\n");
    publish_family(&stage.hub);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    builder.append_link(&mut header, "utils/marker", "../../../../etc/passwd").expect("in memory");
    let mut plain = tar::Header::new_gnu();
    plain.set_size(12);
    builder.append_data(&mut plain, "utils/dbt_project.yml", &b"name: utils\n"[..]).expect("in memory");
    let bytes = builder.into_inner().and_then(flate2::write::GzEncoder::finish).expect("in memory");
    stage.hub.put("/archives/acme/utils/1.0.0.tar.gz", bytes);
    let refused = stage.refused();
    assert!(
        refused.starts_with("error[package-unsafe]: the package `utils` is refused: the link `marker` leads"),
        "{refused}"
    );
    stage.hub.edit("acme/utils", |json| json["versions"]["1.0.0"]["name"] = json!("../../evil"));
    assert!(stage.refused().starts_with("error[package-unsafe]"));
    assert!(stage.installed().is_empty() && !stage.path("evil").exists());
}

#[test]
fn repositories_give_tags_branches_commits_and_directories() {
    let stage = Stage::new("");
    let commits = stage.repository("tools");
    let url = format!("file://{}", stage.path("tools").display());
    let install = |entry: &str| {
        stage.write("shop/packages.yml", &format!("packages:\n  - git: \"{url}\"\n    {entry}\n"));
        let (done, warnings) =
            stage.deps().unwrap_or_else(|found| panic!("{entry}: {}", stage.shown(&found, &Scrubber::default())));
        (stage.installed(), done.packages[0].version.clone().unwrap_or_default(), warnings.len())
    };
    let (first, second) = (commits[0].clone(), commits[1].clone());
    assert_eq!(install("revision: v1"), (vec!["tools one".to_owned()], first.clone(), 0));
    assert_eq!(install("revision: main"), (vec!["tools two".to_owned()], second.clone(), 1));
    assert_eq!(install("warn-unpinned: false"), (vec!["tools two".to_owned()], second.clone(), 0));
    assert_eq!(install(&format!("revision: {first}")), (vec!["tools one".to_owned()], first.clone(), 0));
    let abbreviated = format!("revision: \"{}\"", &first[..9]);
    assert_eq!(install(&abbreviated), (vec!["tools one".to_owned()], first.clone(), 0));
    assert_eq!(install("revision: v1\n    subdirectory: deep/inner").0, ["tools_inner one"]);
    assert!(!stage.path("shop/dbt_packages/tools_inner/.git").exists());
    let lock = stage.lock().replace(&first, "[first]");
    let (packages, _) = lock.split_once("sha1_hash: ").expect("a hash of what was asked for, the address included");
    insta::assert_snapshot!("lock_of_a_repository", packages);
}

#[test]
fn what_git_would_misunderstand_is_refused() {
    let mut stage = Stage::new("");
    stage.repository("tools");
    let url = format!("file://{}", stage.path("tools").display());
    let refused = |git: &str, more: &str| {
        stage.write("shop/packages.yml", &format!("packages:\n  - git: \"{git}\"\n{more}"));
        let shown = stage.refused();
        shown.lines().next().unwrap_or_default().to_owned()
    };
    let frames = [
        refused("--upload-pack=touch /tmp/strata_evil", ""),
        refused(&url, "    revision: --help\n"),
        refused(&url, "    revision: a..b\n"),
        refused(&url, "    revision: v2\n"),
        refused(&url, "    revision: v1\n    subdirectory: ../outside\n"),
        refused(&url, "    revision: v1\n    subdirectory: nowhere\n"),
        refused("ext::sh -c touch% /tmp/strata_evil", ""),
    ];
    assert!(!Path::new("/tmp/strata_evil").exists());
    insta::assert_snapshot!(frames.join("\n"));
    stage.write(
        "shop/packages.yml",
        "packages:\n  - git: \"file://{{ env_var('REPOSITORY') }}\"\n    revision: v1\n  - git: \"file://{{ env_var('REPOSITORY') }}.git\"\n    revision: main\n",
    );
    stage.let_env_say("tools");
    insta::assert_snapshot!("two_revisions", stage.refused());
}

#[test]
fn secrets_in_addresses_are_never_shown() {
    let mut stage = Stage::new(
        "packages:\n  - git: \"http://{{ env_var('DBT_ENV_SECRET_GIT') }}@[hub]/a.git\"\n    revision: v1\n  - tarball: \"http://me:hunter22@[hub]/no.tar.gz?key=hunter22\"\n    name: no\n",
    );
    let host = stage.hub.url().replace("http://", "");
    stage.write("shop/packages.yml", &stage.read("shop/packages.yml").replace("[hub]", &host));
    stage.variables.insert("DBT_ENV_SECRET_GIT".to_owned(), "hunter22".to_owned());
    let found = stage.deps().expect_err("there is nothing");
    let shown = stage.shown(&found, &Scrubber::new([&Secret::new("hunter22")])).replace(&host, "[host]");
    assert_eq!(found.len(), 2, "{shown}");
    assert!(shown.contains("http://*****@[host]/a.git"), "{shown}");
    // Its words alone, without the line of the file that holds it, have no secret even before they are scrubbed.
    assert!(found.iter().all(|found| !found.message().contains("hunter22")));
}

#[test]
fn directories_are_linked_and_their_packages_too() {
    let stage = Stage::new("packages:\n  - local: \"{{ var('where') }}\"\n");
    stage.write("loc/dbt_project.yml", "name: loc\n");
    stage.write("loc/packages.yml", "packages:\n  - local: ../from_project\n  - local: inside\n");
    stage.write("from_project/dbt_project.yml", "name: from_project\n");
    stage.write("loc/inside/dbt_project.yml", "name: inside\n");
    stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["from_project", "inside", "loc"]);
    assert!(fs::read_link(stage.path("shop/dbt_packages/inside")).is_ok_and(|to| to.ends_with("loc/inside")));
    insta::assert_snapshot!(stage.lock());
    assert!(!stage.read("shop/package-lock.yml").contains('#'), "directories have no hashes");
    stage.deps().expect("installed from the lock");
}

#[test]
fn archives_come_from_files_and_servers() {
    let stage = Stage::new("");
    let files =
        [("dbt_project.yml", "name: tools\n"), ("marker", "1"), ("packages.yml", "packages:\n  - local: ../loc\n")];
    stage.write("loc/dbt_project.yml", "name: loc\n");
    fs::write(stage.path("tools.tar.gz"), archive("tools-1", &files)).expect("written");
    let asks = |url: &str, name: &str| {
        stage.write("shop/packages.yml", &format!("packages:\n  - tarball: {url}\n    name: {name}\n"));
    };
    let file = format!("file://{}", stage.path("tools.tar.gz").display());
    asks(&file, "tools");
    stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["loc", "tools 1"]);
    let mut frames = Vec::new();
    for (url, name) in [
        (file.as_str(), "../evil"),
        ("ftp://h/x.tar.gz", "x"),
        ("x.tar.gz", "x"),
        (&format!("{}/x.tar.gz", stage.hub.url()), "x"),
    ] {
        asks(url, name);
        frames.push(stage.refused().lines().next().unwrap_or_default().to_owned());
    }
    insta::assert_snapshot!(frames.join("\n"));
}

#[test]
fn a_package_is_added_only_if_it_can_be_installed() {
    let text = "# ours\npackages:\n  - package: acme/date # dates\n    version: 0.5.0\n";
    let stage = Stage::new(text);
    publish_family(&stage.hub);
    let add = |package: &str| {
        let addition = Addition::parse(package, AddedFrom::Hub).expect("understood");
        stage.deps_with(|options| options.addition = Some(addition))
    };
    add("acme/utils@2.0.0").expect_err("`date` asks for an older one");
    assert_eq!(stage.read("shop/packages.yml"), text);
    add("acme/utils@>=1.0.0,<2.0.0").expect("installed");
    assert_eq!(
        stage.read("shop/packages.yml"),
        format!("{text}  - package: acme/utils\n    version: [\">=1.0.0\", \"<2.0.0\"]\n")
    );
    assert_eq!(stage.installed(), ["date 0.5.0", "utils 1.1.0"]);
}

#[test]
fn the_two_files_have_their_rules() {
    let stage = Stage::new("packages:\n  - local: ../loc\nprojects: [x]\n");
    stage.write("loc/dbt_project.yml", "name: loc\n");
    stage.write("shop/dependencies.yml", "packages:\n  - local: \"{{ var('where') }}\"\n  - private: acme/x\n  - package: utils\n    version: 1.0.0\n  - package: acme/x\n  - git: \"\"\n");
    insta::assert_snapshot!(stage.refused());
    fs::remove_file(stage.path("shop/packages.yml")).expect("removed");
    stage.write("shop/dependencies.yml", "packages:\n  - local: ../loc\n");
    stage.deps().expect("installed");
    assert_eq!(stage.installed(), ["loc"]);
    stage.write("shop/dependencies.yml", "packages: []\n");
    stage.deps().expect("nothing is left");
    assert_eq!((stage.installed(), stage.lock().lines().next()), (vec![], Some("packages: []")));
}

#[test]
fn warnings_that_count_as_errors_change_nothing() {
    let mut stage = Stage::new("packages:\n  - git: \"file://{{ env_var('REPOSITORY') }}\"\n");
    stage.repository("tools");
    stage.let_env_say("tools");
    stage.deps_with(|options| options.warnings_fail = true).expect_err("it is pinned to nothing");
    assert!(stage.installed().is_empty() && !stage.path("shop/package-lock.yml").exists());
    let (_, warnings) = stage.deps().expect("installed");
    insta::assert_snapshot!(stage.shown(&warnings, &Scrubber::default()));
}
