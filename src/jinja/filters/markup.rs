//! Filters for HTML and XML.

use super::super::native::Arguments;
use super::super::value::{invalid, pairs, text, type_name};
use minijinja::value::Value;
use minijinja::{Error, State};

/// A text with the five characters replaced that mean something in HTML.
pub(in crate::jinja) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// An escaped text that will not be escaped again.
pub(super) fn safe(text: &str) -> Value {
    Value::from_safe_string(escaped(text))
}

pub(super) fn escape(_state: &mut State<'_, '_>, value: Value, arguments: Arguments<'_>) -> Result<Value, Error> {
    arguments.finish()?;
    Ok(if value.is_safe() { value } else { safe(&text(&value)) })
}

/// The pairs of a mapping as attributes of a tag; those without a value are left out.
pub(super) fn xmlattr(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let spaced = arguments.flag("autospace", true);
    arguments.finish()?;
    let pairs =
        pairs(&value).ok_or_else(|| invalid(format!("'{}' object has no attribute 'items'", type_name(&value))))?;
    let mut attributes = vec![];
    for (key, item) in pairs.into_iter().filter(|(_, item)| !item.is_none() && !item.is_undefined()) {
        let key = text(&key);
        if key.contains(|letter: char| letter.is_whitespace() || matches!(letter, '/' | '>' | '=')) {
            return Err(invalid(format!("Invalid character in attribute name: '{key}'")));
        }
        let item = if item.is_safe() { text(&item) } else { escaped(&text(&item)) };
        attributes.push(format!("{}=\"{item}\"", escaped(&key)));
    }
    let space = if spaced && !attributes.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{space}{}", attributes.join(" "))))
}

/// A text without tags and comments, entities as the characters that they stand for, runs of white space as one space.
pub(super) fn without_tags(text: &str) -> String {
    let without = |text: &str, open: &str, close: &str| {
        let mut kept = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(open) {
            let Some(end) = rest[at..].find(close) else { break };
            kept.push_str(&rest[..at]);
            rest = &rest[at + end + close.len()..];
        }
        kept + rest
    };
    let plain = without(&without(text, "<!--", "-->"), "<", ">");
    unescaped(&plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.find(';').filter(|end| *end < 12).map(|end| &rest[1..end]);
        if let Some((letter, length)) = entity.and_then(|entity| Some((character(entity)?, entity.len() + 2))) {
            plain.push(letter);
            rest = &rest[length..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain + rest
}

/// The character of an entity, as far as people write them.
fn character(entity: &str) -> Option<char> {
    let code = match entity.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => match entity {
            "amp" => 0x26,
            "lt" => 0x3c,
            "gt" => 0x3e,
            "quot" => 0x22,
            "apos" => 0x27,
            "nbsp" => 0xa0,
            _ => return None,
        },
    };
    char::from_u32(code)
}
