//! `strata source freshness`: how old the sources are.

use super::arguments::FreshnessArguments;
use super::execute::run_options;
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome, interrupt};
use crate::artifact::{write_manifest, write_sources};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::manifest::Source;
use crate::name::{ResourceType, UniqueId};
use crate::run::{Listener, Setup, SourceResult, freshness as look};
use std::collections::BTreeSet;
use std::sync::Arc;

/// dbt's behaviour flag: whether the project's hooks run around it.
const WITH_HOOKS: &str = "source_freshness_run_project_hooks";

/// Looks at the selected sources that have a threshold, and writes `sources.json`.
pub(super) fn freshness(context: &Context, arguments: &FreshnessArguments) -> Result<Outcome> {
    let state = arguments.selection.state.clone();
    let flags = VerbFlags { introspect: true, state, ..VerbFlags::default() };
    let workspace = Workspace::open_deferring(context, "freshness", flags)?;
    let selected = workspace.select(context, &arguments.selection, &|kind| kind == ResourceType::Source)?;
    let sources = &workspace.manifest.sources;
    let judged: BTreeSet<UniqueId> =
        selected.into_iter().filter(|id| sources.get(id).is_some_and(Source::has_freshness)).collect();
    if judged.is_empty() {
        let nothing = Diagnostic::warning(Code::Selector, "no selected source has a `freshness:`, so nothing was done")
            .help("say after how long a source is too old: freshness: {error_after: {count: 1, period: day}}");
        context.tolerate(nothing.into())?;
    }
    let results = if judged.is_empty() { vec![] } else { run(context, &workspace, &judged)? };
    if context.settings.write_json {
        let path = match &arguments.output {
            Some(given) => context.settings.working_directory.join(given),
            None => workspace.invocation.in_target("sources.json"),
        };
        let elapsed = workspace.invocation.started.elapsed();
        write_manifest(&workspace.manifest, &workspace.invocation, &[])?;
        write_sources(&path, &workspace.manifest, &workspace.invocation, &results, elapsed)?;
    }
    Ok(if context.cancel.is_cancelled() {
        Outcome::Interrupted
    } else if results.iter().any(|one| one.result.status.is_failure()) {
        Outcome::Failure
    } else {
        Outcome::Success
    })
}

fn run(context: &Context, workspace: &Workspace, judged: &BTreeSet<UniqueId>) -> Result<Vec<SourceResult>> {
    let warehouse = Warehouse::open(&workspace.project, false)?;
    let emit = context.emit();
    let listener = Listener::new(&emit);
    interrupt::listen(&context.cancel, &emit)?;
    let setup = Setup {
        compiler: Arc::new(workspace.compiler_for(judged.iter().cloned().collect(), &listener)),
        adapter: warehouse.adapter,
        options: run_options(context, workspace, "freshness"),
        listener,
        cancel: Arc::clone(&context.cancel),
    };
    let with_hooks = workspace.project.root_package().config.flag(WITH_HOOKS).unwrap_or(true);
    look(setup, workspace.graph.order(), judged, with_hooks)
}
