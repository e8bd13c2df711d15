//! Nodes as their files declare them, before any template is read.

use super::resolve::Gathered;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, SourceFile, Span, nearest};
use crate::manifest::{ConfigMap, DependsOn, Node, NodeConfig, TestMetadata};
use crate::name::{ResourceType, UniqueId};
use crate::project::config::ProjectHook;
use crate::project::properties::{ModelVersion, NodeProperties, Section};
use crate::project::{FileKind, Package, PackageFile, Project};
use indexmap::IndexMap;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What properties files say of nodes: by package, section and the name of the node's file. The path is that of the
/// properties file.
pub type PropertiesIndex<'a> = BTreeMap<(&'a str, Section, &'a str), (&'a NodeProperties, &'a str)>;

/// The file, without directories and ending, of which an entry speaks. A model's latest version may be in a file
/// without the version in its name.
fn described_file<'a>(node: &'a NodeProperties, models: &FxHashSet<&str>) -> &'a str {
    match &node.version {
        Some(found) if found.version.is_latest() && !models.contains(found.defined_in.as_str()) => &node.name,
        Some(found) => &found.defined_in,
        None => &node.name,
    }
}

/// A node that is not read yet.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The node, as far as it is known.
    pub node: Node,
    /// Its package.
    pub package: &'a Package,
    /// What a properties file says of it, and that file's path within the package.
    pub properties: Option<(&'a NodeProperties, &'a str)>,
    /// Config that stands with the declaration: that of a generic test.
    pub config: ConfigMap,
    /// Whether the text is a template to read; seeds have none, and the two tests that everybody uses need none.
    pub is_template: bool,
}

/// Gathers what properties files say. Two entries for one node are errors.
pub fn index_properties<'a>(project: &'a Project, found: &mut Diagnostics) -> PropertiesIndex<'a> {
    let mut index = PropertiesIndex::new();
    for package in &project.packages {
        let models: FxHashSet<&str> = package.files(FileKind::Model).map(stem).collect();
        for file in &package.properties {
            for node in &file.nodes {
                let key = (package.name(), node.section, described_file(node, &models));
                if let Some((first, _)) = index.get(&key) {
                    let what = node.section.noun();
                    found.push(
                        Diagnostic::error(
                            Code::DuplicateName,
                            format!("the {what} `{}` is described twice", node.name),
                        )
                        .at(node.name_span.clone(), "described again here")
                        .at(first.name_span.clone(), "described first here")
                        .help("put all that is said of it into one place"),
                    );
                } else {
                    index.insert(key, (node, file.original_file_path.as_str()));
                }
            }
        }
    }
    index
}

/// The nodes that files declare, in dbt's order: package by package, in each models, analyses, tests, seeds, hooks.
pub fn collect<'a>(project: &'a Project, properties: &PropertiesIndex<'a>, found: &mut Diagnostics) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    for package in &project.packages {
        let kinds = [
            (FileKind::Model, ResourceType::Model, Section::Models),
            (FileKind::Analysis, ResourceType::Analysis, Section::Analyses),
            (FileKind::Test, ResourceType::Test, Section::DataTests),
            (FileKind::Seed, ResourceType::Seed, Section::Seeds),
        ];
        for (kind, resource_type, section) in kinds {
            for file in package.files(kind) {
                let mut draft = of_file(package, file, resource_type);
                let key = (package.name(), section, draft.node.name.as_str());
                draft.properties = properties.get(&key).copied();
                if let Some((described, _)) = draft.properties
                    && let Some(found) = &described.version
                {
                    become_version(&mut draft.node, &described.name, &found.version);
                }
                drafts.push(draft);
            }
        }
        for file in package.files(FileKind::PythonModel) {
            found.push(
                Diagnostic::error(Code::NotSupported, format!("`{}` is a Python model", file.original_file_path))
                    .at(Span::new(&file.source, 0..first_line(&file.source)), "strata runs models in SQL only")
                    .help("disable it by leaving its file out (`.dbtignore`), or write it in SQL"),
            );
        }
        let hooks = [("on-run-start", &package.config.on_run_start), ("on-run-end", &package.config.on_run_end)];
        for (when, hooks) in hooks {
            drafts.extend(hooks.iter().enumerate().map(|(index, hook)| of_hook(package, when, index, hook)));
        }
    }
    drafts
}

/// Makes a model's node the node of one version of it.
fn become_version(node: &mut Node, name: &str, version: &ModelVersion) {
    name.clone_into(&mut node.name);
    name.clone_into(&mut node.alias);
    node.unique_id = version_id(&node.package_name, name, version);
    node.fqn.pop();
    node.fqn.extend([name.to_owned(), version.suffix()]);
    node.version = Some(version.clone());
}

/// `model.shop.orders.v2`
pub fn version_id(package: &str, name: &str, version: &ModelVersion) -> UniqueId {
    UniqueId::new(ResourceType::Model, package, &format!("{name}.{}", version.suffix()))
}

fn first_line(file: &SourceFile) -> usize {
    file.text().find('\n').unwrap_or(file.text().len())
}

