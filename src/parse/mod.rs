//! From files to a manifest: every template is read for what it depends on, configs are merged, names are made,
//! references are resolved.
//!
//! Files are looked at one by one and in parallel; only what concerns several of them (references, duplicates,
//! layers) is done at the end, on indexes, so that no step is worse than linear.

mod checks;
mod config;
mod config_types;
mod constraints;
mod docs;
mod drafts;
mod fixtures;
mod generic_tests;
mod host;
mod layers;
mod macro_arguments;
mod macros;
mod microbatch;
mod names;
mod places;
mod python;
mod render;
mod resolve;
mod snapshots;
mod sources;
mod unit_tests;

pub use microbatch::has_batches;

use crate::diagnostic::{Diagnostics, Result};
use crate::jinja::Engine;
use crate::jinja::context::{ContextSettings, RuntimeSettings, Warehouse, shared};
use crate::manifest::Manifest;
use crate::name::ResourceType;
use crate::project::profile::Warehouse as TargetWarehouse;
use crate::project::{DBT_VERSION, Project};
use host::Surroundings;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// The prefix of environment variables that are shown to templates and artifacts.
const METADATA_PREFIX: &str = "DBT_ENV_CUSTOM_ENV_";

/// How deep macros may call each other in a parse takes stack: so much each thread has.
const STACK_SIZE: usize = 64 << 20;

/// What the command line says that templates can see.
#[derive(Debug, Clone, Default)]
pub struct ParseOptions {
    /// `flags`: by name in upper case (`FULL_REFRESH`, `WHICH`, `EMPTY`, `STORE_FAILURES`, …).
    pub flags: Map<String, Json>,
    /// The command's arguments, as `invocation_args_dict` shows them.
    pub invocation_args: Map<String, Json>,
    /// The invocation's id.
    pub invocation_id: String,
    /// Whether what is doubtful in layers is an error.
    pub strict: bool,
}

/// What parse gives.
#[derive(Debug)]
pub struct Parsed {
    /// The project as data.
    pub manifest: Arc<Manifest>,
    /// The macros, ready to be called.
    pub engine: Arc<Engine>,
}

/// Parses a project. Findings of all files come together; warnings come with the result.
pub fn parse(project: &Project, options: &ParseOptions) -> Result<(Parsed, Diagnostics)> {
    let threads = rayon::ThreadPoolBuilder::new().stack_size(STACK_SIZE).thread_name(|index| format!("parse-{index}"));
    match threads.build() {
        Ok(pool) => pool.install(|| parse_in_pool(project, options)),
        Err(error) => Err(crate::diagnostic::Diagnostic::error(
            crate::diagnostic::Code::Internal,
            format!("cannot start threads: {error}"),
        )
        .into()),
    }
}

fn parse_in_pool(project: &Project, options: &ParseOptions) -> Result<(Parsed, Diagnostics)> {
    let mut found = Diagnostics::new();
    let scanned = macros::scan(project)?;
    let registry = scanned.registry;
    let mut manifest = Manifest {
        project_name: project.name().to_owned(),
        adapter_type: project.target.type_name().to_owned(),
        macros: macros::entries(&registry),
        docs: scanned.docs,
        ..Manifest::default()
    };
    let engine = Engine::new(registry, shared(&settings(project, options)));
    let surroundings = Arc::new(Surroundings::new(project, &manifest.docs, options));
    macros::describe(project, &engine, &surroundings, &mut manifest, &mut found);

    let properties = drafts::index_properties(project, &mut found);
    let stage = render::Stage { project, engine: &engine, surroundings: &surroundings };
    let mut drafts = drafts::collect(project, &properties, &mut found);
    drafts.extend(snapshots::collect(project, &scanned.snapshots, &properties, &mut found));
    let mut all = resolve::Gathered::default();
    stage.finish_all(drafts, &mut all, &mut found);
    let sources = sources::read(&stage, &mut found);
    let tests = generic_tests::collect(&stage, &all, &sources, &mut found);
    stage.finish_all(tests, &mut all, &mut found);
    drafts::report_unused_properties(project, &properties, &all, &mut found);
    checks::unused_config_paths(project, &all, &sources, &mut found);
    resolve::resolve(project, all, sources, &mut manifest, &mut found);
    unit_tests::add(&stage, &mut manifest, &mut found);
    checks::relations(&manifest, &mut found);
    microbatch::check_inputs(project, engine.registry(), &manifest, &mut found);
    checks::materializations(&manifest, engine.registry(), &mut found);
    layers::check(project, &manifest, options.strict, &mut found);
    found.into_result(()).map(|((), warnings)| (Parsed { manifest: Arc::new(manifest), engine }, warnings))
}

fn settings(project: &Project, options: &ParseOptions) -> ContextSettings {
    let environment = &project.environment.variables;
    let metadata = environment
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(METADATA_PREFIX)?.to_owned(), value.clone())))
        .collect();
    ContextSettings {
        warehouse: warehouse(project),
        project_name: project.name().to_owned(),
        target: project.target.values.clone(),
        flags: options.flags.clone(),
        behavior: project.root_package().config.flags.clone(),
        quoting: project.quoting(),
        run_started_at: project.environment.now,
        invocation_id: options.invocation_id.clone(),
        dbt_version: DBT_VERSION.to_owned(),
        invocation_args: options.invocation_args.clone(),
        metadata_envs: metadata,
        runtime: RuntimeSettings {
            profile_name: project.target.profile_name.clone(),
            packages: project
                .packages
                .iter()
                .map(|package| (package.name().to_owned(), package.config.version.clone()))
                .collect(),
            variables: project.root_package().config.variables.clone(),
            cli_variables: (*project.variables).clone(),
        },
    }
}

fn warehouse(project: &Project) -> Warehouse {
    match project.target.warehouse {
        TargetWarehouse::DuckDb(_) => Warehouse::DuckDb,
        TargetWarehouse::Snowflake(_) => Warehouse::Snowflake,
    }
}

/// Whether other nodes can refer to such a node.
fn is_referable(kind: ResourceType) -> bool {
    matches!(kind, ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot)
}
