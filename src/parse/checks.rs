//! What concerns several nodes: relations in one place, materializations, config paths that lead nowhere.

use super::render::tree_of;
use super::resolve::Gathered;
use super::sources::ReadSources;
use super::unit_tests::full_name_of;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::jinja::Registry;
use crate::manifest::{Manifest, Materialized, Node};
use crate::name::ResourceType;
use crate::project::Project;
use crate::project::config::TreeKind;
use crate::project::yaml::{Entry, Yaml};
use rustc_hash::{FxHashMap, FxHashSet};

/// Two nodes in one place of the warehouse would overwrite each other.
pub fn relations(manifest: &Manifest, found: &mut Diagnostics) {
    let mut places: FxHashMap<(String, String, String), &Node> = FxHashMap::default();
    for node in manifest.nodes.values().filter(|node| node.resource_type != ResourceType::Test) {
        let Some(relation) = &node.relation_name else { continue };
        let Some(first) = places.insert(relation.folded(), node) else { continue };
        if first.name == node.name && first.package_name == node.package_name {
            // That they have one name is found elsewhere.
            continue;
        }
        found.push(
            Diagnostic::error(
                Code::DuplicateName,
                format!("`{}` and `{}` both become the relation {relation}", first.name, node.name),
            )
            .at(node.declared_at.clone(), format!("the {} in {}", node.resource_type, node.original_file_path))
            .at(first.declared_at.clone(), format!("the {} in {}", first.resource_type, first.original_file_path))
            .help("give one of them another `alias` or `schema`"),
        );
    }
}

/// Materializations of other adapters of dbt. A project that is written for such a warehouse still compiles here.
const MATERIALIZATIONS_ELSEWHERE: [&str; 4] = ["dynamic_table", "external", "materialized_view", "table_function"];

/// A materialization must be one of strata's own or a macro.
pub fn materializations(manifest: &Manifest, registry: &Registry, found: &mut Diagnostics) {
    let own = ["view", "table", "incremental", "ephemeral", "extract", "scd2"];
    for node in manifest.nodes.values().filter(|node| node.resource_type == ResourceType::Model) {
        let Materialized::Custom(name) = node.config.materialized() else { continue };
        if registry.find_materialization(&name, registry.adapter_type()).is_some() {
            continue;
        }
        if MATERIALIZATIONS_ELSEWHERE.contains(&name.as_str()) {
            let message = format!("`{}` cannot be built: {} has no `{name}` here", node.name, registry.adapter_type());
            found.push(Diagnostic::warning(Code::NotSupported, message).at(node.declared_at.clone(), ""));
            continue;
        }
        let known = registry.materializations(registry.adapter_type());
        let complaint =
            Diagnostic::error(Code::Config, format!("`{}` has the unknown materialization `{name}`", node.name))
                .at(node.declared_at.clone(), "");
        found.push(match nearest(&name, known.into_iter().chain(own)) {
            Some(near) => complaint.help(format!("did you mean `{near}`?")),
            None => complaint.help(format!("it is one of {}, or a `{{% materialization %}}`", own.join(", "))),
        });
    }
}

/// Config keys whose values are mappings, so that they need a `+` to be told from folders.
const MAPPED_CONFIGS: [&str; 9] = [
    "meta",
    "persist_docs",
    "grants",
    "docs",
    "contract",
    "quoting",
    "column_types",
    "freshness",
    "snapshot_meta_column_names",
];

/// Warns of paths in the root project's config trees that no node lies under.
pub fn unused_config_paths(project: &Project, all: &Gathered, sources: &ReadSources, found: &mut Diagnostics) {
    if !all.is_complete() {
        return;
    }
    let mut prefixes: FxHashMap<TreeKind, FxHashSet<String>> = FxHashMap::default();
    let nodes = all.all().filter_map(|node| Some((tree_of(node.resource_type)?, &node.fqn)));
    let of_sources =
        sources.enabled.values().chain(sources.disabled.values()).map(|source| (TreeKind::Sources, &source.fqn));
    let of_unit_tests = project.packages.iter().flat_map(|package| {
        let files = package.properties.iter();
        files.flat_map(|file| file.unit_tests.iter().map(|test| full_name_of(package.name(), file, test)))
    });
    let of_unit_tests: Vec<Vec<String>> = of_unit_tests.collect();
    let of_unit_tests = of_unit_tests.iter().map(|fqn| (TreeKind::UnitTests, fqn));
    for (kind, fqn) in nodes.chain(of_sources).chain(of_unit_tests) {
        let known = prefixes.entry(kind).or_default();
        let mut prefix = String::new();
        for part in fqn {
            prefix.push('\0');
            prefix.push_str(part);
            known.insert(prefix.clone());
        }
    }
    let none = FxHashSet::default();
    for (kind, tree) in &project.root_package().config.trees {
        let known = prefixes.get(kind).unwrap_or(&none);
        walk(&tree.rendered, &mut String::new(), *kind, known, found);
    }
}

fn walk(level: &Yaml, path: &mut String, kind: TreeKind, known: &FxHashSet<String>, found: &mut Diagnostics) {
    for (key, entry) in level.as_mapping().into_iter().flatten() {
        if key.starts_with('+') || entry.value.as_mapping().is_none() {
            continue;
        }
        let length = path.len();
        path.push('\0');
        path.push_str(key);
        if known.contains(path) {
            walk(&entry.value, path, kind, known, found);
        } else {
            found.push(unused(key, entry, &path[..length], kind, known));
        }
        path.truncate(length);
    }
}

fn unused(key: &str, entry: &Entry, parent: &str, kind: TreeKind, known: &FxHashSet<String>) -> Diagnostic {
    let shown = format!("{}{}.{key}", kind.key(), parent.replace('\0', "."));
    let warning = Diagnostic::warning(Code::UnusedConfigPath, format!("nothing lies under the config path `{shown}`"))
        .at(entry.key.clone(), "this has no effect");
    if MAPPED_CONFIGS.contains(&key) {
        return warning.help(format!("write `+{key}`: without the `+` it is read as a folder"));
    }
    let mut siblings: Vec<&str> = known
        .iter()
        .filter_map(|path| path.strip_prefix(parent)?.strip_prefix('\0'))
        .filter(|name| !name.contains('\0'))
        .collect();
    siblings.sort_unstable();
    match nearest(key, siblings) {
        Some(near) => warning.help(format!("did you mean `{near}`?")),
        None => warning,
    }
}
