//! What templates are told while SQL is rendered and run: references resolved against the manifest.

use super::unit_test::{Doubles, Inputs};
use super::{Compiler, Deferral, Messages, Surroundings};
use crate::adapter::{Relation, RelationType, Table};
use crate::diagnostic::{Code, Span, nearest};
use crate::jinja::host::{Deferred, Host, HostError, Phase, Session};
use crate::manifest::{Column, ConfigMap, EventWindow, Manifest, Node, NodeConfig, RefCall, SourceCall};
use crate::name::{Quoting, RelationName, ResourceType, UniqueId, quote_identifier};
use crate::project::Project;
use crate::template::SECRET_PREFIX;
use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use rustc_hash::FxHashSet;
use serde_json::Value as Json;
use std::sync::{Arc, Mutex, PoisonError};

/// Something that a template said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `log()` and `print()`; whether people should see it.
    Log {
        /// The words.
        text: String,
        /// Whether it goes to people, or only to the log file.
        visible: bool,
    },
    /// `exceptions.warn()`.
    Warning(String),
    /// `write()`: the SQL that builds the node.
    Written {
        /// The statement.
        sql: String,
        /// When the batch begins that it builds, where the model is built in batches.
        batch: Option<DateTime<Utc>>,
    },
}

/// A relation that stands in for a source: the batch that was just fetched from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOverride {
    /// The source.
    pub source: UniqueId,
    /// What `source()` gives instead.
    pub relation: Relation,
}

/// The host of one node (or of a text that belongs to no node) in the execute phase.
pub struct NodeHost {
    project: Arc<Project>,
    manifest: Arc<Manifest>,
    node: Option<UniqueId>,
    surroundings: Surroundings,
    /// What stands in for the node's surroundings in a unit test.
    doubles: Option<Arc<Doubles>>,
    messages: Messages,
    /// Which references may mean another environment's relations.
    deferral: Option<Deferral>,
    selected: Arc<FxHashSet<UniqueId>>,
    ephemerals: Mutex<Vec<UniqueId>>,
}

impl NodeHost {
    /// A host for a node, or for a text that belongs to none.
    pub fn new(compiler: &Compiler, node: Option<&Node>, surroundings: &Surroundings) -> Self {
        Self {
            project: Arc::clone(&compiler.project),
            manifest: Arc::clone(&compiler.manifest),
            node: node.map(|node| node.unique_id.clone()),
            surroundings: surroundings.clone(),
            doubles: None,
            messages: Arc::clone(&compiler.messages),
            deferral: compiler.deferral,
            selected: Arc::clone(&compiler.is_selected),
            ephemerals: Mutex::default(),
        }
    }

    /// A host for which a unit test's doubles come before everything else.
    pub(super) fn with_doubles(self, doubles: &Arc<Doubles>) -> Self {
        Self { doubles: Some(Arc::clone(doubles)), ..self }
    }

    /// The inputs of the unit test that is rendered, if one is.
    fn inputs(&self) -> Option<&Inputs> {
        self.doubles.as_ref()?.inputs.as_ref()
    }

    /// Notes that a node's text is needed as a CTE; gives the relation by which it is read.
    fn use_cte(&self, id: &UniqueId, name: String) -> Relation {
        let mut used = self.ephemerals.lock().unwrap_or_else(PoisonError::into_inner);
        if !used.contains(id) {
            used.push(id.clone());
        }
        cte_relation(name)
    }

    /// What a unit test has instead of a parent.
    fn input(&self, inputs: &Inputs, id: &UniqueId, call: &str) -> Result<Relation, HostError> {
        match inputs.get(id) {
            Some(name) => Ok(self.use_cte(id, name.clone())),
            None => Err(refused(
                Code::UnknownRef,
                format!("the unit test says nothing of `{call}`, which the model reads"),
                Some(format!("add `- input: {call}` with its rows under `given:`")),
            )),
        }
    }

