//! The tokens of a SQL text: every byte belongs to exactly one, and no text is refused.
//!
//! sqlparser's tokenizer drops the written form and stops at the first thing it does not know; splitting,
//! CTE injection and the canonical form must do neither.

use super::Dialect;
use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string literal of any form, its prefix (`E`, `X`) not included.
    Text,
    /// A number.
    Number,
    /// An operator or any other character.
    Symbol,
    /// A comment with its marks.
    Comment,
    /// White space.
    Space,
}

/// A token and the bytes it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

impl Token {
    /// The token as written.
    pub(super) fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.range.clone()]
    }

    /// Whether it is neither comment nor white space.
    pub(super) fn is_code(&self) -> bool {
        !matches!(self.kind, TokenKind::Comment | TokenKind::Space)
    }

    /// Whether it is this keyword; `word` is lower case.
    pub(super) fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Whether it is this symbol.
    pub(super) fn is_symbol(&self, sql: &str, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text(sql) == symbol
    }
}

/// All tokens of `sql` in order. What is not closed goes to the end of the text.
pub(super) fn tokens(sql: &str, dialect: Dialect) -> Vec<Token> {
    let mut scanner = Scanner { sql, dialect, at: 0 };
    let mut found: Vec<Token> = Vec::with_capacity(sql.len() / 4);
    while scanner.at < sql.len() {
        let start = scanner.at;
        // `E'…'` has backslash escapes in every dialect; its `E` is the word before.
        let escaped = found.last().is_some_and(|last| last.range.end == start && last.is_word(sql, "e"));
        let kind = scanner.next(escaped);
        found.push(Token { kind, range: start..scanner.at });
    }
    found
}

/// Operators of more than one character, the longest first.
const OPERATORS: [&str; 26] = [
    "!~~*", "->>", "!~*", "!~~", "~~*", "<=>", "<=", ">=", "<>", "!=", "||", "::", "->", "=>", ":=", "==", "//", "**",
    "~~", "!~", "~*", "@>", "<@", "<<", ">>", "&&",
];

struct Scanner<'a> {
    sql: &'a str,
    dialect: Dialect,
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        &self.sql[self.at..]
    }

    /// Goes past the next `mark`, or to the end.
    fn skip_past(&mut self, mark: &str) {
        self.at = self.rest().find(mark).map_or(self.sql.len(), |found| self.at + found + mark.len());
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        self.at = self.rest().find(|character| !wanted(character)).map_or(self.sql.len(), |found| self.at + found);
    }

    fn next(&mut self, escaped: bool) -> TokenKind {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or_default();
        let line_comment = rest.starts_with("--") || (self.dialect == Dialect::Snowflake && rest.starts_with("//"));
        if line_comment {
            self.skip_while(|character| character != '\n');
            return TokenKind::Comment;
        }
        if rest.starts_with("/*") {
            self.block_comment();
            return TokenKind::Comment;
        }
        if let Some(mark) = self.dollar_mark() {
            self.at += mark.len();
            self.skip_past(&mark);
            return TokenKind::Text;
        }
        match first {
            '\'' => {
                self.quoted('\'', escaped || self.dialect == Dialect::Snowflake);
                TokenKind::Text
            }
            '"' => {
                self.quoted('"', false);
                TokenKind::QuotedName
            }
            _ if first.is_whitespace() => {
                self.skip_while(char::is_whitespace);
                TokenKind::Space
            }
            _ if first.is_ascii_digit() => {
                self.number();
                TokenKind::Number
            }
            _ if first == '$' || is_name_part(first) => {
                self.skip_while(|character| character == '$' || is_name_part(character));
                TokenKind::Word
            }
            _ => {
                let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
                self.at += operator.map_or(first.len_utf8(), |operator| operator.len());
                TokenKind::Symbol
            }
        }
    }

    /// The opening mark of a dollar-quoted text that starts here: `$$`, in DuckDB also `$word$`.
    fn dollar_mark(&self) -> Option<String> {
        let inner = self.rest().strip_prefix('$')?;
        let end = inner.find('$')?;
        let tag = &inner[..end];
        let starts_as_name = tag.chars().next().is_none_or(|first| first.is_alphabetic() || first == '_');
        let allowed =
            tag.is_empty() || (self.dialect == Dialect::DuckDb && starts_as_name && tag.chars().all(is_name_part));
        allowed.then(|| format!("${tag}$"))
    }

    fn quoted(&mut self, quote: char, backslash_escapes: bool) {
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, character)) = characters.next() {
            if character == '\\' && backslash_escapes {
                characters.next();
            } else if character == quote {
                if characters.peek().is_some_and(|(_, next)| *next == quote) {
                    characters.next();
                } else {
                    self.at += offset + 1;
                    return;
                }
            }
        }
        self.at = self.sql.len();
    }

    fn block_comment(&mut self) {
        self.at += 2;
        let mut depth = 1;
        while depth > 0 {
            let rest = self.rest();
            let Some(close) = rest.find("*/") else {
                self.at = self.sql.len();
                return;
            };
            // DuckDB nests comments as PostgreSQL does; Snowflake does not.
            let nested = rest.find("/*").filter(|open| *open < close && self.dialect == Dialect::DuckDb);
            depth = if nested.is_some() { depth + 1 } else { depth - 1 };
            self.at += nested.unwrap_or(close) + 2;
        }
    }

    fn number(&mut self) {
        self.skip_while(|character| character.is_ascii_digit() || character == '_');
        if self.rest().starts_with('.') {
            self.at += 1;
            self.skip_while(|character| character.is_ascii_digit());
        }
        let bytes = self.rest().as_bytes();
        if matches!(bytes.first(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
            if bytes.get(1 + sign).is_some_and(u8::is_ascii_digit) {
                self.at += 1 + sign;
                self.skip_while(|character| character.is_ascii_digit());
            }
        }
    }
}

