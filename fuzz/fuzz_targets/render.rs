//! Any text is rendered as a model in both phases, and read as macros that are called: a text or a diagnostic.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use strata::diagnostic::{Style, render as draw};
use strata::jinja::host::Phase;
use strata_fuzz::{call_all, render};

/// Loops inside of loops take as long as they say: what is looked for here is not time.
const LOOPS: usize = 2;

fuzz_target!(|text: &str| -> Corpus {
    if text.matches("for").count() > LOOPS {
        return Corpus::Reject;
    }
    for phase in [Phase::Parse, Phase::Execute] {
        if let Err(found) = render(text, phase) {
            assert!(!draw(&found, Style::Plain).is_empty());
        }
    }
    call_all(text);
    Corpus::Keep
});
