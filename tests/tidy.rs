//! The rules of the house, checked over the repository's own text: what may use what, who may print,
//! who may touch disk or network, and what must be documented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use strata::diagnostic::Code;

/// Which parts of `src/` may name a crate. A part is the beginning of a path below `src/`.
const DOORS: &[(&str, &[&str])] = &[
    ("annotate_snippets", &["diagnostic/"]),
    ("arrow", &["adapter/snowflake/"]),
    ("clap", &["cli/"]),
    ("ctrlc", &["cli/"]),
    ("duckdb", &["adapter/duckdb"]),
    ("flate2", &["deps/archive.rs"]),
    ("indicatif", &["report/"]),
    ("jsonwebtoken", &["adapter/snowflake/key.rs"]),
    ("keyring", &["adapter/snowflake/machine.rs"]),
    ("minijinja", &["jinja/", "template.rs"]),
    ("minijinja_contrib", &["jinja/", "template.rs"]),
    ("object_store", &["adapter/snowflake/upload.rs"]),
    ("petgraph", &["graph/", "graph.rs"]),
    ("reqwest", &["extract/", "deps/http.rs", "adapter/snowflake/"]),
    ("reqwest_middleware", &["adapter/snowflake/"]),
    ("rsa", &["adapter/snowflake/key.rs"]),
    ("rusqlite", &["extract/"]),
    ("saphyr_parser", &["project/yaml"]),
    ("serde_yaml", &["project/yaml"]),
    ("similar", &["diff.rs", "diff/"]),
    ("sha1", &["deps/lock.rs"]),
    ("snowflake_api", &["adapter/snowflake/"]),
    ("sqlparser", &["sql/"]),
    ("tar", &["deps/archive.rs"]),
    ("tokio", &["adapter/snowflake/"]),
    ("webbrowser", &["adapter/snowflake/machine.rs"]),
];

/// The parts of `src/` that may print.
const PRINTERS: &[&str] = &["report/", "cli/", "main.rs"];

/// The parts of `src/` that may touch disk, network or other processes.
const OUTSIDE_WORLD: &[&str] = &["project/", "deps/", "adapter/", "extract/", "artifact/", "cli/", "diff.rs", "diff/"];

/// A text file of the repository.
struct File {
    /// The path below the directory that was asked for, with `/` between its parts.
    path: String,
    text: String,
}

impl File {
    fn is_in(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.path.starts_with(part))
    }

    /// The text without its unit tests, which may write temporary files wherever they stand.
    fn production(&self) -> &str {
        if self.path.ends_with("tests.rs") || self.path.contains("/tests/") {
            return "";
        }
        self.text.find("#[cfg(test)]\nmod ").map_or(self.text.as_str(), |end| &self.text[..end])
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a directory of the repository whose names end so, in order of path.
fn files(directory: &str, endings: &[&str]) -> Vec<File> {
    let start = root().join(directory);
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(&start).sort_by_file_name().into_iter().flatten() {
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            let path = slashed(entry.path().strip_prefix(&start).unwrap_or(entry.path()));
            found.push(File { path, text: fs::read_to_string(entry.path()).unwrap_or_default() });
        }
    }
    found
}

fn slashed(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Rust text with the inside of comments, strings and character literals blanked, line breaks kept.
fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => end_of(bytes, at + 2, b"*/"),
            b'"' => end_of_string(bytes, at + 1),
            b'r' if !is_word(at.checked_sub(1).map_or(b' ', |before| bytes[before])) || bytes[at - 1] == b'b' => {
                let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
                if bytes.get(at + 1 + hashes) == Some(&b'"') {
                    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
                    end_of(bytes, at + 2 + hashes, &close)
                } else {
                    at + 1
                }
            }
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => end_of(bytes, at + 3, b"'"),
            b'\'' => {
                let width = text[at + 1..].chars().next().map_or(1, char::len_utf8);
                if bytes.get(at + 1 + width) == Some(&b'\'') { at + 2 + width } else { at + 1 }
            }
            _ => at + 1,
        };
        if end > at + 1 {
            for byte in &mut code[at..end.min(bytes.len())] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("whole characters are blanked, or none of a character")
}

fn end_of(bytes: &[u8], from: usize, close: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(close.len()).position(|window| window == close).map_or(bytes.len(), |at| from + at + close.len())
}

fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.bytes().take_while(|byte| is_word(*byte)).count()]
}

