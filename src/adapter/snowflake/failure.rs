//! Why there is no answer, and what it means for those who asked.

use crate::adapter::{DatabaseError, DatabaseErrorKind};
use serde_json::Value as Json;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// The server refused, in its own words.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// The network or the server failed, again and again; it is not known what became of the request.
    #[error("{0}")]
    Network(String),
    /// What came back is nothing that Snowflake answers: another server, or a proxy.
    #[error("{0}")]
    Foreign(String),
    /// The statement was stopped on request.
    #[error("cancelled")]
    Cancelled,
}

/// The server's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) sql_state: Option<String>,
    pub(super) query_id: Option<String>,
    /// Line from 1 and column from 0 at which the statement is wrong.
    pub(super) place: Option<(usize, usize)>,
}

/// What to do about a lock that another transaction holds.
const LOCK_ADVICE: &str = "`show transactions` lists those that are open, `select system$abort_transaction(…)` ends one; \
                           Snowflake itself ends one that waits for its client for five minutes while others wait for it";

/// Whether a code says that a lock was waited for too long, by too many, or in a circle.
fn is_about_lock(code: &str) -> bool {
    matches!(code.trim_start_matches('0'), "625" | "639")
}

/// Codes that say that a session token must be renewed.
pub(super) const SESSION_EXPIRED: &str = "390112";

