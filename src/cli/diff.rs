//! `strata diff`: which compiled SQL differs from another revision, and what that touches.

use super::arguments::{DiffArguments, DiffFormat};
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::artifact::{node_document, read_manifest};
use crate::compile::Surroundings;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, Style};
use crate::diff::revision::Repository;
use crate::diff::{self, ComparedNode, compare};
use crate::name::{ResourceType, UniqueId};
use crate::project::LoadOptions;
use crate::report::Product;
use crate::run::control::PACKAGE;
use crate::sql::Dialect;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Config that only describes: it changes nothing that is built.
const DESCRIPTIVE: [&str; 5] = ["meta", "tags", "docs", "group", "access"];

type Compared = BTreeMap<UniqueId, ComparedNode>;

/// Compares this tree with another revision, or with a former run.
pub(super) fn diff(context: &Context, arguments: &DiffArguments) -> Result<Outcome> {
    let workspace = Workspace::open(context, "diff", VerbFlags::default())?;
    let wanted = |kind| kind != ResourceType::Operation;
    let restricted = !arguments.selection.select.is_empty()
        || !arguments.selection.exclude.is_empty()
        || arguments.selection.selector.is_some();
    let selected = restricted.then(|| workspace.select(context, &arguments.selection, &wanted)).transpose()?;
    let (mut head, found) = compiled(&workspace, &context.emit());
    let failed = found.has_errors();
    context.reporter.found(&found);
    let mut base = match &arguments.selection.state {
        Some(state) if arguments.base.is_none() => from_artifacts(&context.settings.project_root.join(state))?,
        _ => from_revision(context, &workspace, arguments.base.as_deref())?,
    };
    if let Some(selected) = &selected {
        let is_selected = |id: &UniqueId| selected.contains(id);
        // What is gone cannot be selected in this tree; it counts as long as nothing narrower was asked for.
        base.retain(|id, _| is_selected(id));
        head.retain(|id, _| is_selected(id));
    }
    let downstream = |id: &UniqueId| -> Vec<UniqueId> {
        let below: BTreeSet<UniqueId> = workspace.graph.descendants([id], None);
        workspace.ordered(&below)
    };
    let comparison = compare(&base, &head, &downstream);
    let text = match arguments.format {
        DiffFormat::Text => diff::text(
            &comparison,
            match context.settings.styles.0 {
                Style::Coloured => diff::Style::Coloured,
                Style::Plain => diff::Style::Plain,
            },
        ),
        DiffFormat::Markdown => diff::markdown(&comparison),
        DiffFormat::Json => format!("{:#}", comparison.json()),
    };
    context.reporter.product(&Product::Text(text));
    Ok(if failed || arguments.exit_code && comparison.has_changes() { Outcome::Failure } else { Outcome::Success })
}

/// Every node of a project with its SQL, the warehouse not asked; and what could not be compiled.
fn compiled(workspace: &Workspace, emit: &crate::run::event::Emit) -> (Compared, Diagnostics) {
    let manifest = &workspace.manifest;
    // The control tables are strata's own: a new version of them is no change of the project.
    let has_sql = |id: &&UniqueId| {
        manifest.nodes.get(*id).is_some_and(|node| {
            let is_compiled =
                !matches!(node.resource_type, ResourceType::Seed | ResourceType::Operation | ResourceType::UnitTest);
            is_compiled && node.package_name != PACKAGE
        })
    };
    let ids: Vec<UniqueId> = workspace.graph.order().iter().filter(has_sql).cloned().collect();
    let compiler = workspace.compiler(ids.clone(), emit);
    let (nodes, found) = compiler.compile_all(&ids, &Surroundings::default());
    let mut compared: Compared = nodes
        .into_iter()
        .filter_map(|compiled| {
            let node = manifest.nodes.get(&compiled.unique_id)?;
            let compared = ComparedNode {
                path: node.original_file_path.clone(),
                sql: compiled.sql,
                dialect: compiler.dialect_of(node),
                config: deciding_config(workspace, &node.unique_id),
            };
            Some((compiled.unique_id, compared))
        })
        .collect();
    for node in manifest.nodes.values().filter(|node| node.resource_type == ResourceType::Seed) {
        let seed = ComparedNode {
            path: node.original_file_path.clone(),
            sql: format!("-- the file's checksum is {}", node.checksum).into(),
            dialect: compiler.dialect(),
            config: deciding_config(workspace, &node.unique_id),
        };
        compared.insert(node.unique_id.clone(), seed);
    }
    (compared, found)
}