/// A path without its extension.
pub fn without_extension(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(stem, _)| stem)
}

/// Package, directories of a path, name.
pub fn full_name(package: &str, path: &str, name: &str) -> Vec<String> {
    let directories = path.rsplit_once('/').map(|(directories, _)| directories).unwrap_or_default();
    let mut fqn = vec![package.to_owned()];
    fqn.extend(directories.split('/').filter(|part| !part.is_empty()).map(str::to_owned));
    fqn.push(name.to_owned());
    fqn
}

/// The part of a text without whitespace at either end.
pub fn trimmed(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..start + text.trim().len()
}

/// A node with what every declaration knows.
pub fn blank(package: &str, kind: ResourceType, name: &str, file: &Arc<SourceFile>, range: Range<usize>) -> Node {
    let raw_code: Arc<str> = file.text()[range.clone()].into();
    let first = raw_code.find('\n').unwrap_or(raw_code.len());
    Node {
        unique_id: UniqueId::new(kind, package, name),
        resource_type: kind,
        name: name.to_owned(),
        package_name: package.to_owned(),
        path: String::new(),
        original_file_path: String::new(),
        fqn: vec![],
        file: Arc::clone(file),
        declared_at: Span::new(file, range.start..range.start + first),
        raw_code,
        code_range: range,
        alias: name.to_owned(),
        schema: String::new(),
        database: None,
        relation_name: None,
        config: NodeConfig::default(),
        unrendered_config: ConfigMap::new(),
        description: String::new(),
        columns: IndexMap::new(),
        constraints: vec![],
        contract_checksum: None,
        patch_path: None,
        depends_on: DependsOn::default(),
        refs: vec![],
        sources: vec![],
        checksum: String::new(),
        test: None::<TestMetadata>,
        version: None,
        unit_test: None,
        hook_index: None,
        defer_relation: None,
    }
}

/// A file's name without directories and ending.
fn stem(file: &PackageFile) -> &str {
    let path = without_extension(&file.path);
    path.rsplit('/').next().unwrap_or(path)
}

fn of_file<'a>(package: &'a Package, file: &'a PackageFile, kind: ResourceType) -> Draft<'a> {
    let name = stem(file);
    let mut node = blank(package.name(), kind, name, &file.source, trimmed(file.source.text()));
    node.path.clone_from(&file.path);
    node.original_file_path.clone_from(&file.original_file_path);
    node.checksum.clone_from(&file.checksum);
    node.fqn = match kind {
        // Analyses are compiled into a directory of their own, and found by it.
        ResourceType::Analysis => {
            node.path = format!("analysis/{}", file.path);
            full_name(package.name(), &node.path, name)
        }
        _ => full_name(package.name(), &file.path, name),
    };
    Draft { node, package, properties: None, config: ConfigMap::new(), is_template: kind != ResourceType::Seed }
}

fn of_hook<'a>(package: &'a Package, when: &str, index: usize, hook: &ProjectHook) -> Draft<'a> {
    let name = format!("{}-{when}-{index}", package.name());
    // What stands in YAML is a text of its own: its name says what it is, and the finding's chain ends at the entry.
    let file = SourceFile::new(format!("(the hook {name})"), hook.sql.as_str());
    let mut node = blank(package.name(), ResourceType::Operation, &name, &file, 0..hook.sql.len());
    node.path = format!("hooks/{name}.sql");
    "./dbt_project.yml".clone_into(&mut node.original_file_path);
    node.fqn = vec![package.name().to_owned(), "hooks".to_owned(), name];
    node.checksum = crate::project::checksum(hook.sql.as_bytes());
    node.declared_at = hook.span.clone();
    node.hook_index = Some(index);
    let mut config = ConfigMap::new();
    config.insert("tags".to_owned(), serde_json::json!([when]));
    Draft { node, package, properties: None, config, is_template: true }
}

/// Warns of what is described and does not exist.
pub fn report_unused_properties(
    project: &Project,
    properties: &PropertiesIndex<'_>,
    all: &Gathered,
    found: &mut Diagnostics,
) {
    for ((package, section, name), (described, _)) in properties {
        let kind = match section {
            Section::Models => ResourceType::Model,
            Section::Seeds => ResourceType::Seed,
            Section::Snapshots => ResourceType::Snapshot,
            Section::Analyses => ResourceType::Analysis,
            Section::DataTests => ResourceType::Test,
        };
        // What an installed package describes in vain is not the user's business.
        let id = match &described.version {
            Some(found) => version_id(package, &described.name, &found.version),
            None => UniqueId::new(kind, package, name),
        };
        if all.contains(&id) || *package != project.name() {
            continue;
        }
        let names = all.names_of(kind, package);
        let warning = Diagnostic::warning(Code::UnusedProperties, format!("there is no {} `{name}`", section.noun()))
            .at(described.name_span.clone(), "described here, declared nowhere");
        found.push(match nearest(name, names) {
            Some(near) => warning.help(format!("did you mean `{near}`?")),
            None => warning,
        });
    }
}
