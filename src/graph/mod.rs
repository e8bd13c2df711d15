//! How nodes depend on each other, and which of them a selector means. The only door to petgraph.

mod cycle;
mod methods;
mod select;
mod selectors;
mod spec;
mod state;

pub use select::{Selection, select};
pub use selectors::{Selectors, read_selectors};
pub use spec::{Criterion, Indirect, Method, SelectionSpec, SetOperation, SetSpec};
pub use state::{Freshness, StateInputs};

use crate::diagnostic::Result;
use crate::manifest::Manifest;
use crate::name::UniqueId;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;
use std::collections::{BTreeSet, VecDeque};

/// Nodes and sources with an edge from each to what depends on it; without circles.
#[derive(Debug)]
pub struct Graph {
    edges: DiGraph<UniqueId, ()>,
    indices: FxHashMap<UniqueId, NodeIndex>,
    order: Vec<UniqueId>,
}

impl Graph {
    /// The graph of a manifest. Circles are errors: each is shown whole, with a place for every step.
    pub fn new(manifest: &Manifest) -> Result<Self> {
        let mut graph = DiGraph::with_capacity(manifest.nodes.len() + manifest.sources.len(), manifest.nodes.len() * 2);
        let mut indices = FxHashMap::default();
        for id in manifest.sources.keys().chain(manifest.nodes.keys()) {
            indices.insert(id.clone(), graph.add_node(id.clone()));
        }
        for (id, node) in &manifest.nodes {
            for parent in &node.depends_on.nodes {
                if let Some(from) = indices.get(parent) {
                    graph.add_edge(*from, indices[id], ());
                }
            }
        }
        let order = topological(&graph);
        if order.len() < graph.node_count() {
            return Err(cycle::find(manifest, &graph));
        }
        Ok(Self { edges: graph, indices, order })
    }

    /// Every node and source, parents before children; where that leaves a choice, in the manifest's order.
    pub fn order(&self) -> &[UniqueId] {
        &self.order
    }

    /// Whether there is such a node or source.
    pub fn contains(&self, id: &UniqueId) -> bool {
        self.indices.contains_key(id)
    }

    /// What depends directly on a node, in the manifest's order.
    pub fn children(&self, id: &UniqueId) -> Vec<&UniqueId> {
        self.neighbours(id, Direction::Outgoing)
    }

    /// What a node depends on directly, in the manifest's order.
    pub fn parents(&self, id: &UniqueId) -> Vec<&UniqueId> {
        self.neighbours(id, Direction::Incoming)
    }

    /// All that some of `from` depend on, at most `depth` steps away; not those themselves, unless through another.
    pub fn ancestors<'a>(
        &self,
        from: impl IntoIterator<Item = &'a UniqueId>,
        depth: Option<usize>,
    ) -> BTreeSet<UniqueId> {
        self.reach(from, depth, Direction::Incoming)
    }

    /// All that depend on some of `from`, at most `depth` steps away; not those themselves, unless through another.
    pub fn descendants<'a>(
        &self,
        from: impl IntoIterator<Item = &'a UniqueId>,
        depth: Option<usize>,
    ) -> BTreeSet<UniqueId> {
        self.reach(from, depth, Direction::Outgoing)
    }

    fn neighbours(&self, id: &UniqueId, direction: Direction) -> Vec<&UniqueId> {
        let Some(index) = self.indices.get(id) else { return vec![] };
        let mut found: Vec<NodeIndex> = self.edges.neighbors_directed(*index, direction).collect();
        found.sort_unstable();
        found.into_iter().map(|index| &self.edges[index]).collect()
    }

    /// A breadth-first walk from all starts at once: each node and edge is looked at once.
    fn reach<'a>(
        &self,
        from: impl IntoIterator<Item = &'a UniqueId>,
        depth: Option<usize>,
        direction: Direction,
    ) -> BTreeSet<UniqueId> {
        let mut reached = vec![false; self.edges.node_count()];
        let mut waiting: VecDeque<(NodeIndex, usize)> =
            from.into_iter().filter_map(|id| Some((*self.indices.get(id)?, 0))).collect();
        let mut found = BTreeSet::new();
        while let Some((index, distance)) = waiting.pop_front() {
            if depth.is_some_and(|depth| distance >= depth) {
                continue;
            }
            for next in self.edges.neighbors_directed(index, direction) {
                if !std::mem::replace(&mut reached[next.index()], true) {
                    found.insert(self.edges[next].clone());
                    waiting.push_back((next, distance + 1));
                }
            }
        }
        found
    }
}

/// Parents before children, in the order of the nodes' making where there is a choice. What is part of a circle, or
/// behind one, is left out.
fn topological(graph: &DiGraph<UniqueId, ()>) -> Vec<UniqueId> {
    let mut open: Vec<usize> =
        graph.node_indices().map(|index| graph.edges_directed(index, Direction::Incoming).count()).collect();
    let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<NodeIndex>> =
        graph.node_indices().filter(|index| open[index.index()] == 0).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(graph.node_count());
    while let Some(std::cmp::Reverse(index)) = ready.pop() {
        order.push(graph[index].clone());
        for child in graph.neighbors_directed(index, Direction::Outgoing) {
            open[child.index()] -= 1;
            if open[child.index()] == 0 {
                ready.push(std::cmp::Reverse(child));
            }
        }
    }
    order
}
