//! YAML as text, for files and templates that strata writes.

use crate::diagnostic::{Code, Diagnostic};
use serde::Serialize;

/// A value as YAML text, with a newline at its end. Values that YAML cannot hold are an error.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> Result<String, Diagnostic> {
    serde_yaml::to_string(value)
        .map_err(|error| Diagnostic::error(Code::YamlValue, format!("the value cannot be written as YAML: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let value = json!({"a": [1, "yes", null, {"b": "2020-01-01"}], "text": "two\nlines", "on": true});
        let text = to_text(&value).expect("plain values");
        assert_eq!(super::super::parse_text(&text, "test").expect("own output").to_json(), value);
    }
}