fn is_name_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(sql: &str, dialect: Dialect) -> Vec<&str> {
        tokens(sql, dialect).into_iter().filter(Token::is_code).map(|token| &sql[token.range]).collect()
    }

    #[test]
    fn every_byte_is_in_one_token() {
        for sql in ["", "select 'a''b' -- c\n, \"ü\"\"x\" /* /* */ */", "$$ ; $$ $1 'open", "1.5e-3::int /* open", "a'"]
        {
            for dialect in [Dialect::DuckDb, Dialect::Snowflake] {
                let found = tokens(sql, dialect);
                let text: String = found.iter().map(|token| token.text(sql)).collect();
                assert_eq!(text, sql);
            }
        }
    }

    proptest::proptest! {
        /// Whatever is written: nothing panics, no byte is lost, statements lie in order and apart.
        #[test]
        fn any_text_is_read(sql in r#"([a-z'"$;/*\\ \n-]|\$\$|--|/\*|\*/|ü|select|with x as \(){0,40}"#) {
            for dialect in [Dialect::DuckDb, Dialect::Snowflake] {
                let text: String = tokens(&sql, dialect).iter().map(|token| token.text(&sql)).collect();
                proptest::prop_assert_eq!(&text, &sql);
                let mut end = 0;
                for range in crate::sql::split_statements(&sql, dialect) {
                    proptest::prop_assert!(range.start >= end && range.end > range.start && range.end <= sql.len());
                    end = range.end;
                }
                let once = crate::sql::canonical(&sql, dialect);
                proptest::prop_assert_eq!(&crate::sql::canonical(&format!(" {sql}"), dialect), &once);
            }
        }
    }

    #[test]
    fn strings_end_where_their_dialect_ends_them() {
        assert_eq!(code(r"'a\' , 'b'", Dialect::DuckDb), [r"'a\'", ",", "'b'"]);
        assert_eq!(code(r"'a\' , 'b'", Dialect::Snowflake), [r"'a\' , '", "b", "'"]);
        assert_eq!(code(r"E'a\'b' x", Dialect::DuckDb), ["E", r"'a\'b'", "x"]);
        assert_eq!(code("$t$ ; $t$ $$;$$", Dialect::DuckDb), ["$t$ ; $t$", "$$;$$"]);
        assert_eq!(code("a // b\n- 1", Dialect::Snowflake), ["a", "-", "1"]);
        assert_eq!(code("7 // 2", Dialect::DuckDb), ["7", "//", "2"]);
        assert_eq!(code("/* /* */ x */ y", Dialect::DuckDb), ["y"]);
    }
}
