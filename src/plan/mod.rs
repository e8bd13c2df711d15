//! What a command will do: the selected nodes in an order that respects the DAG, and what each waits for.

use crate::manifest::{Manifest, Materialized, Node};
use crate::name::{ResourceType, UniqueId};
use std::collections::{BTreeSet, HashMap};

mod gate;

/// The nodes of a run and the edges between them: an edge always goes from a smaller index to a larger one.
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
    /// through nodes that are not selected still run one after the other. With `tests_gate`, what stands below a
    /// node or source also waits for the tests on it (dbt's `build`): a test on several of them gates only what
    /// stands below all of them. A unit test comes before its model, which waits for it. Nodes stand in the order in
    /// which dbt takes them: first those that wait for nothing, then those that wait only for those, and so on, each
    /// group by unique id.
    pub fn new(manifest: &Manifest, order: &[UniqueId], selected: &BTreeSet<UniqueId>, tests_gate: bool) -> Self {
        let mut dag = Dag::of(manifest, order, tests_gate);
        if tests_gate {
            gate::add(&mut dag, manifest, order, selected);
        }
        let is_selected = |id: &UniqueId| selected.contains(id) && manifest.nodes.contains_key(id);
        // For each node of the DAG: the selected nodes (by their index in `nodes`) through which it is reached.
        let mut reached_by: Vec<Vec<usize>> = vec![vec![]; order.len()];
        let mut nodes: Vec<(usize, &UniqueId)> = Vec::new();
        let mut waits_for: Vec<Vec<usize>> = Vec::new();
        for index in dag.topological() {
            let mut above: Vec<usize> =
                dag.parents[index].iter().flat_map(|parent| &reached_by[*parent]).copied().collect();
            above.sort_unstable();
            above.dedup();
            if is_selected(&order[index]) {
                reached_by[index] = vec![nodes.len()];
                let level = above.iter().map(|parent| nodes[*parent].0 + 1).max().unwrap_or(0);
                nodes.push((level, &order[index]));
                waits_for.push(above);
            } else {
                reached_by[index] = above;
            }
        }
        Self::sorted(&nodes, &waits_for)
    }

    /// The plan of nodes with their levels, and for each the nodes that it waits for.
    fn sorted(nodes: &[(usize, &UniqueId)], waits_for: &[Vec<usize>]) -> Self {
        let mut sorted: Vec<usize> = (0..nodes.len()).collect();
        sorted.sort_unstable_by_key(|index| nodes[*index]);
        let mut position = vec![0; nodes.len()];
        for (new, old) in sorted.iter().enumerate() {
            position[*old] = new;
        }
        let mut children = vec![vec![]; nodes.len()];
        for (new, old) in sorted.iter().enumerate() {
            for parent in &waits_for[*old] {
                children[position[*parent]].push(new);
            }
        }
        Self {
            nodes: sorted.iter().map(|index| nodes[*index].1.clone()).collect(),
            children,
            waits: sorted.iter().map(|index| waits_for[*index].len()).collect(),
        }
    }

    /// Plans things that wait for nothing: sources to look at, in this order.
    pub fn unordered(nodes: Vec<UniqueId>) -> Self {
        let count = nodes.len();
        Self { nodes, children: vec![vec![]; count], waits: vec![0; count] }
    }

    /// The schemas that the nodes need, each once, in the order of first use.
    pub fn schemas(&self, manifest: &Manifest) -> Vec<(Option<String>, String)> {
        let mut seen = BTreeSet::new();
        self.nodes
            .iter()
            .filter_map(|id| manifest.nodes.get(id))
            // A test has a relation where it keeps what it finds.
            .filter(|node| {
                node.is_relational() || (node.resource_type == ResourceType::Test && node.relation_name.is_some())
            })
            .map(|node| (node.database.clone(), node.schema.clone()))
            .filter(|schema| seen.insert(schema.clone()))
            .collect()
    }

    /// What will be run, in words: `2 seeds, 8 models, 20 data tests`.
    pub fn summary(&self, manifest: &Manifest) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for id in &self.nodes {
            let kind = match manifest.nodes.get(id) {
                Some(node) => kind_of(node),
                None if manifest.sources.contains_key(id) => "freshness check",
                None => continue,
            };
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
        (ResourceType::UnitTest, _) => "unit test",
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

/// The nodes and sources of a project by their index in its topological order.
struct Dag {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

impl Dag {
    /// With `tests_gate`, a unit test stands between its model and what that reads, not below it.
    fn of(manifest: &Manifest, order: &[UniqueId], tests_gate: bool) -> Self {
        let index_of: HashMap<&UniqueId, usize> = order.iter().enumerate().map(|(index, id)| (id, index)).collect();
        let mut dag = Self { parents: vec![vec![]; order.len()], children: vec![vec![]; order.len()] };
        for (index, id) in order.iter().enumerate() {
            let gates =
                tests_gate && manifest.nodes.get(id).is_some_and(|node| node.resource_type == ResourceType::UnitTest);
            let indices = |ids: &[UniqueId]| -> BTreeSet<usize> {
                ids.iter().filter_map(|id| index_of.get(id)).copied().collect()
            };
            for parent in indices(manifest.parents(id)) {
                if gates {
                    dag.link(index, parent);
                    for above in indices(manifest.parents(&order[parent])) {
                        dag.link(above, index);
                    }
                } else {
                    dag.link(parent, index);
                }
            }
        }
        dag
    }

    fn link(&mut self, parent: usize, child: usize) {
        self.parents[child].push(parent);
        self.children[parent].push(child);
    }

    /// Parents before children. Links that were added need not go with the project's own order.
    fn topological(&self) -> Vec<usize> {
        let mut open: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut sorted: Vec<usize> = (0..open.len()).filter(|index| open[*index] == 0).collect();
        let mut next = 0;
        while let Some(&index) = sorted.get(next) {
            next += 1;
            for &child in &self.children[index] {
                open[child] -= 1;
                if open[child] == 0 {
                    sorted.push(child);
                }
            }
        }
        sorted
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
    fn a_test_on_a_source_gates_what_reads_it() {
        let source = UniqueId::from("source.p.crm.people");
        let (manifest, mut order) =
            manifest(&[("model.p.a", &["source.p.crm.people"]), ("test.p.fresh", &["source.p.crm.people"])]);
        order.insert(0, source);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), true);
        assert_eq!(edges(&plan), [("fresh", "a")]);
    }

    #[test]
    fn nodes_stand_by_how_much_is_above_them_then_by_id() {
        let (manifest, order) = manifest(&[
            ("seed.p.z", &[]),
            ("model.p.below", &["seed.p.z"]),
            ("model.p.deep", &["model.p.below"]),
            ("seed.p.a", &[]),
            ("model.p.top", &[]),
            ("test.p.t", &["seed.p.a"]),
        ]);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), false);
        let names: Vec<&str> = plan.nodes.iter().map(UniqueId::as_str).collect();
        assert_eq!(names, ["model.p.top", "seed.p.a", "seed.p.z", "model.p.below", "test.p.t", "model.p.deep"]);
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
            ("model.p.joined_later", &["model.p.below_a", "model.p.below_b"]),
            ("model.p.deeper", &["model.p.joined_later"]),
        ]);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), true);
        let gates: Vec<_> = edges(&plan).into_iter().filter(|(from, _)| ["both", "only_a"].contains(from)).collect();
        assert_eq!(gates, [("both", "below_both"), ("both", "joined_later"), ("only_a", "below_a")]);
    }

    #[test]
    fn a_unit_test_stands_before_its_model_where_tests_gate() {
        let (manifest, order) = manifest(&[
            ("model.p.a", &[]),
            ("test.p.of_a", &["model.p.a"]),
            ("model.p.b", &["model.p.a"]),
            ("unit_test.p.b.u", &["model.p.b"]),
            ("test.p.of_b", &["model.p.b"]),
        ]);
        let all: BTreeSet<UniqueId> = order.iter().cloned().collect();
        let gating = Plan::new(&manifest, &order, &all, true);
        let expected = [("a", "of_a"), ("a", "u"), ("a", "b"), ("of_a", "u"), ("of_a", "b"), ("u", "b"), ("b", "of_b")];
        assert_eq!(edges(&gating), expected);
        let tests: BTreeSet<UniqueId> = order.iter().filter(|id| id.as_str().contains("test")).cloned().collect();
        assert_eq!(edges(&Plan::new(&manifest, &order, &tests, false)), []);
    }

    #[test]
    fn kinds_are_counted_in_words() {
        let (manifest, order) = manifest(&[("seed.p.a", &[]), ("model.p.b", &[]), ("model.p.c", &[])]);
        let plan = Plan::new(&manifest, &order, &order.iter().cloned().collect(), true);
        assert_eq!(plan.summary(&manifest), "2 view models, 1 seed");
    }
}
