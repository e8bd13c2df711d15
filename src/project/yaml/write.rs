//! YAML as text, for files and templates that strata writes.

use super::{Yaml, YamlValue, parse_text};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Span};
use serde::Serialize;
use std::ops::Range;

/// A value as YAML text, with a newline at its end, that YAML 1.1 readers such as dbt's understand too. Values that
/// YAML cannot hold are an error.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    let text = serde_yaml::to_string(value).map_err(|error| {
        Diagnostics::from(Diagnostic::error(Code::YamlValue, format!("the value cannot be written as YAML: {error}")))
    })?;
    // serde_yaml writes YAML 1.2, where `yes` and `1:30` are texts: what means something else in 1.1 gets quotes.
    let tree = parse_text(&text, "written YAML")?;
    let mut places = Vec::new();
    ambiguous(&tree, &mut places);
    places.sort_by_key(|place| place.start);
    let mut quoted = String::with_capacity(text.len());
    let mut done = 0;
    for place in places {
        quoted.push_str(&text[done..place.start]);
        quoted.push('\'');
        quoted.push_str(&text[place.clone()]);
        quoted.push('\'');
        done = place.end;
    }
    quoted.push_str(&text[done..]);
    Ok(quoted)
}

/// The plain scalars that are a text in YAML 1.2 and something else in 1.1.
fn ambiguous(yaml: &Yaml, places: &mut Vec<Range<usize>>) {
    match &yaml.value {
        YamlValue::Sequence(items) => items.iter().for_each(|item| ambiguous(item, places)),
        YamlValue::Mapping(entries) => {
            for entry in entries.values() {
                check(&entry.key, &super::scalar::resolve(entry.key.text()), places);
                ambiguous(&entry.value, places);
            }
        }
        value => check(&yaml.span, value, places),
    }
}

fn check(span: &Span, value: &YamlValue, places: &mut Vec<Range<usize>>) {
    let plain = matches!(value, YamlValue::Bool(_) | YamlValue::Integer(_) | YamlValue::Float(_));
    if plain && matches!(serde_yaml::from_str(span.text()), Ok(serde_yaml::Value::String(_))) {
        places.push(span.range());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let value = json!({
            "a": [1, "yes", null, {"b": "2020-01-01"}, 1.5, "1.5", "017", "1:30", ""],
            "text": "two\nlines",
            "on": true,
            "off": ["ü", "it's", "{{ x }}"],
        });
        let text = to_text(&value).expect("plain values");
        assert_eq!(parse_text(&text, "test").expect("own output").to_json(), value);
        assert!(text.contains("'on': true") && text.contains("- 'yes'"), "{text}");
    }
}
