//! Database, schema and alias of a node, which macros decide.

use super::host::Surroundings;
use super::is_referable;
use crate::diagnostic::Diagnostic;
use crate::jinja::{Engine, RenderContext, from_json, value};
use crate::manifest::{Materialized, Node};
use crate::name::{Quoting, RelationName, ResourceType};
use serde_json::Value as Json;
use std::sync::Arc;

/// What the macros said.
#[derive(Debug, Default)]
pub struct Names {
    database: Option<String>,
    schema: Option<String>,
    alias: Option<String>,
}

/// Asks the macros `generate_database_name`, `generate_schema_name` and `generate_alias_name`: the root project's,
/// else the node's package's, else the built-in ones. Without any, the names are what the config says.
pub fn generate(
    engine: &Arc<Engine>,
    context: &Arc<RenderContext>,
    node: &Node,
    surroundings: &Surroundings,
) -> Result<Names, Diagnostic> {
    let model = context.find("model").unwrap_or_else(value::none);
    let ask = |component: &str, given: Option<String>, default: Option<&str>| {
        let name = format!("generate_{component}_name");
        let registry = engine.registry();
        let definition = registry
            .get(registry.root(), &name)
            .or_else(|| registry.get(&node.package_name, &name))
            .cloned()
            .or_else(|| registry.find(&name, registry.root()));
        let Some(definition) = definition else { return Ok(given.or_else(|| default.map(str::to_owned))) };
        let argument = given.map_or_else(value::none, |given| from_json(&Json::String(given)));
        let answer = engine
            .call_macro(&definition, &[argument, model.clone()], &[], context)
            .map_err(|error| error.within(format!("in `{}`", node.unique_id), Some(node.declared_at.clone())))?;
        let text = value::text(&answer);
        Ok(Some(text.trim().to_owned()).filter(|text| !value::is_absent(&answer) && !text.is_empty()))
    };
    let config =
        |key: &str| node.config.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    Ok(Names {
        database: ask("database", config("database"), surroundings.database.as_deref())?,
        schema: ask("schema", config("schema"), Some(&surroundings.schema))?,
        alias: ask("alias", config("alias"), Some(&node.name))?,
    })
}

/// Gives the node its names and, where it becomes a relation, the relation's.
pub fn apply(node: &mut Node, names: Names, surroundings: &Surroundings) {
    node.database = names.database.or_else(|| surroundings.database.clone());
    node.schema = names.schema.unwrap_or_default();
    node.alias = names.alias.unwrap_or_else(|| node.name.clone());
    if node.resource_type == ResourceType::Snapshot {
        if let Some(database) = node.config.text("target_database") {
            node.database = Some(database.to_owned());
        }
        if let Some(schema) = node.config.text("target_schema") {
            schema.clone_into(&mut node.schema);
        }
    }
    let stores = node.resource_type == ResourceType::Test && stores_failures(node, surroundings);
    let is_relation = is_referable(node.resource_type) && node.config.materialized() != Materialized::Ephemeral;
    if is_relation || stores {
        let own = |part: &str| node.config.get("quoting").and_then(|quoting| quoting.get(part)).and_then(Json::as_bool);
        let quoting = Quoting {
            database: own("database").unwrap_or(surroundings.quoting.database),
            schema: own("schema").unwrap_or(surroundings.quoting.schema),
            identifier: own("identifier").unwrap_or(surroundings.quoting.identifier),
        };
        node.relation_name = Some(RelationName::new(node.database.as_deref(), &node.schema, &node.alias, quoting));
    }
}

/// Whether a test keeps the rows that it finds: `store_failures_as` has the last word, then `store_failures`, then
/// the command's flag.
fn stores_failures(node: &Node, surroundings: &Surroundings) -> bool {
    match (node.config.text("store_failures_as"), node.config.flag("store_failures")) {
        (Some("ephemeral"), _) => false,
        (Some(_), _) => true,
        (None, Some(store)) => store,
        (None, None) => surroundings.store_failures,
    }
}
