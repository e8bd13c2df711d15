//! How large the warehouses of an account are to be while a project runs.

use super::yaml::{Reader, YamlValue};
use crate::diagnostic::{Code, Diagnostic};
use serde_json::{Value as Json, json};

/// The sizes that Snowflake knows, as they are written here.
const SIZES: [&str; 10] =
    ["x-small", "small", "medium", "large", "x-large", "2x-large", "3x-large", "4x-large", "5x-large", "6x-large"];

/// What a project wants of one warehouse; what it leaves out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WarehouseSettings {
    /// Its name, as it is written into SQL.
    pub name: String,
    /// One of Snowflake's sizes, in lower case with hyphens: `x-small`, `2x-large`.
    pub size: Option<String>,
    /// How many clusters there are at least.
    pub min_clusters: Option<u64>,
    /// How many clusters there are at most.
    pub max_clusters: Option<u64>,
    /// After how many idle seconds it is suspended; 0 for never.
    pub auto_suspend: Option<u64>,
}

impl WarehouseSettings {
    /// The settings for a macro.
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "size": self.size,
            "min_clusters": self.min_clusters,
            "max_clusters": self.max_clusters,
            "auto_suspend": self.auto_suspend,
        })
    }
}

/// Reads `warehouses:`, a mapping of names to settings.
pub fn read(reader: &mut Reader<'_>) -> Vec<WarehouseSettings> {
    let Some(value) = reader.mapping("warehouses") else { return vec![] };
    let YamlValue::Mapping(entries) = &value.value else { return vec![] };
    let mut found = Vec::new();
    for (name, entry) in entries {
        let mut inner = Reader::new(&entry.value, "warehouse", reader.found());
        let size = inner.placed_text("size").map(|(text, span)| {
            let size = text.to_lowercase();
            if !SIZES.contains(&size.as_str()) {
                inner.report(
                    Diagnostic::error(Code::YamlValue, format!("`{text}` is not a size of warehouses"))
                        .at(span.clone(), "")
                        .help(format!("sizes: {}", SIZES.join(", "))),
                );
            }
            size
        });
        let settings = WarehouseSettings {
            name: name.clone(),
            size,
            min_clusters: inner.count("min_clusters"),
            max_clusters: inner.count("max_clusters"),
            auto_suspend: inner.count("auto_suspend"),
        };
        if let (Some(least), Some(most)) = (settings.min_clusters, settings.max_clusters)
            && least > most
        {
            inner.report(
                Diagnostic::error(
                    Code::YamlValue,
                    format!("the warehouse `{name}` has `min_clusters: {least}`, more than `max_clusters: {most}`"),
                )
                .at(entry.key.clone(), ""),
            );
        }
        inner.finish();
        found.push(settings);
    }
    found
}
