//! `strata show`: the first rows of nodes and of queries.

use super::arguments::{ShowArguments, ShowOutput};
use super::compile::inline_dialect;
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::compile::{Compiler, Surroundings};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::host::Session;
use crate::manifest::{Materialized, Node};
use crate::name::{ResourceType, UniqueId};
use crate::report::{Product, TableFormat, format_table};
use crate::run::{WorkerSession, show as rows_of};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Shows rows of the selected nodes, or of the query of `--inline`.
pub(super) fn show(context: &Context, arguments: &ShowArguments) -> Result<Outcome> {
    let state = arguments.selection.state.clone();
    let flags = VerbFlags { introspect: true, state, ..VerbFlags::default() };
    let workspace = Workspace::open_deferring(context, "show", flags)?;
    let selected = match &arguments.inline {
        Some(_) => vec![],
        None => chosen(context, &workspace, arguments)?,
    };
    let compiler = workspace.compiler(selected.clone(), &context.emit());
    let needs_functions = compiler.translates(&selected) || inline_dialect(&workspace) != compiler.dialect();
    let warehouse = Warehouse::open(&workspace.project, needs_functions)?;
    let session = warehouse.session(&context.emit())?;
    let surroundings =
        Surroundings { session: Some(Arc::clone(&session) as Arc<dyn Session>), ..Surroundings::default() };
    let view = View { context, arguments, session: &session };
    let mut found = Diagnostics::new();
    if let Some(text) = &arguments.inline {
        let query = compiler.compile_inline(text, inline_dialect(&workspace), &surroundings);
        let shown = query.and_then(|query| Ok(view.show(None, &query.executable)?));
        found.keep(shown);
    }
    for id in &selected {
        let shown = match query(&workspace, &compiler, id, &surroundings) {
            Ok((name, sql)) => view.show(Some(&name), &sql).map_err(Diagnostics::from),
            Err(refused) => Err(refused),
        };
        found.keep(shown);
    }
    if found.is_empty() {
        return Ok(Outcome::Success);
    }
    context.reporter.found(&found);
    Ok(Outcome::Failure)
}

/// The selected nodes; tests only where they were asked for by name.
fn chosen(context: &Context, workspace: &Workspace, arguments: &ShowArguments) -> Result<Vec<UniqueId>> {
    let given = &arguments.selection;
    if given.select.is_empty() && given.selector.is_none() {
        return Err(Diagnostic::error(Code::Usage, "what to show is not said")
            .help("name it: `strata show -s NAME`, or give a query: `strata show --inline \"select 1\"`")
            .into());
    }
    let shown = |kind| !matches!(kind, ResourceType::Operation | ResourceType::Macro | ResourceType::Doc);
    let selected = workspace.select(context, given, &shown)?;
    let is_test = |id: &UniqueId| {
        workspace
            .manifest
            .nodes
            .get(id)
            .is_some_and(|node| matches!(node.resource_type, ResourceType::Test | ResourceType::UnitTest))
    };
    let others: BTreeSet<UniqueId> = selected.iter().filter(|id| !is_test(id)).cloned().collect();
    let chosen = workspace.ordered(if others.is_empty() { &selected } else { &others });
    if chosen.is_empty() {
        return Err(Diagnostic::error(Code::Selector, "nothing is selected")
            .help("`strata ls` lists what there is")
            .into());
    }
    Ok(chosen)
}

/// A node's name and the query for its rows: its SQL, or for what is not a query over the project's present state
/// (loaded, extracted or kept over time) what lies in the warehouse.
fn query(
    workspace: &Workspace,
    compiler: &Compiler,
    id: &UniqueId,
    surroundings: &Surroundings,
) -> Result<(String, String)> {
    if let Some(source) = workspace.manifest.sources.get(id) {
        let name = format!("{}.{}", source.source_name, source.name);
        return Ok((name, format!("select * from {}", source.relation_name)));
    }
    let Some(node) = workspace.manifest.nodes.get(id) else {
        return Err(Diagnostic::error(Code::Internal, format!("`{id}` is not in the manifest")).into());
    };
    let sql = match &node.relation_name {
        Some(relation) if is_kept(node) => format!("select * from {relation}"),
        _ => compiler.compile(node, surroundings)?.executable.to_string(),
    };
    Ok((node.name.clone(), sql))
}

fn is_kept(node: &Node) -> bool {
    matches!(node.resource_type, ResourceType::Seed | ResourceType::Snapshot)
        || matches!(node.config.materialized(), Materialized::Extract | Materialized::Scd2 | Materialized::Control)
}

/// How rows are shown.
struct View<'a> {
    context: &'a Context,
    arguments: &'a ShowArguments,
    session: &'a WorkerSession,
}

impl View<'_> {
    fn show(&self, node: Option<&str>, sql: &str) -> Result<(), Diagnostic> {
        let limit = u64::try_from(self.arguments.limit).ok();
        let table = rows_of(self.session, sql, limit)?;
        let format = match self.arguments.output {
            ShowOutput::Text => TableFormat::Text,
            ShowOutput::Json => TableFormat::Json,
            ShowOutput::Csv => TableFormat::Csv,
        };
        let rows = format_table(&table, format, node);
        self.context.reporter.product(&Product::Previewed { node: node.map(str::to_owned), rows });
        Ok(())
    }
}
