//! `--add-package`: one more entry in `packages.yml`, whose text stays as it is otherwise.

use crate::diagnostic::{Code, Diagnostic, Result, SourceFile};
use crate::project::yaml::{self, Yaml, YamlValue};
use std::sync::Arc;

/// Where an added package comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddedFrom {
    /// The package hub.
    Hub,
    /// A git repository.
    Git,
    /// A directory.
    Local,
}

/// A package to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// Its name on the hub, its address or its directory.
    pub package: String,
    /// Its version or revision; conditions with commas between; none for directories.
    pub version: Option<String>,
    /// Where it comes from.
    pub from: AddedFrom,
}

/// A file with one more entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) text: String,
    /// What entries were for the same package, and are gone.
    pub(super) removed: Vec<String>,
}

impl Addition {
    /// Reads `dbt-labs/dbt_utils@1.3.0`, `https://host/a.git@main`, `../shared`. The `@` within an address
    /// (`git@host:a.git`) is none before a version.
    pub fn parse(text: &str, from: AddedFrom) -> Result<Self, Diagnostic> {
        let whole = Self { package: text.to_owned(), version: None, from };
        if from == AddedFrom::Local {
            return Ok(whole);
        }
        let path = match from {
            AddedFrom::Git => path_start(text),
            AddedFrom::Hub | AddedFrom::Local => 0,
        };
        match text[path..].rsplit_once('@') {
            Some((package, version)) if !version.is_empty() => {
                let package = text[..path + package.len()].to_owned();
                Ok(Self { package, version: Some(version.to_owned()), from })
            }
            _ => Err(Diagnostic::error(Code::Usage, format!("--add-package needs a version: {text}@…")).help(
                match from {
                    AddedFrom::Git => "name a tag, branch or commit: --add-package https://host/repository.git@1.0.0",
                    _ => "such as --add-package dbt-labs/dbt_utils@1.3.0, or @\">=1.0.0,<2.0.0\"",
                },
            )),
        }
    }

    /// The lines of its entry; the first one without the hyphen, the others to be indented.
    fn lines(&self) -> Result<Vec<String>> {
        let (key, version_key) = match self.from {
            AddedFrom::Hub => ("package", "version"),
            AddedFrom::Git => ("git", "revision"),
            AddedFrom::Local => ("local", ""),
        };
        let scalar = |text: &str| yaml::to_text(text).map(|text| text.trim_end().to_owned());
        let mut lines = vec![format!("{key}: {}", scalar(&self.package)?)];
        if let Some(version) = &self.version {
            let parts: Vec<String> = version.split(',').map(|part| format!("{:?}", part.trim())).collect();
            let written = match parts.as_slice() {
                [_] => scalar(version.trim())?,
                parts => format!("[{}]", parts.join(", ")),
            };
            lines.push(format!("{version_key}: {written}"));
        }
        Ok(lines)
    }

    /// Whether an entry's address is that of the same package, by the name's last part, with `-` and `_` alike: as in
    /// dbt, also where the one is on the hub and the other one in a repository.
    fn is_same(&self, address: &str) -> bool {
        let alike = |text: &str| text.replace('-', "_");
        let (name, address) = (alike(&self.package), alike(address));
        let short = name.trim_end_matches('/').rsplit('/').next().unwrap_or(&name).to_owned();
        let short = short.strip_suffix(".git").unwrap_or(&short);
        let is_boundary = |letter: Option<char>| letter.is_none_or(|letter| matches!(letter, '/' | '.' | ':'));
        [name.as_str(), short].into_iter().filter(|text| !text.is_empty()).any(|text| {
            address.match_indices(text).any(|(at, _)| {
                let before = address[..at].chars().next_back();
                let after = address[at + text.len()..].chars().next();
                is_boundary(before) && is_boundary(after)
            })
        })
    }
}

/// Where the path of a repository's address begins, behind user and host.
fn path_start(address: &str) -> usize {
    if let Some(scheme) = address.find("://") {
        let host = scheme + 3;
        return address[host..].find('/').map_or(address.len(), |at| host + at);
    }
    address.find(':').map_or(0, |at| at + 1)
}

/// The text of a file with one more entry at the end of its packages, and without those for the same package.
pub(super) fn edit(file: &Arc<SourceFile>, addition: &Addition) -> Result<Edited> {
    let (tree, _) = yaml::parse(file)?;
    let text = file.text();
    let new = addition.lines()?;
    let block = |indent: &str| format!("{indent}- {}\n", new.join(&format!("\n{indent}  ")));
    let with = |at: usize, end: usize, inserted: &str| {
        let line_end = if at > 0 && !text[..at].ends_with('\n') && !inserted.starts_with(',') { "\n" } else { "" };
        format!("{}{line_end}{inserted}{}", &text[..at], &text[end..])
    };
    let Some(packages) = tree.entry("packages") else {
        let text = with(text.len(), text.len(), &format!("packages:\n{}", block("  ")));
        return Ok(Edited { text, removed: vec![] });
    };
    let place = packages.value.span.range();
    let items = match packages.value.as_sequence() {
        Some(items) if !items.is_empty() => items,
        Some(_) => {
            let text = with(place.start, end_of_line(text, place.end), &block("  ")).replacen(
                "packages: \n",
                "packages:\n",
                1,
            );
            return Ok(Edited { text, removed: vec![] });
        }
        None if packages.value.is_null() => {
            let at = end_of_line(text, packages.key.range().end);
            return Ok(Edited { text: with(at, at, &block("  ")), removed: vec![] });
        }
        None => {
            let message = format!("`packages` must be a list, not {}", packages.value.kind());
            return Err(Diagnostic::error(Code::YamlValue, message).at(packages.value.span.clone(), "").into());
        }
    };
    if text[place.start..].starts_with('[') {
        let at = place.end - 1;
        let text = with(at, at, &format!(", {{{}}}", new.join(", ")));
        return Ok(Edited { text, removed: vec![] });
    }
    let first_line = start_of_line(text, items[0].span.range().start);
    let indent: String = text[first_line..].chars().take_while(|letter| *letter == ' ').collect();
    let mut edited = text[..first_line].to_owned();
    let mut removed = Vec::new();
    let mut done = first_line;
    for item in items {
        let (start, end) = (start_of_line(text, item.span.range().start), end_of_line(text, end_of(item)));
        edited.push_str(&text[done..start]);
        done = end;
        match address(item).filter(|address| addition.is_same(address)) {
            Some(address) => removed.push(address),
            None => edited.push_str(&text[start..end]),
        }
    }
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited.push('\n');
    }
    edited.push_str(&block(&indent));
    edited.push_str(&text[done..]);
    Ok(Edited { text: edited, removed })
}

