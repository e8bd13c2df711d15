//! What is embedded in the binary: strata's macros, its built-in models, and the project that `init` writes.

use include_dir::{Dir, DirEntry, include_dir};

static MACROS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/macros");
static MODELS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/models");
static PROJECT_TEMPLATE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/project_template");

/// An embedded file.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedFile {
    /// The path within its tree, with `/`.
    pub path: &'static str,
    /// The content.
    pub content: &'static [u8],
}

impl EmbeddedFile {
    /// The content as text; embedded texts are UTF-8.
    pub fn text(&self) -> &'static str {
        std::str::from_utf8(self.content).unwrap_or_default()
    }
}

/// The built-in macros of a package: `dbt`, `dbt_duckdb`, `dbt_snowflake` or `strata`, in order of path.
pub fn macros(package: &str) -> Vec<EmbeddedFile> {
    files(&MACROS).into_iter().filter(|file| macro_package(file.path) == Some(package)).collect()
}

/// Which package a built-in macro file belongs to; none for SQL that is no Jinja.
fn macro_package(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match path {
        _ if extension(path) != "sql" || name == "snowflake_on_duckdb.sql" => None,
        "adapters/duckdb.sql" => Some("dbt_duckdb"),
        "adapters/snowflake.sql" => Some("dbt_snowflake"),
        _ if path.starts_with("adapters/duckdb/") => Some("dbt_duckdb"),
        _ if path.starts_with("adapters/snowflake/") => Some("dbt_snowflake"),
        _ if path.starts_with("strata/") || matches!(name, "extract.sql" | "scd2.sql" | "control.sql") => {
            Some("strata")
        }
        _ => Some("dbt"),
    }
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The SQL that gives DuckDB the functions of Snowflake.
pub fn snowflake_functions() -> &'static str {
    MACROS.get_file("snowflake_on_duckdb.sql").and_then(include_dir::File::contents_utf8).unwrap_or_default()
}

/// The built-in models and their properties, in order of path.
pub fn models() -> Vec<EmbeddedFile> {
    files(&MODELS).into_iter().filter(|file| matches!(extension(file.path), "sql" | "yml")).collect()
}

/// The files of the project that `init` writes, in order of path.
pub fn project_template() -> Vec<EmbeddedFile> {
    files(&PROJECT_TEMPLATE)
}

fn files(directory: &'static Dir<'static>) -> Vec<EmbeddedFile> {
    let mut found = Vec::new();
    collect(directory, &mut found);
    found.sort_by_key(|file| file.path);
    found
}

fn collect(directory: &'static Dir<'static>, found: &mut Vec<EmbeddedFile>) {
    for entry in directory.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(inner, found),
            DirEntry::File(file) => {
                if let Some(path) = file.path().to_str() {
                    found.push(EmbeddedFile { path, content: file.contents() });
                }
            }
        }
    }
}
