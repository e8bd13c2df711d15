//! What was typed: the command line as clap reads it, environment variables included. What it means is settled
//! in `settings`.
#![expect(clippy::doc_markdown, reason = "these comments are help texts, shown on terminals as they are")]

pub use super::global::{DeferArguments, FlagsWithoutEffect, GlobalArguments, LogFormat, LogLevel};
pub use super::running::{
    BuildArguments, CloneArguments, EventTimes, FullRefresh, RunArguments, SeedArguments, SnapshotArguments,
    StoreFailures, TestArguments,
};
pub use super::selection::{IndirectSelection, ResourceKind, ResourceTypeArguments, SelectionArguments};

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// From the source systems to the dimension tables: reads a dbt project, extracts, compiles, runs and tests it.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "strata",
    version,
    arg_required_else_help = true,
    after_help = "Start here:\n  strata init shop      make a project\n  cd shop && strata build"
)]
pub struct Arguments {
    /// Flags that every verb takes.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Make a new project: sources, four layers, tests, sample data; it runs as it is
    #[command(after_help = "Example:\n  strata init shop")]
    Init(InitArguments),
    /// Show what strata found (project, profile, target, versions) and try the connection
    #[command(after_help = "Example:\n  strata debug --target prod")]
    Debug(DebugArguments),
    /// Read the whole project, report all that is wrong with it and write target/manifest.json
    #[command(after_help = "Example:\n  strata parse --strict")]
    Parse,
    /// List what a selection means
    #[command(
        visible_alias = "list",
        after_help = "Examples:\n  strata ls -s stg_customers+\n  strata ls -s tag:nightly --output json"
    )]
    Ls(ListArguments),
    /// Write the SQL of models and tests into target/compiled, and show it if one node is named
    #[command(
        after_help = "Examples:\n  strata compile -s stg_customers\n  strata compile --inline \"select * from {{ ref('stg_customers') }}\""
    )]
    Compile(CompileArguments),
    /// Show what the Jinja of a model becomes, and with --trace which macros wrote it
    #[command(
        after_help = "Without the CTEs of ephemeral models and without translation: `strata compile` shows those too.\n\nExamples:\n  strata render stg_customers\n  strata render stg_customers --trace"
    )]
    Render(RenderArguments),
    /// Extract and build models in the order of what they depend on
    #[command(after_help = "Examples:\n  strata run\n  strata run -s stg_customers+ --threads 8")]
    Run(RunArguments),
    /// Run the tests of data
    #[command(after_help = "Example:\n  strata test -s stg_customers --store-failures")]
    Test(TestArguments),
    /// Load the CSV files of the project
    #[command(after_help = "Example:\n  strata seed --full-refresh")]
    Seed(SeedArguments),
    /// Take the snapshots: keep what changed as new versions
    #[command(after_help = "Example:\n  strata snapshot -s customers_snapshot")]
    Snapshot(SnapshotArguments),
    /// Everything in one go: seeds, extracts, models, snapshots and tests, each as soon as what it needs is there
    #[command(
        after_help = "Examples:\n  strata build\n  strata build -s stg_customers+ --exclude tag:slow\n  strata build --resource-type model test"
    )]
    Build(BuildArguments),
    /// Put what another environment has into this one: clones of its tables where the warehouse can, else views of them
    #[command(
        after_help = "Examples:\n  strata clone --state prod-artifacts\n  strata clone --state prod-artifacts -s stg_customers+ --full-refresh"
    )]
    Clone(CloneArguments),
    /// Show rows of a model, seed, snapshot, source or query; of a test, the rows that fail it
    #[command(
        after_help = "Examples:\n  strata show -s dim_customer --limit 20\n  strata show --inline \"select count(*) from {{ ref('dim_customer') }}\" --output json"
    )]
    Show(ShowArguments),
    /// Show which compiled SQL differs from another revision, and what that touches downstream
    #[command(
        after_help = "Examples:\n  strata diff --base main\n  strata diff --state prod-artifacts --format markdown --exit-code"
    )]
    Diff(DiffArguments),
    /// Look at sources
    #[command(subcommand)]
    Source(SourceVerb),
    /// Tell other tools what the project and its tables are made of
    #[command(subcommand)]
    Docs(DocsVerb),
    /// Call one macro of the project or a package
    #[command(
        name = "run-operation",
        after_help = "Examples:\n  strata run-operation grant_select --args '{role: reporter}'\n  strata --quiet run-operation codegen.generate_source --args '{schema_name: raw}' > models/raw.yml"
    )]
    RunOperation(RunOperationArguments),
    /// Run again what failed, what was skipped because of it, and what a killed run did not come to
    #[command(after_help = "Example:\n  strata build; strata retry")]
    Retry(RetryArguments),
    /// Install the packages that packages.yml or dependencies.yml asks for, in the versions of package-lock.yml
    #[command(
        after_help = "Examples:\n  strata deps\n  strata deps --upgrade\n  strata deps --add-package dbt-labs/dbt_utils@1.3.0"
    )]
    Deps(DepsArguments),
    /// Remove what commands leave behind (clean-targets: target/ and dbt_packages/), nothing else
    #[command(after_help = "Example:\n  strata clean")]
    Clean,
    /// Checks of slowly changing dimensions
    #[command(subcommand)]
    Scd2(Scd2Verb),
}

