//! Values as Python prints them: names and hashes of generic tests are made from that.

use serde_json::Value as Json;
use std::fmt::Write as _;

/// `str(value)`.
pub fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`.
pub fn repr(value: &Json) -> String {
    let mut written = String::new();
    write_repr(value, &mut written);
    written
}

fn write_repr(value: &Json, to: &mut String) {
    match value {
        Json::Null => to.push_str("None"),
        Json::Bool(true) => to.push_str("True"),
        Json::Bool(false) => to.push_str("False"),
        Json::Number(number) => to.push_str(&number_text(number)),
        Json::String(text) => write_text(text, to),
        Json::Array(items) => {
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                to.push_str(if index == 0 { "" } else { ", " });
                write_repr(item, to);
            }
            to.push(']');
        }
        Json::Object(map) => {
            to.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                to.push_str(if index == 0 { "" } else { ", " });
                write_text(key, to);
                to.push_str(": ");
                write_repr(item, to);
            }
            to.push('}');
        }
    }
}

fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        // Python writes exponents from 1e16 on, and with two digits at least.
        Some(float) if float != 0.0 && !(1e-4..1e16).contains(&float.abs()) => {
            let text = format!("{float:e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        Some(float) => format!("{float:?}"),
        None => number.to_string(),
    }
}

fn write_text(text: &str, to: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    to.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            letter if letter == quote => {
                to.push('\\');
                to.push(letter);
            }
            letter if u32::from(letter) < 0x20 || u32::from(letter) == 0x7f => {
                // Writing to a string does not fail.
                let _ = write!(to, "\\x{:02x}", u32::from(letter));
            }
            letter => to.push(letter),
        }
    }
    to.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let cases = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1), "1"),
            (json!(1.0), "1.0"),
            (json!(0.1), "0.1"),
            (json!(1e16), "1e+16"),
            (json!(1.5e-7), "1.5e-07"),
            (json!("it's"), "\"it's\""),
            (json!("a\"b'c\n"), "'a\"b\\'c\\n'"),
            (json!([1, "a", [true]]), "[1, 'a', [True]]"),
            (json!({"a": 1, "b": null}), "{'a': 1, 'b': None}"),
        ];
        for (value, written) in cases {
            assert_eq!(repr(&value), written);
        }
        assert_eq!(text(&json!("plain")), "plain");
    }
}
