//! The relations that nodes have in another environment, as the manifest of a former run there tells.

use super::{ConfigMap, Manifest, Materialized};
use crate::name::{RelationName, UniqueId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node's relation in another environment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeferRelation {
    /// Its parts, quoted as this project quotes names.
    pub name: RelationName,
    /// The name as it is written in the other environment's manifest.
    pub relation_name: Option<String>,
    /// What templates see as `model.defer_relation`.
    pub shape: ConfigMap,
}

impl DeferRelation {
    /// The query for all of its rows.
    pub fn query(&self) -> String {
        match &self.relation_name {
            Some(name) => format!("select * from {name}"),
            None => format!("select * from {}", self.name),
        }
    }
}

impl Manifest {
    /// Notes where nodes live in another environment. Those that only the other one has are of no use here, and the
    /// control tables of each environment tell of that environment alone.
    pub fn defer_to(&mut self, relations: BTreeMap<UniqueId, DeferRelation>) {
        for (id, relation) in relations {
            let node = self.nodes.get_mut(&id).filter(|node| node.config.materialized() != Materialized::Control);
            if let Some(node) = node {
                node.defer_relation = Some(Arc::new(relation));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Constraint, ConstraintTarget, Node, RefCall, TargetCall};
    use crate::name::Quoting;
    use crate::project::properties::ConstraintKind;

    #[test]
    fn nodes_that_are_here_are_told_where_they_live_there() {
        let relation = |name: &str| DeferRelation {
            name: RelationName::new(Some("db"), "prod", name, Quoting::ALL),
            relation_name: None,
            shape: ConfigMap::new(),
        };
        let mut manifest = Manifest::default();
        let mut control = Node::example("model.strata.runs", &[]);
        control.config.values_mut().insert("materialized".into(), "control".into());
        for node in [Node::example("model.p.a", &[]), Node::example("model.p.b", &[]), control] {
            manifest.nodes.insert(node.unique_id.clone(), node);
        }
        let ids = ["model.p.a", "model.p.gone", "model.strata.runs"];
        manifest.defer_to(ids.into_iter().map(|id| (id.into(), relation("a"))).collect());
        let query = |id: &str| manifest.nodes[id].defer_relation.as_ref().map(|relation| relation.query());
        assert_eq!(query("model.p.a").as_deref(), Some(r#"select * from "db"."prod"."a""#));
        assert_eq!(query("model.p.b"), None);
        assert_eq!(query("model.strata.runs"), None);
        assert_eq!(manifest.nodes.len(), 3);

        for name in ["a", "b"] {
            let packages = BTreeMap::from([("p".to_owned(), format!("model.p.{name}").as_str().into())]);
            manifest.references.insert(name.to_owned(), packages);
        }
        let target = |name: &str| {
            let call = RefCall { package: None, name: name.to_owned(), version: None, span: None };
            let to = ConstraintTarget { text: String::new(), call: Some(TargetCall::Reference(call)) };
            let key = Constraint {
                kind: ConstraintKind::ForeignKey,
                name: None,
                expression: None,
                columns: vec![],
                to: Some(to),
                to_columns: vec![],
                warn_unenforced: true,
                warn_unsupported: true,
            };
            key.target(&manifest, "p").map(ToString::to_string)
        };
        assert_eq!(target("a").as_deref(), Some(r#""db"."prod"."a""#), "keys point there, too");
        assert_eq!(target("b").as_deref(), Some(r#""main"."b""#));
    }
}
