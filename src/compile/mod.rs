//! Renders the SQL of nodes: references resolved, ephemeral models as CTEs, translated to the target's dialect.

mod catalog;
mod deferral;
mod freshness;
mod host;
mod operation;
mod trace;
mod unit_test;

pub use catalog::Wanted;
pub use deferral::Deferral;
pub use freshness::Collected;
pub use host::{Message, NodeHost, SourceOverride};
pub use unit_test::in_own_words;

use crate::adapter::{Relation, Table};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, Span};
use crate::jinja::context::{self, NodeContext, NodeHandle, RunEnd, Warehouse};
use crate::jinja::host::{Host, Session};
use crate::jinja::{Engine, RenderContext, RenderMap, Template, Value, from_json};
use crate::manifest::{BatchStep, Manifest, Node};
use crate::name::{ResourceType, UniqueId};
use crate::project::Project;
use crate::sql::{self, Dialect};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::Value as Json;
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
    /// Where the parts of `sql` come from; none where CTEs were put into it.
    map: Option<Arc<RenderMap>>,
}

impl CompiledNode {
    /// SQL that was not rendered from the node's own text: that of a seed, which has none, or of a clone.
    pub fn of(node: &Node, sql: Arc<str>) -> Self {
        let executable = Arc::clone(&sql);
        Self { unique_id: node.unique_id.clone(), sql, executable, ephemerals: vec![], map: None }
    }

    /// Where in the model the part of the executable SQL stands that begins at `offset` and reads `word`. In
    /// translated SQL places are lost: there the word is looked for, and believed if it stands there once.
    pub fn source_of(&self, offset: usize, word: &str) -> Option<Span> {
        let map = self.map.as_ref()?;
        let offset = if self.sql == self.executable {
            offset
        } else {
            let mut places = self.sql.match_indices(word).filter(|(at, _)| is_whole_word(&self.sql, *at, word.len()));
            let (at, _) = places.next().filter(|_| !word.is_empty())?;
            if places.next().is_some() {
                return None;
            }
            at
        };
        map.locate(offset).map(|(span, _)| span)
    }
}

fn is_whole_word(text: &str, at: usize, length: usize) -> bool {
    let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    !is_letter(text[..at].chars().next_back()) && !is_letter(text[at + length..].chars().next())
}

/// Where messages of templates go, with the node on whose behalf they are said, if it is one.
pub type Messages = Arc<dyn Fn(Option<&UniqueId>, Message) + Send + Sync>;

/// Renders nodes of one project for one target. Shared by all workers.
pub struct Compiler {
    project: Arc<Project>,
    manifest: Arc<Manifest>,
    engine: Arc<Engine>,
    dialect: Dialect,
    warehouse: Warehouse,
    messages: Messages,
    /// Templates that look at `graph` share one.
    graph: Value,
    selected: Arc<Vec<UniqueId>>,
    /// The same, to be looked up; empty where nothing is deferred.
    is_selected: Arc<FxHashSet<UniqueId>>,
    deferral: Option<Deferral>,
    ephemerals: Mutex<FxHashMap<UniqueId, Arc<CompiledNode>>>,
}

/// What surrounds one rendering.
#[derive(Default, Clone)]
pub struct Surroundings {
    /// The warehouse, where templates may ask it.
    pub session: Option<Arc<dyn Session>>,
    /// What stands in for a source of an extract model.
    pub source: Option<SourceOverride>,
    /// The rows of a seed that is being loaded.
    pub seed: Option<Arc<Table>>,
    /// Which worker renders: `thread_id`.
    pub thread: String,
    /// What hooks at the end of a run see.
    pub run_end: Option<RunEnd>,
    /// The batch that is built, where the model is built in batches.
    pub batch: Option<BatchStep>,
}

/// The outermost step of a finding's chain: the node that was rendered, with its place where its text is not written
/// there (a test or a hook in YAML).
fn in_node(node: &Node) -> impl Fn(Diagnostic) -> Diagnostic {
    let (what, is_elsewhere) = match node.resource_type {
        ResourceType::UnitTest => (format!("in unit test `{}`", node.name), true),
        kind => (format!("in {kind} `{}`", node.name), !Arc::ptr_eq(node.declared_at.file(), &node.file)),
    };
    let place = is_elsewhere.then(|| node.declared_at.clone());
    move |found| found.within(what.clone(), place.clone())
}

