//! What one render may use up: more than this only a mistake asks for, and gets an error before the memory is full.

use super::value::invalid;
use minijinja::Error;
use std::cell::Cell;

/// How often macros may be called.
const MOST_CALLS: u64 = 10_000_000;
/// How much may be written, in bytes, be it into texts on the way or into the result.
const MOST_WRITTEN: u64 = 2_000_000_000;

/// What a render has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    calls: u64,
    written: u64,
}

thread_local! {
    /// Of the render that this thread is in.
    static USED: Cell<Used> = const { Cell::new(Used { calls: 0, written: 0 }) };
}

/// What the render of this thread has used; to be taken along when it goes on in another thread.
pub(super) fn used() -> Used {
    USED.get()
}

/// Begins a render, or goes on with one that has used something elsewhere.
pub(super) fn go_on(used: Used) {
    USED.set(used);
}

/// Counts a call.
pub(super) fn call() -> Result<(), Error> {
    let Used { calls, written } = USED.get();
    USED.set(Used { calls: calls + 1, written });
    if calls < MOST_CALLS {
        return Ok(());
    }
    Err(invalid(format!("macros are called more than {MOST_CALLS} times: does one call itself twice?")))
}

/// Counts what is written.
pub(super) fn write(bytes: usize) -> Result<(), Error> {
    let Used { calls, written } = USED.get();
    let written = written.saturating_add(bytes as u64);
    USED.set(Used { calls, written });
    if written <= MOST_WRITTEN {
        return Ok(());
    }
    Err(invalid(format!("the text is too large: all that a render writes has at most {MOST_WRITTEN} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_up_is_an_error_until_the_next_render() {
        go_on(Used { calls: MOST_CALLS - 1, written: MOST_WRITTEN - 5 });
        assert!(call().is_ok() && write(5).is_ok());
        assert!(call().expect_err("used up").to_string().contains("more than 10000000 times"));
        assert!(write(1).expect_err("used up").to_string().contains("at most 2000000000 bytes"));
        go_on(used());
        assert!(call().is_err() && write(usize::MAX).is_err());
        go_on(Used::default());
        assert!(call().is_ok() && write(1).is_ok());
    }
}
