//! Splitting a text into statements, and what kind of statement each is.

use super::Dialect;
use super::token::{Token, TokenKind, tokens};
use std::ops::Range;

/// The bytes of each statement in `sql`, without its semicolon and the white space around it. Parts that hold
/// nothing but white space and comments are left out.
pub fn split_statements(sql: &str, dialect: Dialect) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut has_code = false;
    for token in tokens(sql, dialect) {
        if token.is_symbol(sql, ";") {
            if has_code {
                found.push(trimmed(sql, start..token.range.start));
            }
            start = token.range.end;
            has_code = false;
        } else {
            has_code |= token.is_code();
        }
    }
    if has_code {
        found.push(trimmed(sql, start..sql.len()));
    }
    found
}

fn trimmed(sql: &str, range: Range<usize>) -> Range<usize> {
    let text = &sql[range.clone()];
    let start = range.start + (text.len() - text.trim_start().len());
    start..start + text.trim().len()
}

/// What a statement does, as far as its words say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// It reads and gives rows.
    Query,
    /// It writes rows; `returning` gives rows of what it wrote.
    Write {
        /// Whether it has a `returning` clause.
        returning: bool,
    },
    /// It creates, alters or drops something. Snowflake commits the open transaction before it.
    Definition,
    /// It opens or ends a transaction.
    Transaction,
    /// Anything else: settings, grants, procedure calls, nothing at all.
    Other,
}

impl StatementKind {
    /// Whether the statement gives rows.
    pub fn returns_rows(self) -> bool {
        matches!(self, Self::Query | Self::Write { returning: true })
    }

    /// Whether it creates, alters or drops something.
    pub fn is_definition(self) -> bool {
        self == Self::Definition
    }
}

/// The kind of one statement.
pub fn statement_kind(statement: &str, dialect: Dialect) -> StatementKind {
    let code: Vec<Token> = tokens(statement, dialect)
        .into_iter()
        .filter(|token| token.is_code() && !token.is_symbol(statement, "("))
        .collect();
    let Some(first) = code.first().filter(|token| token.kind == TokenKind::Word) else {
        return StatementKind::Other;
    };
    let word = first.text(statement).to_ascii_lowercase();
    let verb = if word == "with" { main_verb(statement, dialect) } else { word };
    match verb.as_str() {
        "select" | "values" | "from" | "table" | "show" | "describe" | "desc" | "explain" | "summarize" | "pivot"
        | "unpivot" | "list" | "ls" | "call" | "pragma" => StatementKind::Query,
        "insert" | "update" | "delete" | "merge" | "copy" | "put" => {
            let returning = code.iter().any(|token| token.is_word(statement, "returning"));
            StatementKind::Write { returning }
        }
        "create" | "alter" | "drop" | "truncate" | "comment" | "undrop" => StatementKind::Definition,
        "begin" | "start" | "commit" | "rollback" | "abort" | "end" => StatementKind::Transaction,
        _ => StatementKind::Other,
    }
}

/// The verb after the CTEs of a statement that starts with `with`.
fn main_verb(statement: &str, dialect: Dialect) -> String {
    let mut depth = 0_usize;
    for token in tokens(statement, dialect).into_iter().filter(Token::is_code) {
        if token.is_symbol(statement, "(") {
            depth += 1;
        } else if token.is_symbol(statement, ")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.kind == TokenKind::Word {
            let word = token.text(statement).to_ascii_lowercase();
            if matches!(word.as_str(), "select" | "values" | "from" | "insert" | "update" | "delete" | "merge") {
                return word;
            }
        }
    }
    // `with x as (…) (select …)`: the body stands in parentheses.
    "select".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str, dialect: Dialect) -> Vec<&str> {
        split_statements(sql, dialect).into_iter().map(|range| &sql[range]).collect()
    }

    #[test]
    fn semicolons_in_strings_and_comments_do_not_split() {
        let sql = "select ';' ; -- a;b\n select $$;$$, \";\" /* ; */;;\n-- only a comment\n;";
        assert_eq!(split(sql, Dialect::DuckDb), ["select ';'", "-- a;b\n select $$;$$, \";\" /* ; */"]);
        assert_eq!(split(r"select '\';' ; select 2", Dialect::Snowflake), [r"select '\';'", "select 2"]);
        assert_eq!(split(" \n ", Dialect::DuckDb), Vec::<&str>::new());
    }

    #[test]
    fn kinds_follow_the_main_verb() {
        let kind = |sql| statement_kind(sql, Dialect::DuckDb);
        assert_eq!(kind("-- c\n (select 1)"), StatementKind::Query);
        assert_eq!(
            kind("with a as (select 1) insert into t select * from a"),
            StatementKind::Write { returning: false }
        );
        assert_eq!(kind("with a as (delete from t returning *) select 1"), StatementKind::Query);
        assert_eq!(kind("Create or replace table a as select 1"), StatementKind::Definition);
        assert_eq!(kind("insert into t values (1) returning id"), StatementKind::Write { returning: true });
        assert_eq!(kind("BEGIN"), StatementKind::Transaction);
        assert_eq!(kind(""), StatementKind::Other);
        assert_eq!(kind("set x = 1"), StatementKind::Other);
        assert!(kind("values (1)").returns_rows());
    }
}
