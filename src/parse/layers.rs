//! Whether models read only what their layer may read, and are named as it asks.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::manifest::{Manifest, Node};
use crate::name::ResourceType;
use crate::project::{Layer, Project};

/// Checks the root project's models. What is wrong is a warning, or an error if strict.
pub fn check(project: &Project, manifest: &Manifest, strict: bool, found: &mut Diagnostics) {
    let layers = &project.root_package().config.layers;
    if layers.is_empty() {
        return;
    }
    let layer_of = |node: &Node| {
        let own = node.resource_type == ResourceType::Model && node.package_name == project.name();
        layers.iter().find(|layer| own && layer.holds(&node.path))
    };
    let mut report = |finding: Diagnostic| found.push(if strict { finding.into_error() } else { finding });
    for node in manifest.nodes.values() {
        let Some(layer) = layer_of(node) else { continue };
        if !layer.prefixes.is_empty() && !layer.prefixes.iter().any(|prefix| node.name.starts_with(prefix.as_str())) {
            let wanted: Vec<String> = layer.prefixes.iter().map(|prefix| format!("`{prefix}`")).collect();
            report(
                Diagnostic::warning(
                    Code::Layer,
                    format!("the name of `{}` does not tell that it is of the layer `{}`", node.name, layer.name),
                )
                .at(node.declared_at.clone(), format!("expected a name that starts with {}", wanted.join(" or "))),
            );
        }
        for id in &node.depends_on.nodes {
            if let Some((other, read)) = manifest
                .nodes
                .get(id)
                .and_then(|read| Some((layer_of(read)?, read)))
                .filter(|(other, _)| !layer.may_read(other))
            {
                let call = node.refs.iter().find(|call| call.name == read.name).and_then(|call| call.span.clone());
                let what = format!("`{}` of the layer `{}`", read.name, other.name);
                report(broken(node, layer, &what, call));
            }
            if let Some(source) = manifest.sources.get(id).filter(|_| !layer.reads_sources) {
                let is_meant = |call: &&crate::manifest::SourceCall| {
                    call.source_name == source.source_name && call.table_name == source.name
                };
                let call = node.sources.iter().find(is_meant).and_then(|call| call.span.clone());
                let what = format!("the source `{}.{}`", source.source_name, source.name);
                report(broken(node, layer, &what, call));
            }
        }
    }
}

fn broken(node: &Node, layer: &Layer, what: &str, place: Option<Span>) -> Diagnostic {
    let mut allowed: Vec<String> =
        std::iter::once(&layer.name).chain(&layer.reads).map(|name| format!("`{name}`")).collect();
    if layer.reads_sources {
        allowed.push("sources".to_owned());
    }
    Diagnostic::warning(Code::Layer, format!("`{}` of the layer `{}` reads {what}", node.name, layer.name))
        .at(place.unwrap_or_else(|| node.declared_at.clone()), "")
        .note(format!("the layer `{}` may read {}", layer.name, allowed.join(", ")))
        .help("read it through a model of a layer between, or change `layers:` in dbt_project.yml")
}
