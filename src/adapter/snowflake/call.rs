//! What goes with one statement through the client library, which knows of none of it: what to send beside the text,
//! and what the server said beside the rows.

use super::failure::Failure;
use serde_json::Value as Json;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

tokio::task_local! {
    /// The call that the running task makes.
    pub(super) static CALL: std::sync::Arc<Call>;
}

/// One use of the client library.
pub(super) struct Call {
    pub(super) input: Input,
    said: Mutex<Said>,
    cancelled: watch::Sender<bool>,
}

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Log in and send no statement.
    pub(super) only_login: bool,
    /// Values of `?` in the statement, in the server's form.
    pub(super) bindings: Option<Json>,
}

/// What the server said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The client's id of the request, by which it can be cancelled.
    pub(super) request_id: Option<String>,
    /// The server's id of the statement, known before it ends.
    pub(super) query_id: Option<String>,
    /// The columns, as the server describes them.
    pub(super) row_type: Vec<Json>,
    /// How many rows there are in all.
    pub(super) total: Option<u64>,
    /// Whether rows come as JSON; else they come as Arrow.
    pub(super) is_json: bool,
    /// The addresses of the parts of the result that are to be fetched, in order.
    pub(super) chunks: Vec<String>,
    /// The headers with which parts are fetched.
    pub(super) chunk_headers: Vec<(String, String)>,
    /// Why there is no answer.
    pub(super) failure: Option<Failure>,
}

impl Call {
    pub(super) fn new(input: Input) -> Self {
        Self { input, said: Mutex::default(), cancelled: watch::channel(false).0 }
    }

    /// A panic elsewhere leaves what was said as it is.
    pub(super) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks those who wait for the server to stop.
    pub(super) fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    /// Returns once someone has cancelled the call.
    pub(super) async fn cancelled(&self) {
        // The sender lives as long as the call: waiting cannot fail.
        let _ = self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
    }

    /// The call of the running task.
    pub(super) fn current() -> Option<std::sync::Arc<Self>> {
        CALL.try_with(std::sync::Arc::clone).ok()
    }
}
