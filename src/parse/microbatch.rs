//! What models with the strategy `microbatch` must say of themselves and of what they read.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span, nearest};
use crate::jinja::Registry;
use crate::manifest::{BatchSize, Manifest, Node};
use crate::project::Project;
use crate::project::config::ProjectConfig;
use rustc_hash::FxHashMap;

/// The behaviour flag by which a project's own strategy is run in batches, too.
pub const BATCHES_OF_OWN_STRATEGY: &str = "require_batched_execution_for_custom_microbatch_strategy";

/// Whether models with the strategy are built in batches: unless the project has a strategy of its own under this name,
/// which then does so by itself, as long as the project does not ask for batches all the same.
pub fn has_batches(registry: &Registry, config: &ProjectConfig) -> bool {
    let strategy = registry.find("get_incremental_microbatch_sql", registry.root());
    let is_own = strategy.is_some_and(|strategy| registry.is_of_project(&strategy));
    !is_own || config.flag(BATCHES_OF_OWN_STRATEGY).unwrap_or(false)
}

/// Complains of configs without which there are no batches.
pub fn check(node: &Node, places: &FxHashMap<String, Span>, found: &mut Diagnostics) {
    if !node.config.is_microbatch() || !node.config.enabled() {
        return;
    }
    let config = &node.config;
    let mut complain = |key: &str, what: &str| {
        let (message, place) = match config.get(key) {
            None => (format!("the microbatch model `{}` needs `{key}`, {what}", node.name), None),
            Some(value) => {
                let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (format!("the config `{key}` of `{}` cannot be `{shown}`", node.name), places.get(key))
            }
        };
        let complaint = Diagnostic::error(Code::Config, message);
        let complaint = complaint.at(place.unwrap_or(&node.declared_at).clone(), format!("expected {what}"));
        let near = nearest(config.text(key).unwrap_or_default(), BatchSize::ALL.map(BatchSize::as_str));
        found.push(match near.filter(|_| key == "batch_size") {
            Some(near) => complaint.help(format!("did you mean `{near}`?")),
            None => complaint,
        });
    };
    if config.text("event_time").is_none() {
        complain("event_time", "the column that says when something happened");
    }
    if config.begin().is_none() {
        complain("begin", "the date or time at which the first batch begins");
    }
    if config.batch_size().is_none() {
        complain("batch_size", "one of hour, day, month, year");
    }
    if config.get("lookback").is_some_and(|lookback| lookback.as_u64().is_none()) {
        complain("lookback", "a number of batches");
    }
}

/// Warns of models whose batches each read everything.
pub fn check_inputs(project: &Project, registry: &Registry, manifest: &Manifest, found: &mut Diagnostics) {
    if !has_batches(registry, &project.root_package().config) {
        return;
    }
    let has_time = |id| {
        let of_node = manifest.nodes.get(id).map(|node| &node.config);
        let config = of_node.or_else(|| manifest.sources.get(id).map(|source| &source.config));
        config.is_some_and(|config| config.text("event_time").is_some())
    };
    for node in manifest.nodes.values().filter(|node| node.config.is_microbatch()) {
        if !node.depends_on.nodes.iter().any(has_time) {
            let message = format!("each batch of `{}` reads all rows: no input has an `event_time`", node.name);
            let warning = Diagnostic::warning(Code::Config, message).at(node.declared_at.clone(), "");
            found.push(warning.help("say in the config of what it reads which column is its `event_time`"));
        }
    }
}
