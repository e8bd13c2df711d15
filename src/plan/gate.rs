//! Tests that what stands below the tested nodes waits for.

use super::Dag;
use crate::manifest::Manifest;
use crate::name::{ResourceType, UniqueId};
use std::collections::{BTreeSet, HashMap};

/// Lets nodes wait for the selected tests on what stands above them. Every added link goes from a test to a node
/// below all that the test looks at, so no circle can come of it. Only the first such nodes get a link: those
/// below them wait along with them.
pub(super) fn add(dag: &mut Dag, manifest: &Manifest, order: &[UniqueId], selected: &BTreeSet<UniqueId>) {
    let is_test: Vec<bool> = order
        .iter()
        .map(|id| manifest.nodes.get(id).is_some_and(|node| node.resource_type == ResourceType::Test))
        .collect();
    let tests: Vec<usize> =
        (0..order.len()).filter(|index| is_test[*index] && selected.contains(&order[*index])).collect();
    let above = Ancestors::of_shared_parents(dag, &tests);
    let mut added = Vec::new();
    // By which test each node was looked at last.
    let mut looked_at = vec![None; order.len()];
    for &test in &tests {
        let tested = &dag.parents[test];
        let Some(&last) = tested.last() else { continue };
        let mut waiting = vec![last];
        while let Some(node) = waiting.pop() {
            for &child in &dag.children[node] {
                if is_test[child] || looked_at[child].replace(test) == Some(test) {
                    continue;
                }
                if tested.iter().all(|parent| *parent == last || above.contains(child, *parent)) {
                    added.push((test, child));
                } else {
                    waiting.push(child);
                }
            }
        }
    }
    for (test, child) in added {
        dag.link(test, child);
    }
}

/// Which of a few nodes (those that tests share) stand above each node, as one row of bits a node.
struct Ancestors {
    bit_of: HashMap<usize, usize>,
    words: usize,
    bits: Vec<u64>,
}

impl Ancestors {
    fn of_shared_parents(dag: &Dag, tests: &[usize]) -> Self {
        let mut bit_of = HashMap::new();
        for parent in tests.iter().map(|test| &dag.parents[*test]).filter(|parents| parents.len() > 1).flatten() {
            let next = bit_of.len();
            bit_of.entry(*parent).or_insert(next);
        }
        let words = bit_of.len().div_ceil(64);
        let mut bits = vec![0; words * dag.parents.len()];
        for (node, parents) in dag.parents.iter().enumerate() {
            for &parent in parents {
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

    /// Whether `ancestor`, which a test looks at together with others, stands above `node`.
    fn contains(&self, node: usize, ancestor: usize) -> bool {
        self.bit_of.get(&ancestor).is_some_and(|bit| self.bits[node * self.words + bit / 64] >> (bit % 64) & 1 == 1)
    }
}
