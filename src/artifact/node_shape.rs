//! Nodes, sources, macros and docs blocks as `manifest.json` shows them.

use super::config_shape::ConfigShape;
use super::relative_output_path;
use crate::manifest::{Column, Constraint, DocBlock, MacroEntry, Node, Source, SourceFreshness};
use crate::name::{ResourceType, UniqueId};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A node, and what is known of it beside the manifest.
pub(super) struct NodeShape<'a> {
    pub(super) node: &'a Node,
    /// The SQL as compiled in this invocation.
    pub(super) compiled_code: Option<&'a str>,
    /// Whether the node was carried out, so that its SQL lies under `run/`.
    pub(super) ran: bool,
    /// The target directory as configured.
    pub(super) target_path: &'a Path,
    /// The directory of `dbt_project.yml`.
    pub(super) project_root: &'a Path,
    /// Seconds since 1970, UTC.
    pub(super) created_at: f64,
    /// The columns that name a row, where tests say so.
    pub(super) primary_key: &'a [String],
}

impl Serialize for NodeShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.identity(&mut map)?;
        self.description(&mut map)?;
        if self.node.resource_type == ResourceType::Seed {
            map.serialize_entry("root_path", self.project_root)?;
            map.serialize_entry("depends_on", &json!({ "macros": self.node.depends_on.macros }))?;
        } else {
            self.code(&mut map)?;
        }
        self.particulars(&mut map)?;
        map.end()
    }
}

impl NodeShape<'_> {
    fn identity<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let node = self.node;
        map.serialize_entry("database", &node.database)?;
        map.serialize_entry("schema", &node.schema)?;
        map.serialize_entry("name", &node.name)?;
        map.serialize_entry("resource_type", &node.resource_type)?;
        map.serialize_entry("package_name", &node.package_name)?;
        map.serialize_entry("path", &node.path)?;
        map.serialize_entry("original_file_path", &node.original_file_path)?;
        map.serialize_entry("unique_id", &node.unique_id)?;
        map.serialize_entry("fqn", &node.fqn)?;
        map.serialize_entry("alias", &node.alias)?;
        let checksum = if node.test.is_some() {
            json!({"name": "none", "checksum": ""})
        } else {
            json!({"name": "sha256", "checksum": node.checksum})
        };
        map.serialize_entry("checksum", &checksum)
    }

    fn description<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let node = self.node;
        let config = &node.config;
        map.serialize_entry("config", &ConfigShape { config, resource_type: node.resource_type })?;
        map.serialize_entry("tags", &config.tags())?;
        map.serialize_entry("description", &node.description)?;
        map.serialize_entry("columns", &Columns(&node.columns))?;
        map.serialize_entry("meta", &object(config.get("meta")))?;
        map.serialize_entry("group", &config.text("group"))?;
        map.serialize_entry("docs", &docs(config.get("docs")))?;
        map.serialize_entry("patch_path", &node.patch_path)?;
        map.serialize_entry("build_path", &self.ran.then(|| self.output("run")))?;
        map.serialize_entry("unrendered_config", &node.unrendered_config)?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("relation_name", &node.relation_name.as_ref().map(ToString::to_string))?;
        map.serialize_entry("raw_code", &*node.raw_code)?;
        map.serialize_entry("doc_blocks", &[(); 0])
    }

    fn code<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let node = self.node;
        map.serialize_entry("language", "sql")?;
        let refs: Vec<Value> = node
            .refs
            .iter()
            .map(|call| json!({"name": call.name, "package": call.package, "version": call.version}))
            .collect();
        map.serialize_entry("refs", &refs)?;
        let sources: Vec<[&str; 2]> =
            node.sources.iter().map(|call| [call.source_name.as_str(), call.table_name.as_str()]).collect();
        map.serialize_entry("sources", &sources)?;
        map.serialize_entry("metrics", &[(); 0])?;
        map.serialize_entry("functions", &[(); 0])?;
        map.serialize_entry("depends_on", &json!({"macros": node.depends_on.macros, "nodes": node.depends_on.nodes}))?;
        map.serialize_entry("compiled_path", &self.compiled_code.map(|_| self.output("compiled")))?;
        if let Some(code) = self.compiled_code {
            map.serialize_entry("compiled", &true)?;
            map.serialize_entry("compiled_code", code)?;
            map.serialize_entry("extra_ctes_injected", &true)?;
            map.serialize_entry("extra_ctes", &[(); 0])?;
        }
        let given = node.config.get("contract");
        let flag = |key: &str, default: bool| {
            given.and_then(|contract| contract.get(key)).and_then(Value::as_bool).unwrap_or(default)
        };
        let contract = json!({
            "enforced": flag("enforced", false), "alias_types": flag("alias_types", true),
            "checksum": node.contract_checksum,
        });
        map.serialize_entry("contract", &contract)
    }

    /// The keys that only one kind of node has.
    fn particulars<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let node = self.node;
        match node.resource_type {
            ResourceType::Model => {
                map.serialize_entry("access", node.config.text("access").unwrap_or("protected"))?;
                let constraints: Vec<Map<String, Value>> =
                    node.constraints.iter().map(Constraint::shape_of_model).collect();
                map.serialize_entry("constraints", &constraints)?;
                let version = node.version.as_ref();
                map.serialize_entry("version", &version.map(|version| version.number.json()))?;
                map.serialize_entry("latest_version", &version.map(|version| version.latest.json()))?;
                map.serialize_entry("deprecation_date", &())?;
                map.serialize_entry("primary_key", self.primary_key)?;
                map.serialize_entry("time_spine", &())?;
            }
            ResourceType::Operation => map.serialize_entry("index", &node.hook_index)?,
            _ => {}
        }
        let Some(test) = &node.test else { return Ok(()) };
        map.serialize_entry("column_name", &test.column_name)?;
        map.serialize_entry("file_key_name", &file_key_name(test.attached_node.as_ref()))?;
        map.serialize_entry("attached_node", &test.attached_node)?;
        map.serialize_entry(
            "test_metadata",
            &json!({"name": test.name, "kwargs": test.kwargs, "namespace": test.namespace}),
        )
    }

    fn output(&self, tree: &str) -> PathBuf {
        self.target_path.join(tree).join(relative_output_path(self.node))
    }
}

