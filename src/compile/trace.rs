//! The Jinja of one node on its own, and who wrote each part of what it becomes.

use super::{Compiler, NodeHost, Surroundings, in_node};
use crate::adapter::{Answer, Relation};
use crate::diagnostic::Result;
use crate::jinja::host::{FailedStatement, HostError, Session};
use crate::jinja::{RenderContext, Template, TracedPart, without_marks};
use crate::manifest::Node;
use crate::name::{RelationName, UniqueId};
use std::sync::Arc;

impl Compiler {
    /// What a node's text becomes: without CTEs of ephemeral models, and not translated.
    pub fn render(&self, node: &Node, surroundings: &Surroundings) -> Result<String> {
        let template = Template::read(&node.file, node.code_range.clone()).map_err(in_node(node))?;
        let context = self.context_for(node, surroundings)?;
        Ok(self.engine.render(&template, &context).map_err(in_node(node))?.text)
    }

    /// The same text in parts, with the calls of macros that led to each.
    pub fn trace(&self, node: &Node, surroundings: &Surroundings) -> Result<Vec<TracedPart>> {
        let template = Template::read(&node.file, node.code_range.clone()).map_err(in_node(node))?;
        let plain = self.context_for(node, surroundings)?;
        let session = surroundings.session.clone().map(|session| Arc::new(Unmarked(session)) as Arc<dyn Session>);
        let traced = self.context_for(node, &Surroundings { session, ..surroundings.clone() })?;
        Ok(self.engine.trace(&template, &plain, &traced).map_err(in_node(node))?)
    }

    fn context_for(&self, node: &Node, surroundings: &Surroundings) -> Result<Arc<RenderContext>> {
        let host = Arc::new(NodeHost::new(self, Some(node), surroundings));
        self.context(Some(node), None, surroundings, &host)
    }
}

/// A connection that is sent SQL with marks in it, and passes it on without.
struct Unmarked(Arc<dyn Session>);

impl Session for Unmarked {
    fn execute(&self, sql: &str, auto_begin: bool) -> Result<Answer, Box<FailedStatement>> {
        self.0.execute(&without_marks(sql), auto_begin)
    }

    fn commit(&self) -> Result<(), Box<FailedStatement>> {
        self.0.commit()
    }

    fn rollback(&self) -> Result<(), Box<FailedStatement>> {
        self.0.rollback()
    }

    fn cached_relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        self.0.cached_relations(database, schema)
    }

    fn end_listing(&self, database: Option<&str>, schema: &str) {
        self.0.end_listing(database, schema);
    }

    fn remember_relations(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        self.0.remember_relations(database, schema, relations);
    }

    fn relation_added(&self, relation: Relation) {
        self.0.relation_added(relation);
    }

    fn relation_dropped(&self, name: &RelationName) {
        self.0.relation_dropped(name);
    }

    fn relation_renamed(&self, from: &RelationName, to: &RelationName) {
        self.0.relation_renamed(from, to);
    }

    fn load_seed(&self, into: &RelationName, node: &UniqueId) -> Result<u64, HostError> {
        self.0.load_seed(into, node)
    }
}