impl Compiler {
    /// A compiler for the project's target. `selected` is what templates see as `selected_resources`.
    pub fn new(
        project: &Arc<Project>,
        manifest: &Arc<Manifest>,
        engine: &Arc<Engine>,
        selected: Vec<UniqueId>,
        messages: Messages,
    ) -> Self {
        let snowflake = project.target.type_name() == "snowflake";
        Self {
            project: Arc::clone(project),
            manifest: Arc::clone(manifest),
            engine: Arc::clone(engine),
            dialect: if snowflake { Dialect::Snowflake } else { Dialect::DuckDb },
            warehouse: if snowflake { Warehouse::Snowflake } else { Warehouse::DuckDb },
            messages,
            graph: context::graph_value(manifest),
            selected: Arc::new(selected),
            is_selected: Arc::default(),
            deferral: None,
            ephemerals: Mutex::default(),
        }
    }

    /// The manifest whose nodes are rendered.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The project that it was made from.
    pub fn project(&self) -> &Arc<Project> {
        &self.project
    }

    /// The engine that renders.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The warehouse of the target, as templates tell warehouses apart.
    pub fn warehouse(&self) -> Warehouse {
        self.warehouse
    }

    /// The dialect of the target.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The dialect in which a node is written. Generic tests, hooks and seeds are always in the target's own:
    /// their SQL comes from macros that are dispatched for it.
    pub fn dialect_of(&self, node: &Node) -> Dialect {
        let follows_target =
            node.test.is_some() || matches!(node.resource_type, ResourceType::Operation | ResourceType::Seed);
        match node.config.dialect().and_then(Dialect::from_word) {
            Some(dialect) if !follows_target => dialect,
            _ => self.dialect,
        }
    }

    /// Whether any of these nodes is written in another dialect than the target's.
    pub fn translates(&self, ids: &[UniqueId]) -> bool {
        ids.iter().filter_map(|id| self.manifest.nodes.get(id)).any(|node| self.dialect_of(node) != self.dialect)
    }

    /// Renders a node's SQL, with the CTEs of the ephemeral models that it uses, and translates it where it is
    /// written in another dialect than the target's.
    pub fn compile(&self, node: &Node, surroundings: &Surroundings) -> Result<CompiledNode> {
        if let Some(test) = &node.unit_test {
            return self.compile_unit_test(node, test, surroundings);
        }
        let template = Template::read(&node.file, node.code_range.clone()).map_err(in_node(node))?;
        let host = Arc::new(NodeHost::new(self, Some(node), surroundings));
        let context = self.context(Some(node), None, surroundings, &host)?;
        let rendered = self.engine.render(&template, &context).map_err(in_node(node))?;
        let mut ephemerals = Vec::new();
        self.collect_ephemerals(&host.ephemerals(), surroundings, &mut ephemerals)?;
        let sql = self.with_ephemerals(&rendered.text, &ephemerals);
        let executable = self.translate(node, &sql)?;
        Ok(CompiledNode {
            unique_id: node.unique_id.clone(),
            executable,
            sql: sql.into(),
            map: ephemerals.is_empty().then(|| Arc::new(rendered.map)),
            ephemerals: ephemerals.iter().map(|compiled| compiled.unique_id.clone()).collect(),
        })
    }

    /// Compiles SQL that belongs to no node, as `--inline` gives it. It is written in the project's own dialect
    /// if `dialect` says so, else in the target's.
    pub fn compile_inline(&self, sql: &str, dialect: Dialect, surroundings: &Surroundings) -> Result<CompiledNode> {
        let file = SourceFile::new("inline", sql);
        let template = Template::whole(&file)?;
        let host = Arc::new(NodeHost::new(self, None, surroundings));
        let context = self.context(None, None, surroundings, &host)?;
        let rendered = self.engine.render(&template, &context)?;
        let mut ephemerals = Vec::new();
        self.collect_ephemerals(&host.ephemerals(), surroundings, &mut ephemerals)?;
        let sql = self.with_ephemerals(&rendered.text, &ephemerals);
        let executable = self.translate_text("inline", &sql, dialect)?;
        Ok(CompiledNode {
            unique_id: "sql operation.inline".into(),
            executable,
            sql: sql.into(),
            map: None,
            ephemerals: ephemerals.iter().map(|compiled| compiled.unique_id.clone()).collect(),
        })
    }

