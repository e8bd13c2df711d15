//! `catalog.json`, dbt's schema v1.

use super::{Invocation, write_json};
use crate::adapter::Cell;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::manifest::Manifest;
use crate::name::{RelationName, UniqueId};
use crate::run::{CatalogColumn, CatalogTable};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Writes `catalog.json`: those of `tables` that belong to one of the `wanted` nodes and sources, and what went wrong.
pub fn write_catalog(
    manifest: &Manifest,
    invocation: &Invocation,
    wanted: &BTreeSet<UniqueId>,
    tables: &[CatalogTable],
    errors: &Diagnostics,
) -> Result<(), Diagnostic> {
    let path = |name: &RelationName| key([&name.database, &name.schema, &name.identifier]);
    let nodes = manifest.nodes.values().filter(|node| wanted.contains(&node.unique_id) && !node.is_ephemeral());
    let nodes = nodes.filter_map(|node| Some((path(node.relation_name.as_ref()?), &node.unique_id)));
    let nodes: BTreeMap<Key, &UniqueId> = nodes.collect();
    let mut sources: BTreeMap<Key, Vec<&UniqueId>> = BTreeMap::new();
    for source in manifest.sources.values().filter(|source| wanted.contains(&source.unique_id)) {
        sources.entry(path(&source.relation_name)).or_default().push(&source.unique_id);
    }
    let (mut of_nodes, mut of_sources) = (Map::new(), Map::new());
    for table in tables {
        let [database, schema, name] = &table.path;
        let key = key([database, schema, name]);
        if let Some(id) = nodes.get(&key) {
            of_nodes.insert(id.to_string(), shape(table, id));
        }
        for id in sources.get(&key).into_iter().flatten() {
            of_sources.insert(id.to_string(), shape(table, id));
        }
    }
    let messages: Vec<&str> = errors.iter().map(Diagnostic::message).collect();
    let document = json!({
        "metadata": invocation.metadata("catalog/v1"),
        "nodes": of_nodes,
        "sources": of_sources,
        "errors": if messages.is_empty() { Value::Null } else { json!(messages) },
    });
    write_json(&invocation.in_target("catalog.json"), &document)
}

/// A relation's path without regard to case: warehouses tell it in another case than it was written in.
type Key = [String; 3];

fn key(path: [&Option<String>; 3]) -> Key {
    path.map(|part| part.as_deref().unwrap_or_default().to_lowercase())
}

fn shape(table: &CatalogTable, id: &UniqueId) -> Value {
    let [database, schema, name] = &table.path;
    let columns = table.columns.iter().map(|column| (column.name.clone(), column_shape(column)));
    let mut statistics: Map<String, Value> = Map::new();
    for statistic in &table.statistics {
        let shape = json!({
            "id": statistic.id,
            "label": statistic.label,
            "value": number_or_text(&statistic.value),
            "include": statistic.include,
            "description": statistic.description,
        });
        statistics.insert(statistic.id.clone(), shape);
    }
    let has_statistics = json!({
        "id": "has_stats",
        "label": "Has Stats?",
        "value": !statistics.is_empty(),
        "include": false,
        "description": "Indicates whether there are statistics for this table",
    });
    statistics.insert("has_stats".to_owned(), has_statistics);
    json!({
        "metadata": {
            "type": table.kind,
            "schema": schema.as_deref().unwrap_or_default(),
            "name": name.as_deref().unwrap_or_default(),
            "database": database,
            "comment": table.comment,
            "owner": table.owner,
        },
        "columns": columns.collect::<Map<_, _>>(),
        "stats": statistics,
        "unique_id": id,
    })
}

fn column_shape(column: &CatalogColumn) -> Value {
    json!({"type": column.data_type, "index": column.index, "name": column.name, "comment": column.comment})
}

/// A statistic's value: JSON has numbers, truth values and texts.
fn number_or_text(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => json!(value),
        Cell::Integer(value) => i64::try_from(*value).map_or_else(|_| json!(value.to_string()), |value| json!(value)),
        Cell::Float(value) => json!(value),
        Cell::Decimal(text) => text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number)),
        other => json!(other.to_string()),
    }
}
