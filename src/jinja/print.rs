//! How values print: Python's `str()` and `repr()`.

use super::value::{View, nested};
use minijinja::value::{ObjectRepr, Value, ValueKind};
use std::fmt;

/// `[a, b]`.
pub(super) fn write_items(formatter: &mut fmt::Formatter<'_>, items: &[Value]) -> fmt::Result {
    let inner = nested(|| items.iter().map(repr).collect::<Vec<_>>().join(", "));
    write!(formatter, "[{}]", inner.as_deref().unwrap_or("..."))
}

/// `{a: b}`.
pub(super) fn write_pairs(formatter: &mut fmt::Formatter<'_>, pairs: &[(Value, Value)]) -> fmt::Result {
    let inner = nested(|| {
        pairs.iter().map(|(key, value)| format!("{}: {}", repr(key), repr(value))).collect::<Vec<_>>().join(", ")
    });
    write!(formatter, "{{{}}}", inner.as_deref().unwrap_or("..."))
}

/// Python's `str()`: what `{{ value }}` prints.
pub fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => float_text(value),
        ValueKind::Seq if value.is_tuple() => repr(value),
        _ => value.to_string(),
    }
}

/// Python's `repr()`: how a value prints inside a list. Objects say it in their `Debug`.
pub fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => float_text(value),
        ValueKind::Seq if value.is_tuple() => {
            let items: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            let inner = nested(|| items.iter().map(repr).collect::<Vec<_>>().join(", "));
            let comma = if items.len() == 1 { "," } else { "" };
            format!("({}{comma})", inner.as_deref().unwrap_or("..."))
        }
        _ => match value.as_object() {
            Some(object) if object.downcast_ref::<View>().is_some() => value.to_string(),
            // Nothing to list: only the object knows what it is (a relation acts as a mapping, but cannot be listed).
            Some(object) if object.repr() == ObjectRepr::Plain || object.try_iter().is_none() => format!("{object:?}"),
            _ => format!("{value:?}"),
        },
    }
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