impl Verb {
    /// The word that was typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Debug(_) => "debug",
            Self::Parse => "parse",
            Self::Ls(_) => "list",
            Self::Compile(_) => "compile",
            Self::Render(_) => "render",
            Self::Run(_) => "run",
            Self::Test(_) => "test",
            Self::Seed(_) => "seed",
            Self::Snapshot(_) => "snapshot",
            Self::Build(_) => "build",
            Self::Clone(_) => "clone",
            Self::Show(_) => "show",
            Self::Diff(_) => "diff",
            Self::Retry(_) => "retry",
            Self::Deps(_) => "deps",
            Self::Clean => "clean",
            Self::Scd2(_) => "scd2",
            Self::Source(SourceVerb::Freshness(_)) => "freshness",
            Self::Docs(DocsVerb::Generate(_)) => "generate",
            Self::RunOperation(_) => "run-operation",
        }
    }
}

/// `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// The project's name: letters, digits and _; also the name of the new directory
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Accepted for dbt's scripts: the profile is part of the new project
    #[arg(long, hide = true)]
    pub skip_profile_setup: bool,
}

/// `debug`.
#[derive(Debug, Clone, Default, Args)]
pub struct DebugArguments {
    /// Only try the connection
    #[arg(long)]
    pub connection: bool,
}

/// `ls`.
#[derive(Debug, Clone, Args)]
pub struct ListArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of which kinds.
    #[command(flatten)]
    pub kinds: ResourceTypeArguments,
    /// How each node is shown
    #[arg(long, value_enum, default_value = "selector")]
    pub output: ListOutput,
    /// The keys of --output json
    #[arg(long, num_args = 1.., value_delimiter = ' ', value_name = "KEY")]
    pub output_keys: Vec<String>,
}

/// How `ls` shows a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// As a selector that means it
    Selector,
    /// Its name
    Name,
    /// Its file
    Path,
    /// An object a line
    Json,
}

/// `compile`.
#[derive(Debug, Clone, Args)]
pub struct CompileArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of which kinds.
    #[command(flatten)]
    pub kinds: ResourceTypeArguments,
    /// Whether everything is built anew.
    #[command(flatten)]
    pub full_refresh: FullRefresh,
    /// Compile this text instead of nodes
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "exclude", "selector"])]
    pub inline: Option<String>,
    /// Show the SQL as the target gets it: translated where the model is written in another dialect
    #[arg(long)]
    pub translated: bool,
    /// Ask the warehouse nothing; templates that need its answer fail
    #[arg(long, env = "DBT_INTROSPECT", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), hide = true, overrides_with = "no_introspect")]
    pub introspect: Option<bool>,
    /// Ask the warehouse nothing; templates that need its answer fail
    #[arg(long, overrides_with = "introspect")]
    pub no_introspect: bool,
    /// How the SQL is shown
    #[arg(long, value_enum, default_value = "text")]
    pub output: CompileOutput,
}

/// `render`.
#[derive(Debug, Clone, Args)]
pub struct RenderArguments {
    /// The model, test, snapshot or analysis; any selector
    #[arg(value_name = "MODEL")]
    pub node: String,
    /// Before each part of the text, as a comment: the place that wrote it, and the calls of macros that led there
    #[arg(long)]
    pub trace: bool,
    /// Ask the warehouse nothing; templates that need its answer fail
    #[arg(long)]
    pub no_introspect: bool,
}

/// How `compile` shows SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompileOutput {
    /// As it is
    Text,
    /// In an object
    Json,
}

/// `show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Show the rows of this query instead of a node's
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "exclude", "selector"])]
    pub inline: Option<String>,
    /// How many rows; -1 for all
    #[arg(long, default_value = "5", allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(i64).range(-1..))]
    pub limit: i64,
    /// How the rows are shown
    #[arg(long, value_enum, default_value = "text")]
    pub output: ShowOutput,
}

/// How `show` shows rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowOutput {
    /// As a table
    Text,
    /// As objects
    Json,
    /// As CSV
    Csv,
}

/// `diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// The git revision to compare with: main, HEAD~1, …
    #[arg(long, value_name = "REVISION")]
    pub base: Option<String>,
    /// How the differences are shown
    #[arg(long, value_enum, default_value = "text")]
    pub format: DiffFormat,
    /// Exit with 1 if anything differs
    #[arg(long)]
    pub exit_code: bool,
}

