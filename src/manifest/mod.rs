//! The project as data: nodes, sources, macros and how they refer to each other.
//!
//! `parse` fills a [`Manifest`], every later stage reads it, none changes it, but that a command may note where nodes live
//! in another environment before it does anything else. It never sees a connection.

mod batch;
mod config;
mod constraint;
mod deferral;
mod node;
mod unit_test;

pub use batch::{Batch, BatchResults, BatchSize, BatchStep, EventWindow, parse_time};
pub use config::{ConfigMap, Hook, Materialized, NodeConfig, OnSchemaChange};
pub use constraint::{Constraint, ConstraintTarget, TargetCall};
pub use deferral::DeferRelation;
pub use node::{
    Column, DependsOn, DocBlock, MacroArgument, MacroEntry, Node, RefCall, Source, SourceCall, SourceFreshness,
    TestMetadata,
};
pub use unit_test::{Fixture, Given, Overrides, Records, Rows, UnitTest, Versions};

use crate::name::UniqueId;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// Everything that parse found out about a project and its packages.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The root project's name.
    pub project_name: String,
    /// `duckdb` or `snowflake`: the type of the target that the manifest was made for.
    pub adapter_type: String,
    /// Models, seeds, snapshots, tests of both kinds, analyses and operations that are enabled, by unique id in dbt's order.
    pub nodes: IndexMap<UniqueId, Node>,
    /// Enabled sources.
    pub sources: IndexMap<UniqueId, Source>,
    /// Macros of the project, its packages and strata itself.
    pub macros: IndexMap<UniqueId, MacroEntry>,
    /// Docs blocks.
    pub docs: IndexMap<UniqueId, DocBlock>,
    /// Nodes and sources that are disabled.
    pub disabled: IndexMap<UniqueId, Node>,
    /// What `ref()` finds: by name (`orders`, and `orders.v2` for versions), then by package.
    pub references: BTreeMap<String, BTreeMap<String, UniqueId>>,
    /// What `source()` finds: by (source name, table name).
    pub source_index: BTreeMap<(String, String), UniqueId>,
}

impl Manifest {
    /// The node that a `ref()` means to a node of `from_package`: the root project's first, then that package's own,
    /// then the first there is, as dbt searches.
    pub fn find_reference(&self, call: &RefCall, from_package: &str) -> Option<&Node> {
        let by_package = self.references.get(&call.looked_up())?;
        let id = match &call.package {
            Some(package) => by_package.get(package),
            None => by_package
                .get(&self.project_name)
                .or_else(|| by_package.get(from_package))
                .or_else(|| by_package.values().next()),
        }?;
        self.nodes.get(id)
    }

    /// The source that `source(source_name, table_name)` means.
    pub fn find_source(&self, source_name: &str, table_name: &str) -> Option<&Source> {
        let id = self.source_index.get(&(source_name.to_owned(), table_name.to_owned()))?;
        self.sources.get(id)
    }

    /// The ids on which a node or source depends directly; sources depend on nothing.
    pub fn parents(&self, id: &UniqueId) -> &[UniqueId] {
        self.nodes.get(id).map_or(&[], |node| &node.depends_on.nodes)
    }
}