    /// Compiles many nodes on all cores. What fails is reported, the rest is given in the order asked for.
    pub fn compile_all(&self, ids: &[UniqueId], surroundings: &Surroundings) -> (Vec<CompiledNode>, Diagnostics) {
        let nodes: Vec<&Node> = ids.iter().filter_map(|id| self.manifest.nodes.get(id)).collect();
        let outcomes: Vec<Result<CompiledNode>> =
            on_deep_stacks(|| nodes.par_iter().map(|node| self.compile(node, surroundings)).collect());
        let mut found = Diagnostics::new();
        let compiled = outcomes.into_iter().filter_map(|outcome| found.keep(outcome)).collect();
        (compiled, found)
    }

    /// The render context of a node, for its own text or for a macro that is called for it.
    pub fn context(
        &self,
        node: Option<&Node>,
        compiled: Option<&CompiledNode>,
        surroundings: &Surroundings,
        host: &Arc<NodeHost>,
    ) -> Result<Arc<RenderContext>> {
        let plain = self.context_with(node, compiled, surroundings, host, vec![]);
        match node.and_then(|node| node.test.as_ref()) {
            Some(test) => {
                let arguments = context::test_arguments(test, &plain)?;
                Ok(self.context_with(node, compiled, surroundings, host, vec![(context::TEST_ARGUMENTS, arguments)]))
            }
            None => Ok(plain),
        }
    }

    fn context_with(
        &self,
        node: Option<&Node>,
        compiled: Option<&CompiledNode>,
        surroundings: &Surroundings,
        host: &Arc<NodeHost>,
        more: Vec<(&'static str, Value)>,
    ) -> Arc<RenderContext> {
        let values = self.own_values(node, compiled, surroundings, more);
        let package = node.map_or_else(|| self.project.name(), |node| &node.package_name);
        let host: Arc<dyn Host> = Arc::clone(host) as Arc<dyn Host>;
        match surroundings.batch.filter(|_| compiled.is_some()) {
            // As in dbt, the materialization is told that it adds; the model's own text asks for itself.
            Some(step) => {
                let overrides = context::batch_overrides(&step);
                RenderContext::with_overrides(&self.engine, package, values, host, &overrides)
            }
            None => RenderContext::new(&self.engine, package, values, host),
        }
    }

    /// What a render has that others have not.
    fn own_values(
        &self,
        node: Option<&Node>,
        compiled: Option<&CompiledNode>,
        surroundings: &Surroundings,
        more: Vec<(&'static str, Value)>,
    ) -> Vec<(&'static str, Value)> {
        let target = &self.project.target;
        context::node_values(
            self.warehouse,
            NodeContext {
                node: node.map(|node| NodeHandle::Manifest(Arc::clone(&self.manifest), node.unique_id.clone())),
                execute: true,
                database: target.database.clone(),
                schema: target.schema.clone(),
                compiled: compiled.map(|compiled| Arc::clone(&compiled.executable)),
                this: None,
                graph: Some(self.graph.clone()),
                selected: Some(Arc::clone(&self.selected)),
                thread_id: surroundings.thread.clone(),
                run_end: surroundings.run_end.clone(),
                batch: surroundings.batch,
                more,
            },
        )
    }

    /// Calls a macro that belongs to no node, with plain values; gives its text.
    pub fn call_text(&self, name: &str, arguments: &[Json], surroundings: &Surroundings) -> Result<String> {
        let arguments: Vec<Value> = arguments.iter().map(from_json).collect();
        self.call(name, &arguments, &[], surroundings).map(|value| value.to_string())
    }

    /// The comment that goes with the statements of a node, or of a connection that has none; none where the project
    /// wants none.
    pub fn query_comment(&self, node: Option<&Node>, connection: &str) -> Result<Option<String>> {
        if self.project.root_package().config.query_comment.comment.as_deref() == Some("") {
            return Ok(None);
        }
        let node = node.map_or(Value::from(()), |node| from_json(&Json::Object(context::node_json(node))));
        let comment =
            self.call("query_comment_macro", &[Value::from(connection), node], &[], &Surroundings::default())?;
        let comment = comment.to_string().trim().to_owned();
        if comment.contains("*/") {
            let message = "the query comment has `*/` in it, which would end it".to_owned();
            return Err(Diagnostic::error(Code::Project, message).note(format!("it is: {comment}")).into());
        }
        Ok(Some(comment).filter(|comment| !comment.is_empty()))
    }

    /// Calls a macro that belongs to no node, with a relation; what it gives is not wanted.
    pub fn call_for_relation(&self, name: &str, relation: &Relation, surroundings: &Surroundings) -> Result<()> {
        self.call(name, &[context::relation_value(self.warehouse, relation)], &[], surroundings).map(|_| ())
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Value],
        keywords: &[(&str, Value)],
        surroundings: &Surroundings,
    ) -> Result<Value> {
        let registry = self.engine.registry();
        let Some(definition) =
            registry.find(name, self.project.name()).or_else(|| registry.get("strata", name).cloned())
        else {
            return Err(Diagnostic::error(Code::UnknownMacro, format!("there is no macro `{name}`")).into());
        };
        let host = Arc::new(NodeHost::new(self, None, surroundings));
        let context = self.context(None, None, surroundings, &host)?;
        Ok(self.engine.call_macro(&definition, arguments, keywords, &context)?)
    }

    /// The ephemeral models behind `ids`, each once, what they need before them.
    fn collect_ephemerals(
        &self,
        ids: &[UniqueId],
        surroundings: &Surroundings,
        into: &mut Vec<Arc<CompiledNode>>,
    ) -> Result<()> {
        for id in ids {
            if into.iter().any(|known| known.unique_id == *id) {
                continue;
            }
            let compiled = self.ephemeral(id, surroundings)?;
            self.collect_ephemerals(&compiled.ephemerals, surroundings, into)?;
            into.push(compiled);
        }
        Ok(())
    }

    /// An ephemeral model's own SQL without CTEs, rendered once for all who refer to it.
    fn ephemeral(&self, id: &UniqueId, surroundings: &Surroundings) -> Result<Arc<CompiledNode>> {
        let known = self.ephemerals.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(compiled) = known {
            return Ok(compiled);
        }
        let node = self.manifest.nodes.get(id).ok_or_else(|| {
            Diagnostic::error(Code::Internal, format!("the ephemeral model `{id}` is not in the manifest"))
        })?;
        // It is the same in every batch of those who read it: what they filter is its rows.
        let surroundings = &Surroundings { batch: None, ..surroundings.clone() };
        let template = Template::read(&node.file, node.code_range.clone())?;
        let host = Arc::new(NodeHost::new(self, Some(node), surroundings));
        let context = self.context(Some(node), None, surroundings, &host)?;
        let rendered = self.engine.render(&template, &context).map_err(in_node(node))?;
        let sql: Arc<str> = rendered.text.into();
        let compiled = Arc::new(CompiledNode {
            unique_id: id.clone(),
            executable: Arc::clone(&sql),
            sql,
            map: None,
            ephemerals: host.ephemerals(),
        });
        self.ephemerals.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::clone(&compiled));
        Ok(compiled)
    }

