//! The target's warehouse, as verbs open it.

use crate::adapter::{Adapter, RelationCache, open};
use crate::diagnostic::{Diagnostic, Result};
use crate::project::Project;
use crate::run::event::Emit;
use crate::run::{WorkerSession, open_session};
use std::sync::Arc;

/// An open warehouse.
pub(super) struct Warehouse {
    pub(super) adapter: Arc<dyn Adapter>,
    cache: Arc<RelationCache>,
}

impl Warehouse {
    /// Opens the target's warehouse. With `snowflake_functions`, SQL that was written for Snowflake finds its
    /// functions there.
    pub(super) fn open(project: &Project, snowflake_functions: bool) -> Result<Self> {
        Ok(Self { adapter: open(&project.target, snowflake_functions, &project.environment)?, cache: Arc::default() })
    }

    /// A connection for templates that ask the warehouse, and for queries.
    pub(super) fn session(&self, emit: &Emit) -> Result<Arc<WorkerSession>, Diagnostic> {
        open_session(self.adapter.as_ref(), "master", &self.cache, emit)
    }
}
