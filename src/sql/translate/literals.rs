//! Snowflake's string literals as DuckDB's.

use super::build::literal;
use sqlparser::ast::Value;

/// The value as DuckDB writes it; `None` where it is the same.
pub(super) fn translated(value: &Value) -> Option<Value> {
    match value {
        Value::SingleQuotedString(raw) if raw.contains('\\') || raw.contains(char::is_control) => {
            Some(literal(&unescaped(raw)))
        }
        _ => None,
    }
}

/// The text that a raw literal (its inner part) means: quotes doubled, backslash escapes. A backslash before any
/// other character is dropped: `'\.'` is `.`.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                characters.next_if_eq(&'\'');
                text.push('\'');
            }
            '\\' => match characters.next() {
                Some('b') => text.push('\u{8}'),
                Some('f') => text.push('\u{c}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('x') => push_code(&mut text, &mut characters, 'x', 2),
                Some('u') => push_code(&mut text, &mut characters, 'u', 4),
                Some(digit @ '0'..='7') => push_octal(&mut text, &mut characters, digit),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `\xhh` and `\uhhhh`; without enough digits the letter stands for itself.
fn push_code(text: &mut String, characters: &mut Characters<'_>, mark: char, digits: usize) {
    let code: String = characters.clone().take(digits).collect();
    let complete = code.len() == digits && code.chars().all(|digit| digit.is_ascii_hexdigit());
    match u32::from_str_radix(&code, 16).ok().filter(|_| complete).and_then(char::from_u32) {
        Some(character) => {
            text.push(character);
            let _ = characters.nth(digits - 1);
        }
        None => text.push(mark),
    }
}

/// `\ooo`, and `\0`, which is the character NUL.
fn push_octal(text: &mut String, characters: &mut Characters<'_>, first: char) {
    let mut code = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        match characters.peek().and_then(|digit| digit.to_digit(8)) {
            Some(digit) if first != '0' || code > 0 || digit > 0 => {
                code = code * 8 + digit;
                characters.next();
            }
            _ => break,
        }
    }
    text.push(char::from_u32(code).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_are_those_of_snowflake() {
        for (raw, text) in [
            (r"^[^@]+@[^@]+\.[^@]+$", "^[^@]+@[^@]+.[^@]+$"),
            (r"\\.", r"\."),
            (r"it''s \'x\'", "it's 'x'"),
            (r"a\tb\n\r\\", "a\tb\n\r\\"),
            (r"\u0041\x42\103\xZ", "ABCxZ"),
            ("\\", "\\"),
        ] {
            assert_eq!(unescaped(raw), text, "{raw}");
        }
    }

    #[test]
    fn plain_literals_stay() {
        assert_eq!(translated(&Value::SingleQuotedString("it''s".into())), None);
    }
}
