//! SQL of one dialect said in the other.

use super::Dialect;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, Span};
use std::sync::Arc;

/// The compiled SQL in `file` as the other dialect says it; unchanged where both are the same. Everything that
/// cannot be said is found at once.
pub fn translate(file: &Arc<SourceFile>, from: Dialect, to: Dialect) -> Result<String, Diagnostics> {
    match (from, to) {
        (Dialect::Snowflake, Dialect::DuckDb) => {
            Err(Diagnostic::error(Code::NotSupported, "SQL of Snowflake cannot be translated for DuckDB yet")
                .at(Span::new(file, 0..0), "")
                .into())
        }
        (Dialect::DuckDb, Dialect::Snowflake) => {
            Err(Diagnostic::error(Code::NotSupported, "SQL of DuckDB cannot be translated for Snowflake")
                .at(Span::new(file, 0..0), "")
                .help("write the model in the Snowflake dialect: it runs on both")
                .into())
        }
        _ => Ok(file.text().to_string()),
    }
}
