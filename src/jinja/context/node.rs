//! Nodes as templates see them: the dicts `model` and `graph`, made only when a template looks at them.

use super::batch::batch_value;
use super::config::complete_config;
use crate::jinja::from_json;
use crate::jinja::value::{Dict, dict, list};
use crate::manifest::{
    BatchStep, Column, ConfigMap, Constraint, MacroEntry, Manifest, Materialized, Node, Source, SourceFreshness,
};
use crate::name::{ResourceType, UniqueId};
use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, State};
use serde_json::{Map, Value as Json, json};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Where a node's data stands while it is rendered.
#[derive(Debug, Clone)]
pub enum NodeHandle {
    /// On its own: the node is still being parsed.
    Single(Arc<Node>),
    /// In the finished manifest.
    Manifest(Arc<Manifest>, UniqueId),
}

impl NodeHandle {
    /// The node; none if the manifest has no such node.
    pub fn node(&self) -> Option<&Node> {
        match self {
            Self::Single(node) => Some(node),
            Self::Manifest(manifest, id) => manifest.nodes.get(id),
        }
    }
}

/// A dict that is filled when it is first looked at. From then on it is a dict as any other: it can be changed.
/// Where dbt has an object, templates may also call its `to_dict()`.
pub(super) struct LazyDict {
    make: Box<dyn Fn() -> Value + Send + Sync>,
    made: OnceLock<Option<Arc<Dict>>>,
}

impl LazyDict {
    pub(super) fn value(make: impl Fn() -> Map<String, Json> + Send + Sync + 'static) -> Value {
        Self::of(move || from_json(&Json::Object(make())))
    }

    fn of(make: impl Fn() -> Value + Send + Sync + 'static) -> Value {
        Value::from_object(Self { make: Box::new(make), made: OnceLock::new() })
    }

    /// One result of a run: a dict, and so are its node and the steps of its timing.
    pub(super) fn result(result: &Json) -> Value {
        let filled = from_json(result);
        if let Some(dict) = filled.downcast_object_ref::<Dict>() {
            let lazy = |json: &Json| {
                let json = json.clone();
                Self::value(move || object(json.clone()))
            };
            if let Some(node) = result.get("node") {
                dict.insert(Value::from("node"), lazy(node));
            }
            if let Some(steps) = result.get("timing").and_then(Json::as_array) {
                dict.insert(Value::from("timing"), list(steps.iter().map(lazy)));
            }
        }
        let made = OnceLock::from(filled.downcast_object::<Dict>());
        Value::from_object(Self { make: Box::new(Value::default), made })
    }

    fn dict(&self) -> Option<&Arc<Dict>> {
        self.made.get_or_init(|| (self.make)().downcast_object::<Dict>()).as_ref()
    }
}

impl fmt::Debug for LazyDict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dict().map_or(Ok(()), |dict| write!(formatter, "{dict:?}"))
    }
}

impl Object for LazyDict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.dict()?.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.dict().map_or(Enumerator::Empty, Object::enumerate)
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.dict()?.enumerator_len()
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let (own, other) = (self.dict()?, other.downcast_ref::<Self>()?.dict()?);
        Some(Value::from_dyn_object(Arc::clone(own)).cmp(&Value::from_dyn_object(Arc::clone(other))))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        match self.dict() {
            Some(dict) if method == "to_dict" => Ok(Value::from_dyn_object(Arc::clone(dict))),
            Some(dict) => dict.call_method(state, method, values),
            None => Err(Error::from(minijinja::ErrorKind::UnknownMethod)),
        }
    }
}

/// The dict `model`: the node as dbt's manifest shows it, absent values left out, with its compiled SQL once
/// that is known.
pub(super) fn model_value(handle: NodeHandle, compiled: Option<Arc<str>>, batch: Option<BatchStep>) -> Value {
    LazyDict::of(move || {
        let Some(node) = handle.node() else { return dict::<Value>([]) };
        let mut json = node_json(node);
        if let NodeHandle::Manifest(manifest, _) = &handle {
            point_foreign_keys(&mut json, node, manifest);
        }
        if let Some(compiled) = &compiled {
            json.insert("compiled".into(), Json::Bool(true));
            json.insert("compiled_code".into(), Json::String(compiled.to_string()));
            json.insert("compiled_sql".into(), Json::String(compiled.to_string()));
            json.insert("extra_ctes_injected".into(), Json::Bool(true));
            json.insert("extra_ctes".into(), json!([]));
        }
        json.retain(|_, value| !value.is_null());
        let model = from_json(&Json::Object(json));
        if let (Some(step), Some(dict)) = (&batch, model.downcast_object_ref::<Dict>()) {
            dict.insert(Value::from("batch"), batch_value(step));
        }
        model
    })
}

