//! The program: everything is in the library.

use std::process::ExitCode;

/// Templates make many small values in all threads, which this allocator serves faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    strata::cli::main()
}