impl Refusal {
    /// Reads an answer with `"success": false`.
    pub(super) fn read(answer: &Json) -> Self {
        let data = &answer["data"];
        let text = |value: &Json| match value {
            Json::String(text) if !text.is_empty() => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let number = |value: &Json| value.as_u64().and_then(|number| usize::try_from(number).ok());
        let message = text(&answer["message"]).unwrap_or_else(|| "the server refused without a word".to_owned());
        let (place, message) = take_place(&message);
        let told = number(&data["line"]).filter(|line| *line > 0).zip(number(&data["pos"]));
        Self {
            code: text(&answer["code"]).or_else(|| text(&data["errorCode"])).unwrap_or_default(),
            message: without_values(message),
            sql_state: text(&data["sqlState"]),
            query_id: text(&data["queryId"]),
            place: told.or(place),
        }
    }

    fn kind(&self) -> DatabaseErrorKind {
        let state = self.sql_state.as_deref().unwrap_or_default();
        match self.code.trim_start_matches('0') {
            "604" => DatabaseErrorKind::Cancelled,
            code if is_about_lock(code) => DatabaseErrorKind::Conflict,
            code if code.len() == 6 && code.starts_with("390") => DatabaseErrorKind::Connection,
            _ if state.starts_with("40") => DatabaseErrorKind::Conflict,
            _ => DatabaseErrorKind::Statement,
        }
    }
}

impl Failure {
    /// The error as callers see it; `sql` is the statement, to find the place in it.
    pub(super) fn into_error(self, sql: Option<&str>) -> DatabaseError {
        match self {
            Self::Refused(refusal) => DatabaseError {
                kind: refusal.kind(),
                offset: refusal.place.zip(sql).and_then(|((line, column), sql)| offset(sql, line, column)),
                code: Some(match &refusal.sql_state {
                    Some(state) => format!("{} ({state})", refusal.code),
                    None => refusal.code.clone(),
                }),
                query_id: refusal.query_id,
                message: if is_about_lock(&refusal.code) {
                    format!("{}\n{LOCK_ADVICE}", refusal.message)
                } else {
                    refusal.message
                },
            },
            Self::Network(message) | Self::Foreign(message) => {
                DatabaseError::new(DatabaseErrorKind::Connection, message)
            }
            Self::Cancelled => DatabaseError::new(DatabaseErrorKind::Cancelled, "the statement was cancelled"),
        }
    }
}

/// The place that a message tells, and the message without it:
/// `SQL compilation error: error line 1 at position 7\ninvalid identifier 'X'`.
fn take_place(message: &str) -> (Option<(usize, usize)>, &str) {
    let body = message.strip_prefix("SQL compilation error:").map_or(message, str::trim_start);
    let found = || {
        let (first, rest) = body.split_once('\n').unwrap_or((body, ""));
        let mut words = first.split_whitespace();
        let line = words.by_ref().skip_while(|word| *word != "line").nth(1)?.parse().ok()?;
        let column = words.skip_while(|word| *word != "position").nth(1)?;
        let column = column.trim_end_matches(['.', ',', ':']).parse().ok()?;
        Some(((line, column), rest.trim_start()))
    };
    match found() {
        // Where the words stand on the same line, nothing is left: then the message stays whole.
        Some((place, rest)) if !rest.is_empty() => (Some(place), rest),
        Some((place, _)) => (Some(place), body),
        None => (None, body),
    }
}

/// A message about duplicate rows without the values of the row, which may be anyone's data.
fn without_values(message: &str) -> String {
    for mark in ["Row Values:", "Duplicate field key"] {
        if let Some((before, _)) = message.split_once(mark) {
            return format!("{before}{mark} [not shown]");
        }
    }
    message.to_owned()
}

/// The byte offset of a line (from 1) and column (from 0, in characters); none outside of the text.
fn offset(sql: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line.checked_sub(1)? {
        0 => 0,
        before => sql.match_indices('\n').nth(before - 1)?.0 + 1,
    };
    let text = sql[start..].split('\n').next()?;
    let within = text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(column)?;
    Some(start + within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(answer: &Json, sql: &str) -> DatabaseError {
        Failure::Refused(Box::new(Refusal::read(answer))).into_error(Some(sql))
    }

    #[test]
    fn the_place_becomes_an_offset() {
        let sql = "select 1,\n  'ü' || zz\nfrom t";
        let answer = json!({"success": false, "code": "000904",
            "message": "SQL compilation error: error line 2 at position 9\ninvalid identifier 'ZZ'",
            "data": {"sqlState": "42000", "queryId": "01b-2", "line": 2, "pos": 9, "errorCode": "000904"}});
        let found = error(&answer, sql);
        assert_eq!(found.message, "invalid identifier 'ZZ'");
        assert_eq!(&sql[found.offset.expect("a place")..][..2], "zz");
        assert_eq!(found.code.as_deref(), Some("000904 (42000)"));
        assert_eq!((found.query_id.as_deref(), found.kind), (Some("01b-2"), DatabaseErrorKind::Statement));
        let unplaced = json!({"code": "1003", "data": {"line": -1, "pos": -1},
            "message": "SQL compilation error:\nsyntax error line 3 at position 0 unexpected 'from'."});
        let found = error(&unplaced, sql);
        assert_eq!(found.message, "syntax error line 3 at position 0 unexpected 'from'.");
        assert_eq!(&sql[found.offset.expect("a place")..], "from t");
        let outside = json!({"code": "1", "message": "x", "data": {"line": 9, "pos": 1}});
        assert_eq!(error(&outside, sql).offset, None);
    }

    #[test]
    fn codes_say_what_it_means() {
        let kind = |code: &str, state: &str| {
            error(&json!({"code": code, "message": "m", "data": {"sqlState": state}}), "").kind
        };
        assert_eq!(kind("000604", "57014"), DatabaseErrorKind::Cancelled);
        assert_eq!(kind("000625", "57014"), DatabaseErrorKind::Conflict);
        assert_eq!(kind("390114", "08001"), DatabaseErrorKind::Connection);
        assert_eq!(kind("000904", "42000"), DatabaseErrorKind::Statement);
        let locked = error(&json!({"code": "000625", "message": "locked", "data": {"sqlState": "57014"}}), "");
        assert!(locked.message.starts_with("locked\n") && locked.message.contains("abort_transaction"), "{locked}");
        assert_eq!(error(&json!({"success": false}), "").message, "the server refused without a word");
    }

    #[test]
    fn values_of_rows_are_not_shown() {
        let answer = json!({"code": "100090", "data": {"sqlState": "42P18"},
            "message": "Duplicate row detected during DML action\nRow Values: [1, \"a@b.c\"]"});
        assert_eq!(error(&answer, "").message, "Duplicate row detected during DML action\nRow Values: [not shown]");
    }
}
