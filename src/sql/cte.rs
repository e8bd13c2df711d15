//! Puts ephemeral models as CTEs in front of a query.

use super::Dialect;
use super::token::{Token, TokenKind, tokens};
use std::fmt::Write;

/// `sql` with `ctes` (name and query each) in front of its own, laid out as dbt does: an existing `with` is
/// extended, else one is added before the first token, comments included.
pub fn inject_ctes(sql: &str, ctes: &[(String, String)]) -> String {
    if ctes.is_empty() {
        return sql.to_owned();
    }
    let mut injected = String::new();
    for (position, (name, query)) in ctes.iter().enumerate() {
        let separator = if position == 0 { "" } else { ", " };
        let _ = write!(injected, "{separator} {name} as (\n{query}\n)");
    }
    // The search reads Snowflake's tokens in any dialect: `//` starts no statement in DuckDB, and a
    // comment before `with` must be seen as one.
    let found = tokens(sql, Dialect::Snowflake);
    if let Some(at) = first_cte(sql, &found) {
        return format!("{}{injected}, {}", &sql[..at], &sql[at..]);
    }
    let start = found.iter().find(|token| token.kind != TokenKind::Space).map_or(0, |token| token.range.start);
    format!("{}with{injected} {}", &sql[..start], &sql[start..])
}

/// Where the first CTE (or a comment before it) stands after the first `with` outside parentheses.
fn first_cte(sql: &str, tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text(sql) {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            ";" => return None,
            _ if depth == 0 && token.is_word(sql, "with") => {
                let mut rest = &tokens[index + 1..];
                let recursive = rest.iter().position(Token::is_code).filter(|at| rest[*at].is_word(sql, "recursive"));
                if let Some(at) = recursive {
                    rest = &rest[at + 1..];
                }
                if starts_cte(sql, rest) {
                    return rest.iter().find(|token| token.kind != TokenKind::Space).map(|token| token.range.start);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether `name as` or `name (` comes next; `with ties`, `with no data` and the like are no CTEs.
fn starts_cte(sql: &str, tokens: &[Token]) -> bool {
    let mut code = tokens.iter().filter(|token| token.is_code());
    let name = code.next().is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedName));
    name && code.next().is_some_and(|token| token.is_word(sql, "as") || token.is_symbol(sql, "("))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inject(sql: &str) -> String {
        let cte = |name: &str, query: &str| (name.to_owned(), query.to_owned());
        inject_ctes(sql, &[cte("__dbt__cte__a", "select 1"), cte("__dbt__cte__b", "select 2")])
    }

    /// What dbt-core 1.11 makes of the same texts.
    #[test]
    fn layout_is_that_of_dbt() {
        let both = " __dbt__cte__a as (\nselect 1\n),  __dbt__cte__b as (\nselect 2\n)";
        for (sql, wanted) in [
            ("select 1", format!("with{both} select 1")),
            ("\n\nselect 1\n", format!("\n\nwith{both} select 1\n")),
            ("-- c\nselect 1", format!("with{both} -- c\nselect 1")),
            ("with x as (select 1) select 1", format!("with {both}, x as (select 1) select 1")),
            ("WITH RECURSIVE x as (select 1) select 1", format!("WITH RECURSIVE {both}, x as (select 1) select 1")),
            (
                "/* with */ with\n  x as (select 1) select 1",
                format!("/* with */ with\n  {both}, x as (select 1) select 1"),
            ),
            ("with -- c\n x as (select 1) select 1", format!("with {both}, -- c\n x as (select 1) select 1")),
            ("(select 1)", format!("with{both} (select 1)")),
            (
                "insert into x with y as (select 1) select 1",
                format!("insert into x with {both}, y as (select 1) select 1"),
            ),
        ] {
            assert_eq!(inject(sql), wanted, "{sql}");
        }
        assert_eq!(inject_ctes("select 1", &[]), "select 1");
    }

    #[test]
    fn other_uses_of_with_are_left_alone() {
        assert!(inject("select 1 from t group by a with rollup").starts_with("with __dbt__cte__a"));
        assert!(inject("select 'with x as (' from (with y as (select 1) select 1)").starts_with("with __dbt__cte__a"));
        assert!(inject("// don't\nwith x as (select 1) select 1").starts_with("// don't\nwith  __dbt__cte__a"));
        assert!(inject("with /* c */ recursive x as (select 1) select 1").starts_with("with /* c */ recursive  __dbt"));
    }
}
