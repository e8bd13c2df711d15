//! JSON and the values of templates.

use super::value::{dict, float, invalid, list, none, text, type_name};
use minijinja::Error;
use minijinja::value::{ObjectRepr, Value, ValueKind};
use serde_json::Value as Json;
use std::fmt::Write;

/// How deep values may be nested; deeper ones can only be cycles.
const DEEPEST: usize = 100;

/// A value for templates, with lists and dicts of its own that they may change.
pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => none(),
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .or_else(|| number.as_f64().map(Value::from))
            .unwrap_or_else(none),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => list(items.iter().map(from_json)),
        Json::Object(members) => dict(members.iter().map(|(key, value)| (key.as_str(), from_json(value)))),
    }
}

/// A value of a template as JSON: objects without a shape of their own as their text, undefined values and what is
/// no number as null.
pub fn to_json(value: &Value) -> Json {
    to_json_within(value, 0)
}

fn to_json_within(value: &Value, depth: usize) -> Json {
    if depth > DEEPEST {
        return Json::Null;
    }
    let shape = value.as_object().map(minijinja::value::DynObject::repr);
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value),
        ValueKind::Seq | ValueKind::Iterable if shape.is_some() => {
            value.try_iter().into_iter().flatten().map(|item| to_json_within(&item, depth + 1)).collect()
        }
        ValueKind::Map if shape == Some(ObjectRepr::Map) => {
            let pairs = super::value::pairs(value).unwrap_or_default();
            pairs.into_iter().map(|(key, item)| (text(&key), to_json_within(&item, depth + 1))).collect()
        }
        _ => Json::String(text(value)),
    }
}

fn number(value: &Value) -> Json {
    if value.is_integer() {
        if let Some(small) = value.as_i64() {
            return Json::from(small);
        }
        if let Ok(unsigned) = u64::try_from(value.clone()) {
            return Json::from(unsigned);
        }
    }
    f64::try_from(value.clone()).map_or(Json::Null, Json::from)
}

/// JSON text as Python's `json.dumps` writes it: `{"a": [1, null]}`, other than ASCII escaped.
pub fn json_text(value: &Value, sort_keys: bool) -> Result<String, Error> {
    let mut output = String::new();
    write(value, sort_keys, 0, &mut output)?;
    Ok(output)
}

fn write(value: &Value, sort_keys: bool, depth: usize, output: &mut String) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(invalid("Circular reference detected"));
    }
    match value.kind() {
        ValueKind::None => output.push_str("null"),
        ValueKind::Bool => output.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => output.push_str(&number_text(value)),
        ValueKind::String => write_string(value.as_str().unwrap_or_default(), output),
        ValueKind::Seq | ValueKind::Iterable => {
            output.push('[');
            for (at, item) in value.try_iter()?.enumerate() {
                output.push_str(if at == 0 { "" } else { ", " });
                write(&item, sort_keys, depth + 1, output)?;
            }
            output.push(']');
        }
        ValueKind::Map => {
            let mut pairs = super::value::pairs(value).unwrap_or_default();
            if sort_keys {
                pairs.sort_by(|left, right| left.0.cmp(&right.0));
            }
            output.push('{');
            for (at, (key, item)) in pairs.iter().enumerate() {
                output.push_str(if at == 0 { "" } else { ", " });
                write_string(&key_text(key)?, output);
                output.push_str(": ");
                write(item, sort_keys, depth + 1, output)?;
            }
            output.push('}');
        }
        _ => return Err(invalid(format!("Object of type {} is not JSON serializable", type_name(value)))),
    }
    Ok(())
}

fn number_text(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if !value.is_integer() && number.is_nan() => "NaN".to_owned(),
        Ok(number) if !value.is_integer() && number.is_infinite() => {
            if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        Ok(number) if !value.is_integer() => float(number),
        _ => value.to_string(),
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(text(key)),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => Ok(number_text(key)),
        _ => Err(invalid(format!("keys must be str, int, float, bool or None, not {}", type_name(key)))),
    }
}

fn write_string(text: &str, output: &mut String) {
    output.push('"');
    for letter in text.chars() {
        match letter {
            '"' => output.push_str("\\\""),
            '\\' => output.push_str("\\\\"),
            '\n' => output.push_str("\\n"),
            '\r' => output.push_str("\\r"),
            '\t' => output.push_str("\\t"),
            '\u{8}' => output.push_str("\\b"),
            '\u{c}' => output.push_str("\\f"),
            ' '..='~' => output.push(letter),
            _ => {
                let mut units = [0; 2];
                for unit in letter.encode_utf16(&mut units) {
                    // Writing into a String cannot fail.
                    let _ = write!(output, "\\u{unit:04x}");
                }
            }
        }
    }
    output.push('"');
}
