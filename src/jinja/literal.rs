//! Values of text that looks like a Python literal: what `as_bool`, `as_number` and `as_native` give.

use super::value::{dict, invalid, list, none, repr, text, tuple};
use minijinja::Error;
use minijinja::value::{Value, ValueKind};

/// How deep literals may be nested.
const DEEPEST: usize = 64;

/// The value of a template that is one expression ending in the filter `filter`.
pub(super) fn convert(value: &Value, filter: &str) -> Result<Value, Error> {
    if filter == "as_text" {
        return Ok(Value::from(text(value)));
    }
    let read = match value.as_str() {
        Some(text) => read(text).unwrap_or_else(|| value.clone()),
        None => value.clone(),
    };
    let fits = match filter {
        "as_bool" => read.kind() == ValueKind::Bool,
        "as_number" => read.kind() == ValueKind::Number,
        _ => true,
    };
    let wanted = if filter == "as_bool" { "bool" } else { "number" };
    if fits { Ok(read) } else { Err(invalid(format!("could not convert value {} into type '{wanted}'", repr(value)))) }
}

/// The value of a Python literal; none if the text is no literal.
pub(super) fn read(source: &str) -> Option<Value> {
    let mut reader = Reader { rest: source.trim_matches([' ', '\t', '\n', '\r']) };
    let value = reader.value(0)?;
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        let value = match self.rest.chars().next()? {
            '[' => list(self.items('[', ']', depth)?.0),
            '(' => {
                let (mut items, commas) = self.items('(', ')', depth)?;
                if items.len() == 1 && commas == 0 { items.pop()? } else { tuple(items) }
            }
            '{' => self.mapping(depth)?,
            quote @ ('\'' | '"') => self.string(quote)?,
            _ => self.word()?,
        };
        self.space();
        Some(value)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: char) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The items between brackets, and how many commas there were.
    fn items(&mut self, open: char, close: char, depth: usize) -> Option<(Vec<Value>, usize)> {
        let (mut items, mut commas) = (vec![], 0);
        self.take(open);
        while !self.take(close) {
            if items.len() != commas {
                return None;
            }
            items.push(self.value(depth + 1)?);
            if self.take(',') {
                commas += 1;
            }
        }
        Some((items, commas))
    }

    fn mapping(&mut self, depth: usize) -> Option<Value> {
        let (mut pairs, mut commas) = (vec![], 0);
        self.take('{');
        while !self.take('}') {
            if pairs.len() != commas {
                return None;
            }
            let key = self.value(depth + 1)?;
            if !self.take(':') {
                return None;
            }
            pairs.push((key, self.value(depth + 1)?));
            if self.take(',') {
                commas += 1;
            }
        }
        Some(dict(pairs))
    }

    fn string(&mut self, quote: char) -> Option<Value> {
        let mut letters = self.rest.char_indices().skip(1);
        let mut content = String::new();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => content.push(match letters.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    other @ ('\\' | '\'' | '"') => other,
                    _ => return None,
                }),
                '\n' => return None,
                letter if letter == quote => {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Some(Value::from(content));
                }
                letter => content.push(letter),
            }
        }
        None
    }

    fn word(&mut self) -> Option<Value> {
        let end = self.rest.find([',', ']', '}', ')', ':', ' ', '\n', '\t']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "None" => Some(none()),
            "True" => Some(Value::from(true)),
            "False" => Some(Value::from(false)),
            _ => number(word),
        }
    }
}

/// A number as Python reads it in source text: `01` is none.
fn number(word: &str) -> Option<Value> {
    let digits = word.trim_start_matches(['-', '+']);
    if word.len() - digits.len() > 1 || !digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return None;
    }
    let plain: String = word.replace('_', "");
    if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        let is_padded = digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|byte| byte != b'0');
        return if is_padded { None } else { plain.parse::<i128>().ok().map(Value::from) };
    }
    if digits.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'-' | b'+' | b'_')) {
        return None;
    }
    plain.parse::<f64>().ok().map(Value::from)
}