    fn with_ephemerals(&self, sql: &str, ephemerals: &[Arc<CompiledNode>]) -> String {
        if ephemerals.is_empty() {
            return sql.to_owned();
        }
        let ctes: Vec<(String, String)> = ephemerals
            .iter()
            .filter_map(|compiled| {
                let node = self.manifest.nodes.get(&compiled.unique_id)?;
                Some((host::ephemeral_name(node), compiled.sql.to_string()))
            })
            .collect();
        sql::inject_ctes(sql, &ctes)
    }

    fn translate(&self, node: &Node, sql: &str) -> Result<Arc<str>> {
        let path = format!("target/compiled/{}/{}", node.package_name, node.original_file_path);
        self.translate_text(&path, sql, self.dialect_of(node))
            .map_err(|found| found.into_iter().map(in_node(node)).collect())
    }

    fn translate_text(&self, path: &str, sql: &str, from: Dialect) -> Result<Arc<str>> {
        if from == self.dialect {
            return Ok(sql.into());
        }
        Ok(sql::translate(&SourceFile::new(path, sql), from, self.dialect)?.into())
    }
}

/// Macros may call each other a few hundred levels deep, and a level takes some 20 KB in a debug build.
const STACK_SIZE: usize = 64 * 1024 * 1024;

/// Does parallel work on threads whose stacks are deep enough for rendering.
fn on_deep_stacks<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match rayon::ThreadPoolBuilder::new().stack_size(STACK_SIZE).build() {
        Ok(pool) => pool.install(work),
        // A system that gives no new threads: the ones that are there do.
        Err(_) => work(),
    }
}
