//! Any text is read as a file of macros and as documentation: blocks or findings, and places inside of the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strata::diagnostic::{SourceFile, Style, render};
use strata::jinja::{scan_docs, scan_macro_file};

fuzz_target!(|text: &str| {
    let file = SourceFile::new("macros/m.sql", text);
    match scan_macro_file("cases", &file) {
        Ok(blocks) => {
            for definition in &blocks.macros {
                assert!(!definition.macro_sql().is_empty());
                assert!(definition.span.text().contains(definition.tag.text()));
            }
            for block in &blocks.snapshots {
                assert!(text.get(block.body.clone()).is_some());
            }
        }
        Err(found) => found.iter().for_each(|one| assert!(!render(one, Style::Plain).is_empty())),
    }
    let _ = scan_docs(&file);
});
