//! Reads one node: renders its text in the parse phase, merges its config, makes its names.

use super::config::Merging;
use super::docs::Descriptions;
use super::drafts::Draft;
use super::host::{Captured, ParseHost, Surroundings};
use super::places::Places;
use super::resolve::Gathered;
use super::{config_types, constraints, microbatch, names, warehouse};
use crate::diagnostic::{Diagnostic, Diagnostics, Result, SourceFile, Span};
use crate::jinja::context::{NodeContext, NodeHandle, TEST_ARGUMENTS, node_values, test_arguments};
use crate::jinja::{Engine, RenderContext, Template};
use crate::manifest::{Node, NodeConfig};
use crate::name::{ResourceType, UniqueId};
use crate::project::Project;
use crate::project::config::TreeKind;
use crate::template::has_jinja;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The schema of a test's relation where nothing is said.
const AUDIT_SCHEMA: &str = "dbt_test__audit";

/// What is needed to read nodes.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// The project.
    pub project: &'a Project,
    /// The macros.
    pub engine: &'a Arc<Engine>,
    /// What all nodes have around them.
    pub surroundings: &'a Arc<Surroundings>,
}

/// A node that was read.
#[derive(Debug)]
pub struct Finished {
    /// The node; what it depends on is not resolved yet.
    pub node: Node,
    /// What is doubtful about it.
    pub warnings: Diagnostics,
}

