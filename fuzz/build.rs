//! Lets the fuzz targets find the prebuilt DuckDB library that `make setup` fetched.

fn main() {
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}/../.duckdb", env!("CARGO_MANIFEST_DIR"));
}
