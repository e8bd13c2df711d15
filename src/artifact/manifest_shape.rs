//! `manifest.json`, dbt's schema v12, written node by node so that its size costs no memory.

use super::node_shape::{NodeShape, SourceShape, doc_shape, macro_shape};
use super::unit_test_shape::unit_test_shape;
use super::{Invocation, write_json};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Constraint, Manifest, Node};
use crate::name::{ResourceType, UniqueId};
use crate::project::properties::ConstraintKind;
use crate::run::event::{NodeResult, Status};
use md5::{Digest, Md5};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What became of the nodes in this invocation.
#[derive(Default)]
struct Outcomes<'a> {
    compiled: BTreeMap<&'a str, &'a str>,
    ran: BTreeSet<&'a str>,
}

/// Writes `manifest.json` into the target directory. `results` are the nodes that were compiled or run in this
/// invocation (their SQL goes into the manifest); empty for `parse` and `ls`.
pub fn write_manifest(manifest: &Manifest, invocation: &Invocation, results: &[NodeResult]) -> Result<(), Diagnostic> {
    let mut outcomes = Outcomes::default();
    for result in results {
        if let Some(code) = &result.compiled_code {
            outcomes.compiled.insert(result.unique_id.as_str(), code);
        }
        if !matches!(result.status, Status::Skipped | Status::NoOp) {
            outcomes.ran.insert(result.unique_id.as_str());
        }
    }
    write_json(&invocation.in_target("manifest.json"), &Document { manifest, invocation, outcomes })
}

/// A node or source as the manifest shows it; none for an id that it has not.
pub fn node_document(manifest: &Manifest, invocation: &Invocation, id: &UniqueId) -> Option<Value> {
    let document = Document { manifest, invocation, outcomes: Outcomes::default() };
    let created_at = document.created_at();
    let shape = match (manifest.nodes.get(id), manifest.sources.get(id)) {
        (Some(node), _) if node.unit_test.is_some() => return Some(Value::Object(document.unit_test(node))),
        (Some(node), _) => serde_json::to_value(document.node(node, &BTreeMap::new())),
        (None, Some(source)) => serde_json::to_value(SourceShape { source, created_at }),
        (None, None) => return None,
    };
    shape.ok()
}

struct Document<'a> {
    manifest: &'a Manifest,
    invocation: &'a Invocation,
    outcomes: Outcomes<'a>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let manifest = self.manifest;
        let created_at = self.created_at();
        let (parents, children) = edges(manifest);
        let keys = primary_keys(manifest);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metadata", &self.metadata())?;
        let plain = manifest.nodes.iter().filter(|(_, node)| node.unit_test.is_none());
        let nodes = || plain.clone().map(|(id, node)| (id, self.node(node, &keys)));
        map.serialize_entry("nodes", &Entries(nodes))?;
        let sources = || manifest.sources.iter().map(|(id, source)| (id, SourceShape { source, created_at }));
        map.serialize_entry("sources", &Entries(sources))?;
        let macros = || manifest.macros.iter().map(|(id, entry)| (id, macro_shape(entry, created_at)));
        map.serialize_entry("macros", &Entries(macros))?;
        map.serialize_entry("docs", &Entries(|| manifest.docs.iter().map(|(id, doc)| (id, doc_shape(doc)))))?;
        for absent in ["exposures", "metrics", "groups", "selectors"] {
            map.serialize_entry(absent, &Map::new())?;
        }
        let disabled = || manifest.disabled.iter().map(|(id, node)| (id, [self.of_any_kind(node, &keys)]));
        map.serialize_entry("disabled", &Entries(disabled))?;
        map.serialize_entry("parent_map", &parents)?;
        map.serialize_entry("child_map", &children)?;
        for absent in ["group_map", "saved_queries", "semantic_models"] {
            map.serialize_entry(absent, &Map::new())?;
        }
        let unit_tests = manifest.nodes.iter().filter(|(_, node)| node.unit_test.is_some());
        let unit_tests = || unit_tests.clone().map(|(id, node)| (id, self.unit_test(node)));
        map.serialize_entry("unit_tests", &Entries(unit_tests))?;
        map.serialize_entry("functions", &Map::new())?;
        map.end()
    }
}

