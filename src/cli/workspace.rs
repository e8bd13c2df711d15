//! A project, read and parsed: what almost every verb begins with.

use super::Context;
use super::arguments::{ResourceKind, ResourceTypeArguments, SelectionArguments};
use super::deferral::FormerManifest;
use crate::artifact::{Invocation, read_previous_run, read_sources};
use crate::compile::{Compiler, Deferral};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::graph::{Freshness, Graph, Indirect, SelectionSpec, Selectors, StateInputs, read_selectors, select};
use crate::jinja::Engine;
use crate::manifest::Manifest;
use crate::name::{ResourceType, UniqueId};
use crate::parse::{ParseOptions, parse};
use crate::project::{LoadOptions, Project, load};
use crate::run::Listener;
use crate::run::control::PACKAGE;
use crate::run::event::Emit;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The prefix of environment variables that artifacts show.
const METADATA_PREFIX: &str = "DBT_ENV_CUSTOM_ENV_";

/// What a verb's own flags say that templates and artifacts show.
#[derive(Debug, Clone, Default)]
pub(super) struct VerbFlags {
    /// `--full-refresh`.
    pub(super) full_refresh: bool,
    /// `--store-failures`.
    pub(super) store_failures: bool,
    /// `--state`.
    pub(super) state: Option<PathBuf>,
    /// Whether the warehouse may be asked while SQL is compiled.
    pub(super) introspect: bool,
    /// What only this verb has, as `invocation_args_dict` shows it.
    pub(super) more: Vec<(&'static str, Json)>,
}

/// A project, read and parsed.
pub(super) struct Workspace {
    pub(super) project: Arc<Project>,
    pub(super) manifest: Arc<Manifest>,
    pub(super) engine: Arc<Engine>,
    pub(super) graph: Graph,
    pub(super) invocation: Arc<Invocation>,
    /// Which references are deferred to another environment.
    pub(super) deferral: Option<Deferral>,
    pub(super) former: FormerManifest,
}

impl Workspace {
    /// Reads the project of the settings. Warnings are told, or are errors where that was asked for.
    pub(super) fn open(context: &Context, verb: &str, flags: VerbFlags) -> Result<Self> {
        let settings = &context.settings;
        let (workspace, warnings) = Self::read(context, &settings.project_root, &settings.load, verb, flags)?;
        context.tolerate(warnings)?;
        let target = &workspace.project.target.name;
        context.reporter.parsed(&workspace.manifest, &workspace.summary(), target);
        Ok(workspace)
    }

    /// Reads the project at `root`; nothing is told.
    pub(super) fn read(
        context: &Context,
        root: &Path,
        load_options: &LoadOptions,
        verb: &str,
        flags: VerbFlags,
    ) -> Result<(Self, Diagnostics)> {
        let settings = &context.settings;
        let (project, mut warnings) = load(root, load_options)?;
        project.secrets().iter().for_each(|secret| context.scrubber.add(secret));
        let mut options = settings.as_options(verb);
        options.insert("full_refresh".to_owned(), json!(flags.full_refresh));
        options.insert("store_failures".to_owned(), json!(flags.store_failures));
        options.insert("introspect".to_owned(), json!(flags.introspect));
        options.insert("state".to_owned(), json!(flags.state));
        options.extend(flags.more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let parse_options = ParseOptions {
            flags: template_flags(&options),
            invocation_args: options.clone(),
            invocation_id: settings.origin.invocation_id.clone(),
            strict: settings.strict,
        };
        let (parsed, doubtful) = parse(&project, &parse_options)?;
        warnings.extend(doubtful);
        let graph = Graph::new(&parsed.manifest)?;
        let invocation = invocation(context, &project, options);
        let workspace = Self {
            project: Arc::new(project),
            manifest: parsed.manifest,
            engine: parsed.engine,
            graph,
            invocation: Arc::new(invocation),
            deferral: None,
            former: FormerManifest::default(),
        };
        Ok((workspace, warnings))
    }

    /// What was found, in words: `8 models, 20 data tests, 2 sources`.
    pub(super) fn summary(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        let mut count = |kind: &'static str| match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, number)) => *number += 1,
            None => counts.push((kind, 1)),
        };
        // The control tables are strata's own: nobody looks for them in a count of the project.
        for node in self.manifest.nodes.values().filter(|node| node.package_name != PACKAGE) {
            count(match node.resource_type {
                ResourceType::Test => "data test",
                ResourceType::UnitTest => "unit test",
                ResourceType::Operation => "hook",
                other => other.as_str(),
            });
        }
        self.manifest.sources.values().for_each(|_| count("source"));
        let words: Vec<String> = counts
            .iter()
            .map(|(kind, number)| match (*kind, number) {
                (kind, 1) => format!("1 {kind}"),
                ("analysis", number) => format!("{number} analyses"),
                (kind, number) => format!("{number} {kind}s"),
            })
            .collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }

