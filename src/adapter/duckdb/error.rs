//! DuckDB's error texts, taken apart: class, message, and the place in the statement.

use crate::adapter::{DatabaseError, DatabaseErrorKind};

/// What a failed call of the client means; `statement` is the text that was sent, where there is one.
pub(super) fn from_client(error: &duckdb::Error, statement: Option<&str>) -> DatabaseError {
    let text = match error {
        duckdb::Error::DuckDBFailure(_, Some(text)) => text.clone(),
        duckdb::Error::FromSqlConversionFailure(column, _, cause) => {
            format!("column {} of the answer: {cause}; cast it to VARCHAR", column + 1)
        }
        other => other.to_string(),
    };
    from_text(&text, statement)
}

/// The parts of a text like `Binder Error: no column x\n\nLINE 1: select x\n               ^`.
pub(super) fn from_text(text: &str, statement: Option<&str>) -> DatabaseError {
    let (body, offset) = match text.rfind("\nLINE ") {
        Some(at) => {
            let offset = statement.and_then(|sql| offset_of_marker(&text[at + 1..], sql));
            (text[..at].trim_end(), offset)
        }
        None => (text.trim_end(), None),
    };
    let (class, message) = match body.split_once(" Error: ") {
        Some((class, message)) if !class.is_empty() && !class.contains('\n') && class.len() < 40 => {
            (Some(class), message)
        }
        _ => (None, body),
    };
    DatabaseError {
        message: message.to_owned(),
        kind: kind_of(class.unwrap_or_default(), message),
        offset,
        query_id: None,
        code: class.map(str::to_owned),
    }
}

fn kind_of(class: &str, message: &str) -> DatabaseErrorKind {
    match class {
        "INTERRUPT" | "Interrupt" => DatabaseErrorKind::Cancelled,
        // An aborted transaction is the consequence of an error that was told before.
        "TransactionContext" if message.starts_with("Current transaction is aborted") => DatabaseErrorKind::Statement,
        "TransactionContext" | "Transaction" if message.to_lowercase().contains("conflict") => {
            DatabaseErrorKind::Conflict
        }
        "Connection" | "FATAL" => DatabaseErrorKind::Connection,
        "IO" if message.starts_with("Could not set lock") => DatabaseErrorKind::Connection,
        _ => DatabaseErrorKind::Statement,
    }
}

/// The byte offset in `sql` of the caret under DuckDB's echo of a line:
/// `LINE 2: ...part of a line...` and below it blanks up to a `^`.
fn offset_of_marker(marker: &str, sql: &str) -> Option<usize> {
    let (echo, caret) = marker.split_once('\n')?;
    let (head, excerpt) = echo.split_once(": ")?;
    let line: usize = head.strip_prefix("LINE ")?.parse().ok()?;
    let caret = caret.split('\n').next()?;
    let columns = width(&caret[..caret.find('^')?]).checked_sub(width(head) + 2)?;
    let (cut, excerpt) = match excerpt.strip_prefix("...") {
        Some(rest) => (3, rest),
        None => (0, excerpt),
    };
    let excerpt = excerpt.strip_suffix("...").unwrap_or(excerpt);
    let starts: Vec<usize> = std::iter::once(0).chain(sql.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let start = *starts.get(line.checked_sub(1)?)?;
    let text = sql[start..].split('\n').next()?;
    let from = start + text.find(excerpt.trim_end_matches('\r'))?;
    let mut seen = cut;
    for (at, character) in sql[from..].char_indices() {
        // The caret stands under something: a tab before it takes no column of its own.
        if seen >= columns && (character_width(character) > 0 || character == '\n') {
            return Some(from + at);
        }
        seen += character_width(character);
    }
    Some(sql.len())
}

fn width(text: &str) -> usize {
    text.chars().map(character_width).sum()
}

/// How many columns a terminal gives a character, as DuckDB counts when it places its caret.
fn character_width(character: char) -> usize {
    match u32::from(character) {
        0..=0x1f | 0x7f..=0x9f | 0x300..=0x36f | 0x200b..=0x200f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Who holds the lock of a database file, if that is why it could not be opened: the process in words.
pub(super) fn lock_holder(message: &str) -> Option<String> {
    if !message.starts_with("Could not set lock on file") {
        return None;
    }
    let (_, rest) = message.split_once("Conflicting lock is held in ")?;
    let (program, rest) = rest.split_once(" (PID ")?;
    let (process, _) = rest.split_once(')')?;
    Some(format!("process {process} ({program})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sql: &str, text: &str) -> Option<String> {
        let offset = from_text(text, Some(sql)).offset?;
        Some(sql[offset..].chars().take(3).collect())
    }

    #[test]
    fn the_caret_becomes_an_offset() {
        let sql = "select 1,\n  'ütt' || '日本', zz\nfrom t";
        let text = "Binder Error: Referenced column \"zz\" was not found\n\nLINE 2:   'ütt' || '日本', zz\n                           ^";
        // The caret stands 19 columns into the line: the two wide characters count twice.
        assert_eq!(place(sql, text).as_deref(), Some("zz\n"));
        assert_eq!(
            place("\tselect\tzz", "Binder Error: x\n\nLINE 1: \tselect\tzz\n              ^").as_deref(),
            Some("zz")
        );
        let cut = "Binder Error: x\n\nLINE 1: ...bbb', zzz, 'b...\n                 ^";
        assert_eq!(place("select 'aaaabbb', zzz, 'bcd'", cut).as_deref(), Some("zzz"));
        assert_eq!(place("select other", cut), None);
    }

    #[test]
    fn message_class_and_kind() {
        let error = from_text(
            "Catalog Error: Table with name a does not exist!\nDid you mean \"b\"?\n\nLINE 1: x\n        ^",
            None,
        );
        assert_eq!(error.message, "Table with name a does not exist!\nDid you mean \"b\"?");
        assert_eq!((error.code.as_deref(), error.kind), (Some("Catalog"), DatabaseErrorKind::Statement));
        let kind = |text: &str| from_text(text, None).kind;
        assert_eq!(kind("TransactionContext Error: Conflict on tuple deletion!"), DatabaseErrorKind::Conflict);
        assert_eq!(
            kind("TransactionContext Error: Catalog write-write conflict on alter with \"t\""),
            DatabaseErrorKind::Conflict
        );
        assert_eq!(kind("INTERRUPT Error: Interrupted!"), DatabaseErrorKind::Cancelled);
        assert_eq!(
            kind("TransactionContext Error: Current transaction is aborted (please ROLLBACK)"),
            DatabaseErrorKind::Statement
        );
    }

    #[test]
    fn the_holder_of_a_lock_is_named() {
        let text = "IO Error: Could not set lock on file \"/x.db\": Conflicting lock is held in /usr/bin/duckdb (PID 17). See also …";
        let error = from_text(text, None);
        assert_eq!(error.kind, DatabaseErrorKind::Connection);
        assert_eq!(lock_holder(&error.message).as_deref(), Some("process 17 (/usr/bin/duckdb)"));
    }
}
