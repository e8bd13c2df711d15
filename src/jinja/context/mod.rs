//! dbt's Jinja context: every function and object that templates see on top of the language.
//!
//! [`shared`] gives what is the same in all renders; an [`Engine`](super::Engine) is made with it, once.
//! [`node_values`] gives what differs from node to node; a [`RenderContext`](super::RenderContext) is made with
//! it. The objects keep no node and no connection: they ask the render's [`Host`](super::host::Host).

mod adapter;
mod batch;
mod column;
mod config;
mod conversion;
mod exceptions;
mod external;
mod functions;
mod method;
mod node;
mod record;
mod reference;
mod relation;
mod relation_class;
mod results;
mod set;
mod table;
mod templates;
mod test_arguments;
#[cfg(test)]
mod tests;
mod warehouse;

pub(super) use adapter::is_adapter;
pub use batch::batch_overrides;
pub use column::ColumnObject;
pub use config::complete_config;
pub use conversion::{cell_value, relation_from_value, relation_value, returned_relations};
pub use node::{NodeHandle, graph_value, macro_value, node_json, source_json, source_value};
pub use relation::RelationObject;
pub use results::{main_result, statement_result};
pub(super) use set::{compare_sets, is_set, subtract_sets};
pub use table::TableObject;
pub use test_arguments::{TEST_ARGUMENTS, test_arguments};
pub use warehouse::Warehouse;

use super::host::HostError;
use super::value::{dict, list, none, tuple};
use super::{current, from_json, host_error, native};
use crate::adapter::Relation;
use crate::diagnostic::{Code, nearest};
use crate::manifest::{BatchStep, Node};
use crate::name::{Quoting, ResourceType, UniqueId};
use chrono::{DateTime, Utc};
use minijinja::Error;
use minijinja::value::{Object, ObjectRepr, Value};
use record::Record;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is the same in all renders of an invocation.
#[derive(Debug, Clone)]
pub struct ContextSettings {
    /// The warehouse of the target.
    pub warehouse: Warehouse,
    /// The root project's name.
    pub project_name: String,
    /// `target`: the fields of the profile's target that may be shown, `name`, `schema`, `type`, `threads`, … .
    pub target: Map<String, Json>,
    /// `flags`: by name in upper case (`FULL_REFRESH`, `WHICH`, `EMPTY`, …).
    pub flags: Map<String, Json>,
    /// The project's behaviour flags, by name.
    pub behavior: Map<String, Json>,
    /// How the project quotes names.
    pub quoting: Quoting,
    /// When the invocation started.
    pub run_started_at: DateTime<Utc>,
    /// The invocation's id.
    pub invocation_id: String,
    /// The version of dbt that templates may count on.
    pub dbt_version: String,
    /// `invocation_args_dict`: the command's arguments.
    pub invocation_args: Map<String, Json>,
    /// `dbt_metadata_envs`: environment variables that start with `DBT_ENV_CUSTOM_ENV_`, without that prefix.
    pub metadata_envs: BTreeMap<String, String>,
    /// What `ref.config` shows beside what stands here already.
    pub runtime: RuntimeSettings,
}

/// What packages read from `builtins.ref.config`, dbt's own configuration of the invocation.
#[derive(Debug, Clone, Default)]
pub struct RuntimeSettings {
    /// The profile's name.
    pub profile_name: String,
    /// Names and versions of all packages, the root project among them.
    pub packages: Vec<(String, Option<String>)>,
    /// The root project's `vars:` as written.
    pub variables: Map<String, Json>,
    /// `--vars`.
    pub cli_variables: Map<String, Json>,
}

impl ContextSettings {
    /// The version of dbt whose behaviour strata has, as `dbt_version` shows it to templates.
    pub const COMPATIBLE_DBT_VERSION: &'static str = "1.11.0";

    fn flag(&self, name: &str) -> bool {
        self.flags.get(name).and_then(Json::as_bool).unwrap_or(false)
    }
}