fn address(item: &Yaml) -> Option<String> {
    ["package", "git", "local", "tarball", "private"].into_iter().find_map(|key| item.get(key)?.scalar_text())
}

/// Where a value ends by its last scalar: what follows it may be the comment of the next entry.
fn end_of(value: &Yaml) -> usize {
    let own = value.span.range();
    if value.span.text().starts_with(['{', '[']) {
        return own.end;
    }
    let inner = match &value.value {
        YamlValue::Sequence(items) => items.iter().map(end_of).max(),
        YamlValue::Mapping(entries) => {
            entries.values().map(|entry| end_of(&entry.value).max(entry.key.range().end)).max()
        }
        _ => Some(own.start + value.span.text().trim_end().len()),
    };
    inner.unwrap_or(own.end)
}

fn start_of_line(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |before| before + 1)
}

/// Behind the end of the line.
fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |after| at + after + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, package: &str, from: AddedFrom) -> Edited {
        let addition = Addition::parse(package, from).expect("understood");
        edit(&SourceFile::new("packages.yml", text), &addition).expect("a list")
    }

    #[test]
    fn versions_are_told_from_addresses() {
        let read = |text: &str, from: AddedFrom| {
            let addition = Addition::parse(text, from).expect(text);
            (addition.package, addition.version.unwrap_or_default())
        };
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(read("a/b@1.0.0", AddedFrom::Hub), pair("a/b", "1.0.0"));
        assert_eq!(read("https://me@h/a.git@v1", AddedFrom::Git), pair("https://me@h/a.git", "v1"));
        assert_eq!(read("git@h:a/b.git@feature/x", AddedFrom::Git), pair("git@h:a/b.git", "feature/x"));
        assert_eq!(read("../a@b", AddedFrom::Local), pair("../a@b", ""));
        for (bad, from) in [("a/b", AddedFrom::Hub), ("git@h:a/b.git", AddedFrom::Git), ("a/b@", AddedFrom::Hub)] {
            assert!(Addition::parse(bad, from).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_rest_of_the_text_stays() {
        let text = "# ours\npackages:\n    # why\n    - package: a/first   # pinned\n      version: 1.0.0\n    - git: https://h/x-y.git\n      revision: v1 # tag\n\n# the end\nother: 1\n";
        let done = edited(text, "b/second@>=1.0.0,<2.0.0", AddedFrom::Hub);
        assert_eq!(done.removed, Vec::<String>::new());
        insta::assert_snapshot!(done.text);
        let replaced = edited(text, "org/x_y@1.2.3", AddedFrom::Hub);
        assert_eq!(replaced.removed, ["https://h/x-y.git"]);
        insta::assert_snapshot!(replaced.text);
    }

    #[test]
    fn every_way_of_writing_a_list_takes_one_more() {
        for (text, expected) in [
            ("", "packages:\n  - local: ../x\n"),
            ("packages:", "packages:\n  - local: ../x\n"),
            ("packages: []\n", "packages:\n  - local: ../x\n"),
            ("a: 1", "a: 1\npackages:\n  - local: ../x\n"),
            ("packages:\n- local: ../y", "packages:\n- local: ../y\n- local: ../x\n"),
            ("packages:\n- {local: ../y}\nb: 2\n", "packages:\n- {local: ../y}\n- local: ../x\nb: 2\n"),
            ("packages: [{local: ../y}]\n", "packages: [{local: ../y}, {local: ../x}]\n"),
            ("packages:\n  - local: ./x\n", "packages:\n  - local: ../x\n"),
        ] {
            assert_eq!(edited(text, "../x", AddedFrom::Local).text, expected, "{text:?}");
        }
    }

    #[test]
    fn only_the_same_package_is_replaced() {
        let addition = Addition::parse("dbt-labs/dbt_utils@1.0.0", AddedFrom::Hub).expect("understood");
        for same in ["dbt-labs/dbt_utils", "https://github.com/dbt-labs/dbt-utils.git", "../dbt_utils"] {
            assert!(addition.is_same(same), "{same}");
        }
        for other in ["dbt-labs/dbt_utils_extra", "dbt-labs/codegen", "x/my_dbt_utils"] {
            assert!(!addition.is_same(other), "{other}");
        }
    }
}
