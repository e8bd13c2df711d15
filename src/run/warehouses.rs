//! The sizes of warehouses while a run lasts.

use super::Run;
use super::event::{Event, Restoring};
use super::session::WorkerSession;
use crate::compile::Surroundings;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::host::Session;
use crate::project::warehouses::WarehouseSettings;
use serde::Deserialize;
use std::sync::Arc;

/// What was changed, and is to be undone at the end of the run, however it ends.
#[must_use = "the former sizes come back by restore()"]
pub struct Warehouses {
    restoring: Vec<String>,
}

/// One statement, and the one that undoes it.
#[derive(Deserialize)]
struct Change {
    apply: String,
    restore: String,
}

impl Warehouses {
    /// Gives the warehouses the sizes that the project wants. If one cannot have it, none is left changed.
    pub fn resize(run: &Run, master: &Arc<WorkerSession>) -> Result<Self> {
        put_back(run, master);
        let wanted = &run.compiler.project().root_package().config.warehouses;
        let mut changed = Self { restoring: vec![] };
        if wanted.is_empty() {
            return Ok(changed);
        }
        let wanted = wanted.iter().map(WarehouseSettings::to_json).collect();
        let session = Some(Arc::clone(master) as Arc<dyn Session>);
        let surroundings = Surroundings { session, ..Surroundings::default() };
        master.assign(None, None, None);
        let text = run.compiler.call_text("warehouse_changes", &[serde_json::Value::Array(wanted)], &surroundings)?;
        let changes: Vec<Change> = serde_json::from_str(&text).map_err(|error| {
            Diagnostics::from(Diagnostic::error(
                Code::JinjaRender,
                format!("the macro `warehouse_changes` should give a list of changes as JSON: {error}"),
            ))
        })?;
        for change in changes {
            let restoring = Restoring { account: account_of(master), sql: change.restore.clone() };
            (run.emit)(Event::WarehouseResized { restoring });
            if let Err(failed) = master.execute(&change.apply, false) {
                changed.restore(run, master);
                let message =
                    format!("a warehouse cannot have the size that the project wants: {}", failed.error.message);
                return Err(Diagnostic::error(Code::Database, message)
                    .note(format!("the statement was: {}", change.apply))
                    .help("the role needs the privilege MODIFY on the warehouse; or take it out of `warehouses:`")
                    .into());
            }
            changed.restoring.push(change.restore);
        }
        Ok(changed)
    }

    /// Gives every warehouse back the size that it had; what cannot be undone is told.
    pub fn restore(self, run: &Run, master: &Arc<WorkerSession>) {
        master.assign(None, None, None);
        for sql in self.restoring.into_iter().rev() {
            restore(run, master, &sql);
        }
    }
}

/// Puts back what a run that was killed has left changed in this account.
fn put_back(run: &Run, master: &Arc<WorkerSession>) {
    let account = account_of(master);
    for left in run.options.restoring.iter().rev().filter(|left| left.account == account) {
        if restore(run, master, &left.sql) {
            (run.emit)(Event::Message(format!("Put back what an interrupted run had left changed: {}", left.sql)));
        }
    }
}

fn account_of(master: &WorkerSession) -> String {
    master.id().and_then(|id| id.split_once('/').map(|(account, _)| account.to_owned())).unwrap_or_default()
}

/// Whether a warehouse has its former size again; if not, it is told.
fn restore(run: &Run, master: &Arc<WorkerSession>, sql: &str) -> bool {
    let Err(failed) = master.execute(sql, false) else { return true };
    let message = format!("a warehouse does not have its former size back: {}", failed.error.message);
    (run.emit)(Event::Found(Diagnostic::error(Code::Database, message).help(format!("run this by hand: {sql}"))));
    false
}