/// The values that every render has.
pub fn shared(settings: &ContextSettings) -> Vec<(&'static str, Value)> {
    let warehouse = settings.warehouse;
    let empty = settings.flag("EMPTY");
    let target = json_record("target", &settings.target);
    let relation_class = Value::from_object(relation_class::RelationClass { warehouse, quoting: settings.quoting });
    let column_class = Value::from_object(column::ColumnClass { warehouse });
    let runtime = runtime_config(settings, target.clone());
    let resolver = |function: Value| Value::from_object(reference::Resolver { function, config: runtime.clone() });
    let adapter = Arc::new(adapter_object(settings));
    let mut values = functions::functions();
    values.extend([
        ("ref", resolver(reference::ref_function(Arc::clone(&adapter), empty))),
        ("source", resolver(reference::source_function(warehouse, empty))),
        ("var", Value::from_object(reference::Variables)),
        ("env_var", native("env_var", reference::environment_variable)),
        ("config", Value::from_object(config::Config)),
        ("validation", Record::value("validation", [("any", native("validation.any", reference::validation_any))])),
        ("exceptions", exceptions::exceptions()),
        ("store_result", native("store_result", results::store_result)),
        ("store_raw_result", native("store_raw_result", results::store_raw_result)),
        ("load_result", native("load_result", results::load_result)),
        ("render", native("render", templates::render)),
        ("write", native("write", templates::write)),
        ("load_agate_table", native("load_agate_table", templates::load_agate_table)),
        ("adapter", Value::from_dyn_object(adapter)),
        ("api", Record::value("api", [("Relation", relation_class), ("Column", column_class.clone())])),
        ("column", column_class),
        ("target", target.clone()),
        ("env", target),
        ("flags", json_record("flags", &settings.flags)),
        ("project_name", Value::from(settings.project_name.as_str())),
        ("dbt_version", Value::from(settings.dbt_version.as_str())),
        ("modules", super::modules::modules(settings.run_started_at)),
        ("run_started_at", super::modules::utc_datetime_value(settings.run_started_at)),
        ("invocation_id", Value::from(settings.invocation_id.as_str())),
        ("invocation_args_dict", json_record("invocation_args_dict", &settings.invocation_args)),
        (
            "dbt_metadata_envs",
            Record::value(
                "dbt_metadata_envs",
                settings.metadata_envs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))),
            ),
        ),
        (
            "sql_now",
            Value::from(match warehouse {
                Warehouse::DuckDb => "now()",
                Warehouse::Snowflake => "CURRENT_TIMESTAMP()",
            }),
        ),
    ]);
    let builtins = Record::value("builtins", values.iter().map(|(name, value)| (*name, value.clone())));
    values.push(("builtins", builtins));
    values
}

/// `ref.config`: the project, its packages and the target.
fn runtime_config(settings: &ContextSettings, credentials: Value) -> Value {
    let RuntimeSettings { profile_name, packages, variables, cli_variables } = &settings.runtime;
    let package = |(name, version): &(String, Option<String>)| {
        let fields = [("project_name", Value::from(name.as_str())), ("version", Value::from(version.clone()))];
        (Value::from(name.as_str()), Record::value("package", fields))
    };
    let version =
        packages.iter().find(|(name, _)| *name == settings.project_name).and_then(|(_, version)| version.clone());
    let variables = variables.clone();
    Record::value(
        "config",
        [
            ("project_name", Value::from(settings.project_name.as_str())),
            ("version", Value::from(version)),
            ("profile_name", Value::from(profile_name.as_str())),
            ("target_name", credentials.get_attr("name").unwrap_or_default()),
            ("threads", credentials.get_attr("threads").unwrap_or_default()),
            ("credentials", credentials),
            ("dependencies", dict(packages.iter().map(package))),
            ("vars", node::LazyDict::value(move || variables.clone())),
            ("cli_vars", from_json(&Json::Object(cli_variables.clone()))),
            ("args", json_record("args", &settings.invocation_args)),
        ],
    )
}

