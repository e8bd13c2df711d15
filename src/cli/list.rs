//! `strata ls`: what a selection means.

use super::arguments::{ListArguments, ListOutput};
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::artifact::{node_document, write_manifest};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::name::{ResourceType, UniqueId};
use crate::report::Product;
use serde_json::{Map, Value};

/// What is listed unless told otherwise.
const DEFAULT: &[ResourceType] = &[
    ResourceType::Model,
    ResourceType::Seed,
    ResourceType::Snapshot,
    ResourceType::Source,
    ResourceType::Test,
    ResourceType::UnitTest,
];
/// What can be listed.
const ALL: &[ResourceType] = &[
    ResourceType::Model,
    ResourceType::Seed,
    ResourceType::Snapshot,
    ResourceType::Source,
    ResourceType::Test,
    ResourceType::UnitTest,
    ResourceType::Analysis,
];
/// The keys of `--output json` unless told otherwise.
const KEYS: [&str; 10] = [
    "alias",
    "name",
    "package_name",
    "depends_on",
    "tags",
    "config",
    "resource_type",
    "source_name",
    "original_file_path",
    "unique_id",
];

/// Lists the selected nodes and sources, sorted by unique id.
pub(super) fn list(context: &Context, arguments: &ListArguments) -> Result<Outcome> {
    let workspace = Workspace::open(context, "list", VerbFlags::default())?;
    let wanted = |kind| arguments.kinds.wants(kind, ALL, DEFAULT);
    let selected = workspace.select(context, &arguments.selection, &wanted)?;
    for id in &selected {
        if let Some(line) = line(&workspace, arguments, id) {
            context.reporter.product(&Product::Listed(line));
        }
    }
    if selected.is_empty() {
        let nothing = Diagnostic::warning(Code::Selector, "nothing is selected");
        context.reporter.found(&Diagnostics::from(nothing));
    }
    if context.settings.write_json {
        write_manifest(&workspace.manifest, &workspace.invocation, &[])?;
    }
    Ok(Outcome::Success)
}

fn line(workspace: &Workspace, arguments: &ListArguments, id: &UniqueId) -> Option<String> {
    let manifest = &workspace.manifest;
    let (node, source) = (manifest.nodes.get(id), manifest.sources.get(id));
    match arguments.output {
        ListOutput::Selector => match (node, source) {
            (Some(node), _) if node.resource_type == ResourceType::UnitTest => {
                Some(format!("unit_test:{}.{}", node.package_name, node.alias))
            }
            (Some(node), _) => Some(node.fqn.join(".")),
            (_, Some(source)) => Some(format!("source:{}.{}.{}", source.package_name, source.source_name, source.name)),
            _ => None,
        },
        ListOutput::Name => match (node, source) {
            (Some(node), _) => Some(node.name.clone()),
            (_, Some(source)) => Some(format!("{}.{}", source.source_name, source.name)),
            _ => None,
        },
        ListOutput::Path => node
            .map(|node| node.original_file_path.clone())
            .or_else(|| source.map(|source| source.original_file_path.clone())),
        ListOutput::Json => {
            let document = node_document(manifest, &workspace.invocation, id)?;
            Some(Value::Object(picked(&document, &arguments.output_keys)).to_string())
        }
    }
}

/// The keys that were asked for; `config.materialized` reaches into objects. A nested key that is not there is
/// left out, as in dbt.
fn picked(document: &Value, keys: &[String]) -> Map<String, Value> {
    let asked = |key: &str| key.split('.').try_fold(document, |value, part| value.get(part)).cloned();
    if keys.is_empty() {
        return KEYS.iter().filter_map(|key| Some(((*key).to_owned(), asked(key)?))).collect();
    }
    keys.iter().filter_map(|key| Some((key.clone(), asked(key)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_reach_into_objects() {
        let document = json!({"name": "a", "config": {"materialized": "view"}, "secret": 1});
        assert_eq!(
            Value::Object(picked(&document, &["config.materialized".into(), "gone".into()])),
            json!({"config.materialized": "view"})
        );
        assert_eq!(Value::Object(picked(&document, &[])), json!({"name": "a", "config": {"materialized": "view"}}));
    }
}