/// How `diff` shows differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For a terminal
    Text,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
}

/// `retry`.
#[derive(Debug, Clone, Default, Args)]
pub struct RetryArguments {
    /// The directory of the run to go on with [default: the target directory]
    #[arg(long, env = "DBT_STATE", value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `deps`.
#[derive(Debug, Clone, Default, Args)]
pub struct DepsArguments {
    /// Look for newer versions instead of taking those of package-lock.yml
    #[arg(long)]
    pub upgrade: bool,
    /// Only write package-lock.yml, install nothing
    #[arg(long)]
    pub lock: bool,
    /// Add a package to packages.yml first: its name on the hub, address or directory, and its version
    #[arg(long, value_name = "PACKAGE@VERSION")]
    pub add_package: Option<String>,
    /// Where the added package comes from
    #[arg(long, value_enum, default_value = "hub", requires = "add_package")]
    pub source: PackageSource,
}

/// Where an added package comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PackageSource {
    /// The package hub
    #[default]
    Hub,
    /// A git repository
    Git,
    /// A directory
    Local,
}

/// `source …`.
#[derive(Debug, Clone, Subcommand)]
pub enum SourceVerb {
    /// Tell how old each source is, judged by its `freshness:`; exit with 1 if one is older than its error_after
    #[command(
        alias = "snapshot-freshness",
        after_help = "Examples:\n  strata source freshness\n  strata source freshness -s source:crm --output freshness.json"
    )]
    Freshness(FreshnessArguments),
}

/// `source freshness`.
#[derive(Debug, Clone, Default, Args)]
pub struct FreshnessArguments {
    /// Which sources.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Where to write what was found [default: sources.json in the target directory]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `docs …`.
#[derive(Debug, Clone, Subcommand)]
pub enum DocsVerb {
    /// Write manifest.json, and catalog.json with the columns and comments of the tables in the warehouse
    #[command(after_help = "Examples:\n  strata docs generate\n  strata docs generate -s marts --no-compile")]
    Generate(DocsArguments),
}

/// `docs generate`.
#[derive(Debug, Clone, Default, Args)]
pub struct DocsArguments {
    /// Which nodes and sources.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Compile nothing: manifest.json is without compiled SQL
    #[arg(long, overrides_with = "compile")]
    pub no_compile: bool,
    /// Compile what is selected first (the default)
    #[arg(long, hide = true)]
    pub compile: bool,
    /// Ask the warehouse nothing: catalog.json has no tables
    #[arg(long)]
    pub empty_catalog: bool,
}

/// `run-operation`.
#[derive(Debug, Clone, Args)]
pub struct RunOperationArguments {
    /// The macro: name or package.name
    #[arg(value_name = "MACRO")]
    pub name: String,
    /// The macro's arguments, as YAML: '{key: value}'
    #[arg(long, value_name = "YAML")]
    pub args: Option<String>,
}

/// `scd2 …`.
#[derive(Debug, Clone, Subcommand)]
pub enum Scd2Verb {
    /// Check that a dimension or snapshot holds what it promises: one open version a key, no overlaps, no gaps, …
    #[command(after_help = "Example:\n  strata scd2 check dim_customer")]
    Check {
        /// The model or snapshot
        #[arg(value_name = "MODEL")]
        model: String,
    },
}

/// Reads a command line. `variable` gives environment variables: an empty one counts as absent, and each `DBT_X`
/// may also be called `DBT_ENGINE_X`.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Arguments, clap::Error> {
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let command = with_environment(Arguments::command(), variable, &typed);
    let matches = command.try_get_matches_from(typed)?;
    Arguments::from_arg_matches(&matches)
}

fn with_environment(
    command: clap::Command,
    variable: &dyn Fn(&str) -> Option<String>,
    typed: &[OsString],
) -> clap::Command {
    // To clap a variable is a flag that is given, which then contradicts the typed `--no-…`.
    let is_denied = |flag: &clap::Arg| {
        let denied = |word: &OsString| word.to_str().and_then(|word| word.strip_prefix("--no-")) == flag.get_long();
        flag.get_long().is_some() && typed.iter().any(denied)
    };
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let command = command.mut_args(|argument| {
        let Some(name) = argument.get_env().and_then(|name| name.to_str()).map(str::to_owned) else {
            return argument;
        };
        let other = name.replacen("DBT_", "DBT_ENGINE_", 1);
        if is_denied(&argument) {
            argument.env(None::<&str>)
        } else if is_set(&name) {
            argument
        } else if is_set(&other) {
            argument.env(other)
        } else {
            argument.env(None::<&str>)
        }
    });
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    verbs
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |verb| with_environment(verb, variable, typed)))
}
