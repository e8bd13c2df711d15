//! The form of a SQL text in which layout does not count.

use super::Dialect;
use super::token::{Token, TokenKind, tokens};

/// `sql` without comments, with one blank between tokens, keywords and unquoted names in lower case, names in
/// quotes that need none without them, and no semicolon at its end.
///
/// Two texts with the same canonical form mean the same: they differ in layout, comments and case only. It works
/// on tokens and not on a parsed tree, because a tree that forgets a word when it is printed would make a change
/// of meaning look like one of layout. (The reverse does not hold: `a <> b` and `a != b` are different.)
pub fn canonical(sql: &str, dialect: Dialect) -> String {
    let mut code: Vec<Token> = tokens(sql, dialect).into_iter().filter(Token::is_code).collect();
    while code.last().is_some_and(|token| token.is_symbol(sql, ";")) {
        code.pop();
    }
    let mut form = String::with_capacity(sql.len());
    let mut in_path = false;
    let mut previous: Option<&Token> = None;
    for token in &code {
        let text = token.text(sql);
        let follows = |symbol: &str| previous.is_some_and(|before| before.is_symbol(sql, symbol));
        // Keys of a Snowflake path keep their case: `v:Name` and `v:name` are two things.
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::QuotedName);
        in_path = dialect == Dialect::Snowflake
            && if is_name { follows(":") || (in_path && follows(".")) } else { in_path && continues_path(token, text) };
        // `E'x'` is one literal, `E 'x'` a name and a literal.
        let prefixes = token.kind == TokenKind::Text
            && previous.is_some_and(|before| before.kind == TokenKind::Word && before.range.end == token.range.start);
        if !form.is_empty() && !prefixes {
            form.push(' ');
        }
        match token.kind {
            TokenKind::Word if !in_path => form.push_str(&text.to_lowercase()),
            TokenKind::QuotedName if !in_path => form.push_str(&without_needless_quotes(text, dialect)),
            _ => form.push_str(text),
        }
        previous = Some(token);
    }
    form
}

/// Whether a token that is no name can stand within a path: `v:a[0].b`, `v:a['k']`.
fn continues_path(token: &Token, text: &str) -> bool {
    matches!(text, "." | "[" | "]") || matches!(token.kind, TokenKind::Number | TokenKind::Text)
}

/// A quoted name as it would be without quotes, where it then means the same.
fn without_needless_quotes(quoted: &str, dialect: Dialect) -> String {
    let name = quoted.trim_matches('"');
    let plain = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    let same = match dialect {
        // DuckDB finds names in any case, quoted or not, but shows them as written.
        Dialect::DuckDb => name == name.to_lowercase(),
        Dialect::Snowflake => name == name.to_uppercase(),
    };
    if plain && same && !is_reserved(name) { name.to_lowercase() } else { quoted.to_owned() }
}

/// Words that mean something else without quotes.
fn is_reserved(name: &str) -> bool {
    sqlparser::keywords::ALL_KEYWORDS.binary_search(&name.to_uppercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_comments_and_case_do_not_count() {
        let one = "SELECT a.Id,'It' AS x -- why\nFROM /* c */ t;";
        let other = "select\n  a . id, 'It' as X\nfrom t";
        assert_eq!(canonical(one, Dialect::DuckDb), "select a . id , 'It' as x from t");
        assert_eq!(canonical(one, Dialect::DuckDb), canonical(other, Dialect::DuckDb));
    }

    #[test]
    fn what_has_meaning_counts() {
        for (one, other, dialect) in [
            ("select 'a'", "select 'A'", Dialect::DuckDb),
            ("select 'a  b'", "select 'a b'", Dialect::DuckDb),
            ("select E 'x'", "select E'x'", Dialect::DuckDb),
            ("select \"select\"", "select select", Dialect::DuckDb),
            ("select \"Id\"", "select \"id\"", Dialect::Snowflake),
            ("select v:Name.Sub[0].Key", "select v:Name.Sub[0].key", Dialect::Snowflake),
            ("select v:a, 1 .b", "select v:A, 1 .b", Dialect::Snowflake),
            ("select a -- , b", "select a , b", Dialect::Snowflake),
        ] {
            assert_ne!(canonical(one, dialect), canonical(other, dialect), "{one} | {other}");
        }
    }

    #[test]
    fn quotes_that_are_not_needed_do_not_count() {
        assert_eq!(canonical("select \"AGE_NOW\" from \"T\"", Dialect::Snowflake), "select age_now from t");
        assert_eq!(
            canonical("select \"a_b\" from t", Dialect::DuckDb),
            canonical("select A_B from T", Dialect::DuckDb)
        );
    }
}
