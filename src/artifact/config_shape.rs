//! The config of a node as artifacts show it: every key that dbt knows for the kind of node, with dbt's
//! default where the project says nothing, then whatever else the project set.

use crate::manifest::NodeConfig;
use crate::name::ResourceType;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A config with its kind's defaults under it.
pub(super) struct ConfigShape<'a> {
    pub(super) config: &'a NodeConfig,
    pub(super) resource_type: ResourceType,
}

type Defaults = Vec<(&'static str, Value)>;

fn defaults(parts: &[Value]) -> Defaults {
    let mut keys = Defaults::new();
    for part in parts {
        for (key, value) in part.as_object().into_iter().flatten() {
            // The keys are literals of this file: a leak of a few hundred bytes, once, spares a second table.
            keys.push((Box::leak(key.clone().into_boxed_str()), value.clone()));
        }
    }
    keys
}

fn common() -> Value {
    json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "static_analysis": null,
    })
}

fn relational(materialized: &str) -> Value {
    json!({
        "materialized": materialized, "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null,
        "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": null,
        "unique_key": null, "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {},
        "packages": [], "docs": {"show": true, "node_color": null},
        "contract": {"enforced": false, "alias_types": true}, "event_time": null, "concurrent_batches": null,
    })
}

static MODEL: LazyLock<Defaults> =
    LazyLock::new(|| defaults(&[common(), relational("view"), json!({"access": "protected", "freshness": null})]));
static OTHER: LazyLock<Defaults> = LazyLock::new(|| defaults(&[common(), relational("view")]));
static SEED: LazyLock<Defaults> =
    LazyLock::new(|| defaults(&[common(), relational("seed"), json!({"delimiter": ",", "quote_columns": null})]));
static SNAPSHOT: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({
        "strategy": null, "target_schema": null, "target_database": null, "updated_at": null, "check_cols": null,
        "snapshot_meta_column_names": {
            "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
            "dbt_is_deleted": null,
        },
        "dbt_valid_to_current": null,
    });
    defaults(&[common(), relational("snapshot"), own])
});
static TEST: LazyLock<Defaults> = LazyLock::new(|| {
    let own = json!({
        "materialized": "test", "severity": "ERROR", "store_failures": null, "store_failures_as": null,
        "where": null, "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0",
    });
    defaults(&[common(), own])
});
static SOURCE: LazyLock<Defaults> = LazyLock::new(|| {
    defaults(&[json!({
        "enabled": true, "event_time": null, "freshness": null, "loaded_at_field": null, "loaded_at_query": null,
        "meta": {}, "tags": [], "static_analysis": null,
    })])
});

impl Serialize for ConfigShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known: &Defaults = match self.resource_type {
            ResourceType::Model => &MODEL,
            ResourceType::Seed => &SEED,
            ResourceType::Snapshot => &SNAPSHOT,
            ResourceType::Test => &TEST,
            ResourceType::Source => &SOURCE,
            _ => &OTHER,
        };
        let mut map = serializer.serialize_map(None)?;
        for (key, default) in known {
            map.serialize_entry(key, &self.value(key, default))?;
        }
        for (key, value) in self.config.values() {
            if !known.iter().any(|(name, _)| name == key) {
                map.serialize_entry(key, value)?;
            }
        }
        map.end()
    }
}

impl ConfigShape<'_> {
    /// The value that is set, in the form that dbt's schema asks for where several are allowed in a project.
    fn value<'v>(&'v self, key: &str, default: &'v Value) -> std::borrow::Cow<'v, Value> {
        use std::borrow::Cow;
        let Some(value) = self.config.get(key) else { return Cow::Borrowed(default) };
        match (key, value) {
            ("tags" | "packages", Value::String(_)) => Cow::Owned(json!([value])),
            ("pre-hook" | "post-hook", _) => Cow::Owned(hooks(value)),
            ("docs" | "contract", Value::Object(given)) => {
                let mut all = default.as_object().cloned().unwrap_or_default();
                all.extend(given.clone());
                Cow::Owned(Value::Object(all))
            }
            _ => Cow::Borrowed(value),
        }
    }
}

/// Hooks as dbt writes them: a list of objects with `sql`, `transaction` and `index`.
fn hooks(value: &Value) -> Value {
    let one = |hook: &Value| match hook {
        Value::Object(map) => json!({
            "sql": map.get("sql").cloned().unwrap_or_default(),
            "transaction": map.get("transaction").and_then(Value::as_bool).unwrap_or(true),
            "index": map.get("index").cloned().unwrap_or_default(),
        }),
        text => json!({"sql": text, "transaction": true, "index": null}),
    };
    match value {
        Value::Array(items) => Value::Array(items.iter().map(one).collect()),
        single => json!([one(single)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(resource_type: ResourceType, values: &Value) -> Value {
        let config = NodeConfig::new(values.as_object().cloned().unwrap_or_default());
        serde_json::to_value(ConfigShape { config: &config, resource_type }).expect("serialisable")
    }

    #[test]
    fn defaults_stand_under_what_is_set() {
        let config = shown(
            ResourceType::Model,
            &json!({"materialized": "table", "tags": "nightly", "docs": {"show": false}, "owner": "crm",
                "pre-hook": "select 1", "alias": null}),
        );
        assert_eq!(config["materialized"], "table");
        assert_eq!(config["tags"], json!(["nightly"]));
        assert_eq!(config["docs"], json!({"show": false, "node_color": null}));
        assert_eq!(config["pre-hook"], json!([{"sql": "select 1", "transaction": true, "index": null}]));
        assert_eq!(config["on_schema_change"], "ignore");
        assert_eq!(config["owner"], "crm");
        assert_eq!(shown(ResourceType::Test, &json!({}))["severity"], "ERROR");
        assert!(shown(ResourceType::Seed, &json!({})).get("access").is_none());
    }
}
