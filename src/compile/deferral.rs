//! References that are deferred to another environment, for nodes that are not built in this one.

use super::{Compiler, Surroundings};
use crate::adapter::Relation;
use crate::diagnostic::{Diagnostics, Result};
use crate::manifest::Node;
use crate::name::UniqueId;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The macro that looks for a relation in what is known of its schema, and lists the schema if nothing is.
const LOOK_UP: &str = "load_cached_relation";

/// Which references mean the other environment's relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deferral {
    /// Those to relations that are not there.
    Missing,
    /// Those as well that are not selected.
    Unselected,
}

impl Compiler {
    /// The same, deferring references to what the manifest's nodes are in the other environment.
    #[must_use]
    pub fn deferring(self, deferral: Option<Deferral>) -> Self {
        // Nobody asks for the selection where nothing is deferred.
        let selected: FxHashSet<UniqueId> = match deferral {
            Some(_) => self.selected.iter().cloned().collect(),
            None => FxHashSet::default(),
        };
        Self { deferral, is_selected: Arc::new(selected), ..self }
    }

    /// Has the session list what is in the schemas of which it will be asked whether something exists, each once and
    /// before anything changes there: those of what these nodes refer to and what may be deferred.
    pub fn list_deferred(&self, ids: &[UniqueId], surroundings: &Surroundings) -> Result<()> {
        if self.deferral.is_none() || surroundings.session.is_none() {
            return Ok(());
        }
        self.list_schemas_of(self.referred(ids).into_iter().filter_map(own_relation), surroundings)
    }

    /// Has the session list the schemas in which nodes live, here and in the other environment, each once.
    pub fn list_both_sides(&self, ids: &[UniqueId], surroundings: &Surroundings) -> Result<()> {
        let nodes =
            || ids.iter().filter_map(|id| self.manifest.nodes.get(id)).filter(|node| node.defer_relation.is_some());
        let others = nodes().filter_map(|node| {
            let name = node.defer_relation.as_ref()?.name.clone();
            Some(Relation { name, relation_type: None })
        });
        self.list_schemas_of(nodes().filter_map(own_relation).chain(others), surroundings)
    }

    fn list_schemas_of(&self, relations: impl Iterator<Item = Relation>, surroundings: &Surroundings) -> Result<()> {
        let mut seen = BTreeSet::new();
        let mut found = Diagnostics::new();
        for relation in relations {
            let (database, schema, _) = relation.name.folded();
            if seen.insert((database, schema)) {
                found.keep(self.call_for_relation(LOOK_UP, &relation, surroundings));
            }
        }
        found.into_result(()).map(|_| ())
    }

    /// The nodes that may be deferred and that these refer to, also within ephemeral models.
    fn referred(&self, ids: &[UniqueId]) -> Vec<&Node> {
        let mut seen = FxHashSet::default();
        let mut open: Vec<&UniqueId> = ids.iter().collect();
        let mut referred = Vec::new();
        while let Some(id) = open.pop() {
            for parent in self.manifest.parents(id) {
                let Some(node) = self.manifest.nodes.get(parent).filter(|_| seen.insert(parent)) else { continue };
                if node.is_ephemeral() {
                    open.push(parent);
                } else if node.defer_relation.is_some() {
                    referred.push(node);
                }
            }
        }
        referred
    }
}

fn own_relation(node: &Node) -> Option<Relation> {
    Some(Relation { name: node.relation_name.clone()?, relation_type: None })
}
