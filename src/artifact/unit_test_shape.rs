//! Unit tests as `manifest.json` shows them.

use crate::manifest::{Node, UnitTest};
use crate::project::properties::VersionNumber;
use serde_json::{Map, Value, json};

/// A unit test as dbt's manifest shows it under `unit_tests`.
pub(super) fn unit_test_shape(node: &Node, created_at: f64) -> Map<String, Value> {
    let own = |key: &str, default: Value| node.config.get(key).cloned().unwrap_or(default);
    let tags = match own("tags", json!([])) {
        Value::String(tag) => json!([tag]),
        tags => tags,
    };
    let test = node.unit_test.as_deref();
    let mut json = test.map(UnitTest::content).unwrap_or_default();
    let own_keys = json!({
        "name": node.name, "resource_type": node.resource_type.as_str(), "package_name": node.package_name,
        "path": node.path, "original_file_path": node.original_file_path, "unique_id": node.unique_id.as_str(),
        "fqn": node.fqn, "description": node.description,
        "depends_on": {"macros": node.depends_on.macros, "nodes": node.depends_on.nodes},
        "config": {
            "tags": tags, "meta": own("meta", json!({})), "enabled": node.config.enabled(),
            "static_analysis": own("static_analysis", Value::Null),
        },
        "checksum": node.checksum, "created_at": created_at,
        // A test that is disabled has no model, and so none of its places.
        "schema": test.and_then(|test| test.tested.as_ref()).map(|_| &node.schema),
        "version": test.and_then(|test| test.version.as_ref()).map(VersionNumber::json),
    });
    if let Value::Object(own) = own_keys {
        json.extend(own);
    }
    json
}
