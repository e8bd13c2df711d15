//! Sources that are files: dbt-duckdb's `external_location` in a source's `meta` or config.

use super::{failure, failure_with_help};
use crate::diagnostic::Code;
use crate::manifest::{ConfigMap, Source};
use minijinja::Error;
use serde_json::Value as Json;

/// What stands for the source in SQL, if it is not a table: a quoted path, or a table function as written.
pub(super) fn external_location(source: &Source) -> Result<Option<String>, Error> {
    let config = source.config.values();
    let mut values: ConfigMap = config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
    let own = config.iter().filter(|(key, value)| *key != "meta" && !value.is_null());
    values.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    let text = |key: &str| values.get(key).and_then(Json::as_str);
    if let Some(plugin) = text("plugin") {
        return Err(failure(
            Code::NotSupported,
            format!("source `{}` is read by the plugin `{plugin}`: plugins are not supported", source.unique_id),
        ));
    }
    let Some(template) = text("external_location") else { return Ok(None) };
    let lookup = |name: &str| -> Option<String> {
        match (values.get(name), name) {
            (Some(Json::String(text)), _) => Some(text.clone()),
            (Some(other), _) => Some(other.to_string()),
            (None, "name") => Some(source.name.clone()),
            (None, "identifier") => Some(source.identifier.clone()),
            (None, "schema") => source.relation_name.schema.clone(),
            (None, "database") => source.relation_name.database.clone(),
            _ => None,
        }
    };
    let location = match text("formatter").unwrap_or("newstyle") {
        "newstyle" => fill(template, "{", "}", &lookup),
        "oldstyle" => fill(template, "%(", ")s", &lookup),
        "template" => fill(template, "${", "}", &lookup),
        other => Err(format!("`formatter: {other}` is not known")),
    };
    let location = location.map_err(|message| {
        failure_with_help(
            Code::Config,
            format!("the `external_location` of source `{}` cannot be read: {message}", source.unique_id),
            "name, identifier, schema, database and the keys of `meta` can be filled in",
        )
    })?;
    let is_sql = location.contains('(') || location.starts_with('\'');
    Ok(Some(if is_sql { location } else { format!("'{location}'") }))
}

/// Fills the names between `open` and `close` in; `open` written twice stands for itself.
fn fill(template: &str, open: &str, close: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(open) {
        filled.push_str(&rest[..at]);
        rest = &rest[at + open.len()..];
        if let Some(after) = rest.strip_prefix(open) {
            filled.push_str(open);
            rest = after;
            continue;
        }
        let (name, after) = rest.split_once(close).ok_or_else(|| format!("`{open}` is never closed"))?;
        filled.push_str(&lookup(name.trim()).ok_or_else(|| format!("there is no `{name}` to fill in"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn names_are_filled_in() {
        let lookup = |name: &str| (name == "name").then(|| "t".to_owned());
        assert_eq!(fill("s3://b/{name}.csv", "{", "}", &lookup), Ok("s3://b/t.csv".to_owned()));
        assert_eq!(fill("%(name)s-100%", "%(", ")s", &lookup), Ok("t-100%".to_owned()));
        assert_eq!(fill("{{name}", "{", "}", &lookup), Ok("{name}".to_owned()));
        assert_eq!(fill("{nope}", "{", "}", &lookup), Err("there is no `nope` to fill in".to_owned()));
        assert_eq!(fill("{name", "{", "}", &lookup), Err("`{` is never closed".to_owned()));
    }
}