/// The config of a node as its manifest shows it, so that a tree and a former run compare.
fn deciding_config(workspace: &Workspace, id: &UniqueId) -> BTreeMap<String, Json> {
    let document = node_document(&workspace.manifest, &workspace.invocation, id).unwrap_or_default();
    document["config"].as_object().map(deciding).unwrap_or_default()
}

fn deciding(values: &serde_json::Map<String, Json>) -> BTreeMap<String, Json> {
    values
        .iter()
        .filter(|(key, value)| !DESCRIPTIVE.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The project as it was at another revision, compiled for the same target.
fn from_revision(context: &Context, workspace: &Workspace, base: Option<&str>) -> Result<Compared> {
    let repository = Repository::of(&context.settings.project_root)?;
    let revision = repository.merge_base(base)?;
    let scratch = Scratch::make(&workspace.invocation.id, &context.settings)?;
    let root = repository.checkout(&revision, &scratch.0)?;
    let packages = &workspace.project.root_package().config.packages_install_path;
    repository.share(&root, &[packages])?;
    let load_options = LoadOptions {
        // The same target: profiles.yml is often no part of the repository.
        profiles_dir: workspace.project.target.profiles_path.parent().map(Path::to_path_buf),
        profile: Some(workspace.project.target.profile_name.clone()),
        target: Some(workspace.project.target.name.clone()),
        ..context.settings.load.clone()
    };
    let at_base = |found: Diagnostics| -> Diagnostics {
        let what = format!("in the base revision {}", &revision[..revision.len().min(10)]);
        found.into_iter().map(|diagnostic| diagnostic.within(what.clone(), None)).collect()
    };
    let (other, _) = Workspace::read(context, &root, &load_options, "diff", VerbFlags::default()).map_err(at_base)?;
    let (nodes, found) = compiled(&other, &context.emit());
    if found.has_errors() {
        let message = format!("{} nodes of the base revision cannot be compiled and count as new", found.len());
        let first = found.iter().next().map(ToString::to_string).unwrap_or_default();
        context.reporter.found(&Diagnostic::warning(Code::Diff, message).note(first).into());
    }
    Ok(nodes)
}

/// The nodes of a former run, from its manifest.
fn from_artifacts(directory: &Path) -> Result<Compared> {
    let Some(manifest) = read_manifest(directory)? else {
        return Err(Diagnostic::error(Code::Artifact, format!("there is no manifest.json in {}", directory.display()))
            .help("name the target directory of a former `strata compile` or `strata build`")
            .into());
    };
    let target = manifest["metadata"]["adapter_type"].as_str().and_then(Dialect::from_word).unwrap_or(Dialect::DuckDb);
    let mut compared = Compared::new();
    let mut missing = 0;
    for (id, node) in manifest["nodes"].as_object().into_iter().flatten() {
        if node["package_name"] == PACKAGE {
            continue;
        }
        let kind = node["resource_type"].as_str().unwrap_or_default();
        let sql: Arc<str> = match (kind, node["compiled_code"].as_str()) {
            ("operation", _) => continue,
            ("seed", _) => {
                format!("-- the file's checksum is {}", node["checksum"]["checksum"].as_str().unwrap_or_default())
                    .into()
            }
            (_, Some(sql)) => sql.into(),
            (_, None) => {
                missing += 1;
                continue;
            }
        };
        let is_generic = node.get("test_metadata").is_some();
        let written = node["config"]["dialect"].as_str().and_then(Dialect::from_word).filter(|_| !is_generic);
        let config = node["config"].as_object().map(deciding).unwrap_or_default();
        let path = node["original_file_path"].as_str().unwrap_or_default().to_owned();
        compared.insert(id.as_str().into(), ComparedNode { path, sql, dialect: written.unwrap_or(target), config });
    }
    if missing > 0 {
        return Err(Diagnostic::error(
            Code::Artifact,
            format!("{missing} nodes in the manifest of {} have no compiled SQL", directory.display()),
        )
        .help("run `strata compile` there: it compiles every node")
        .into());
    }
    Ok(compared)
}

/// A directory that is removed in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn make(invocation_id: &str, settings: &super::settings::Settings) -> Result<Self, Diagnostic> {
        let directory = settings.temporary_directory.join(format!("strata-diff-{invocation_id}"));
        fs::create_dir_all(&directory)
            .map_err(|error| Diagnostic::error(Code::Io, format!("cannot make {}: {error}", directory.display())))?;
        Ok(Self(directory))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system: it is in its directory for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
