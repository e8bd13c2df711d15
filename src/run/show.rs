//! The first rows of a query.

use super::session::WorkerSession;
use crate::adapter::Table;
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use crate::jinja::host::Session;

/// The first rows of compiled SQL, or all of them without a limit.
pub fn show(session: &WorkerSession, sql: &str, limit: Option<u64>) -> Result<Table, Diagnostic> {
    let query = sql.trim_end().trim_end_matches(';');
    let limited = match limit {
        Some(limit) => format!("select * from (\n{query}\n) as shown limit {limit}"),
        None => query.to_owned(),
    };
    session.execute(&limited, false).map(|answer| answer.table).map_err(|failed| {
        let file = SourceFile::new("compiled SQL", failed.sql.as_str());
        let found = Diagnostic::error(Code::Database, failed.error.message.clone());
        match failed.error.offset {
            Some(offset) => found.at(Span::new(&file, offset..offset + 1), ""),
            None => found,
        }
    })
}
