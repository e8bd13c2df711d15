//! What a command will do: the selected nodes in an order that respects the DAG, and what each waits for.

use crate::manifest::{Manifest, Materialized, Node};
use crate::name::{ResourceType, UniqueId};
use std::collections::{BTreeSet, HashMap};

/// The nodes of a run and the edges between them. Nodes stand in topological order, so an edge always goes
/// from a smaller index to a larger one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The nodes to run.
    pub nodes: Vec<UniqueId>,
    /// For each node, the nodes that wait for it.
    pub children: Vec<Vec<usize>>,
    /// For each node, how many nodes it waits for.
    pub waits: Vec<usize>,
}

impl Plan {
    /// Plans the selected nodes.
    ///
    /// `order` is the whole project in topological order. Two selected nodes that are connected only
    /// through nodes that are not selected still run one after the other. With `tests_gate`, the children of
    /// a node also wait for the tests on it (dbt's `build`): a test on several nodes gates only what stands
    /// below all of them.
    pub fn new(manifest: &Manifest, order: &[UniqueId], selected: &BTreeSet<UniqueId>, tests_gate: bool) -> Self {
        let mut plan = Self::default();
        // For each node seen so far: the selected nodes through which it is reached.
        let mut reached_by: HashMap<&UniqueId, Vec<usize>> = HashMap::with_capacity(order.len());
        for id in order {
            let mut waits_for: Vec<usize> =
                manifest.parents(id).iter().filter_map(|parent| reached_by.get(parent)).flatten().copied().collect();
            waits_for.sort_unstable();
            waits_for.dedup();
            if selected.contains(id) && manifest.nodes.contains_key(id) {
                let index = plan.nodes.len();
                plan.nodes.push(id.clone());
                plan.children.push(vec![]);
                plan.waits.push(waits_for.len());
                for parent in waits_for {
                    plan.children[parent].push(index);
                }
                reached_by.insert(id, vec![index]);
            } else {
                reached_by.insert(id, waits_for);
            }
        }
        if tests_gate {
            plan.gate_on_tests(manifest);
        }
        plan
    }

    /// Lets the children of tested nodes wait for the tests. Every added edge goes from a test to a node below
    /// all nodes that the test looks at, so no circle can come of it.
    fn gate_on_tests(&mut self, manifest: &Manifest) {
        let is_test =
            |id: &UniqueId| manifest.nodes.get(id).is_some_and(|node| node.resource_type == ResourceType::Test);
        let tests: Vec<usize> = (0..self.nodes.len()).filter(|index| is_test(&self.nodes[*index])).collect();
        let parents = self.parents();
        let below = Ancestors::of_shared_parents(self, &parents, &tests);
        let mut added = Vec::new();
        for &test in &tests {
            let Some(&last) = parents[test].last() else { continue };
            for &child in &self.children[last] {
                let gated = !is_test(&self.nodes[child])
                    && parents[test].iter().all(|parent| below.contains(child, *parent, last));
                if gated {
                    added.push((test, child));
                }
            }
        }
        for (test, child) in added {
            self.children[test].push(child);
            self.waits[child] += 1;
        }
    }

    /// For each node, the nodes it waits for, ascending.
    fn parents(&self) -> Vec<Vec<usize>> {
        let mut parents = vec![vec![]; self.nodes.len()];
        for (index, children) in self.children.iter().enumerate() {
            for &child in children {
                parents[child].push(index);
            }
        }
        parents
    }

    /// The schemas that the nodes need, each once, in the order of first use.
    pub fn schemas(&self, manifest: &Manifest) -> Vec<(Option<String>, String)> {
        let mut seen = BTreeSet::new();
        self.nodes
            .iter()
            .filter_map(|id| manifest.nodes.get(id))
            .filter(|node| node.is_relational())
            .map(|node| (node.database.clone(), node.schema.clone()))
            .filter(|schema| seen.insert(schema.clone()))
            .collect()
    }

    /// What will be run, in words: `2 seeds, 8 models, 20 data tests`.
    pub fn summary(&self, manifest: &Manifest) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for node in self.nodes.iter().filter_map(|id| manifest.nodes.get(id)) {
            let kind = kind_of(node);
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        let words: Vec<String> = counts
            .iter()
            .map(|(kind, count)| format!("{count} {kind}{}", if *count == 1 { "" } else { "s" }))
            .collect();
        words.join(", ")
    }
}

