//! `strata run-operation`: one macro, called by its name.

use super::arguments::RunOperationArguments;
use super::execute::run_options;
use super::settings::mapping;
use super::warehouse::Warehouse;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome, interrupt};
use crate::artifact::{write_manifest, write_run_results};
use crate::diagnostic::Result;
use crate::run::{Listener, Operation, Setup, run_operation as call};
use serde_json::Value as Json;
use std::sync::Arc;

/// Calls the macro, and writes `run_results.json` with how that went.
pub(super) fn run_operation(context: &Context, given: &RunOperationArguments) -> Result<Outcome> {
    let arguments = mapping("--args", given.args.as_deref())?;
    let more = vec![("macro", given.name.clone().into()), ("args", Json::Object(arguments.clone()))];
    let flags = VerbFlags { introspect: true, more, ..VerbFlags::default() };
    let workspace = Workspace::open(context, "run-operation", flags)?;
    let emit = context.emit();
    let listener = Listener::new(&emit);
    let compiler = Arc::new(workspace.compiler_for(vec![], &listener));
    let operation = Operation {
        definition: compiler.find_operation(&given.name)?,
        package: given.name.split_once('.').map(|(package, _)| package.to_owned()),
        arguments,
    };
    let warehouse = Warehouse::open(&workspace.project, false)?;
    interrupt::listen(&context.cancel, &emit)?;
    let setup = Setup {
        compiler,
        adapter: warehouse.adapter,
        options: run_options(context, &workspace, "run-operation"),
        listener,
        cancel: Arc::clone(&context.cancel),
    };
    let (result, found) = call(&setup, &operation)?;
    context.reporter.found(&found);
    if context.settings.write_json {
        let elapsed = workspace.invocation.started.elapsed();
        let results = [result];
        write_manifest(&workspace.manifest, &workspace.invocation, &[])?;
        write_run_results(&workspace.manifest, &workspace.invocation, &results, elapsed)?;
    }
    Ok(if context.cancel.is_cancelled() {
        Outcome::Interrupted
    } else if found.has_errors() {
        Outcome::Failure
    } else {
        Outcome::Success
    })
}
