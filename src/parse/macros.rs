//! Macros, docs blocks and snapshot blocks of all packages.

use super::docs::Descriptions;
use super::host::Surroundings;
use super::macro_arguments;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, nearest};
use crate::jinja::{
    Engine, FileBlocks, PackageKind, Registry, RegistryBuilder, SnapshotBlock, definition_of, scan_docs,
    scan_macro_file,
};
use crate::manifest::{DocBlock, MacroArgument, MacroEntry, Manifest};
use crate::name::{ResourceType, UniqueId};
use crate::project::properties::ArgumentProperties;
use crate::project::{FileKind, Package, PackageFile, Project};
use indexmap::IndexMap;
use rayon::prelude::*;
use serde_json::Map;
use std::collections::HashMap;
use std::sync::Arc;

/// A snapshot block, its package and its file.
pub struct FoundSnapshot<'a> {
    pub(super) package: &'a Package,
    pub(super) file: &'a PackageFile,
    pub(super) block: SnapshotBlock,
}

/// What the files with blocks define.
pub struct Scanned<'a> {
    pub(super) registry: Registry,
    pub(super) docs: IndexMap<UniqueId, DocBlock>,
    pub(super) snapshots: Vec<FoundSnapshot<'a>>,
}

/// Reads all files with blocks. Macros may stand in snapshot files too.
pub fn scan(project: &Project) -> Result<Scanned<'_>> {
    let mut found = Diagnostics::new();
    let mut builder = RegistryBuilder::new();
    for package in &project.packages {
        let kind = if package.embedded { PackageKind::Internal } else { PackageKind::Project };
        builder.add_package(package.name(), kind);
    }
    let mut files: Vec<(&Package, &PackageFile)> = Vec::new();
    for package in &project.packages {
        let kinds = [FileKind::Macro, FileKind::Snapshot];
        files.extend(kinds.into_iter().flat_map(|kind| package.files(kind)).map(|file| (package, file)));
    }
    let blocks: Vec<Result<FileBlocks>> =
        files.par_iter().map(|(package, file)| scan_macro_file(package.name(), &file.source)).collect();
    let mut snapshots = Vec::new();
    for ((package, file), blocks) in files.into_iter().zip(blocks) {
        let Some(blocks) = found.keep(blocks) else { continue };
        blocks.macros.into_iter().for_each(|definition| builder.add(definition));
        if file.kind == FileKind::Snapshot {
            snapshots.extend(blocks.snapshots.into_iter().map(|block| FoundSnapshot { package, file, block }));
        }
    }
    if let Some(blocks) = query_comment(project).and_then(|blocks| found.keep(blocks)) {
        blocks.macros.into_iter().for_each(|definition| builder.add(definition));
    }
    let docs = docs(project, &mut found);
    let dispatch: HashMap<String, Vec<String>> = project
        .root_package()
        .config
        .dispatch
        .iter()
        .map(|rule| (rule.macro_namespace.clone(), rule.search_order.clone()))
        .collect();
    let registry = found.keep(builder.build(project.name(), project.target.type_name(), dispatch));
    match registry.filter(|_| !found.has_errors()) {
        Some(registry) => Ok(Scanned { registry, docs, snapshots }),
        None => Err(found),
    }
}

/// Where the comment of `query-comment:` is shown to stand.
const QUERY_COMMENT: &str = "dbt_project.yml (query-comment)";

/// The project's own comment as the macro that takes the built-in one's place.
fn query_comment(project: &Project) -> Option<Result<FileBlocks>> {
    let text = project.root_package().config.query_comment.comment.as_deref().filter(|text| !text.is_empty())?;
    let text = format!("{{% macro query_comment_macro(connection_name, node) %}}{text}{{% endmacro %}}");
    Some(scan_macro_file(project.name(), &SourceFile::new(QUERY_COMMENT, text)))
}