/// How a node is counted and called in progress lines.
pub fn kind_of(node: &Node) -> &'static str {
    match (node.resource_type, node.config.materialized()) {
        (ResourceType::Test, _) => "data test",
        (ResourceType::Seed, _) => "seed",
        (ResourceType::Snapshot, _) => "snapshot",
        (ResourceType::Analysis, _) => "analysis",
        (ResourceType::Operation, _) => "hook",
        (_, Materialized::View) => "view model",
        (_, Materialized::Table) => "table model",
        (_, Materialized::Incremental) => "incremental model",
        (_, Materialized::Ephemeral) => "ephemeral model",
        (_, Materialized::Extract) => "extract model",
        (_, Materialized::Scd2) => "scd2 model",
        (_, Materialized::Control) => "control table",
        _ => "model",
    }
}

/// Which of a few nodes (those that tests share) stand above each node, as one row of bits a node.
struct Ancestors {
    bit_of: HashMap<usize, usize>,
    words: usize,
    bits: Vec<u64>,
}

impl Ancestors {
    fn of_shared_parents(plan: &Plan, parents: &[Vec<usize>], tests: &[usize]) -> Self {
        let mut bit_of = HashMap::new();
        for parent in tests.iter().filter(|test| parents[**test].len() > 1).flat_map(|test| &parents[*test]) {
            let next = bit_of.len();
            bit_of.entry(*parent).or_insert(next);
        }
        let words = bit_of.len().div_ceil(64);
        let mut bits = vec![0; words * plan.nodes.len()];
        for node in 0..plan.nodes.len() {
            for &parent in &parents[node] {
                for word in 0..words {
                    bits[node * words + word] |= bits[parent * words + word];
                }
                if let Some(bit) = bit_of.get(&parent) {
                    bits[node * words + bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        Self { bit_of, words, bits }
    }

    /// Whether `ancestor` stands above `node`, a child of `parent`.
    fn contains(&self, node: usize, ancestor: usize, parent: usize) -> bool {
        ancestor == parent
            || self
                .bit_of
                .get(&ancestor)
                .is_some_and(|bit| self.bits[node * self.words + bit / 64] >> (bit % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A manifest of `id <- parents` lines, already in topological order.
    fn manifest(lines: &[(&str, &[&str])]) -> (Manifest, Vec<UniqueId>) {
        let nodes = lines.iter().map(|(id, parents)| (UniqueId::from(*id), Node::example(id, parents))).collect();
        (Manifest { nodes, ..Manifest::default() }, lines.iter().map(|(id, _)| UniqueId::from(*id)).collect())
    }

    fn edges(plan: &Plan) -> Vec<(&str, &str)> {
        let name = |index: usize| plan.nodes[index].as_str().rsplit('.').next().unwrap_or_default();
        let pairs = plan.children.iter().enumerate();
        pairs.flat_map(|(from, children)| children.iter().map(move |to| (name(from), name(*to)))).collect()
    }

    #[test]
    fn nodes_that_are_left_out_still_order_the_others() {
        let (manifest, order) =
            manifest(&[("model.p.a", &[]), ("model.p.b", &["model.p.a"]), ("model.p.c", &["model.p.b", "model.p.a"])]);
        let selected = [order[0].clone(), order[2].clone()].into();
        let plan = Plan::new(&manifest, &order, &selected, false);
        assert_eq!(edges(&plan), [("a", "c")]);
        assert_eq!(plan.waits, [0, 1]);
    }

    #[test]
    fn a_test_gates_what_stands_below_all_that_it_looks_at() {
        let (manifest, order) = manifest(&[
            ("model.p.a", &[]),
            ("model.p.b", &[]),
            ("test.p.both", &["model.p.a", "model.p.b"]),
            ("test.p.only_a", &["model.p.a"]),
            ("model.p.below_a", &["model.p.a"]),
            ("model.p.below_b", &["model.p.b"]),
            ("model.p.below_both", &["model.p.b", "model.p.below_a"]),
        ]);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), true);
        let gates: Vec<_> = edges(&plan).into_iter().filter(|(from, _)| ["both", "only_a"].contains(from)).collect();
        assert_eq!(gates, [("both", "below_both"), ("only_a", "below_a")]);
    }

    #[test]
    fn kinds_are_counted_in_words() {
        let (manifest, order) = manifest(&[("seed.p.a", &[]), ("model.p.b", &[]), ("model.p.c", &[])]);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), true);
        assert_eq!(plan.summary(&manifest), "1 seed, 2 view models");
    }
}
