//! The relations of another environment, as its `manifest.json` names them.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::manifest::{ConfigMap, DeferRelation};
use crate::name::{Quoting, RelationName, ResourceType, UniqueId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The parts of a node that templates see in `model.defer_relation`.
const SHOWN: [&str; 11] = [
    "database",
    "schema",
    "alias",
    "relation_name",
    "resource_type",
    "name",
    "description",
    "compiled_code",
    "meta",
    "tags",
    "config",
];

/// What a manifest says of its models, seeds and snapshots that are relations, by unique id. `quoting` is how this
/// project quotes names. A node without a name is an error.
pub fn defer_relations(manifest: &Value, quoting: Quoting) -> Result<BTreeMap<UniqueId, DeferRelation>> {
    let mut found = Diagnostics::new();
    let nodes = manifest.get("nodes").and_then(Value::as_object);
    let relational = nodes.into_iter().flatten().filter(|(_, node)| is_relational(node));
    let relations = relational
        .filter_map(|(id, node)| Some((UniqueId::from(id.as_str()), found.keep(relation(id, node, quoting))?)))
        .collect();
    if found.has_errors() { Err(found) } else { Ok(relations) }
}

fn is_relational(node: &Value) -> bool {
    let kinds = [ResourceType::Model, ResourceType::Seed, ResourceType::Snapshot].map(ResourceType::as_str);
    node["resource_type"].as_str().is_some_and(|kind| kinds.contains(&kind))
        && node["config"]["materialized"] != json!("ephemeral")
}

fn relation(id: &str, node: &Value, quoting: Quoting) -> Result<DeferRelation> {
    let text = |key: &str| node.get(key).and_then(Value::as_str);
    let needed = |key: &str| {
        text(key).ok_or_else(|| {
            Diagnostics::from(
                Diagnostic::error(Code::Artifact, format!("the manifest to defer to says no `{key}` of `{id}`"))
                    .help("make it again in the other environment: `strata parse`"),
            )
        })
    };
    let has_code = node["resource_type"] != json!("seed");
    let keys = SHOWN.into_iter().filter(|key| has_code || *key != "compiled_code");
    let shown = keys.filter_map(|key| Some((key.to_owned(), node.get(key).filter(|value| !value.is_null())?.clone())));
    Ok(DeferRelation {
        name: RelationName::new(text("database"), needed("schema")?, needed("alias")?, quoting),
        relation_name: text("relation_name").map(str::to_owned),
        shape: shown.collect::<ConfigMap>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_read_and_all_that_is_missing_is_told() {
        let node = |kind: &str, materialized: &str| {
            json!({"resource_type": kind, "config": {"materialized": materialized}, "database": null,
                "schema": "prod", "alias": "x", "relation_name": "prod.x", "compiled_code": "select 1", "fqn": []})
        };
        let manifest = json!({"nodes": {
            "model.p.a": node("model", "table"), "seed.p.s": node("seed", "seed"),
            "model.p.e": node("model", "ephemeral"), "test.p.t": node("test", "test"),
        }});
        let relations = defer_relations(&manifest, Quoting::ALL).expect("readable");
        let ids: Vec<&str> = relations.keys().map(UniqueId::as_str).collect();
        assert_eq!(ids, ["model.p.a", "seed.p.s"]);
        let model = &relations["model.p.a"];
        assert_eq!(
            (model.name.to_string().as_str(), model.query().as_str()),
            (r#""prod"."x""#, "select * from prod.x")
        );
        assert_eq!(model.shape.get("compiled_code"), Some(&json!("select 1")));
        assert!(!model.shape.contains_key("database") && !model.shape.contains_key("fqn"));
        assert_eq!(relations["seed.p.s"].shape.get("compiled_code"), None);

        let broken =
            json!({"nodes": {"model.p.a": {"resource_type": "model"}, "model.p.b": {"resource_type": "model"}}});
        assert_eq!(defer_relations(&broken, Quoting::ALL).expect_err("nameless").into_iter().count(), 2);
        assert!(defer_relations(&json!({}), Quoting::ALL).expect("nothing").is_empty());
    }
}