impl Stage<'_> {
    /// Reads nodes in parallel and takes them in, in their order. What cannot be read is found and left out.
    pub(super) fn finish_all(&self, drafts: Vec<Draft<'_>>, all: &mut Gathered, found: &mut Diagnostics) {
        let finish = |draft: Draft<'_>| {
            let id = draft.node.unique_id.clone();
            self.finish(draft).map_err(|errors| (id, errors))
        };
        let outcomes: Vec<std::result::Result<Finished, (UniqueId, Diagnostics)>> =
            drafts.into_par_iter().map(finish).collect();
        for outcome in outcomes {
            match outcome {
                Ok(finished) => all.take(finished, found),
                Err((id, errors)) => all.failed(id, errors, found),
            }
        }
    }

    fn finish(&self, draft: Draft<'_>) -> Result<Finished> {
        let Draft { mut node, package, properties, config, is_template } = draft;
        let host = ParseHost::new(self.surroundings, &node.package_name, Some(&node.unique_id));
        node.schema.clone_from(&self.surroundings.schema);
        node.database.clone_from(&self.surroundings.database);
        if is_template && (has_jinja(&node.raw_code) || node.test.is_some()) {
            node = self.render_body(node, &host)?;
        }
        let mut captured = host.take();
        let merging = self.merge(&node, package, properties.map(|(described, _)| described), &config, &captured);
        let mut warnings = Diagnostics::new();
        node.unrendered_config = merging.unrendered;
        node.config = NodeConfig::new(merging.values);
        if let Some((described, path)) = properties {
            let descriptions = Descriptions::new(self.engine, self.surroundings, package.name());
            node.description = descriptions.text(&described.description, &described.name_span, &mut warnings);
            node.columns = descriptions.columns(&described.columns, &described.name_span, &mut warnings);
            node.constraints = descriptions.constraints(&described.constraints, &mut warnings);
            node.patch_path = Some(format!("{}://{path}", package.name()));
            constraints::check(&node, described, &mut warnings);
            constraints::references(&node, &mut captured);
            node.contract_checksum = constraints::contract_checksum(&node);
        }
        let places = merging.places;
        let mut node = self.name(node, &host, captured, &places)?;
        config_types::check(&node, &places, &mut warnings);
        if microbatch::has_batches(self.engine.registry(), &self.project.root_package().config) {
            microbatch::check(&node, &places, &mut warnings);
        }
        locate(&mut node);
        if warnings.has_errors() { Err(warnings) } else { Ok(Finished { node, warnings }) }
    }

    fn context(&self, node: &Arc<Node>, host: &Arc<ParseHost>) -> Arc<RenderContext> {
        let values = node_values(
            warehouse(self.project),
            NodeContext {
                node: Some(NodeHandle::Single(Arc::clone(node))),
                database: self.surroundings.database.clone(),
                schema: self.surroundings.schema.clone(),
                ..NodeContext::default()
            },
        );
        RenderContext::new(self.engine, &node.package_name, values, Arc::clone(host) as _)
    }

    /// Renders the node's own text; what it says is thrown away, what it calls is kept by the host.
    fn render_body(&self, node: Node, host: &Arc<ParseHost>) -> Result<Node> {
        let node = Arc::new(node);
        let mut context = self.context(&node, host);
        let within = |error: Diagnostic| {
            Diagnostics::from(
                error.within(format!("in {} `{}`", node.resource_type, node.name), Some(node.declared_at.clone())),
            )
        };
        if let Some(test) = &node.test {
            let arguments = test_arguments(test, &context).map_err(within)?;
            let values = node_values(
                warehouse(self.project),
                NodeContext {
                    node: Some(NodeHandle::Single(Arc::clone(&node))),
                    more: vec![(TEST_ARGUMENTS, arguments)],
                    ..NodeContext::default()
                },
            );
            context = RenderContext::new(self.engine, &node.package_name, values, Arc::clone(host) as _);
            let template = Template::read(&node.file, node.code_range.clone()).map_err(within)?;
            self.engine.render(&template, &context).map_err(within)?;
        } else {
            let template = Template::read(&node.file, node.code_range.clone())?;
            self.engine.render(&template, &context)?;
        }
        drop(context);
        Ok(Arc::unwrap_or_clone(node))
    }

    fn merge(
        &self,
        node: &Node,
        package: &crate::project::Package,
        described: Option<&crate::project::properties::NodeProperties>,
        declared: &crate::manifest::ConfigMap,
        captured: &Captured,
    ) -> Merging {
        let mut merging = Merging::default();
        let materialized = match node.resource_type {
            ResourceType::Seed => "seed",
            ResourceType::Snapshot => "snapshot",
            ResourceType::Test => "test",
            _ => "view",
        };
        merging.set("enabled", true.into(), None);
        merging.set("materialized", materialized.into(), None);
        if node.resource_type == ResourceType::Test {
            merging.set("schema", AUDIT_SCHEMA.into(), None);
        }
        let root = self.project.root_package();
        let is_root = package.name() == root.name();
        if is_root
            && node.resource_type == ResourceType::Model
            && let Some(layer) = root.config.layers.iter().find(|layer| layer.holds(&node.path))
        {
            for (key, value) in [("materialized", &layer.materialized), ("schema", &layer.schema)] {
                if let Some(value) = value {
                    merging.set(key, value.as_str().into(), Some(&layer.span));
                }
            }
        }
        let kind = tree_of(node.resource_type);
        if let Some(tree) = kind.and_then(|kind| package.config.trees.get(&kind)) {
            merging.tree(tree, &node.fqn);
        }
        if let Some(described) = described {
            let place = |key: &str| {
                let known = described.config_places.iter().rev().find(|(name, _)| name == key);
                known.map(|(_, span)| span.clone())
            };
            merging.values(&described.config, place);
            merging.unrendered.extend(described.unrendered_config.clone());
        }
        merging.values(declared, |_| None);
        for (values, span) in &captured.configs {
            merging.values(values, |_| span.clone());
            merging.unrendered.extend(values.clone());
        }
        if node.resource_type == ResourceType::Test {
            merging.unrendered.extend(declared.clone());
        }
        if !is_root && let Some(tree) = kind.and_then(|kind| root.config.trees.get(&kind)) {
            // What is said of all models does not mean strata's own; they are addressed by their package.
            if package.embedded { merging.subtree(tree, &node.fqn) } else { merging.tree(tree, &node.fqn) }
        }
        merging
    }

    /// Reads the node's hooks, and asks the macros for its names.
    fn name(
        &self,
        node: Node,
        host: &Arc<ParseHost>,
        mut captured: Captured,
        places: &FxHashMap<String, Span>,
    ) -> Result<Node> {
        let node = Arc::new(node);
        let context = self.context(&node, host);
        if node.config.enabled() && node.resource_type != ResourceType::Test {
            for key in ["pre-hook", "post-hook"] {
                for hook in node.config.hooks(key).iter().filter(|hook| has_jinja(&hook.sql)) {
                    self.read_hook(&hook.sql, key, &node, places.get(key), &context)?;
                }
            }
            let of_hooks = host.take();
            captured.refs.extend(of_hooks.refs);
            captured.sources.extend(of_hooks.sources);
            captured.macros.extend(of_hooks.macros);
        }
        let names = match node.resource_type {
            ResourceType::Operation | ResourceType::Analysis => None,
            _ => Some(names::generate(self.engine, &context, &node, self.surroundings)?),
        };
        drop(context);
        let mut node = Arc::unwrap_or_clone(node);
        if let Some(names) = names {
            names::apply(&mut node, names, self.surroundings);
        }
        for call in captured.refs {
            if !node.refs.contains(&call) {
                node.refs.push(call);
            }
        }
        for call in captured.sources {
            if !node.sources.contains(&call) {
                node.sources.push(call);
            }
        }
        for id in captured.macros {
            if !node.depends_on.macros.contains(&id) {
                node.depends_on.macros.push(id);
            }
        }
        Ok(node)
    }

    fn read_hook(
        &self,
        sql: &str,
        key: &str,
        node: &Node,
        place: Option<&Span>,
        context: &Arc<RenderContext>,
    ) -> Result<(), Diagnostic> {
        let file = SourceFile::new(format!("{key} of {}", node.name), sql);
        let read = || {
            let template = Template::whole(&file)?;
            self.engine.render(&template, context)
        };
        let place = place.unwrap_or(&node.declared_at).clone();
        read().map(|_| ()).map_err(|error| error.within(format!("in a {key} of `{}`", node.name), Some(place)))
    }
}

/// Finds where the node's own text has its references.
fn locate(node: &mut Node) {
    if node.refs.is_empty() && node.sources.is_empty() {
        return;
    }
    let range = node.code_range.clone();
    let file = Arc::clone(&node.file);
    let places = Places::new(&file, &range);
    let declared = node.declared_at.clone();
    // The text of a generic test or of a snapshot in YAML is made up: people wrote the entry.
    let made_up = node.declared_at.file() != &file;
    for call in &mut node.refs {
        call.span = if made_up { Some(declared.clone()) } else { places.reference(call).or(call.span.take()) };
    }
    for call in &mut node.sources {
        call.span = if made_up { Some(declared.clone()) } else { places.source(call).or(call.span.take()) };
    }
}

/// The config tree for a kind of node.
pub fn tree_of(kind: ResourceType) -> Option<TreeKind> {
    match kind {
        ResourceType::Model => Some(TreeKind::Models),
        ResourceType::Seed => Some(TreeKind::Seeds),
        ResourceType::Snapshot => Some(TreeKind::Snapshots),
        ResourceType::Source => Some(TreeKind::Sources),
        ResourceType::Test => Some(TreeKind::DataTests),
        ResourceType::Analysis => Some(TreeKind::Analyses),
        ResourceType::UnitTest => Some(TreeKind::UnitTests),
        _ => None,
    }
}