/// The modules that code names by `crate::…`, groups included, each with its line.
fn modules_used(code: &str) -> Vec<(usize, &str)> {
    let mut used = Vec::new();
    for (offset, matched) in code.match_indices("crate::") {
        if offset > 0 && (is_word(code.as_bytes()[offset - 1]) || code.as_bytes()[offset - 1] == b'$') {
            continue;
        }
        let (line, rest) = (line_of(code, offset), &code[offset + matched.len()..]);
        let Some(group) = rest.strip_prefix('{') else {
            used.push((line, first_word(rest)));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    used.push((line, first_word(&group[start..at])));
                    start = at + 1;
                    if character == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    used.retain(|(_, module)| !module.is_empty());
    used
}

/// The lines on which code names a crate: `word::`, not as part of a longer path.
fn crate_used(code: &str, name: &str) -> Vec<usize> {
    code.match_indices(&format!("{name}::"))
        .filter(|(offset, _)| {
            let before = code[..*offset].bytes().next_back().unwrap_or(b' ');
            !is_word(before) && before != b':'
        })
        .map(|(offset, _)| line_of(code, offset))
        .collect()
}

fn module_order() -> Vec<String> {
    let library = code_only(&read("src/lib.rs"));
    library.lines().filter_map(|line| Some(line.strip_prefix("pub mod ")?.trim_end_matches(';').to_owned())).collect()
}

#[track_caller]
fn assert_none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let order = module_order();
    let position = |module: &str| order.iter().position(|other| other == module);
    let mut offenders = Vec::new();
    for file in files("src", &[".rs"]) {
        let own = file.path.split(['/', '.']).next().unwrap_or_default();
        let Some(own_position) = position(own) else { continue };
        for (line, used) in modules_used(&code_only(&file.text)) {
            if position(used).is_some_and(|used| used > own_position) {
                offenders.push(format!("src/{}:{line} uses `{used}`, which stands below `{own}`", file.path));
            }
        }
    }
    assert!(order.len() > 5, "src/lib.rs declares its modules as `pub mod name;`");
    assert_none(&offenders, "src/lib.rs gives the order; a module may use only what stands above it");
}

#[test]
fn a_crate_has_one_door() {
    let mut offenders = Vec::new();
    for file in files("src", &[".rs"]) {
        let code = code_only(&file.text);
        for (name, parts) in DOORS {
            let own_module = code.contains(&format!("mod {name};"));
            if !file.is_in(parts) && !own_module {
                offenders.extend(
                    crate_used(&code, name).iter().map(|line| format!("src/{}:{line} uses `{name}`", file.path)),
                );
            }
        }
    }
    assert_none(&offenders, "a crate is used in one part of src/ only (DOORS in tests/tidy.rs)");
}

#[test]
fn only_reporters_and_commands_print() {
    let words = ["println!", "eprintln!", "print!", "eprint!", "io::stdout", "io::stderr"];
    let mut offenders = Vec::new();
    for file in files("src", &[".rs"]).iter().filter(|file| !file.is_in(PRINTERS)) {
        let code = code_only(file.production());
        for (offset, word) in words.iter().flat_map(|word| code.match_indices(word)) {
            if !is_word(code[..offset].bytes().next_back().unwrap_or(b' ')) {
                offenders.push(format!("src/{}:{} {word}", file.path, line_of(&code, offset)));
            }
        }
    }
    assert_none(&offenders, "the runner emits events; only report/ and cli/ print");
}

#[test]
fn only_a_few_modules_touch_the_outside_world() {
    let words = ["std::fs", "std::net", "std::process", "walkdir::", "tempfile::", "File::open", "File::create"];
    let mut offenders = Vec::new();
    for file in files("src", &[".rs"]).iter().filter(|file| !file.is_in(OUTSIDE_WORLD)) {
        let code = code_only(file.production());
        for (offset, word) in words.iter().flat_map(|word| code.match_indices(word)) {
            offenders.push(format!("src/{}:{} {word}", file.path, line_of(&code, offset)));
        }
    }
    offenders.retain(|offender| !offender.starts_with("src/main.rs"));
    assert_none(
        &offenders,
        "disk, network and processes belong to project, deps, adapter, extract, artifact, cli and diff",
    );
}

#[test]
fn every_rust_file_says_what_it_is() {
    let mut offenders = Vec::new();
    for directory in ["src", "tests", "examples", "benches"] {
        for file in files(directory, &[".rs"]) {
            if !file.text.starts_with("//! ") {
                offenders.push(format!("{directory}/{}", file.path));
            }
        }
    }
    assert_none(&offenders, "a Rust file begins with a `//!` line that says what it holds");
}

#[test]
fn every_diagnostic_code_is_documented() {
    let page = read("docs/diagnostics.md");
    let documented: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::trim).collect();
    let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let missing: Vec<_> = known.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(missing.is_empty(), "docs/diagnostics.md lacks a section `## name` for {missing:?}");
    assert!(unknown.is_empty(), "docs/diagnostics.md has sections for codes that do not exist: {unknown:?}");
}

