//! `strata compile`: the SQL of nodes, and of a text that belongs to none.

use super::arguments::{CompileArguments, CompileOutput};
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::artifact::{TargetTree, write_manifest, write_run_results};
use crate::compile::{CompiledNode, Surroundings};
use crate::diagnostic::{Diagnostics, Result};
use crate::name::{ResourceType, UniqueId};
use crate::report::Product;
use crate::run::event::{NodeResult, Status, Timing};
use crate::sql::Dialect;
use serde_json::json;

/// What is compiled unless told otherwise.
pub(super) const KINDS: &[ResourceType] =
    &[ResourceType::Model, ResourceType::Snapshot, ResourceType::Test, ResourceType::Analysis, ResourceType::Operation];

/// What can be compiled.
const ALL: &[ResourceType] = &[
    ResourceType::Model,
    ResourceType::Snapshot,
    ResourceType::Test,
    ResourceType::Analysis,
    ResourceType::Operation,
    ResourceType::UnitTest,
];

/// Compiles the selected nodes, or the text of `--inline`.
pub(super) fn compile(context: &Context, arguments: &CompileArguments) -> Result<Outcome> {
    let introspect = !arguments.no_introspect && arguments.introspect.unwrap_or(true);
    let full_refresh = context.settings.full_refresh(&arguments.full_refresh);
    let state = arguments.selection.state.clone();
    let flags = VerbFlags { full_refresh, state, introspect, ..VerbFlags::default() };
    let workspace = Workspace::open_deferring(context, "compile", flags)?;
    workspace.check_introspection(introspect)?;
    let shown = |compiled: &CompiledNode, name: Option<&str>| {
        let sql = if arguments.translated { &compiled.executable } else { &compiled.sql };
        let sql = match arguments.output {
            CompileOutput::Text => sql.to_string(),
            CompileOutput::Json => match name {
                Some(name) => format!("{:#}", json!({"node": name, "compiled": &**sql})),
                None => format!("{:#}", json!({"compiled": &**sql})),
            },
        };
        context.reporter.product(&Product::Compiled { node: name.map(str::to_owned), sql });
    };
    if let Some(text) = &arguments.inline {
        let compiler = workspace.compiler(vec![], &context.emit());
        let surroundings = surroundings(context, &workspace, introspect, false)?;
        return match compiler.compile_inline(text, inline_dialect(&workspace), &surroundings) {
            Ok(query) => {
                shown(&query, None);
                Ok(Outcome::Success)
            }
            Err(found) => {
                context.reporter.found(&found);
                Ok(Outcome::Failure)
            }
        };
    }
    let wanted = |kind| arguments.kinds.wants(kind, ALL, KINDS);
    let mut selected = workspace.select(context, &arguments.selection, &wanted)?;
    if selected.is_empty() {
        // The inputs of unit tests are as wide as what lies in the warehouse: they are compiled only if they are meant.
        let is_unit_test = |kind| kind == ResourceType::UnitTest && arguments.kinds.wants(kind, ALL, ALL);
        selected = workspace.select(context, &arguments.selection, &is_unit_test)?;
    }
    let order = workspace.ordered(&selected);
    let (nodes, failed) = compile_and_keep(context, &workspace, &order, introspect)?;
    let named = |name: &str| arguments.selection.select.iter().any(|given| given == name);
    let mut any = false;
    for one in &nodes {
        let Some(node) = workspace.manifest.nodes.get(&one.unique_id) else { continue };
        if named(&node.name) {
            any = true;
            shown(one, Some(&node.name));
        }
    }
    if !any && !context.settings.quiet {
        let directory = workspace.invocation.target_path.join("compiled");
        let text = format!("Compiled {} of {} nodes into {}", nodes.len(), order.len(), directory.display());
        context.reporter.product(&Product::Text(text));
    }
    Ok(if failed { Outcome::Failure } else { Outcome::Success })
}

/// Compiles nodes, tells what is wrong with them and writes them and the artifacts. Gives those that could be compiled,
/// and whether any could not.
pub(super) fn compile_and_keep(
    context: &Context,
    workspace: &Workspace,
    order: &[UniqueId],
    introspect: bool,
) -> Result<(Vec<CompiledNode>, bool)> {
    let compiler = workspace.compiler(order.to_vec(), &context.emit());
    let surroundings = surroundings(context, workspace, introspect, compiler.translates(order))?;
    compiler.list_deferred(order, &surroundings)?;
    let (nodes, found) = compiler.compile_all(order, &surroundings);
    context.reporter.found(&found);
    keep(context, workspace, &nodes)?;
    Ok((nodes, found.has_errors()))
}

/// The dialect of texts that are typed: what the root project's models are written in unless they say otherwise.
pub(super) fn inline_dialect(workspace: &Workspace) -> Dialect {
    let target = if workspace.manifest.adapter_type == "snowflake" { Dialect::Snowflake } else { Dialect::DuckDb };
    let models = workspace.manifest.nodes.values().filter(|node| {
        node.resource_type == ResourceType::Model && node.package_name == workspace.manifest.project_name
    });
    let mut dialects = models.map(|node| node.config.dialect().and_then(Dialect::from_word).unwrap_or(target));
    match dialects.next() {
        Some(first) if dialects.all(|other| other == first) => first,
        _ => target,
    }
}

/// What templates find around them: the warehouse, unless it is to be left alone.
pub(super) fn surroundings(
    context: &Context,
    workspace: &Workspace,
    introspect: bool,
    snowflake_functions: bool,
) -> Result<Surroundings> {
    if !introspect {
        return Ok(Surroundings::default());
    }
    let warehouse = Warehouse::open(&workspace.project, snowflake_functions)?;
    Ok(Surroundings { session: Some(warehouse.session(&context.emit())?), ..Surroundings::default() })
}

/// Writes the compiled tree and the artifacts.
fn keep(context: &Context, workspace: &Workspace, compiled: &[CompiledNode]) -> Result<(), Diagnostics> {
    let tree = TargetTree::new(&workspace.invocation);
    let mut results = Vec::with_capacity(compiled.len());
    for one in compiled {
        let Some(node) = workspace.manifest.nodes.get(&one.unique_id) else { continue };
        tree.write_compiled(node, &one.sql)?;
        results.push(NodeResult {
            unique_id: one.unique_id.clone(),
            status: Status::Success,
            message: None,
            failures: None,
            response: crate::adapter::Response::default(),
            diagnostic: None,
            timing: Timing::default(),
            thread: 1,
            compiled_code: Some(one.sql.to_string()),
            executed_code: None,
            batches: None,
        });
    }
    if context.settings.write_json {
        write_manifest(&workspace.manifest, &workspace.invocation, &results)?;
        let elapsed = workspace.invocation.started.elapsed();
        write_run_results(&workspace.manifest, &workspace.invocation, &results, elapsed)?;
    }
    Ok(())
}