fn adapter_object(settings: &ContextSettings) -> adapter::Adapter {
    let Quoting { database, schema, identifier } = settings.quoting;
    let quoting = [("database", database), ("schema", schema), ("identifier", identifier)];
    let config = Record::value(
        "adapter.config",
        [
            ("project_name", Value::from(settings.project_name.as_str())),
            ("quoting", Record::value("quoting", quoting.map(|(part, quoted)| (part, Value::from(quoted))))),
            ("credentials", json_record("credentials", &settings.target)),
            ("flags", from_json(&Json::Object(settings.behavior.clone()))),
        ],
    );
    let external_root = settings.target.get("external_root").and_then(Json::as_str).unwrap_or(".");
    adapter::Adapter {
        warehouse: settings.warehouse,
        quoting: settings.quoting,
        config,
        behavior: Value::from_object(Behavior(settings.behavior.clone())),
        invocation_id: settings.invocation_id.clone(),
        external_root: external_root.to_owned(),
    }
}

fn json_record(name: &'static str, map: &Map<String, Json>) -> Value {
    Record::value(name, map.iter().map(|(key, value)| (key.clone(), from_json(value))))
}

/// `adapter.behavior`: the project's behaviour flags. One that was not set is off.
#[derive(Debug)]
struct Behavior(Map<String, Json>);

impl Object for Behavior {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let set = self.0.get(key.as_str()?).and_then(Json::as_bool).unwrap_or(false);
        Some(Value::from_object(BehaviorFlag(set)))
    }
}

/// One behaviour flag: a truth value that is also asked without the warning that dbt attaches.
#[derive(Debug)]
struct BehaviorFlag(bool);

impl Object for BehaviorFlag {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.0
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "no_warn" | "setting").then(|| Value::from(self.0))
    }

    fn render(self: &Arc<Self>, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0 { "True" } else { "False" })
    }
}

