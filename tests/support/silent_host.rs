//! A host that knows its phase and perhaps its node, answers every reference with the node's relation and says nothing.

use std::sync::Arc;
use strata::adapter::{Relation, RelationType, Table};
use strata::diagnostic::Span;
use strata::jinja::host::{Host, HostError, Phase, Session};
use strata::manifest::{ConfigMap, Manifest, Node, RefCall, SourceCall};
use strata::name::{Quoting, RelationName, UniqueId};

/// See the module.
pub struct SilentHost {
    phase: Phase,
    id: Option<UniqueId>,
    relation: Relation,
}

impl SilentHost {
    /// A host without a node.
    pub fn new(phase: Phase) -> Self {
        let quoting = Quoting { database: true, schema: true, identifier: true };
        let name = RelationName::new(Some("cases"), "main", "m", quoting);
        Self { phase, id: None, relation: Relation { name, relation_type: Some(RelationType::Table) } }
    }

    /// The host of a node that has a relation.
    #[must_use]
    pub fn of(mut self, node: &Node) -> Self {
        self.id = Some(node.unique_id.clone());
        self.relation.name = node.relation_name.clone().expect("a node with a relation");
        self
    }
}

impl Host for SilentHost {
    fn phase(&self) -> Phase {
        self.phase
    }
    fn node(&self) -> Option<&UniqueId> {
        self.id.as_ref()
    }
    fn reference(&self, _call: RefCall) -> Result<Relation, HostError> {
        Ok(self.relation.clone())
    }
    fn source(&self, _call: SourceCall) -> Result<Relation, HostError> {
        Ok(self.relation.clone())
    }
    fn configure(&self, _values: ConfigMap, _span: Option<Span>) -> Result<(), HostError> {
        Ok(())
    }
    fn config(&self, _key: &str) -> Option<serde_json::Value> {
        None
    }
    fn config_values(&self) -> ConfigMap {
        ConfigMap::default()
    }
    fn variable(&self, _name: &str) -> Option<serde_json::Value> {
        None
    }
    fn environment_variable(&self, _name: &str) -> Result<Option<String>, HostError> {
        Ok(None)
    }
    fn macro_called(&self, _id: &UniqueId) {}
    fn manifest(&self) -> Option<&Arc<Manifest>> {
        None
    }
    fn session(&self) -> Option<&dyn Session> {
        None
    }
    fn log(&self, _message: &str, _visible: bool) {}
    fn warn(&self, _message: &str) {}
    fn write(&self, _sql: &str) {}
    fn seed(&self) -> Result<Arc<Table>, HostError> {
        Ok(Arc::default())
    }
    fn doc(&self, _package: Option<&str>, name: &str) -> Result<String, HostError> {
        Ok(name.to_owned())
    }
}
