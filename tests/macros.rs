//! The built-in macros, as far as they can be checked without running them.

use std::fs;
use std::path::{Path, PathBuf};
use strata::diagnostic::{SourceFile, Style, render};
use strata::jinja::scan_macro_file;

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
}

/// Syntax errors show when a file is read: the bodies are parsed then.
#[test]
fn every_built_in_macro_is_well_formed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("macros");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let mut count = 0;
    for path in paths.iter().filter(|path| !path.ends_with("snowflake_on_duckdb.sql")) {
        let text = fs::read_to_string(path).expect("a text");
        let file = SourceFile::new(path.strip_prefix(&root).expect("below the root"), text);
        match scan_macro_file("dbt", &file) {
            Ok(blocks) => count += blocks.macros.len(),
            Err(found) => {
                let frames: Vec<String> = found.iter().map(|one| render(one, Style::Plain)).collect();
                panic!("{}", frames.join("\n"));
            }
        }
    }
    assert!(count > 300, "only {count} macros");
}