impl Document<'_> {
    fn metadata(&self) -> Value {
        let invocation = self.invocation;
        let mut metadata = invocation.metadata("manifest/v12");
        let project_id = Md5::digest(self.manifest.project_name.as_bytes()).iter().fold(
            String::with_capacity(32),
            |mut text, byte| {
                // Writing to a string cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            },
        );
        let quoted = self.manifest.adapter_type != "snowflake";
        let own = json!({
            "project_name": self.manifest.project_name,
            "project_id": project_id,
            "user_id": null,
            "send_anonymous_usage_stats": false,
            "adapter_type": self.manifest.adapter_type,
            "quoting": {"database": quoted, "schema": quoted, "identifier": quoted, "column": null},
            "run_started_at": invocation.started_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, false),
        });
        if let (Some(all), Value::Object(own)) = (metadata.as_object_mut(), own) {
            all.extend(own);
        }
        metadata
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of this millennium fit into 53 bits")]
    fn created_at(&self) -> f64 {
        self.invocation.started_at.timestamp_micros() as f64 / 1e6
    }

    fn unit_test(&self, node: &Node) -> Map<String, Value> {
        unit_test_shape(node, self.created_at())
    }

    fn of_any_kind<'n>(&'n self, node: &'n Node, keys: &'n BTreeMap<&str, Vec<String>>) -> AnyShape<'n> {
        if node.unit_test.is_some() {
            AnyShape::UnitTest(self.unit_test(node))
        } else {
            AnyShape::Node(Box::new(self.node(node, keys)))
        }
    }

    fn node<'n>(&'n self, node: &'n Node, keys: &'n BTreeMap<&str, Vec<String>>) -> NodeShape<'n> {
        let id = node.unique_id.as_str();
        NodeShape {
            node,
            compiled_code: self.outcomes.compiled.get(id).copied(),
            ran: self.outcomes.ran.contains(id),
            target_path: &self.invocation.target_path,
            project_root: &self.invocation.project_root,
            created_at: self.created_at(),
            primary_key: keys.get(id).map_or(&[], Vec::as_slice),
        }
    }
}

/// A node, or a unit test, which is no node in dbt's manifest.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum AnyShape<'a> {
    Node(Box<NodeShape<'a>>),
    UnitTest(Map<String, Value>),
}

/// A map whose entries are made one at a time while it is written.
struct Entries<F>(F);

impl<F, I, K, V> Serialize for Entries<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

type EdgeMap<'a> = BTreeMap<&'a UniqueId, Vec<&'a UniqueId>>;

/// `parent_map` and `child_map`: every node and source is a key; the lists are sorted.
fn edges(manifest: &Manifest) -> (EdgeMap<'_>, EdgeMap<'_>) {
    let mut parents = EdgeMap::new();
    let mut children = EdgeMap::new();
    for id in manifest.nodes.keys().chain(manifest.sources.keys()) {
        children.entry(id).or_default();
        let mut known: Vec<&UniqueId> = manifest.parents(id).iter().collect();
        known.sort_unstable();
        known.dedup();
        for parent in &known {
            children.entry(parent).or_default().push(id);
        }
        parents.insert(id, known);
    }
    for list in children.values_mut() {
        list.sort_unstable();
    }
    (parents, children)
}