/// Foreign keys point to relations once it is known what they refer to.
fn point_foreign_keys(json: &mut Map<String, Json>, node: &Node, manifest: &Manifest) {
    let point = |shapes: Option<&mut Json>, constraints: &[Constraint]| {
        let shapes = shapes.and_then(Json::as_array_mut).into_iter().flatten();
        for (shape, constraint) in shapes.zip(constraints) {
            if let Some(relation) = constraint.target(manifest, &node.package_name) {
                shape["to"] = json!(relation.to_string());
            }
        }
    };
    point(json.get_mut("constraints"), &node.constraints);
    for (name, column) in &node.columns {
        let shape = json.get_mut("columns").and_then(|columns| columns.get_mut(name));
        point(shape.and_then(|column| column.get_mut("constraints")), &column.constraints);
    }
}

/// The parts of dbt's graph beside `nodes` and `sources`. strata does not read them, so they are empty.
const OTHER_GRAPH_PARTS: [&str; 6] =
    ["exposures", "functions", "groups", "metrics", "semantic_models", "saved_queries"];

/// The dict `graph`: every enabled node and source as dbt's manifest shows it; as in dbt, no unit tests. Make it once for a manifest
/// and hand it to every render; what no template looks at costs nothing. Packages keep things of their own in it
/// for the rest of the run, so it can be changed. strata's own control tables are there only if something refers to
/// them: packages go through all nodes to judge those of the project.
pub fn graph_value(manifest: &Arc<Manifest>) -> Value {
    let manifest = Arc::clone(manifest);
    LazyDict::of(move || {
        let node = |id: &UniqueId| {
            let (manifest, id) = (Arc::clone(&manifest), id.clone());
            LazyDict::value(move || manifest.nodes.get(&id).map(node_json).unwrap_or_default())
        };
        let referred: BTreeSet<&UniqueId> = manifest.nodes.values().flat_map(|node| &node.depends_on.nodes).collect();
        let shown = manifest
            .nodes
            .iter()
            .filter(|(_, node)| node.unit_test.is_none())
            .filter(|(id, node)| node.config.materialized() != Materialized::Control || referred.contains(id));
        let nodes = dict(shown.map(|(id, _)| (Value::from(id.as_str()), node(id))));
        let sources = dict(manifest.sources.keys().map(|id| (Value::from(id.as_str()), source_value(&manifest, id))));
        let others = OTHER_GRAPH_PARTS.map(|part| (Value::from(part), dict::<Value>([])));
        dict([(Value::from("nodes"), nodes), (Value::from("sources"), sources)].into_iter().chain(others))
    })
}

/// A node as dbt's manifest shows it, absent values as null. Values that strata does not keep (times, checksums of
/// contracts) are left out.
pub fn node_json(node: &Node) -> Map<String, Json> {
    let config = complete_config(node.resource_type, node.config.values());
    let pick = |key: &str| config.get(key).cloned().unwrap_or(Json::Null);
    let mut json = object(json!({
        "database": node.database, "schema": node.schema, "name": node.name,
        "resource_type": node.resource_type.as_str(), "package_name": node.package_name,
        "path": node.path, "original_file_path": node.original_file_path,
        "unique_id": node.unique_id.as_str(), "fqn": node.fqn, "alias": node.alias,
        "checksum": {"name": "sha256", "checksum": node.checksum},
        "tags": pick("tags"), "description": node.description, "columns": columns_json(&node.columns),
        "meta": pick("meta"), "group": pick("group"), "docs": pick("docs"),
        "patch_path": node.patch_path, "build_path": null, "unrendered_config": node.unrendered_config,
        "relation_name": node.relation_name.as_ref().map(ToString::to_string),
        "raw_code": &*node.raw_code, "doc_blocks": [],
        "depends_on": {"macros": ids(&node.depends_on.macros), "nodes": ids(&node.depends_on.nodes)},
    }));
    let defer_relation = node.defer_relation.as_ref().map(|relation| &relation.shape);
    match node.resource_type {
        ResourceType::Seed => json.extend(object(json!({"root_path": null, "defer_relation": defer_relation}))),
        _ => json.extend(object(json!({
            "language": "sql", "contract": pick("contract"), "compiled_path": null, "metrics": [], "functions": [],
            "refs": node.refs.iter().map(|call| {
                json!({"name": call.name, "package": call.package, "version": call.version})
            }).collect::<Vec<_>>(),
            "sources": node.sources.iter().map(|call| json!([call.source_name, call.table_name])).collect::<Vec<_>>(),
        }))),
    }
    match node.resource_type {
        ResourceType::Model => json.extend(object(json!({
            "access": pick("access"), "defer_relation": defer_relation, "deprecation_date": null, "primary_key": [],
            "constraints": node.constraints.iter().map(Constraint::shape_of_model).collect::<Vec<_>>(),
            "version": node.version.as_ref().map(|version| version.number.json()),
            "latest_version": node.version.as_ref().map(|version| version.latest.json()),
            "time_spine": null, "batch": null,
        }))),
        ResourceType::Snapshot => json.extend(object(json!({"defer_relation": defer_relation}))),
        _ => {}
    }
    if let Some(test) = &node.test {
        json.insert("column_name".into(), json!(test.column_name));
        json.insert("attached_node".into(), json!(test.attached_node.as_ref().map(UniqueId::as_str)));
        let metadata = json!({"name": test.name, "kwargs": test.kwargs, "namespace": test.namespace});
        json.insert("test_metadata".into(), metadata);
    }
    if let Some(index) = node.hook_index {
        json.insert("index".into(), json!(index));
    }
    json.insert("config".into(), Json::Object(config));
    json
}