/// `models.stg_orders`: the section and entry of the properties file at which a test stands.
fn file_key_name(attached: Option<&UniqueId>) -> Option<String> {
    let mut parts = attached?.as_str().splitn(3, '.');
    let (kind, _package, name) = (parts.next()?, parts.next()?, parts.next()?);
    // dbt names a source's entry by the source, not by the table, and a model's without its version.
    let name = name.split('.').next().unwrap_or(name);
    Some(format!("{kind}s.{name}"))
}

fn object(value: Option<&Value>) -> Cow<'_, Value> {
    value.map_or_else(|| Cow::Owned(Value::Object(Map::new())), Cow::Borrowed)
}

fn docs(given: Option<&Value>) -> Value {
    json!({
        "show": given.and_then(|docs| docs.get("show")).and_then(Value::as_bool).unwrap_or(true),
        "node_color": given.and_then(|docs| docs.get("node_color")),
    })
}

struct Columns<'a>(&'a indexmap::IndexMap<String, Column>);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = |column: &Column| {
            json!({
                "name": column.name, "description": column.description, "meta": column.meta,
                "data_type": column.data_type,
                "constraints": column.constraints.iter().map(Constraint::shape).collect::<Vec<_>>(), "quote": column.quote,
                "config": {"meta": column.meta, "tags": column.tags}, "tags": column.tags,
                "granularity": null, "doc_blocks": [],
            })
        };
        serializer.collect_map(self.0.iter().map(|(name, column)| (name, shape(column))))
    }
}

/// A source table.
pub(super) struct SourceShape<'a> {
    pub(super) source: &'a Source,
    /// Seconds since 1970, UTC.
    pub(super) created_at: f64,
}

