//! Errors of the SQL parser as located diagnostics.

use super::Dialect;
use super::token::{Token, tokens};
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use sqlparser::ast::Statement;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use std::ops::Range;
use std::sync::Arc;

/// How many levels of nesting the parser follows before it refuses a text.
const RECURSION_LIMIT: usize = 200;

/// The statements of a text. Literals and quoted names stay as written, escapes included.
pub(super) fn parse(sql: &str, dialect: Dialect) -> Result<Vec<Statement>, ParserError> {
    Parser::new(dialect.parser())
        .with_recursion_limit(RECURSION_LIMIT)
        .with_options(ParserOptions::new().with_trailing_commas(true).with_unescape(false))
        .try_with_sql(sql)?
        .parse_statements()
}

/// Refuses SQL that the dialect's grammar does not have, with the place. The parser knows most of a dialect, not
/// all of it, so what it refuses may still be right for the warehouse.
pub fn check_syntax(file: &Arc<SourceFile>, dialect: Dialect) -> Result<(), Diagnostic> {
    parse(file.text(), dialect).map(|_| ()).map_err(|error| syntax_error(file, dialect, &error))
}

/// The parser's error with the word at which it stopped underlined.
pub(super) fn syntax_error(file: &Arc<SourceFile>, dialect: Dialect, error: &ParserError) -> Diagnostic {
    let words = match error {
        ParserError::TokenizerError(words) | ParserError::ParserError(words) => words.as_str(),
        ParserError::RecursionLimitExceeded => "expressions or queries are nested too deeply",
    };
    let (what, place) = split_place(words);
    let message = format!("this is not {} SQL that strata understands: {}", dialect.title(), lower_first(what));
    let place = match place {
        Some((line, column)) => Some(token_at(file, dialect, file.offset_of(line, column))),
        None if what.ends_with("found: EOF") => Some(last_token(file, dialect)),
        None => None,
    };
    let label = what.split_once(", found:").map(|(expected, _)| lower_first(expected)).unwrap_or_default();
    Diagnostic::error(Code::SqlSyntax, message).at_if_known(place.map(|range| Span::new(file, range)), label)
}

/// The words and the line and column that stand at their end.
fn split_place(words: &str) -> (&str, Option<(usize, usize)>) {
    let Some((what, place)) = words.rsplit_once(" at Line: ") else {
        return (words, None);
    };
    let numbers = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some((line.trim().parse().ok()?, column.trim().parse().ok()?)));
    (what, numbers)
}

fn lower_first(words: &str) -> String {
    match words.strip_prefix("Expected") {
        Some(rest) => format!("expected{rest}"),
        None => words.to_owned(),
    }
}

fn token_at(file: &SourceFile, dialect: Dialect, offset: usize) -> Range<usize> {
    let found = tokens(file.text(), dialect).into_iter().find(|token| token.range.end > offset);
    found.map_or(offset..offset, |token| token.range)
}

fn last_token(file: &SourceFile, dialect: Dialect) -> Range<usize> {
    let last = tokens(file.text(), dialect).into_iter().rfind(Token::is_code);
    last.map_or(0..0, |token| token.range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sql: &str) -> Diagnostic {
        let file = SourceFile::new("target/compiled/shop/models/orders.sql", sql);
        check_syntax(&file, Dialect::Snowflake).expect_err("the text is wrong")
    }

    #[test]
    fn the_word_at_which_the_parser_stopped_is_underlined() {
        let error = found("select a\nfrom t\nwhere )");
        assert_eq!(error.labels()[0].span.text(), ")");
        assert_eq!(error.labels()[0].span.line_and_column(), (3, 7));
        assert!(error.message().contains("expected"), "{error}");
    }

    #[test]
    fn an_early_end_points_to_the_last_word() {
        assert_eq!(found("select a from\n").labels()[0].span.text(), "from");
        assert_eq!(found("select (a").labels()[0].span.text(), "a");
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let sql = format!("select {}1{}", "(".repeat(5000), ")".repeat(5000));
        assert!(found(&sql).message().contains("nested too deeply"));
    }
}
