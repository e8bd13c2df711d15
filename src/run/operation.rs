//! `run-operation`: one macro, called by its name.

use super::event::{NodeResult, Status, Timing};
use super::{Setup, open_session};
use crate::adapter::Response;
use crate::compile::Surroundings;
use crate::diagnostic::{Diagnostics, Result};
use crate::jinja::MacroDefinition;
use crate::jinja::host::Session;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::time::Instant;

/// A macro and what it is called with.
#[derive(Debug)]
pub struct Operation {
    /// The macro.
    pub definition: Arc<MacroDefinition>,
    /// The package in whose place it is called; none for the root project.
    pub package: Option<String>,
    /// Keyword arguments.
    pub arguments: Map<String, Json>,
}

/// Calls a macro. What it did in a transaction and did not commit is taken back at the end, as in dbt: `run_query`
/// works outside of one, `statement` opens one. An error is what kept it from starting.
pub fn run_operation(setup: &Setup, operation: &Operation) -> Result<(NodeResult, Diagnostics)> {
    let clock = Instant::now();
    let session = open_session(setup.adapter.as_ref(), "master", &Arc::default(), &setup.listener.emit)?;
    setup.cancel.register(session.with_connection(|connection| connection.canceller()));
    session.assign_operation();
    let surroundings = Surroundings {
        session: Some(Arc::clone(&session) as Arc<dyn Session>),
        thread: "MainThread".to_owned(),
        ..Surroundings::default()
    };
    let Operation { definition, package, arguments } = operation;
    let called = setup.compiler.call_operation(definition, arguments, package.as_deref(), &surroundings);
    // Without a transaction there is nothing to take back, and nothing to say about it.
    let _ = session.rollback();
    let found = called.err().unwrap_or_default();
    let failed = found.has_errors();
    let end = clock.elapsed();
    let result = NodeResult {
        unique_id: definition.unique_id.clone(),
        status: if failed { Status::Error } else { Status::Success },
        message: None,
        failures: Some(u64::from(failed)),
        response: Response::default(),
        diagnostic: found.iter().next().cloned(),
        timing: Timing { end, ..Timing::default() },
        thread: 0,
        compiled_code: None,
        executed_code: None,
        batches: None,
    };
    Ok((result, found))
}