impl Serialize for SourceShape<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let source = self.source;
        let freshness = source.freshness.as_ref().map(freshness);
        let mut config = source.config.clone();
        for (key, value) in [
            ("freshness", freshness.clone()),
            ("loaded_at_field", source.loaded_at_field.clone().map(Value::from)),
            ("loaded_at_query", source.loaded_at_query.clone().map(Value::from)),
        ] {
            if let Some(value) = value {
                config.values_mut().insert(key.to_owned(), value);
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("database", &source.relation_name.database)?;
        map.serialize_entry("schema", &source.relation_name.schema)?;
        map.serialize_entry("name", &source.name)?;
        map.serialize_entry("resource_type", "source")?;
        map.serialize_entry("package_name", &source.package_name)?;
        map.serialize_entry("path", &source.original_file_path)?;
        map.serialize_entry("original_file_path", &source.original_file_path)?;
        map.serialize_entry("unique_id", &source.unique_id)?;
        map.serialize_entry("fqn", &source.fqn)?;
        map.serialize_entry("source_name", &source.source_name)?;
        map.serialize_entry("source_description", &source.source_description)?;
        map.serialize_entry("loader", &source.loader)?;
        map.serialize_entry("identifier", &source.identifier)?;
        let quoting = source.config.get("quoting");
        let part = |key: &str| quoting.and_then(|given| given.get(key)).cloned().unwrap_or_default();
        map.serialize_entry(
            "quoting",
            &json!({"database": part("database"), "schema": part("schema"), "identifier": part("identifier"),
                "column": null}),
        )?;
        map.serialize_entry("loaded_at_field", &source.loaded_at_field)?;
        map.serialize_entry("loaded_at_query", &source.loaded_at_query)?;
        map.serialize_entry("freshness", &freshness)?;
        map.serialize_entry("external", &source.external_shape())?;
        map.serialize_entry("description", &source.description)?;
        map.serialize_entry("columns", &Columns(&source.columns))?;
        map.serialize_entry("meta", &object(source.config.get("meta")))?;
        map.serialize_entry("source_meta", &Map::new())?;
        map.serialize_entry("tags", &source.config.tags())?;
        map.serialize_entry("config", &ConfigShape { config: &config, resource_type: ResourceType::Source })?;
        map.serialize_entry("patch_path", &())?;
        map.serialize_entry("unrendered_config", config.values())?;
        map.serialize_entry("relation_name", &source.relation_name.to_string())?;
        map.serialize_entry("created_at", &self.created_at)?;
        map.serialize_entry("unrendered_database", &())?;
        map.serialize_entry("unrendered_schema", &source.relation_name.schema)?;
        map.serialize_entry("doc_blocks", &[(); 0])?;
        map.end()
    }
}

/// The thresholds of a source: `criteria` in `sources.json`.
pub(super) fn freshness(given: &SourceFreshness) -> Value {
    let limit = |after: &Option<(u64, String)>| match after {
        Some((count, period)) => json!({"count": count, "period": period}),
        None => json!({"count": null, "period": null}),
    };
    json!({"warn_after": limit(&given.warn_after), "error_after": limit(&given.error_after), "filter": given.filter})
}

/// A macro.
pub(super) fn macro_shape(entry: &MacroEntry, created_at: f64) -> Value {
    let arguments: Vec<Value> = entry
        .arguments
        .iter()
        .map(|argument| json!({"name": argument.name, "type": argument.data_type, "description": argument.description}))
        .collect();
    json!({
        "name": entry.name, "resource_type": "macro", "package_name": entry.package_name,
        "path": entry.original_file_path, "original_file_path": entry.original_file_path,
        "unique_id": entry.unique_id, "macro_sql": entry.span.text(), "depends_on": {"macros": entry.depends_on},
        "description": entry.description, "meta": entry.meta, "docs": docs(None),
        "config": {"meta": entry.meta, "docs": docs(None)}, "patch_path": null, "arguments": arguments,
        "created_at": created_at, "supported_languages": null,
    })
}

/// A docs block.
pub(super) fn doc_shape(doc: &DocBlock) -> Value {
    let path = doc.original_file_path.split_once('/').map_or(doc.original_file_path.as_str(), |(_, rest)| rest);
    json!({
        "name": doc.name, "resource_type": "doc", "package_name": doc.package_name, "path": path,
        "original_file_path": doc.original_file_path, "unique_id": doc.unique_id,
        "block_contents": doc.block_contents,
    })
}