    /// The nodes and sources that were selected, of the kinds that are wanted.
    pub(super) fn select(
        &self,
        context: &Context,
        given: &SelectionArguments,
        wanted: &dyn Fn(ResourceType) -> bool,
    ) -> Result<BTreeSet<UniqueId>> {
        let word = context.settings.indirect_selection(given.indirect_selection);
        let indirect = Indirect::from_word(&word).ok_or_else(|| {
            Diagnostic::error(Code::Usage, format!("`{word}` is no mode of indirect selection"))
                .help("eager, cautious, buildable or empty")
        })?;
        let selectors = match &self.project.selectors {
            Some(yaml) => read_selectors(yaml, indirect)?,
            None => Selectors::default(),
        };
        let nothing_said = given.select.is_empty() && given.exclude.is_empty();
        let spec = match (&given.selector, selectors.default_selection()) {
            (Some(name), _) => selectors.get(name)?.clone(),
            (None, Some(default)) if nothing_said => default.clone(),
            _ => SelectionSpec::from_flags(&given.select, &given.exclude, indirect)?,
        };
        let state = self.state(context, given.state.as_deref())?;
        let selection = select(&self.manifest, &self.graph, &spec, &state)?;
        context.tolerate(selection.warnings)?;
        let kind = |id: &UniqueId| match self.manifest.nodes.get(id) {
            Some(node) => node.resource_type,
            None => ResourceType::Source,
        };
        Ok(selection.ids.into_iter().filter(|id| wanted(kind(id))).collect())
    }

    /// The artifacts of a former run in a directory.
    fn state(&self, context: &Context, given: Option<&Path>) -> Result<StateInputs> {
        let Some(given) = given else { return Ok(StateInputs::default()) };
        // As in dbt, the directory is looked for in the project.
        let directory = context.settings.project_root.join(given);
        let manifest = self.former.take_or_read(&directory)?;
        let run = read_previous_run(&directory)?;
        let sources = read_sources(&directory)?;
        if manifest.is_none() && run.is_none() && sources.is_none() {
            return Err(Diagnostic::error(
                Code::Artifact,
                format!("--state {}: there is no manifest.json, run_results.json or sources.json", given.display()),
            )
            .note(format!("looked in {}", directory.display()))
            .help("name the directory that a former run wrote: its target directory, or a copy")
            .into());
        }
        let results = run.map(|run| {
            let pairs = run.results.into_iter().map(|result| (result.unique_id.to_string(), result.status));
            pairs.collect::<BTreeMap<_, _>>()
        });
        let freshness = match (sources, read_sources(&self.project.target_path)?) {
            (Some(former), Some(present)) => Some(Freshness { former, present }),
            _ => None,
        };
        Ok(StateInputs { manifest: manifest.map(Arc::new), results, freshness })
    }

    /// A compiler of the project whose messages become events.
    pub(super) fn compiler(&self, selected: Vec<UniqueId>, emit: &Emit) -> Compiler {
        self.compiler_for(selected, &Listener::new(emit))
    }

    /// A compiler of the project whose messages go to a run's listener.
    pub(super) fn compiler_for(&self, selected: Vec<UniqueId>, listener: &Listener) -> Compiler {
        Compiler::new(&self.project, &self.manifest, &self.engine, selected, listener.messages())
            .deferring(self.deferral)
    }

    /// A selection in the order in which nodes depend on each other.
    pub(super) fn ordered(&self, selected: &BTreeSet<UniqueId>) -> Vec<UniqueId> {
        self.graph.order().iter().filter(|id| selected.contains(*id)).cloned().collect()
    }
}

impl ResourceTypeArguments {
    /// Whether nodes of a kind are wanted, `all` and `default` being those of the verb.
    pub(super) fn wants(&self, kind: ResourceType, all: &[ResourceType], default: &[ResourceType]) -> bool {
        let is = |given: &ResourceKind| match given {
            ResourceKind::Model => kind == ResourceType::Model,
            ResourceKind::Seed => kind == ResourceType::Seed,
            ResourceKind::Snapshot => kind == ResourceType::Snapshot,
            ResourceKind::Test => kind == ResourceType::Test,
            ResourceKind::UnitTest => kind == ResourceType::UnitTest,
            ResourceKind::Source => kind == ResourceType::Source,
            ResourceKind::Analysis => kind == ResourceType::Analysis,
            ResourceKind::All => all.contains(&kind),
            ResourceKind::Default => default.contains(&kind),
        };
        let included =
            if self.resource_type.is_empty() { default.contains(&kind) } else { self.resource_type.iter().any(is) };
        included && all.contains(&kind) && !self.exclude_resource_type.iter().any(is)
    }
}

impl Context {
    /// Lets warnings pass, told; or turns them into errors where that was asked for.
    pub(super) fn tolerate(&self, warnings: Diagnostics) -> Result<()> {
        if warnings.is_empty() {
            return Ok(());
        }
        if self.settings.warn_error || self.settings.strict {
            return Err(warnings.into_iter().map(Diagnostic::into_error).collect());
        }
        self.reporter.found(&warnings);
        Ok(())
    }
}

fn invocation(context: &Context, project: &Project, options: Map<String, Json>) -> Invocation {
    let origin = &context.settings.origin;
    let custom = project.environment.variables.iter();
    let target_path = project.target_path.strip_prefix(&project.root).unwrap_or(&project.target_path);
    Invocation {
        id: origin.invocation_id.clone(),
        started_at: origin.started_at,
        started: origin.started,
        project_name: project.name().to_owned(),
        adapter_type: project.target.type_name().to_owned(),
        project_root: project.root.clone(),
        target_path: target_path.to_path_buf(),
        custom_environment: custom
            .filter_map(|(name, value)| Some((name.strip_prefix(METADATA_PREFIX)?.to_owned(), value.clone())))
            .collect(),
        options,
    }
}

/// The options as templates see them in `flags`: names in upper case.
fn template_flags(options: &Map<String, Json>) -> Map<String, Json> {
    let mut flags: Map<String, Json> =
        options.iter().map(|(name, value)| (name.to_uppercase(), value.clone())).collect();
    for (name, value) in [("EMPTY", json!(false)), ("PRINT", json!(true))] {
        flags.insert(name.to_owned(), value);
    }
    flags
}
