//! `strata docs generate`: what is known of the project and of its tables, for tools that show it.

use super::arguments::DocsArguments;
use super::compile::{KINDS, compile_and_keep};
use super::execute::run_options;
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome, interrupt};
use crate::artifact::{write_catalog, write_manifest};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::name::{RelationName, ResourceType, UniqueId};
use crate::report::Product;
use crate::run::{CatalogTable, Listener, Setup, catalog};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Compiles what is selected, and writes `catalog.json` with what the warehouse says of the selected nodes and sources.
pub(super) fn generate(context: &Context, given: &DocsArguments) -> Result<Outcome> {
    let more = vec![("compile", json!(!given.no_compile)), ("empty_catalog", json!(given.empty_catalog))];
    let state = given.selection.state.clone();
    let flags = VerbFlags { introspect: true, state, more, ..VerbFlags::default() };
    let workspace = Workspace::open_deferring(context, "generate", flags)?;
    let selected = workspace.select(context, &given.selection, &|_| true)?;
    if given.no_compile {
        write_manifest(&workspace.manifest, &workspace.invocation, &[])?;
    } else {
        let is_compiled =
            |id: &UniqueId| workspace.manifest.nodes.get(id).is_some_and(|node| KINDS.contains(&node.resource_type));
        let compiled: BTreeSet<UniqueId> = selected.iter().filter(|id| is_compiled(id)).cloned().collect();
        let (_, failed) = compile_and_keep(context, &workspace, &workspace.ordered(&compiled), true)?;
        if failed {
            let found =
                Diagnostic::error(Code::Artifact, "no catalog was written, since not everything can be compiled");
            context.reporter.found(&found.help("--no-compile writes it all the same").into());
            return Ok(Outcome::Failure);
        }
    }
    let (tables, found) =
        if given.empty_catalog { (vec![], Diagnostics::new()) } else { look(context, &workspace, &selected)? };
    write_catalog(&workspace.manifest, &workspace.invocation, &selected, &tables, &found)?;
    context.reporter.found(&found);
    if !context.settings.quiet {
        let path = workspace.invocation.target_path.join("catalog.json");
        let count = match tables.len() {
            1 => "1 table or view".to_owned(),
            count => format!("{count} tables and views"),
        };
        context.reporter.product(&Product::Text(format!("Wrote the catalog of {count} to {}", path.display())));
    }
    Ok(match found.has_errors() {
        _ if context.cancel.is_cancelled() => Outcome::Interrupted,
        true => Outcome::Failure,
        false => Outcome::Success,
    })
}

/// Asks the warehouse for the relations of these nodes and sources.
fn look(
    context: &Context,
    workspace: &Workspace,
    selected: &BTreeSet<UniqueId>,
) -> Result<(Vec<CatalogTable>, Diagnostics)> {
    let manifest = &workspace.manifest;
    let has_rows = |kind| matches!(kind, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot);
    let names = selected.iter().filter_map(|id| match manifest.nodes.get(id) {
        Some(node) if has_rows(node.resource_type) && !node.is_ephemeral() => node.relation_name.clone(),
        Some(_) => None,
        None => manifest.sources.get(id).map(|source| source.relation_name.clone()),
    });
    let names: Vec<RelationName> = names.collect();
    let warehouse = Warehouse::open(&workspace.project, false)?;
    let emit = context.emit();
    let listener = Listener::new(&emit);
    interrupt::listen(&context.cancel, &emit)?;
    let setup = Setup {
        compiler: Arc::new(workspace.compiler_for(selected.iter().cloned().collect(), &listener)),
        adapter: warehouse.adapter,
        options: run_options(context, workspace, "generate"),
        listener,
        cancel: Arc::clone(&context.cancel),
    };
    Ok(catalog(&setup, &names))
}