/// The columns that name a row of each model: its declared primary key, else as its tests say, those both `unique`
/// and `not_null`, else those that are `unique` alone or in combination.
fn primary_keys(manifest: &Manifest) -> BTreeMap<&str, Vec<String>> {
    let mut unique: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut not_null: BTreeSet<(&str, &str)> = BTreeSet::new();
    for node in manifest.nodes.values().filter(|node| node.resource_type == ResourceType::Test) {
        let Some(test) = &node.test else { continue };
        let Some(attached) = &test.attached_node else { continue };
        let columns: Vec<&str> = match (&test.column_name, test.kwargs.get("combination_of_columns")) {
            (Some(column), _) => vec![column],
            (None, Some(Value::Array(items))) => items.iter().filter_map(Value::as_str).collect(),
            _ => vec![],
        };
        match test.name.as_str() {
            "unique" | "unique_combination_of_columns" => {
                unique.entry(attached.as_str()).or_default().extend(columns.into_iter().map(str::to_owned));
            }
            "not_null" => not_null.extend(columns.into_iter().map(|column| (attached.as_str(), column))),
            _ => {}
        }
    }
    for (model, columns) in &mut unique {
        columns.sort_unstable();
        columns.dedup();
        if columns.iter().any(|column| not_null.contains(&(*model, column.as_str()))) {
            columns.retain(|column| not_null.contains(&(*model, column.as_str())));
        }
    }
    let declared = manifest.nodes.values().filter_map(|node| Some((node.unique_id.as_str(), declared_key(node)?)));
    unique.extend(declared);
    unique
}

/// The columns of the primary key among a model's constraints.
fn declared_key(node: &Node) -> Option<Vec<String>> {
    let is_key = |constraint: &&Constraint| constraint.kind == ConstraintKind::PrimaryKey;
    if let Some(key) = node.constraints.iter().find(is_key) {
        return Some(key.columns.clone());
    }
    let column = node.columns.values().find(|column| column.constraints.iter().any(|one| is_key(&one)))?;
    Some(vec![column.name.clone()])
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::run::event::Timing;

    fn written(results: &[NodeResult]) -> Value {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let invocation = fixture::invocation(directory.path());
        write_manifest(&fixture::manifest(), &invocation, results).expect("written");
        let text = std::fs::read_to_string(directory.path().join("target/manifest.json")).expect("read");
        let text = text.replace(&directory.path().display().to_string(), "[root]");
        serde_json::from_str(&text).expect("JSON")
    }

    #[test]
    fn the_whole_document() {
        let mut document = written(&[]);
        document["metadata"]["generated_at"] = json!("[time]");
        insta::assert_json_snapshot!(document);
    }

    #[test]
    fn compiled_sql_and_paths_of_what_ran() {
        let result = |id: &str, status: Status, code: Option<&str>| NodeResult {
            unique_id: id.into(),
            status,
            message: None,
            failures: None,
            response: crate::adapter::Response::default(),
            diagnostic: None,
            timing: Timing::default(),
            thread: 1,
            compiled_code: code.map(str::to_owned),
            executed_code: None,
            batches: None,
        };
        let document = written(&[
            result("model.shop.stg_orders", Status::Success, Some("select 1")),
            result("model.shop.total", Status::Skipped, None),
            result("test.shop.unique_stg_orders_id", Status::Pass, Some("select 2")),
        ]);
        let staging = &document["nodes"]["model.shop.stg_orders"];
        assert_eq!(staging["compiled_path"], "target/compiled/shop/models/staging/stg_orders.sql");
        assert_eq!(staging["build_path"], "target/run/shop/models/staging/stg_orders.sql");
        assert_eq!(staging["compiled_code"], "select 1");
        assert_eq!(staging["primary_key"], json!(["id"]));
        let total = &document["nodes"]["model.shop.total"];
        assert_eq!((&total["compiled_path"], &total["build_path"]), (&Value::Null, &Value::Null));
        assert_eq!(
            document["nodes"]["test.shop.unique_stg_orders_id"]["compiled_path"],
            "target/compiled/shop/models/schema.yml/unique_stg_orders_id.sql"
        );
    }
}
