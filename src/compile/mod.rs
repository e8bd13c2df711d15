//! Renders the SQL of nodes: references resolved, ephemeral models as CTEs, translated to the target's dialect.

mod host;

pub use host::{Message, NodeHost, SourceOverride};

use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use crate::jinja::host::{Phase, Session};
use crate::jinja::{Engine, RenderContext, Rendered, Template};
use crate::manifest::{Manifest, Node};
use crate::name::{ResourceType, UniqueId};
use crate::project::Project;
use crate::sql::{self, Dialect};
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The SQL of one node.
#[derive(Debug, Clone)]
pub struct CompiledNode {
    /// The node.
    pub unique_id: UniqueId,
    /// The SQL in the dialect in which the model is written, CTEs of ephemeral models included: what people
    /// read in `target/compiled`.
    pub sql: Arc<str>,
    /// The SQL that the target understands: the same text, unless the model is written in another dialect.
    pub executable: Arc<str>,
    /// The ephemeral models that went into it, each once, in the order in which their CTEs stand.
    pub ephemerals: Vec<UniqueId>,
}

/// Where messages of templates go, with the node on whose behalf they are said, if it is one.
pub type Messages = Arc<dyn Fn(Option<&UniqueId>, Message) + Send + Sync>;

/// Renders nodes of one project for one target. Shared by all workers.
pub struct Compiler {
    project: Arc<Project>,
    manifest: Arc<Manifest>,
    engine: Arc<Engine>,
    dialect: Dialect,
    messages: Messages,
    ephemerals: Mutex<FxHashMap<UniqueId, CompiledNode>>,
}

impl Compiler {
    /// A compiler for the project's target.
    pub fn new(project: &Arc<Project>, manifest: &Arc<Manifest>, engine: &Arc<Engine>, messages: Messages) -> Self {
        Self {
            project: Arc::clone(project),
            manifest: Arc::clone(manifest),
            engine: Arc::clone(engine),
            dialect: project.dialect(),
            messages,
            ephemerals: Mutex::default(),
        }
    }

    /// The manifest whose nodes are rendered.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The engine that renders them.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The dialect of the target.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

/// What surrounds one rendering.
#[derive(Default)]
pub struct Surroundings {
    /// The warehouse, where templates may ask it.
    pub session: Option<Arc<dyn Session>>,
    /// What stands in for a source of an extract model.
    pub source: Option<SourceOverride>,
}

impl Compiler {
    /// Renders a node's SQL, with the CTEs of the ephemeral models that it uses, and translates it where it is
    /// written in another dialect than the target's.
    pub fn compile(&self, node: &Node, surroundings: Surroundings) -> Result<CompiledNode, Diagnostic> {
        let session = surroundings.session;
        let host = NodeHost::new(self, Some(node), session.clone()).with_source(surroundings.source);
        let host = Arc::new(host);
        let template = Template::compile(&node.file, node.code.clone())?;
        let rendered = self.render(&template, node, &host)?;
        let mut ephemerals = Vec::new();
        for id in host.ephemerals() {
            self.collect_ephemerals(&id, session.as_ref(), &mut ephemerals)?;
        }
        let ctes: Vec<(String, String)> = ephemerals
            .iter()
            .filter_map(|compiled| Some((host::ephemeral_name(self.manifest.nodes.get(&compiled.unique_id)?), compiled.sql.to_string())))
            .collect();
        let sql = sql::inject_ctes(&rendered.text, &ctes);
        let executable = self.translate(node, &sql)?;
        Ok(CompiledNode {
            unique_id: node.unique_id.clone(),
            executable,
            sql: sql.into(),
            ephemerals: ephemerals.into_iter().map(|compiled| compiled.unique_id).collect(),
        })
    }
}
