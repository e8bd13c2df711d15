//! Finds the DuckDB library: compiled in by the feature `bundled`, else the prebuilt one of `make setup`.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to a build script through the environment")]

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    for embedded in ["macros", "models", "project_template"] {
        println!("cargo::rerun-if-changed={embedded}");
    }
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let directory = env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from).unwrap_or_default();
    let found =
        ["libduckdb.so", "libduckdb.dylib", "duckdb.lib"].iter().any(|library| directory.join(library).exists());
    println!("cargo::rerun-if-changed={}", directory.display());
    if !found {
        println!(
            "cargo::error=no DuckDB library in {}: run `make setup` (seconds), or build with `--features bundled` (half an hour)",
            directory.display()
        );
        return;
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", directory.display());
}
