//! Circles of dependencies, shown whole.

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Span};
use crate::manifest::{Manifest, Node};
use crate::name::UniqueId;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// One diagnostic for each knot of circles: a shortest circle through its first node.
pub(super) fn find(manifest: &Manifest, graph: &DiGraph<UniqueId, ()>) -> Diagnostics {
    let mut knots: Vec<Vec<NodeIndex>> =
        tarjan_scc(graph).into_iter().filter(|knot| knot.len() > 1 || graph.contains_edge(knot[0], knot[0])).collect();
    for knot in &mut knots {
        knot.sort_unstable();
    }
    knots.sort_unstable();
    knots.iter().map(|knot| describe(manifest, &circle(graph, knot))).collect()
}

/// A shortest way from the knot's first node back to itself: each node depends on the one before it.
fn circle<'a>(graph: &'a DiGraph<UniqueId, ()>, knot: &[NodeIndex]) -> Vec<&'a UniqueId> {
    let members: FxHashSet<NodeIndex> = knot.iter().copied().collect();
    let start = knot[0];
    let mut came_from: FxHashMap<NodeIndex, NodeIndex> = FxHashMap::default();
    let mut waiting = VecDeque::from([start]);
    while let Some(index) = waiting.pop_front() {
        let mut next: Vec<NodeIndex> = graph.neighbors(index).filter(|next| members.contains(next)).collect();
        next.sort_unstable();
        for next in next {
            if next == start {
                let mut way = vec![index];
                while let Some(before) = way.last().filter(|last| **last != start).and_then(|last| came_from.get(last))
                {
                    way.push(*before);
                }
                way.reverse();
                return way.into_iter().map(|index| &graph[index]).collect();
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert(index);
                waiting.push_back(next);
            }
        }
    }
    knot.iter().map(|index| &graph[*index]).collect()
}

fn describe(manifest: &Manifest, circle: &[&UniqueId]) -> Diagnostic {
    let name = |id: &UniqueId| manifest.nodes.get(id).map_or_else(|| id.to_string(), |node| node.name.clone());
    // From a node to what it depends on: against the direction of the way.
    let mut chain: Vec<String> = circle.iter().rev().map(|id| name(id)).collect();
    chain.push(chain[0].clone());
    let message = match circle {
        [only] => format!("`{}` depends on itself", name(only)),
        _ => format!("these nodes depend on each other in a circle: {}", chain.join(" → ")),
    };
    let mut found = Diagnostic::error(Code::Cycle, message);
    for (position, id) in circle.iter().enumerate().rev() {
        let parent = circle[(position + circle.len() - 1) % circle.len()];
        let Some((node, target)) = manifest.nodes.get(*id).zip(manifest.nodes.get(parent)) else { continue };
        found = found.at(place(node, target), format!("`{}` depends on `{}`", node.name, target.name));
    }
    found.help("break the circle: let one of them read something else")
}

/// Where a node refers to another one.
fn place(node: &Node, target: &Node) -> Span {
    node.refs
        .iter()
        .find(|call| call.name == target.name && call.package.as_ref().is_none_or(|name| *name == target.package_name))
        .and_then(|call| call.span.clone())
        .unwrap_or_else(|| node.declared_at.clone())
}
