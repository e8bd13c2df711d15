//! How values print: Python's `str()` and `repr()`.

use super::dict::View;
use minijinja::value::{ObjectRepr, Value, ValueKind};
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::fmt::Write as _;

thread_local! {
    /// The addresses of the lists and dicts that are being printed: one that holds itself is cut off there.
    static PRINTING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// How deep values are printed that do not hold themselves.
const DEEPEST: usize = 200;

/// Runs `write` unless what lives at `address` is being printed already.
fn once(address: usize, write: impl FnOnce() -> fmt::Result) -> Option<fmt::Result> {
    let is_inside = PRINTING.with_borrow(|printing| printing.contains(&address) || printing.len() >= DEEPEST);
    if is_inside {
        return None;
    }
    PRINTING.with_borrow_mut(|printing| printing.push(address));
    let result = write();
    PRINTING.with_borrow_mut(Vec::pop);
    Some(result)
}

/// `[a, b]` of the list at `address`.
pub(super) fn write_items(formatter: &mut fmt::Formatter<'_>, address: usize, items: &[Value]) -> fmt::Result {
    let written = once(address, || write_list(formatter, items));
    written.unwrap_or_else(|| formatter.write_str("[...]"))
}

/// `[a, b]`.
pub(super) fn write_list(formatter: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    formatter.write_str("[")?;
    write_joined(formatter, items.iter().map(repr))?;
    formatter.write_str("]")
}

/// `{a: b}` of the dict at `address`.
pub(super) fn write_pairs(formatter: &mut fmt::Formatter<'_>, address: usize, pairs: &[(Value, Value)]) -> fmt::Result {
    let written = once(address, || {
        formatter.write_str("{")?;
        write_joined(formatter, pairs.iter().map(|(key, value)| format!("{}: {}", repr(key), repr(value))))?;
        formatter.write_str("}")
    });
    written.unwrap_or_else(|| formatter.write_str("{...}"))
}

fn write_joined(formatter: &mut fmt::Formatter<'_>, parts: impl Iterator<Item = String>) -> fmt::Result {
    for (at, part) in parts.enumerate() {
        formatter.write_str(if at == 0 { "" } else { ", " })?;
        formatter.write_str(&part)?;
    }
    Ok(())
}

/// Python's `str()`: what `{{ value }}` prints.
pub fn text(value: &Value) -> String {
    as_text(value).into_owned()
}

/// The same, without a copy of what is text already.
pub(super) fn as_text(value: &Value) -> Cow<'_, str> {
    let printed = match value.kind() {
        ValueKind::String => return Cow::Borrowed(value.as_str().unwrap_or_default()),
        ValueKind::Number if !value.is_integer() => float_text(value),
        ValueKind::Seq if value.is_tuple() => repr(value),
        ValueKind::Bytes => repr(value),
        _ => value.to_string(),
    };
    Cow::Owned(printed)
}

/// Python's `repr()`: how a value prints inside a list. Objects say it in their `Debug`.
pub fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => "Undefined".to_owned(),
        ValueKind::String => string(value.as_str().unwrap_or_default()),
        ValueKind::Bytes => bytes(value.as_bytes().unwrap_or_default()),
        ValueKind::Number if !value.is_integer() => float_text(value),
        ValueKind::Seq if value.is_tuple() => {
            let items: Vec<String> = value.try_iter().into_iter().flatten().map(|item| repr(&item)).collect();
            format!("({}{})", items.join(", "), if items.len() == 1 { "," } else { "" })
        }
        _ => match value.as_object() {
            Some(object) if object.downcast_ref::<View>().is_some() => value.to_string(),
            // Nothing to list: only the object knows what it is (a relation acts as a mapping, but cannot be listed).
            Some(object) if object.repr() == ObjectRepr::Plain || object.try_iter().is_none() => format!("{object:?}"),
            _ => format!("{value:?}"),
        },
    }
}

/// A text as Python writes it: in single quotes unless it has some itself, what cannot be seen escaped.
fn string(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(text.len() + 2);
    shown.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\\' => shown.push_str("\\\\"),
            letter if letter == quote => shown.extend(['\\', letter]),
            letter if is_printable(letter) => shown.push(letter),
            letter => {
                // Writing into a String cannot fail.
                let _ = match u32::from(letter) {
                    code @ 0..=0xff => write!(shown, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(shown, "\\u{code:04x}"),
                    code => write!(shown, "\\U{code:08x}"),
                };
            }
        }
    }
    shown.push(quote);
    shown
}

/// Whether Python prints a character as it is. Rust escapes the same ones, besides those that only combine with the
/// character before them.
fn is_printable(letter: char) -> bool {
    letter == ' ' || matches!(letter, '\'' | '"') || letter.escape_debug().len() == 1 && !letter.is_whitespace()
}

/// Bytes as Python writes them: `b'\xc3\xa9'`.
pub fn bytes(bytes: &[u8]) -> String {
    let mut text = String::from("b'");
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\'' => text.push_str("\\'"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x20..0x7f => text.push(char::from(*byte)),
            _ => text.extend(["\\x".to_owned(), format!("{byte:02x}")]),
        }
    }
    text.push('\'');
    text
}

/// A float as Python prints it: the shortest text that reads back, with an exponent where it is long.
fn float_text(value: &Value) -> String {
    let Ok(number) = f64::try_from(value.clone()) else { return value.to_string() };
    float(number)
}

/// A float as Python prints it: `1.0`, `1e-07`, `1e+22`, `nan`.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let size = number.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}