    /// The ephemeral models (for a unit test: the inputs) that were referred to so far, in the order of first use.
    pub fn ephemerals(&self) -> Vec<UniqueId> {
        self.ephemerals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn this_node(&self) -> Option<&Node> {
        self.manifest.nodes.get(self.node.as_ref()?)
    }

    fn package(&self) -> &str {
        self.this_node().map_or(&self.manifest.project_name, |node| &node.package_name)
    }

    fn say(&self, message: Message) {
        (self.messages)(self.node.as_ref(), message);
    }

    /// The rows of an input that count: those of the batch that is built.
    fn window(&self, config: &NodeConfig, columns: &IndexMap<String, Column>) -> Option<EventWindow> {
        let field = config.text("event_time").filter(|_| self.doubles.is_none())?;
        let is_filtered = matches!(self.this_node()?.resource_type, ResourceType::Model | ResourceType::Snapshot);
        let span = self.surroundings.batch.filter(|_| is_filtered)?.batch;
        let is_quoted = columns.get(field).and_then(|column| column.quote).unwrap_or(false);
        let field = if is_quoted { quote_identifier(field) } else { field.to_owned() };
        Some(EventWindow { field, span })
    }

    /// dbt builds the DAG from what parse saw: a reference that only shows up now could run too early.
    fn check_declared(&self, target: &UniqueId, name: &str) -> Result<(), HostError> {
        let Some(node) = self.this_node() else { return Ok(()) };
        let known = node.resource_type == ResourceType::Operation
            || node.unique_id == *target
            || node.depends_on.nodes.contains(target);
        if known {
            return Ok(());
        }
        Err(refused(
            Code::UnknownRef,
            format!("`{}` refers to `{target}` only now, so it could run before it", node.name),
            Some(format!("name it where it is always read: add `-- depends_on: {{{{ ref('{name}') }}}}` to the model")),
        ))
    }
}

/// The name under which an ephemeral model stands in the models that refer to it.
pub fn ephemeral_name(node: &Node) -> String {
    cte_name(&node.name)
}

/// dbt's name of the CTE that stands for something called `name`.
pub(super) fn cte_name(name: &str) -> String {
    format!("__dbt__cte__{name}")
}

/// A CTE as something to read from.
pub(super) fn cte_relation(name: String) -> Relation {
    let name = RelationName { database: None, schema: None, identifier: Some(name), quoting: Quoting::NONE };
    Relation { name, relation_type: Some(RelationType::Cte) }
}

fn refused(code: Code, message: String, help: Option<String>) -> HostError {
    HostError::Refused { code, message, help }
}

impl Host for NodeHost {
    fn phase(&self) -> Phase {
        Phase::Execute
    }

    fn node(&self) -> Option<&UniqueId> {
        self.node.as_ref()
    }

    fn reference(&self, call: RefCall) -> Result<Relation, HostError> {
        let target = self.manifest.find_reference(&call, self.package());
        let Some(target) = target else {
            let names = self.manifest.references.keys().map(String::as_str);
            let help = nearest(&call.name, names).map(|name| format!("did you mean `{name}`?"));
            return Err(refused(
                Code::UnknownRef,
                format!("there is no model, seed or snapshot `{}`", call.name),
                help,
            ));
        };
        if let Some(inputs) = self.inputs() {
            return self.input(inputs, &target.unique_id, &format!("ref('{}')", call.name));
        }
        self.check_declared(&target.unique_id, &call.name)?;
        if target.is_ephemeral() {
            return Ok(self.use_cte(&target.unique_id, ephemeral_name(target)));
        }
        match &target.relation_name {
            Some(name) => Ok(Relation { name: name.clone(), relation_type: None }),
            None => Err(refused(
                Code::UnknownRef,
                format!("`{}` has no relation to refer to", target.unique_id),
                Some("refer to a model, seed or snapshot".to_owned()),
            )),
        }
    }

    fn deferred(&self, call: &RefCall) -> Option<Deferred> {
        // What a unit test reads stands in the test.
        let deferral = self.deferral.filter(|_| self.inputs().is_none())?;
        let target = self.manifest.find_reference(call, self.package())?;
        let other = target.defer_relation.as_ref().filter(|_| !target.is_ephemeral())?;
        Some(Deferred {
            relation: Relation { name: other.name.clone(), relation_type: None },
            is_favored: deferral == Deferral::Unselected && !self.selected.contains(&target.unique_id),
        })
    }

