//! `package-lock.yml`: what exactly was installed, so that the next installation is the same.
//!
//! dbt reads it, and strata reads dbt's. dbt tolerates no key of its own beside its own ones, so the hashes of the
//! unpacked packages stand in comments, which it reads past.

use super::resolve::{Pin, Source};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::project::{PackageOrigin, PackageRequest, Requests, hexadecimal, read_text, requests_in, yaml};
use crate::secret::Scrubber;
use crate::template::Templates;
use serde_json::{Map, Value as Json, json};
use sha1::{Digest, Sha1};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The file's name.
pub const LOCK_FILE: &str = "package-lock.yml";

/// How a comment begins that gives a hash: name and hash follow.
const HASH_COMMENT: &str = "# sha256 ";

/// A lock that was read.
#[derive(Debug)]
pub(super) struct Lock {
    /// The packages, each in one version.
    pub(super) requests: Vec<PackageRequest>,
    /// The hash of what the project asked for when the lock was written.
    pub(super) input: Option<String>,
    /// The hashes of unpacked packages, by name.
    pub(super) trees: BTreeMap<String, String>,
}

/// Reads the lock of a project, if it has one.
pub(super) fn read(root: &Path, templates: &Templates) -> Result<Option<Lock>> {
    let path = root.join(LOCK_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let file = read_text(&path, Path::new(LOCK_FILE))?;
    let unusable = |found: Diagnostics| -> Diagnostics {
        found.into_iter().map(|found| found.help("`strata deps --upgrade` writes the lock anew")).collect()
    };
    let (tree, _) = yaml::parse(&file).map_err(unusable)?;
    let (requests, _) = requests_in(&file, Some(templates)).map_err(unusable)?;
    let hashes = file.text().lines().filter_map(|line| line.strip_prefix(HASH_COMMENT)?.split_once(' '));
    Ok(Some(Lock {
        requests,
        input: tree.get("sha1_hash").and_then(yaml::Yaml::scalar_text),
        trees: hashes.map(|(name, hash)| (name.to_owned(), hash.trim().to_owned())).collect(),
    }))
}

impl Lock {
    /// Complains of packages whose files are not those that were locked. A lock without any hash, as dbt writes it,
    /// accepts all.
    pub(super) fn verify(&self, found_trees: &[(&Pin, String)]) -> Diagnostics {
        let mut found = Diagnostics::new();
        if self.trees.is_empty() {
            return found;
        }
        for (pin, hash) in found_trees {
            let message = match self.trees.get(&pin.name) {
                Some(locked) if locked == hash => continue,
                Some(_) => format!("the package `{}` is not the one that was locked: its files have changed", pin.name),
                None => format!("the lock has no hash of the package `{}`", pin.name),
            };
            found.push(
                Diagnostic::error(Code::PackageChanged, message)
                    .at(pin.span.clone(), format!("from {}", pin.origin()))
                    .note(format!("its hash is {hash}"))
                    .help("nothing was installed; if the change is right, `strata deps --upgrade` locks it"),
            );
        }
        found
    }

    /// Whether it has a hash of each package that has one at all.
    pub(super) fn is_complete(&self) -> bool {
        let hashed = self.requests.iter().filter(|request| !matches!(request.origin, PackageOrigin::Local(_)));
        hashed.count() <= self.trees.len()
    }
}

/// The text of a lock. Secrets of the environment that stand in addresses as they are get masked, as in dbt.
pub(super) fn text(pins: &[Pin], trees: &[(&Pin, String)], input: &str, scrubber: &Scrubber) -> Result<String> {
    let mut text = String::new();
    text.push_str(if pins.is_empty() { "packages: []\n" } else { "packages:\n" });
    for pin in pins {
        for (index, (key, value)) in entry(pin, scrubber).into_iter().enumerate() {
            let lead = if index == 0 { "  - " } else { "    " };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{lead}{key}: {}", yaml::to_text(&value)?.trim_end());
        }
    }
    let _ = writeln!(text, "sha1_hash: {}", yaml::to_text(input)?.trim_end());
    if !trees.is_empty() {
        text.push_str("# What is unpacked is compared with these hashes; dbt reads past them.\n");
    }
    for (pin, hash) in trees {
        let _ = writeln!(text, "{HASH_COMMENT}{} {hash}", pin.name);
    }
    Ok(text)
}

/// The keys and values of a package, in dbt's order, which is that of the alphabet.
fn entry(pin: &Pin, scrubber: &Scrubber) -> Vec<(&'static str, String)> {
    let name = ("name", pin.name.clone());
    let scrubbed = |text: &str| scrubber.scrub(text).into_owned();
    match &pin.source {
        Source::Hub { package, version, .. } => {
            vec![name, ("package", package.clone()), ("version", version.clone())]
        }
        Source::Git { written, commit, subdirectory, .. } => {
            let mut entry = vec![("git", scrubbed(written)), name, ("revision", commit.clone())];
            entry.extend(subdirectory.clone().map(|path| ("subdirectory", path)));
            entry
        }
        Source::Local { path, .. } => vec![("local", path.clone()), name],
        Source::Tarball { written, .. } => vec![name, ("tarball", scrubbed(written))],
    }
}

/// dbt's hash of what a project asks for: a lock with another one is out of date.
pub(super) fn input_hash(requests: &Requests) -> String {
    let mut texts: Vec<String> = requests.packages.iter().map(|request| python_json(&as_dbt_has_it(request))).collect();
    texts.sort();
    hexadecimal(&Sha1::digest(texts.join("\n").as_bytes()))
}

/// A request with all keys that dbt's class for it has.
fn as_dbt_has_it(request: &PackageRequest) -> Json {
    let given = |key: &str| request.rendered.get(key).cloned();
    let or_null = |key: &str| given(key).unwrap_or(Json::Null);
    let mut dict = Map::new();
    match &request.origin {
        PackageOrigin::Hub { .. } => {
            dict.insert("package".to_owned(), or_null("package"));
            dict.insert("version".to_owned(), or_null("version"));
            let prerelease = given("install_prerelease").or_else(|| given("install-prerelease"));
            dict.insert("install_prerelease".to_owned(), prerelease.unwrap_or(json!(false)));
        }
        PackageOrigin::Git { .. } => {
            for key in ["git", "revision", "subdirectory"] {
                dict.insert(key.to_owned(), or_null(key));
            }
            let warn = given("warn-unpinned").or_else(|| given("warn_unpinned"));
            dict.insert("warn-unpinned".to_owned(), warn.unwrap_or(Json::Null));
        }
        PackageOrigin::Local(_) => {
            dict.insert("local".to_owned(), or_null("local"));
        }
        PackageOrigin::Tarball { .. } => {
            dict.insert("tarball".to_owned(), or_null("tarball"));
        }
    }
    dict.extend(given("name").filter(|name| !name.is_null()).map(|name| ("name".to_owned(), name)));
    dict.insert("unrendered".to_owned(), request.written.clone());
    Json::Object(dict)
}

/// JSON as Python's `json.dumps` writes it with sorted keys.
fn python_json(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let sorted: BTreeMap<&String, &Json> = map.iter().collect();
            let pairs = sorted.into_iter().map(|(key, value)| format!("{}: {}", ascii(key), python_json(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) => ascii(text),
        other => other.to_string(),
    }
}

/// A text in quotes, with everything but ASCII escaped.
fn ascii(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    let mut escaped = String::with_capacity(quoted.len());
    for letter in quoted.chars() {
        if matches!(letter, ' '..='~') {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    fn hash(text: &str) -> String {
        let file = SourceFile::new("packages.yml", text);
        let (packages, _) = requests_in(&file, None).expect("understood");
        input_hash(&Requests { file: Some(file), packages })
    }

    /// The hashes are those that dbt 1.11 computed for these texts.
    #[test]
    fn the_hash_of_the_input_is_dbts() {
        for (text, expected) in [
            ("package: dbt-labs/dbt_utils\n    version: 1.1.1", "a158c48c59c2bb7d729d2a4e215aabe5bb4f3353"),
            (
                "package: dbt-labs/dbt_utils\n    version: [\">=1.0.0\", \"<2.0.0\"]",
                "dd1e1feb2d2bbce79e7a255cd309a60e6548df0b",
            ),
            ("package: dbt-labs/dbt_utils\n    version: 1.0", "e3d26d142a5186e726577056752d1999bb81f002"),
            (
                "package: dbt-labs/dbt_utils\n    version: \"=1.1.1\"\n    install_prerelease: true",
                "c83ca2f7c65d07e1f49ca54d886244491decf9f9",
            ),
            ("git: \"https://x/y.git\"", "f48a339deec875966716571e6eca5cf96910edd3"),
            (
                "git: \"https://x/y.git\"\n    revision: 1.0\n    warn-unpinned: false\n    subdirectory: a/b",
                "c12ed4c6fd2f11e31845403a78bb054ed257ee14",
            ),
            (
                "git: \"https://x/y.git\"\n    revision: main\n    warn-unpinned: yes\n    name: q",
                "d7c7289b8a1f3f3690f725a566594ba00a74ef52",
            ),
            ("local: ../x", "2eb88687c82ae2cd966a476e338919651d83079e"),
            ("tarball: https://ü/x.tar.gz\n    name: foo", "6bc9e94114d54c792d159877bec3063c3278d1ce"),
        ] {
            assert_eq!(hash(&format!("packages:\n  - {text}\n")), expected, "{text}");
        }
        assert_eq!(hash("packages: []\n"), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
