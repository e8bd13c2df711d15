//! What a former run left, for the methods `state`, `result` and `source_status`.

use crate::manifest::{Manifest, Node, Source, UnitTest};
use crate::name::ResourceType;
use crate::name::UniqueId;
use chrono::{DateTime, Utc};
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a former run. Each part is needed only by selectors that ask for it.
#[derive(Debug, Clone, Default)]
pub struct StateInputs {
    /// The former `manifest.json`.
    pub manifest: Option<Arc<Json>>,
    /// The former statuses by unique id, from `run_results.json`.
    pub results: Option<BTreeMap<String, String>>,
    /// Former and present freshness of sources.
    pub freshness: Option<Freshness>,
}

/// When sources were last loaded (`max_loaded_at` of `sources.json`), by unique id. Sources that could not be
/// looked at are left out.
#[derive(Debug, Clone, Default)]
pub struct Freshness {
    /// At the former run.
    pub former: BTreeMap<String, DateTime<Utc>>,
    /// Now.
    pub present: BTreeMap<String, DateTime<Utc>>,
}

impl Freshness {
    /// Whether a source was loaded since the former run.
    pub(super) fn is_fresher(&self, id: &UniqueId) -> bool {
        match (self.former.get(id.as_str()), self.present.get(id.as_str())) {
            (Some(former), Some(present)) => present > former,
            (None, Some(_)) => true,
            (_, None) => false,
        }
    }
}

/// Config keys that do not count as a change of a node's config: they are its place or its labels.
const NOT_COMPARED: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

/// A manifest beside a former one.
pub(super) struct Comparison<'a> {
    manifest: &'a Manifest,
    former: &'a Json,
    modified_macros: FxHashSet<UniqueId>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(manifest: &'a Manifest, former: &'a Json) -> Self {
        let text = |id: &UniqueId| former.get("macros")?.get(id.as_str())?.get("macro_sql")?.as_str().map(str::trim);
        let changed = manifest.macros.iter().filter(|(id, entry)| text(id) != Some(entry.span.text().trim()));
        let mut modified: FxHashSet<UniqueId> = changed.map(|(id, _)| id.clone()).collect();
        // A macro that calls a modified one counts as modified: spread along the calls, each looked at once.
        let mut callers: BTreeMap<&UniqueId, Vec<&UniqueId>> = BTreeMap::new();
        for (id, entry) in &manifest.macros {
            for called in &entry.depends_on {
                callers.entry(called).or_default().push(id);
            }
        }
        let mut waiting: Vec<UniqueId> = manifest.macros.keys().filter(|id| modified.contains(*id)).cloned().collect();
        while let Some(id) = waiting.pop() {
            for caller in callers.get(&id).into_iter().flatten() {
                if modified.insert((*caller).clone()) {
                    waiting.push((*caller).clone());
                }
            }
        }
        Self { manifest, former, modified_macros: modified }
    }

    /// Whether a node or source fits `state:value`; none for a value that there is not.
    pub(super) fn fits(&self, id: &UniqueId, value: &str) -> Option<bool> {
        let is_unit_test = self.manifest.nodes.get(id).is_some_and(|node| node.unit_test.is_some());
        let section = match self.manifest.sources.contains_key(id) {
            true => "sources",
            false if is_unit_test => "unit_tests",
            false => "nodes",
        };
        let old = self.former.get(section).and_then(|section| section.get(id.as_str()));
        let changed = |test: fn(&Node, &Json) -> bool| match (self.manifest.nodes.get(id), old) {
            (Some(node), Some(old)) => test(node, old),
            (_, old) => old.is_none(),
        };
        Some(match value {
            "new" => old.is_none(),
            "old" => old.is_some(),
            "modified" => self.is_modified(id, old),
            "unmodified" => !self.is_modified(id, old),
            "modified.body" => changed(body_changed),
            "modified.configs" => changed(config_changed),
            "modified.relation" => changed(place_changed),
            "modified.persisted_descriptions" => changed(descriptions_changed),
            "modified.contract" => changed(contract_changed),
            "modified.macros" => self.macros_modified(id),
            _ => return None,
        })
    }

    fn is_modified(&self, id: &UniqueId, old: Option<&Json>) -> bool {
        let Some(old) = old else { return true };
        if let Some(source) = self.manifest.sources.get(id) {
            return source_changed(source, old);
        }
        let Some(node) = self.manifest.nodes.get(id) else { return false };
        if let Some(test) = &node.unit_test {
            return unit_test_changed(test, old);
        }
        let contents = match node.resource_type {
            ResourceType::Test if node.test.is_some() => config_changed(node, old) || fqn_changed(node, old),
            _ => {
                body_changed(node, old)
                    || config_changed(node, old)
                    || descriptions_changed(node, old)
                    || fqn_changed(node, old)
                    || place_changed(node, old)
                    || contract_changed(node, old)
            }
        };
        contents || self.macros_modified(id)
    }

    fn macros_modified(&self, id: &UniqueId) -> bool {
        self.manifest
            .nodes
            .get(id)
            .is_some_and(|node| node.depends_on.macros.iter().any(|called| self.modified_macros.contains(called)))
    }
}