    fn source(&self, call: SourceCall) -> Result<Relation, HostError> {
        let Some(source) = self.manifest.find_source(&call.source_name, &call.table_name) else {
            let message = format!("there is no source `{}.{}`", call.source_name, call.table_name);
            return Err(refused(Code::UnknownSource, message, None));
        };
        if let Some(inputs) = self.inputs() {
            let SourceCall { source_name, table_name, .. } = &call;
            return self.input(inputs, &source.unique_id, &format!("source('{source_name}', '{table_name}')"));
        }
        // Nothing runs before a source, so unlike a model it may show up only now, as in dbt.
        match &self.surroundings.source {
            Some(replaced) if replaced.source == source.unique_id => Ok(replaced.relation.clone()),
            _ => Ok(Relation { name: source.relation.clone(), relation_type: None }),
        }
    }

    fn window_of_reference(&self, call: &RefCall) -> Option<EventWindow> {
        let target = self.manifest.find_reference(call, self.package())?;
        self.window(&target.config, &target.columns)
    }

    fn window_of_source(&self, call: &SourceCall) -> Option<EventWindow> {
        let source = self.manifest.find_source(&call.source_name, &call.table_name)?;
        self.window(&source.config, &source.columns)
    }

    fn configure(&self, _values: ConfigMap, _span: Option<Span>) -> Result<(), HostError> {
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        if let Some(value) = self.doubles.as_ref().and_then(|doubles| doubles.config.get(key)) {
            return Some(value.clone());
        }
        self.this_node()?.config.get(key).cloned()
    }

    fn config_values(&self) -> ConfigMap {
        let mut values = self.this_node().map(|node| node.config.values().clone()).unwrap_or_default();
        if let Some(doubles) = &self.doubles {
            values.extend(doubles.config.clone());
        }
        values
    }

    fn variable(&self, name: &str) -> Option<Json> {
        if let Some(value) = self.doubles.as_ref().and_then(|doubles| doubles.variables.get(name)) {
            return Some(value.clone());
        }
        self.project.variable(self.package(), name).cloned()
    }

    fn environment_variable(&self, name: &str) -> Result<Option<String>, HostError> {
        if name.starts_with(SECRET_PREFIX) {
            let message = format!("the secret `{name}` cannot be used here");
            let help = "secrets may stand in profiles.yml, packages.yml and a source's `connector:`";
            return Err(refused(Code::JinjaRender, message, Some(help.to_owned())));
        }
        if let Some(value) = self.doubles.as_ref().and_then(|doubles| doubles.environment.get(name)) {
            return Ok(Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        Ok(self.project.environment.variables.get(name).cloned())
    }

    fn macro_called(&self, _id: &UniqueId) {}

    fn manifest(&self) -> Option<&Arc<Manifest>> {
        Some(&self.manifest)
    }

    fn session(&self) -> Option<&dyn Session> {
        self.surroundings.session.as_deref()
    }

    fn log(&self, message: &str, visible: bool) {
        self.say(Message::Log { text: message.to_owned(), visible });
    }

    fn warn(&self, message: &str) {
        self.say(Message::Warning(message.to_owned()));
    }

    fn write(&self, sql: &str) {
        if let Some(session) = &self.surroundings.session {
            session.main_follows(sql);
        }
        let batch = self.surroundings.batch.map(|step| step.batch.start());
        self.say(Message::Written { sql: sql.to_owned(), batch });
    }

    fn seed(&self) -> Result<Arc<Table>, HostError> {
        self.surroundings.seed.clone().ok_or_else(|| {
            refused(
                Code::Seed,
                "load_agate_table() has rows only while a seed is loaded".to_owned(),
                Some("call it from a seed materialization".to_owned()),
            )
        })
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError> {
        let packages = match package {
            Some(package) => vec![package],
            None => vec![self.package(), &self.manifest.project_name],
        };
        packages
            .iter()
            .find_map(|package| self.manifest.docs.get(&UniqueId::new(ResourceType::Doc, package, name)))
            .map(|block| block.block_contents.clone())
            .ok_or_else(|| refused(Code::UnknownRef, format!("there is no docs block `{name}`"), None))
    }
}