/// What differs from node to node. The defaults are those of a render without a node: `--inline`, a hook of the
/// project, an operation.
#[derive(Debug, Clone, Default)]
pub struct NodeContext {
    /// The node.
    pub node: Option<NodeHandle>,
    /// Whether dbt is in its second phase: what `execute` says.
    pub execute: bool,
    /// `database` where no node has its own: the target's.
    pub database: Option<String>,
    /// `schema` where no node has its own: the target's.
    pub schema: String,
    /// The node's SQL, rendered, once it is known: `sql`, `compiled_code`, `model.compiled_code`.
    pub compiled: Option<Arc<str>>,
    /// `this`, where it is not simply the node's own relation.
    pub this: Option<Relation>,
    /// `graph`, from [`graph_value`]; none while the manifest is being made.
    pub graph: Option<Value>,
    /// `selected_resources`: the ids of all selected nodes.
    pub selected: Option<Arc<Vec<UniqueId>>>,
    /// `thread_id`: the worker.
    pub thread_id: String,
    /// What hooks at the end of a run see.
    pub run_end: Option<RunEnd>,
    /// The batch that is built, where the model is built in batches.
    pub batch: Option<BatchStep>,
    /// Further names, which come before all others of the node.
    pub more: Vec<(&'static str, Value)>,
}

/// What `on-run-end` hooks see of the run.
#[derive(Debug, Clone, Default)]
pub struct RunEnd {
    /// `results`: per node what `run_results.json` says, with the node's own dict ([`node_json`]) under `node`.
    pub results: Vec<Json>,
    /// `database_schemas`: where the selected nodes live.
    pub schemas: Vec<(Option<String>, String)>,
}

/// The values that a render of this node has of its own.
pub fn node_values(warehouse: Warehouse, context: NodeContext) -> Vec<(&'static str, Value)> {
    let node = context.node.as_ref().and_then(NodeHandle::node);
    let sql = context.compiled.as_ref().map_or_else(none, |sql| Value::from(Arc::clone(sql)));
    let mut values = context.more.clone();
    values.extend(context.batch.iter().flat_map(batch::batch_hooks));
    values.extend([
        ("this", this_value(warehouse, context.this.as_ref(), node)),
        ("defer_relation", defer_relation_value(warehouse, node)),
        ("execute", Value::from(context.execute)),
        ("database", Value::from(node.map_or(&context.database, |node| &node.database).clone())),
        ("schema", Value::from(node.map_or(context.schema.as_str(), |node| node.schema.as_str()))),
        ("thread_id", Value::from(context.thread_id.as_str())),
        ("sql", sql.clone()),
        ("compiled_code", sql),
        ("pre_hooks", hooks_value(node, "pre-hook")),
        ("post_hooks", hooks_value(node, "post-hook")),
        ("graph", context.graph.clone().unwrap_or_else(|| dict::<Value>([]))),
        ("selected_resources", selected_value(context.selected.clone())),
    ]);
    let model = match context.node {
        Some(handle) => node::model_value(handle, context.compiled, context.batch),
        None => dict::<Value>([]),
    };
    values.push(("model", model));
    if let Some(end) = &context.run_end {
        values.extend(run_end_values(end));
    }
    values
}

fn run_end_values(end: &RunEnd) -> [(&'static str, Value); 3] {
    let mut schemas: Vec<&str> = end.schemas.iter().map(|(_, schema)| schema.as_str()).collect();
    schemas.sort_unstable();
    schemas.dedup();
    let pair = |(database, schema): &(Option<String>, String)| {
        tuple([Value::from(database.clone()), Value::from(schema.as_str())])
    };
    [
        ("results", list(end.results.iter().map(node::LazyDict::result))),
        ("schemas", list(schemas.into_iter().map(Value::from))),
        ("database_schemas", list(end.schemas.iter().map(pair))),
    ]
}

/// The node's own relation. A node without one (a test, an ephemeral model) has a name all the same.
fn this_value(warehouse: Warehouse, this: Option<&Relation>, node: Option<&Node>) -> Value {
    if let Some(relation) = this {
        return relation_value(warehouse, relation);
    }
    let Some(node) = node.filter(|node| node.resource_type != ResourceType::Operation) else { return none() };
    let name = node.relation_name.clone().unwrap_or_else(|| {
        let quoting = warehouse.default_quoting();
        crate::name::RelationName::new(node.database.as_deref(), &node.schema, &node.alias, quoting)
    });
    relation_value(warehouse, &Relation { name, relation_type: None })
}

/// Where the node lives in another environment.
fn defer_relation_value(warehouse: Warehouse, node: Option<&Node>) -> Value {
    let other = node.and_then(|node| node.defer_relation.as_ref());
    other.map_or_else(none, |other| {
        relation_value(warehouse, &Relation { name: other.name.clone(), relation_type: None })
    })
}

fn hooks_value(node: Option<&Node>, key: &str) -> Value {
    let hooks = match node {
        Some(node) if !matches!(node.resource_type, ResourceType::Test | ResourceType::UnitTest) => {
            node.config.hooks(key)
        }
        _ => vec![],
    };
    list(
        hooks
            .into_iter()
            .map(|hook| dict([("sql", Value::from(hook.sql)), ("transaction", Value::from(hook.transaction))])),
    )
}

fn selected_value(selected: Option<Arc<Vec<UniqueId>>>) -> Value {
    // A list of thousands of names is made only for the template that looks at it.
    match selected.filter(|selected| !selected.is_empty()) {
        None => list([]),
        Some(selected) => Value::from_object(Selected(selected)),
    }
}

/// The ids of the selected nodes.
#[derive(Debug)]
struct Selected(Arc<Vec<UniqueId>>);

impl Object for Selected {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).map(|id| Value::from(id.as_str()))
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Seq(self.0.len())
    }
}

/// A finding as an error of the template that caused it.
fn failure(code: Code, message: impl Into<String>) -> Error {
    host_error(HostError::Refused { code, message: message.into(), help: None })
}

/// A finding with advice, as an error of the template that caused it.
fn failure_with_help(code: Code, message: impl Into<String>, help: impl Into<String>) -> Error {
    host_error(HostError::Refused { code, message: message.into(), help: Some(help.into()) })
}

/// A call of a method that an object does not have.
fn unknown_method(object: &str, method: &str, known: &[&str]) -> Error {
    let message = format!("{object} has no method `{method}`");
    match nearest(method, known.iter().copied()) {
        Some(near) => failure_with_help(Code::JinjaRender, message, format!("did you mean `{near}`?")),
        None => failure(Code::JinjaRender, message),
    }
}
