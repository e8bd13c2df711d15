//! Cuts SQL text into statements, as far as an adapter needs it: quotes and comments are skipped, nothing is parsed.

use std::ops::Range;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// Its text without the semicolon, white space around it kept.
    pub text: &'a str,
    /// Where it starts in the whole text, in bytes.
    pub start: usize,
    /// Its words outside quotes, comments and brackets, in lower case; at most [`WORDS`] of them.
    words: Vec<String>,
}

/// More words than this are not needed to tell what a statement does.
const WORDS: usize = 4096;

impl Statement<'_> {
    /// Its first words, as many as asked for.
    pub fn starts_with(&self, words: &[&str]) -> bool {
        words.len() <= self.words.len() && words.iter().zip(&self.words).all(|(asked, word)| asked == word)
    }

    /// The first word.
    pub fn verb(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Whether it writes rows: such a statement answers with the number of rows that it changed.
    pub fn writes_rows(&self) -> bool {
        const WRITING: [&str; 4] = ["insert", "update", "delete", "merge"];
        match self.verb() {
            "create" => self.words.iter().any(|word| word == "as") && self.words.iter().any(|word| word == "table"),
            "with" => self.words.iter().any(|word| WRITING.contains(&word.as_str())),
            "copy" => true,
            verb => WRITING.contains(&verb),
        }
    }

    /// Whether it only asks, or concerns this session alone.
    pub fn is_question(&self) -> bool {
        match self.verb() {
            "select" | "from" | "values" | "table" | "show" | "describe" | "desc" | "explain" | "pragma"
            | "summarize" | "set" | "use" | "" => true,
            "with" => !self.writes_rows(),
            _ => false,
        }
    }

    /// Whether it makes a relation that only this session sees.
    pub fn is_temporary(&self) -> bool {
        let words = if self.starts_with(&["create", "or", "replace"]) { &self.words[3..] } else { self.words.get(1..).unwrap_or_default() };
        self.verb() == "create" && matches!(words.first().map(String::as_str), Some("temp" | "temporary"))
    }
}

/// The statements of a text in order; empty ones are left out.
pub(crate) fn split(sql: &str) -> Vec<Statement<'_>> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0_usize);
    let mut words: Vec<String> = Vec::new();
    let mut has_content = false;
    while at < bytes.len() {
        let next = skip_token(sql, at);
        let token = &sql[at..next];
        match bytes[at] {
            b';' => {
                if has_content {
                    found.push(Statement { text: &sql[start..at], start, words: std::mem::take(&mut words) });
                }
                words.clear();
                (start, depth, has_content) = (next, 0, false);
            }
            byte if byte.is_ascii_whitespace() || is_comment(token) => {}
            byte => {
                has_content = true;
                match byte {
                    b'(' => depth += 1,
                    b')' => depth = depth.saturating_sub(1),
                    _ if depth == 0 && (byte.is_ascii_alphabetic() || byte == b'_') && words.len() < WORDS => {
                        words.push(token.to_ascii_lowercase());
                    }
                    _ => {}
                }
            }
        }
        at = next;
    }
    if has_content {
        found.push(Statement { text: &sql[start..], start, words });
    }
    found
}

fn is_comment(token: &str) -> bool {
    token.starts_with("--") || token.starts_with("/*")
}

/// The end of the token that starts at `at`: a quoted text, a comment, a word, or one character.
fn skip_token(sql: &str, at: usize) -> usize {
    let rest = &sql[at..];
    let bytes = rest.as_bytes();
    let until = |range: Option<Range<usize>>| range.map_or(sql.len(), |range| at + range.end);
    let find = |needle: &str, from: usize| rest[from..].find(needle).map(|start| from + start..from + start + needle.len());
    match bytes[0] {
        b'\'' => at + quoted(bytes, 1, b'\'', false),
        b'"' => at + quoted(bytes, 1, b'"', false),
        b'e' | b'E' if bytes.get(1) == Some(&b'\'') => at + quoted(bytes, 2, b'\'', true),
        b'-' if rest.starts_with("--") => until(find("\n", 2)),
        b'/' if rest.starts_with("/*") => until(find("*/", 2)),
        b'$' => match dollar_tag(rest) {
            Some(tag) => until(find(tag, tag.len())),
            None => at + 1,
        },
        byte if byte.is_ascii_alphanumeric() || byte == b'_' => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'$' || *byte >= 0x80;
            at + bytes.iter().take_while(|byte| is_part(byte)).count()
        }
        _ => at + rest.chars().next().map_or(1, char::len_utf8),
    }
}

/// The length of a quoted text whose content starts at `from`; a doubled quote stays inside.
fn quoted(bytes: &[u8], from: usize, quote: u8, backslashes: bool) -> usize {
    let mut at = from;
    while at < bytes.len() {
        if backslashes && bytes[at] == b'\\' {
            at += 2;
        } else if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The `$tag$` that opens a dollar-quoted text.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest[1..].find('$')? + 2;
    let name = &rest[1..end - 1];
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_name && !name.starts_with(|first: char| first.is_ascii_digit())).then(|| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql).iter().map(|statement| statement.text.trim()).collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_cut() {
        assert_eq!(texts("select ';', \"a;b\", e'\\';' ; -- x;y\n/* ; */ select $$;$$, $t$;$t$;"), [
            "select ';', \"a;b\", e'\\';'",
            "-- x;y\n/* ; */ select $$;$$, $t$;$t$"
        ]);
        assert_eq!(texts(" ; -- nothing\n;"), [""; 0]);
        assert_eq!(texts("select 'it''s; 1'; select 'open; "), ["select 'it''s; 1'", "select 'open;"]);
    }

    #[test]
    fn what_a_statement_does() {
        let first = |sql: &'static str| split(sql).remove(0);
        assert!(first("with a as (insert) select 1").is_question());
        assert!(first("/* hi */ with a as (select 1) insert into t select * from a").writes_rows());
        assert!(first("create or replace temp table a as select 1").is_temporary());
        assert!(first("create table a as select 1").writes_rows());
        assert!(!first("create table a (b int)").writes_rows());
        assert!(!first("create view a as select 1").writes_rows());
        assert!(!first("drop table a").is_question());
    }
}
