//! How configs are merged: `dbt_project.yml` from the outside in, properties, the node's own `config()`; for a
//! package's node the root project's `dbt_project.yml` again, which has the last word.

use crate::diagnostic::Span;
use crate::manifest::ConfigMap;
use crate::project::config::ConfigTree;
use crate::project::yaml::{Yaml, YamlValue};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value as Json, json};

/// A config while it is merged.
#[derive(Debug, Default)]
pub struct Merging {
    /// The values so far.
    pub values: ConfigMap,
    /// The values as written.
    pub unrendered: ConfigMap,
    /// Where each value was last set.
    pub places: FxHashMap<String, Span>,
}

impl Merging {
    /// Takes over the levels of a config tree that lead to a node.
    pub fn tree(&mut self, tree: &ConfigTree, fqn: &[String]) {
        self.levels(&tree.rendered, Some(&tree.unrendered), fqn);
    }

    /// The same without the outermost level, which speaks of all packages.
    pub fn subtree(&mut self, tree: &ConfigTree, fqn: &[String]) {
        let Some((package, rest)) = fqn.split_first() else { return };
        if let Some(level) = tree.rendered.get(package) {
            self.levels(level, tree.unrendered.get(package), rest);
        }
    }

    fn levels(&mut self, rendered: &Yaml, unrendered: Option<&Yaml>, fqn: &[String]) {
        let mut written = unrendered;
        let mut level = rendered;
        let mut rest = fqn.iter();
        loop {
            for (key, entry) in level.as_mapping().into_iter().flatten() {
                let Some(name) = config_key(key, &entry.value) else { continue };
                self.set(name, entry.value.to_json(), Some(&entry.key));
                if let Some(value) = written.and_then(|written| written.get(key)) {
                    self.unrendered.insert(normal(name).to_owned(), value.to_json());
                }
            }
            let Some(next) = rest.next() else { return };
            match level.get(next) {
                Some(inner) if inner.as_mapping().is_some() => level = inner,
                _ => return,
            }
            written = written.and_then(|written| written.get(next));
        }
    }

    /// Takes over the values of a mapping.
    pub fn values(&mut self, values: &ConfigMap, place: impl Fn(&str) -> Option<Span>) {
        for (key, value) in values {
            self.set(key, value.clone(), place(key).as_ref());
        }
    }

    /// Sets one value, in dbt's way: some keys gather, some are merged key by key, the others replace.
    pub fn set(&mut self, key: &str, value: Json, place: Option<&Span>) {
        let key = normal(key);
        let value = match key {
            "pre-hook" | "post-hook" => Json::Array(hooks(value)),
            _ => value,
        };
        let former = self.values.get(key).filter(|former| !former.is_null()).cloned();
        let merged = match (former, key) {
            (Some(former), "tags" | "packages") => gathered(former, value, true),
            (Some(former), "pre-hook" | "post-hook") => gathered(former, value, false),
            (
                Some(Json::Object(former)),
                "quoting" | "column_types" | "meta" | "docs" | "contract" | "snapshot_meta_column_names",
            ) => updated(former, value),
            (former, "grants") => grants(former, value),
            (None, "tags" | "packages") => gathered(json!([]), value, true),
            (_, _) => value,
        };
        if let Some(place) = place {
            self.places.insert(key.to_owned(), place.clone());
        }
        self.values.insert(key.to_owned(), merged);
    }
}

/// The config key that a key of a config tree means; none where it leads to a folder.
pub fn config_key<'a>(key: &'a str, value: &Yaml) -> Option<&'a str> {
    match key.strip_prefix('+') {
        Some(name) => Some(name.trim()),
        None if matches!(value.value, YamlValue::Mapping(_)) => None,
        None => Some(key),
    }
}

fn normal(key: &str) -> &str {
    match key {
        "pre_hook" => "pre-hook",
        "post_hook" => "post-hook",
        key => key,
    }
}

fn listed(value: Json) -> Vec<Json> {
    match value {
        Json::Array(items) => items,
        Json::Null => vec![],
        value => vec![value],
    }
}

fn gathered(former: Json, value: Json, once: bool) -> Json {
    let mut items = listed(former);
    for item in listed(value) {
        if !once || !items.contains(&item) {
            items.push(item);
        }
    }
    Json::Array(items)
}

fn updated(mut former: Map<String, Json>, value: Json) -> Json {
    match value {
        Json::Object(map) => {
            former.extend(map);
            Json::Object(former)
        }
        Json::Null => Json::Object(former),
        value => value,
    }
}

/// Privileges by name; `+select` adds to what is there, `select` replaces it.
fn grants(former: Option<Json>, value: Json) -> Json {
    let Json::Object(given) = value else { return value };
    let mut merged = match former {
        Some(Json::Object(former)) => former,
        _ => Map::new(),
    };
    for (key, value) in given {
        match key.strip_prefix('+') {
            Some(privilege) => {
                let former = merged.get(privilege).cloned().unwrap_or_else(|| json!([]));
                merged.insert(privilege.to_owned(), gathered(former, value, true));
            }
            None => {
                merged.insert(key, Json::Array(listed(value)));
            }
        }
    }
    Json::Object(merged)
}

/// Hooks in any of dbt's forms: a text, a mapping, JSON in a text, or a list of these.
fn hooks(value: Json) -> Vec<Json> {
    let hook = |hook: Json| match hook {
        Json::String(text) => match serde_json::from_str(&text) {
            Ok(Json::Object(map)) => Json::Object(complete_hook(map)),
            _ => Json::Object(complete_hook(Map::from_iter([("sql".to_owned(), Json::String(text))]))),
        },
        Json::Object(map) => Json::Object(complete_hook(map)),
        other => other,
    };
    listed(value).into_iter().map(hook).collect()
}

fn complete_hook(mut hook: Map<String, Json>) -> Map<String, Json> {
    hook.entry("transaction").or_insert(Json::Bool(true));
    hook.entry("index").or_insert(Json::Null);
    hook
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::yaml::parse_text;

    #[test]
    fn values_are_merged_key_by_key_as_dbt_does() {
        let tree = "
+tags: a
+meta: {owner: me, level: 1}
+pre-hook: select 1
shop:
  +tags: [b, a]
  staging:
    materialized: view
    +meta: {level: 2}
    +grants: {select: [x], insert: y}
    meta: {not: a config}
";
        let tree = parse_text(tree, "dbt_project.yml").expect("valid YAML");
        let tree = ConfigTree { rendered: tree.clone(), unrendered: tree };
        let mut merging = Merging::default();
        let fqn: Vec<String> = ["shop", "staging", "stg_orders"].map(str::to_owned).into();
        merging.tree(&tree, &fqn);
        let own =
            json!({"pre_hook": [{"sql": "select 2", "transaction": false}], "grants": {"+select": "z"}, "tags": "c"});
        merging.values(own.as_object().expect("an object"), |_| None);
        insta::assert_snapshot!(serde_json::to_string_pretty(&merging.values).expect("JSON"));
    }
}