fn docs(project: &Project, found: &mut Diagnostics) -> IndexMap<UniqueId, DocBlock> {
    let mut docs = IndexMap::new();
    let mut places = HashMap::new();
    for package in &project.packages {
        for file in package.files(FileKind::Docs) {
            for block in found.keep(scan_docs(&file.source)).unwrap_or_default() {
                let unique_id = UniqueId::new(ResourceType::Doc, package.name(), &block.name);
                if let Some(first) = places.insert(unique_id.clone(), block.span.clone()) {
                    found.push(
                        Diagnostic::error(Code::DuplicateName, format!("there are two docs blocks `{}`", block.name))
                            .at(block.span, "the second one")
                            .at(first, "the first one"),
                    );
                    continue;
                }
                docs.insert(
                    unique_id.clone(),
                    DocBlock {
                        unique_id,
                        package_name: package.name().to_owned(),
                        name: block.name,
                        original_file_path: file.original_file_path.clone(),
                        block_contents: block.contents,
                    },
                );
            }
        }
    }
    docs
}

/// The macros as artifacts show them, with what they call.
pub fn entries(registry: &Registry) -> IndexMap<UniqueId, MacroEntry> {
    let entry = |definition: &Arc<crate::jinja::MacroDefinition>| {
        let mut depends_on = Vec::new();
        for name in &definition.calls {
            let called = registry
                .find(name, &definition.package)
                .or_else(|| definition_of(&registry.find_dispatched(name, None, &definition.package)?));
            if let Some(called) = called.filter(|called| !depends_on.contains(&called.unique_id)) {
                depends_on.push(called.unique_id.clone());
            }
        }
        let entry = MacroEntry {
            unique_id: definition.unique_id.clone(),
            package_name: definition.package.clone(),
            name: definition.name.clone(),
            original_file_path: definition.file.path().to_string_lossy().into_owned(),
            span: definition.span.clone(),
            depends_on,
            description: String::new(),
            meta: Map::new(),
            arguments: vec![],
        };
        (definition.unique_id.clone(), entry)
    };
    let is_written = |definition: &&Arc<crate::jinja::MacroDefinition>| {
        definition.file.path() != std::path::Path::new(QUERY_COMMENT)
    };
    registry.macros().filter(is_written).map(entry).collect()
}

/// Adds what properties files say of macros, and the paths of their files within their packages.
pub fn describe(
    project: &Project,
    engine: &Arc<Engine>,
    surroundings: &Arc<Surroundings>,
    manifest: &mut Manifest,
    found: &mut Diagnostics,
) {
    let mut paths: HashMap<&std::path::Path, &str> = HashMap::new();
    for file in project.packages.iter().flat_map(|package| &package.files) {
        paths.insert(file.source.path(), &file.original_file_path);
    }
    let validate = project.root_package().config.flag("validate_macro_args").unwrap_or(false);
    for entry in manifest.macros.values_mut() {
        if validate && let Some(definition) = engine.registry().by_id(entry.unique_id.as_str()) {
            entry.arguments = definition
                .arguments
                .iter()
                .map(|name| MacroArgument { name: name.clone(), data_type: None, description: String::new() })
                .collect();
        }
        if let Some(path) = paths.get(entry.span.file().path()) {
            (*path).clone_into(&mut entry.original_file_path);
        }
    }
    for package in &project.packages {
        let descriptions = Descriptions::new(engine, surroundings, package.name());
        for described in package.properties.iter().flat_map(|properties| &properties.macros) {
            let id = UniqueId::new(ResourceType::Macro, package.name(), &described.name);
            let Some(entry) = manifest.macros.get_mut(&id) else {
                let names = manifest
                    .macros
                    .values()
                    .filter(|entry| entry.package_name == package.name())
                    .map(|entry| entry.name.as_str());
                let warning = Diagnostic::warning(
                    Code::UnusedProperties,
                    format!("the package `{}` has no macro `{}`", package.name(), described.name),
                )
                .at(described.name_span.clone(), "described here");
                found.push(match nearest(&described.name, names) {
                    Some(near) => warning.help(format!("did you mean `{near}`?")),
                    None => warning,
                });
                continue;
            };
            entry.description = descriptions.text(&described.description, &described.name_span, found);
            entry.meta.clone_from(&described.meta);
            if validate && let Some(definition) = engine.registry().get(package.name(), &described.name) {
                macro_arguments::check(described, definition, found);
            }
            let argument = |argument: &ArgumentProperties| MacroArgument {
                name: argument.name.clone(),
                data_type: argument.data_type.as_ref().map(|(data_type, _)| data_type.clone()),
                description: argument.description.clone(),
            };
            if described.arguments.is_empty() && validate {
                continue;
            }
            entry.arguments = described.arguments.iter().map(argument).collect();
        }
    }
}
