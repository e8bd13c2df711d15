//! Which nodes a verb works on, as it is typed.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which nodes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArguments {
    /// Nodes by name, path, tag:…, config.…:…, source:…, state:…, with + and @ for relatives
    #[arg(short, long, short_alias = 'm', aliases = ["models", "model"], num_args = 1.., value_name = "SELECTOR", help_heading = "Selection")]
    pub select: Vec<String>,
    /// What to leave out, written as for --select
    #[arg(long, num_args = 1.., value_name = "SELECTOR", help_heading = "Selection")]
    pub exclude: Vec<String>,
    /// A selection of selectors.yml
    #[arg(long, value_name = "NAME", help_heading = "Selection", conflicts_with_all = ["select", "exclude"])]
    pub selector: Option<String>,
    /// Which tests come along with selected nodes [default: eager]
    #[arg(long, value_enum, env = "DBT_INDIRECT_SELECTION", value_name = "MODE", help_heading = "Selection")]
    pub indirect_selection: Option<IndirectSelection>,
    /// Artifacts of another run, for state: and result:, --defer and clone
    #[arg(long, env = "DBT_STATE", value_name = "DIR", help_heading = "Selection")]
    pub state: Option<PathBuf>,
}

/// Which tests come along with selected nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IndirectSelection {
    /// Those that look at any selected node
    Eager,
    /// Those that look at selected nodes only
    Cautious,
    /// Those that look at selected nodes and their ancestors only
    Buildable,
    /// None
    Empty,
}

impl IndirectSelection {
    /// dbt's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Cautious => "cautious",
            Self::Buildable => "buildable",
            Self::Empty => "empty",
        }
    }
}

/// Kinds of nodes to keep or to leave out.
#[derive(Debug, Clone, Default, Args)]
pub struct ResourceTypeArguments {
    /// Only nodes of these kinds
    #[arg(long, aliases = ["resource-types"], num_args = 1.., value_enum, env = "DBT_RESOURCE_TYPES", value_delimiter = ' ', value_name = "KIND", help_heading = "Selection")]
    pub resource_type: Vec<ResourceKind>,
    /// No nodes of these kinds
    #[arg(long, aliases = ["exclude-resource-types"], num_args = 1.., value_enum, env = "DBT_EXCLUDE_RESOURCE_TYPES", value_delimiter = ' ', value_name = "KIND", help_heading = "Selection")]
    pub exclude_resource_type: Vec<ResourceKind>,
}

/// A kind of node, as `--resource-type` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResourceKind {
    /// Models
    Model,
    /// Seeds
    Seed,
    /// Snapshots
    Snapshot,
    /// Data tests
    #[value(alias = "data_test")]
    Test,
    /// Unit tests
    #[value(name = "unit_test", alias = "unit-test")]
    UnitTest,
    /// Sources
    Source,
    /// Analyses
    Analysis,
    /// Every kind
    All,
    /// What `ls` lists unless told otherwise
    Default,
}