#[test]
fn the_architecture_page_is_short_and_names_every_module() {
    let page = read("ARCHITECTURE.md");
    assert!(page.lines().count() <= 150, "ARCHITECTURE.md is a page of at most 150 lines");
    let missing: Vec<_> = module_order().into_iter().filter(|module| !page.contains(&format!("`{module}"))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:?}");
}

#[test]
fn nothing_is_left_for_later() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("to", "do!("), "unimplemented!("];
    let mut offenders = Vec::new();
    for directory in ["src", "tests", "examples", "benches", "macros", "models", "project_template", "docs"] {
        for file in files(directory, &[".rs", ".sql", ".yml", ".md", ".toml", ".py", ".sh"]) {
            if directory == "tests" && file.path == "tidy.rs" {
                continue;
            }
            for (number, line) in file.text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark)) {
                    offenders.push(format!("{directory}/{}:{}", file.path, number + 1));
                }
            }
        }
    }
    assert_none(&offenders, "what is not done is said in an error or in the documentation, not in a mark");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut offenders = Vec::new();
    let mut pages = files("docs", &[".md"]);
    for page in &mut pages {
        page.path = format!("docs/{}", page.path);
    }
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.push(File { path: name.to_owned(), text: read(name) });
    }
    for page in pages {
        let directory = root().join(&page.path).parent().map(Path::to_path_buf).unwrap_or_default();
        for (offset, _) in page.text.match_indices("](") {
            let target = page.text[offset + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            let is_file = !target.is_empty() && !target.contains("://");
            if is_file && !directory.join(target).exists() {
                offenders.push(format!("{}:{} {target}", page.path, line_of(&page.text, offset)));
            }
        }
    }
    assert_none(&offenders, "a link in the documentation leads to a file that is there");
}

#[test]
fn commands_in_the_documents_exist() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_strata")).arg("--help").output().expect("strata starts");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let known: BTreeSet<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).map(first_word).collect();
    let mut pages = files("docs", &[".md"]);
    pages.extend(files("project_template", &[".md", ".yml"]));
    pages.push(File { path: "README.md".into(), text: read("README.md") });
    let mut offenders = Vec::new();
    for page in pages {
        let commands = page.text.match_indices("strata ").filter(|(offset, _)| {
            // Only what stands as a command: at the start of a line or of a `code span`, or behind `&& `.
            let before = page.text[..*offset].trim_end_matches(' ');
            before.is_empty() || before.ends_with(['\n', '`']) || before.ends_with("&&") || before.ends_with("run:")
        });
        for (offset, matched) in commands {
            let verb = first_word(&page.text[offset + matched.len()..]);
            if !verb.is_empty() && !known.contains(verb) {
                offenders.push(format!("{}:{} strata {verb}", page.path, line_of(&page.text, offset)));
            }
        }
    }
    assert!(known.contains("build"), "{help}");
    assert_none(&offenders, "a command that a document names is one that `strata --help` lists");
}

#[test]
fn code_only_blanks_comments_and_strings() {
    let text = "use a::b; // c::d\nlet s = \"e::f \\\" g::h\"; let r = r#\"i::\"j\"#; let c = '\"'; k::<'static>();";
    let code = code_only(text);
    assert_eq!(code.len(), text.len());
    assert!(code.contains("use a::b;") && code.contains("k::<'static>()"));
    assert!(!["c::d", "e::f", "g::h", "i::"].iter().any(|hidden| code.contains(hidden)), "{code}");
}

#[test]
fn modules_used_reads_groups() {
    let code = "use crate::{name::{A, B}, sql, project::yaml::Yaml};\ncrate::run::event::X";
    assert_eq!(modules_used(code), [(1, "name"), (1, "sql"), (1, "project"), (2, "run")]);
}
