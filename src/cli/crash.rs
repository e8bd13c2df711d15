//! What people see where strata itself is wrong.

use std::backtrace::Backtrace;
use std::panic::{PanicHookInfo, set_hook};
use std::process::exit;

/// Lets a panic of any thread end the process with exit code 2 and words that say what to report.
pub(super) fn install() {
    set_hook(Box::new(|panic| {
        tell(panic);
        exit(i32::from(super::UNUSABLE));
    }));
}

#[expect(clippy::print_stderr, reason = "reporters may be what panicked")]
fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let payload = panic.payload();
    let words =
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let backtrace = Backtrace::capture();
    eprintln!(
        "error[internal]: {}\n  |\n  = note: strata {} at {place}\n  = note: nothing is half done: what was not committed is undone, and `strata retry` goes on with the rest\n  = help: this is a defect of strata: please report the lines above with the command and, if you can, the project",
        words.unwrap_or("strata failed in a way it should not"),
        env!("CARGO_PKG_VERSION"),
    );
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        eprintln!("{backtrace}");
    }
}
