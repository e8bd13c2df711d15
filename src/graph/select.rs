//! From a spec to the nodes that it means.

use super::Graph;
use super::methods::matching;
use super::spec::{Criterion, Indirect, SelectionSpec, SetOperation, SetSpec};
use super::state::StateInputs;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::manifest::Manifest;
use crate::name::{ResourceType, UniqueId};
use std::collections::BTreeSet;

/// What was selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Nodes and sources.
    pub ids: BTreeSet<UniqueId>,
    /// A criterion that selects nothing is worth a warning.
    pub warnings: Diagnostics,
}

impl Selection {
    /// The selected in topological order.
    pub fn ordered<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = &'a UniqueId> {
        graph.order().iter().filter(|id| self.ids.contains(*id))
    }
}

/// The nodes and sources that a spec means. `state` is what a former run left, for selectors that ask for it.
pub fn select(manifest: &Manifest, graph: &Graph, spec: &SelectionSpec, state: &StateInputs) -> Result<Selection> {
    let selector = Selector { manifest, graph, state };
    let mut warnings = Diagnostics::new();
    let picked = selector.pick(spec, &mut warnings).map_err(Diagnostics::from)?;
    Ok(Selection { ids: picked.direct, warnings })
}

type Ids = BTreeSet<UniqueId>;

/// What a spec picks: what is in for sure, and tests that come in if all that they look at does.
struct Picked {
    direct: Ids,
    indirect: Ids,
}

struct Selector<'a> {
    manifest: &'a Manifest,
    graph: &'a Graph,
    state: &'a StateInputs,
}

impl Selector<'_> {
    fn pick(&self, spec: &SelectionSpec, warnings: &mut Diagnostics) -> std::result::Result<Picked, Diagnostic> {
        match spec {
            SelectionSpec::Criterion(criterion) => self.criterion(criterion),
            SelectionSpec::Set(set) => self.set(set, warnings),
        }
    }

    fn criterion(&self, criterion: &Criterion) -> std::result::Result<Picked, Diagnostic> {
        let mut selected: Ids = matching(self.manifest, criterion, self.state)?.into_iter().collect();
        let mut relatives = Ids::new();
        if criterion.childrens_parents {
            let mut below = self.graph.descendants(&selected, None);
            below.extend(selected.iter().cloned());
            relatives.extend(self.graph.ancestors(&below, None));
            relatives.extend(below);
        }
        if let Some(depth) = criterion.parents {
            relatives.extend(self.graph.ancestors(&selected, depth));
        }
        if let Some(depth) = criterion.children {
            relatives.extend(self.graph.descendants(&selected, depth));
        }
        selected.extend(relatives);
        Ok(self.with_tests(selected, criterion.indirect))
    }

    /// Adds the tests that look at what is selected, as far as the mode lets them come along.
    fn with_tests(&self, selected: Ids, mode: Indirect) -> Picked {
        let mut indirect = Ids::new();
        if mode == Indirect::Empty {
            return Picked { direct: selected, indirect };
        }
        let mut reach = Ids::new();
        if mode == Indirect::Buildable {
            reach = self.graph.ancestors(&selected, None);
            reach.extend(selected.iter().cloned());
            reach.extend(self.manifest.sources.keys().cloned());
        }
        let mut direct = selected.clone();
        for test in selected.iter().flat_map(|id| self.graph.children(id)).filter(|id| self.is_test(id)) {
            let within = |ids: &Ids| self.manifest.parents(test).iter().all(|parent| ids.contains(parent));
            if mode == Indirect::Eager || within(&selected) || (mode == Indirect::Buildable && within(&reach)) {
                direct.insert(test.clone());
            } else {
                indirect.insert(test.clone());
            }
        }
        Picked { direct, indirect }
    }

    fn is_test(&self, id: &UniqueId) -> bool {
        let is_test = |kind| matches!(kind, ResourceType::Test | ResourceType::UnitTest);
        self.manifest.nodes.get(id).is_some_and(|node| is_test(node.resource_type))
    }

    fn set(&self, set: &SetSpec, warnings: &mut Diagnostics) -> std::result::Result<Picked, Diagnostic> {
        let mut directs = Vec::with_capacity(set.parts.len());
        let mut all = Vec::with_capacity(set.parts.len());
        for part in &set.parts {
            let picked = self.pick(part, warnings)?;
            all.push(picked.direct.union(&picked.indirect).cloned().collect());
            directs.push(picked.direct);
        }
        let indirect = combine(set.operation, all);
        let direct = self.with_waiting(combine(set.operation, directs), &indirect, set.indirect);
        if let Some(raw) = set.expected.as_ref().filter(|_| direct.is_empty()) {
            warnings.push(Diagnostic::warning(Code::Selector, format!("the selector `{raw}` matches nothing")));
        }
        Ok(Picked { direct, indirect })
    }

    /// Takes in the waiting tests whose nodes are all there now.
    fn with_waiting(&self, mut direct: Ids, waiting: &Ids, mode: Indirect) -> Ids {
        if !matches!(mode, Indirect::Cautious | Indirect::Buildable) || direct == *waiting {
            return direct;
        }
        let mut reach = direct.clone();
        if mode == Indirect::Buildable {
            reach.extend(self.graph.ancestors(&direct, None));
        }
        for id in waiting.iter().filter(|id| self.manifest.nodes.contains_key(*id)) {
            if self.manifest.parents(id).iter().all(|parent| reach.contains(parent)) {
                direct.insert(id.clone());
            }
        }
        direct
    }
}

fn combine(operation: SetOperation, sets: Vec<Ids>) -> Ids {
    let mut sets = sets.into_iter();
    let Some(mut result) = sets.next() else { return Ids::new() };
    for set in sets {
        match operation {
            SetOperation::Union => result.extend(set),
            SetOperation::Intersection => result.retain(|id| set.contains(id)),
            SetOperation::Difference => result.retain(|id| !set.contains(id)),
        }
    }
    result
}
