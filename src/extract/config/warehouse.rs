//! `type: warehouse`: a table that the target's own warehouse can read.

use super::{Incremental, incremental_of};
use crate::project::yaml::Reader;

/// A table in the warehouse: the source's own relation, or the rows of a query.
#[derive(Debug, Clone)]
pub struct WarehouseConfig {
    /// What is read instead of the source's relation.
    pub query: Option<String>,
    /// The columns to read; all if none are named.
    pub columns: Vec<String>,
    /// How only what changed is read.
    pub incremental: Option<Incremental>,
}

pub(super) fn read(connector: Reader<'_>, mut table: Reader<'_>, columns: Vec<String>) -> WarehouseConfig {
    let query = table.text("query");
    let incremental = incremental_of(&mut table);
    connector.finish();
    table.finish();
    WarehouseConfig { query, columns, incremental }
}