/// The dict `source_node` of a source's own texts: the source as dbt's manifest shows it.
pub fn source_value(manifest: &Arc<Manifest>, id: &UniqueId) -> Value {
    let (manifest, id) = (Arc::clone(manifest), id.clone());
    LazyDict::value(move || manifest.sources.get(&id).map(source_json).unwrap_or_default())
}

/// The dict `model` of a macro that is called by its name: the macro as dbt's manifest shows it.
pub fn macro_value(entry: &MacroEntry) -> Value {
    from_json(&json!({
        "name": entry.name, "resource_type": "macro", "package_name": entry.package_name,
        "path": entry.original_file_path, "original_file_path": entry.original_file_path,
        "unique_id": entry.unique_id.as_str(), "macro_sql": entry.span.text(),
        "depends_on": {"macros": ids(&entry.depends_on)}, "description": entry.description, "meta": entry.meta,
    }))
}

/// A source as dbt's manifest shows it, absent values as null.
pub fn source_json(source: &Source) -> Map<String, Json> {
    let mut config = complete_config(ResourceType::Source, source.config.values());
    let name = &source.relation_name;
    let freshness = freshness_json(source.freshness.as_ref());
    config.insert("freshness".into(), freshness.clone());
    config.insert("loaded_at_field".into(), json!(source.loaded_at_field));
    object(json!({
        "database": name.database, "schema": name.schema, "name": source.name, "resource_type": "source",
        "package_name": source.package_name, "path": source.original_file_path,
        "original_file_path": source.original_file_path, "unique_id": source.unique_id.as_str(),
        "fqn": source.fqn, "source_name": source.source_name, "source_description": source.source_description,
        "loader": source.loader, "identifier": source.identifier,
        "quoting": {
            "database": name.quoting.database, "schema": name.quoting.schema, "identifier": name.quoting.identifier,
            "column": null,
        },
        "loaded_at_field": source.loaded_at_field, "loaded_at_query": source.loaded_at_query, "freshness": freshness,
        "external": source.external_shape(), "description": source.description, "columns": columns_json(&source.columns),
        "meta": config.get("meta"), "source_meta": {}, "tags": config.get("tags"),
        "patch_path": null, "unrendered_config": {}, "relation_name": name.to_string(), "doc_blocks": [],
        "config": config,
    }))
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn ids(ids: &[UniqueId]) -> Vec<&str> {
    ids.iter().map(UniqueId::as_str).collect()
}

/// A source without `freshness:` has a threshold without limits.
fn freshness_json(freshness: Option<&SourceFreshness>) -> Json {
    let limit = |limit: Option<&(u64, String)>| {
        let (count, period) = limit.map(|(count, period)| (*count, period.as_str())).unzip();
        json!({"count": count, "period": period})
    };
    json!({
        "warn_after": limit(freshness.and_then(|freshness| freshness.warn_after.as_ref())),
        "error_after": limit(freshness.and_then(|freshness| freshness.error_after.as_ref())),
        "filter": freshness.and_then(|freshness| freshness.filter.as_ref()),
    })
}

fn columns_json(columns: &IndexMap<String, Column>) -> Json {
    let column = |column: &Column| {
        json!({
            "name": column.name, "description": column.description, "meta": column.meta,
            "data_type": column.data_type,
            "constraints": column.constraints.iter().map(Constraint::shape).collect::<Vec<_>>(), "quote": column.quote,
            "config": {"meta": column.meta, "tags": column.tags}, "tags": column.tags, "doc_blocks": [],
        })
    };
    Json::Object(columns.iter().map(|(key, value)| (key.clone(), column(value))).collect::<ConfigMap>())
}
