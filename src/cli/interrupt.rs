//! Ctrl-C: the first stops what runs and starts nothing more, the second ends the process and its sessions.

use crate::diagnostic::{Code, Diagnostic};
use crate::run::event::{Emit, Event};
use crate::run::scheduler::CancelFlag;
use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

/// How long the second Ctrl-C waits for warehouses to end what the process has open there.
const LONGEST_GOODBYE: Duration = Duration::from_secs(2);

/// Lets Ctrl-C (and a polite kill) cancel the run that `cancel` belongs to.
pub(super) fn listen(cancel: &Arc<CancelFlag>, emit: &Emit) -> Result<(), Diagnostic> {
    let (cancel, emit) = (Arc::clone(cancel), Arc::clone(emit));
    ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            cancel.end_sessions(LONGEST_GOODBYE);
            exit(i32::from(super::Outcome::Interrupted.exit_code()));
        }
        cancel.cancel();
        emit(Event::Message("Stopping: what runs is cancelled. Press Ctrl-C again to end at once.".to_owned()));
    })
    .map_err(|error| Diagnostic::error(Code::Internal, format!("cannot listen for Ctrl-C: {error}")))
}