fn text<'a>(old: &'a Json, key: &str) -> &'a str {
    old.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn body_changed(node: &Node, old: &Json) -> bool {
    match node.resource_type {
        ResourceType::Seed => {
            old.get("checksum").map(|checksum| text(checksum, "checksum")) != Some(node.checksum.as_str())
        }
        _ => text(old, "raw_code").trim() != node.raw_code.trim(),
    }
}

fn fqn_changed(node: &Node, old: &Json) -> bool {
    !same_texts(old.get("fqn"), &node.fqn)
}

fn same_texts(old: Option<&Json>, new: &[String]) -> bool {
    let old = old.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.as_str() == Some(new))
}

fn config_changed(node: &Node, old: &Json) -> bool {
    let compared = |config: &Map<String, Json>| -> BTreeMap<String, Json> {
        let kept = config.iter().filter(|(key, value)| !NOT_COMPARED.contains(&key.as_str()) && !value.is_null());
        kept.map(|(key, value)| (key.replace('-', "_"), value.clone())).collect()
    };
    let former = old.get("unrendered_config").and_then(Json::as_object).map(&compared).unwrap_or_default();
    former != compared(&node.unrendered_config)
}

fn place_changed(node: &Node, old: &Json) -> bool {
    let former = old.get("unrendered_config");
    ["database", "schema", "alias"].into_iter().any(|key| {
        let before = former.and_then(|config| config.get(key)).filter(|value| !value.is_null());
        before != node.unrendered_config.get(key).filter(|value| !value.is_null())
    })
}

fn descriptions_changed(node: &Node, old: &Json) -> bool {
    let persisted = |what: &str| {
        node.config.get("persist_docs").and_then(|docs| docs.get(what)).and_then(Json::as_bool).unwrap_or(false)
    };
    let former =
        |column: &str| old.get("columns").and_then(|columns| columns.get(column)).map(|one| text(one, "description"));
    (persisted("relation") && text(old, "description") != node.description)
        || (persisted("columns")
            && node.columns.values().any(|column| former(&column.name).unwrap_or_default() != column.description))
}

fn contract_changed(node: &Node, old: &Json) -> bool {
    let enforced = |contract: Option<&Json>| {
        contract.and_then(|contract| contract.get("enforced")).and_then(Json::as_bool).unwrap_or(false)
    };
    match (enforced(old.get("contract")), node.has_contract()) {
        (false, false) => false,
        (true, true) => {
            let former = old.get("contract").and_then(|contract| contract.get("checksum")).and_then(Json::as_str);
            former != node.contract_checksum.as_deref()
        }
        _ => true,
    }
}

/// The contents themselves are compared: the checksum of a manifest that dbt wrote is another one.
fn unit_test_changed(test: &UnitTest, old: &Json) -> bool {
    test.content().iter().any(|(key, value)| old.get(key).unwrap_or(&Json::Null) != value)
}

fn source_changed(source: &Source, old: &Json) -> bool {
    text(old, "relation_name") != source.relation_name.to_string()
        || !same_texts(old.get("fqn"), &source.fqn)
        || text(old, "loader") != source.loader
}
