//! What the surroundings say: read once by the command line, passed down.

use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The process's surroundings at its start.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The environment variables.
    pub variables: Arc<BTreeMap<String, String>>,
    /// The home directory, where there is one.
    pub home: Option<PathBuf>,
    /// When the command started.
    pub now: DateTime<Utc>,
}

impl Environment {
    /// The value of a variable; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
