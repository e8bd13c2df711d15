//! JSON and the values of templates.

use super::runtime::is_soft_undefined;
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
    let mut writer = Writer { sort_keys, indent: None, output: String::new() };
    writer.value(value, 0)?;
    Ok(writer.output)
}

/// JSON text over several lines, keys in order, each level indented by so many spaces.
pub(super) fn json_indented(value: &Value, indent: usize) -> Result<String, Error> {
    let mut writer = Writer { sort_keys: true, indent: Some(indent), output: String::new() };
    writer.value(value, 0)?;
    Ok(writer.output)
}

struct Writer {
    sort_keys: bool,
    indent: Option<usize>,
    output: String,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(invalid("Circular reference detected"));
        }
        let refused = || invalid(format!("Object of type {} is not JSON serializable", type_name(value)));
        match value.kind() {
            ValueKind::None => self.output.push_str("null"),
            ValueKind::Bool => self.output.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.output.push_str(&number_text(value)),
            ValueKind::String => write_string(value.as_str().unwrap_or_default(), &mut self.output),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.sequence(&items, depth)?;
            }
            // While a project is read, what will be there later.
            _ if is_soft_undefined(value) => self.output.push_str("null"),
            ValueKind::Map => {
                let mut pairs = super::value::pairs(value).ok_or_else(refused)?;
                if self.sort_keys {
                    pairs.sort_by(|left, right| left.0.cmp(&right.0));
                }
                self.mapping(&pairs, depth)?;
            }
            _ => return Err(refused()),
        }
        Ok(())
    }

    fn sequence(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        self.output.push('[');
        for (at, item) in items.iter().enumerate() {
            self.separator(at, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.end(items.is_empty(), depth);
        self.output.push(']');
        Ok(())
    }

    fn mapping(&mut self, pairs: &[(Value, Value)], depth: usize) -> Result<(), Error> {
        self.output.push('{');
        for (at, (key, item)) in pairs.iter().enumerate() {
            self.separator(at, depth + 1);
            write_string(&key_text(key)?, &mut self.output);
            self.output.push_str(": ");
            self.value(item, depth + 1)?;
        }
        self.end(pairs.is_empty(), depth);
        self.output.push('}');
        Ok(())
    }

    /// What stands before the member at a position.
    fn separator(&mut self, at: usize, depth: usize) {
        let comma = if self.indent.is_some() { "," } else { ", " };
        self.output.push_str(if at == 0 { "" } else { comma });
        self.line(depth);
    }

    fn end(&mut self, is_empty: bool, depth: usize) {
        if !is_empty {
            self.line(depth);
        }
    }

    /// A new line, where there are lines.
    fn line(&mut self, depth: usize) {
        if let Some(indent) = self.indent {
            self.output.push('\n');
            self.output.push_str(&" ".repeat(indent * depth));
        }
    }
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
