//! A host and a session that answer from memory and write down what they are asked.

use crate::adapter::{Answer, Cell, ColumnType, DatabaseError, DatabaseErrorKind, Relation, Response, Table};
use crate::diagnostic::Span;
use crate::diagnostic::{Code, Diagnostic, SourceFile};
use crate::jinja::context::{
    ContextSettings, NodeContext, NodeHandle, RuntimeSettings, Warehouse, graph_value, node_values, shared,
};
use crate::jinja::host::{FailedStatement, Host, HostError, Phase, Session};
use crate::jinja::{Engine, PackageKind, RegistryBuilder, RenderContext, Template, scan_macro_file};
use crate::manifest::{ConfigMap, DependsOn, Manifest, Node, NodeConfig, RefCall, Source, SourceCall};
use crate::name::{Quoting, RelationName, ResourceType, UniqueId};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// What the host and the session were asked, in order.
pub(super) type Asked = Arc<Mutex<Vec<String>>>;

/// Everything that a test can set before it renders.
pub(super) struct Stage {
    pub(super) warehouse: Warehouse,
    pub(super) phase: Phase,
    pub(super) with_session: bool,
    pub(super) flags: Json,
    pub(super) variables: Json,
    pub(super) config: Json,
    /// Answers by the start of the SQL; every other statement gives no rows.
    pub(super) answers: Vec<(&'static str, Table)>,
    /// Macros of the package `dbt`; none for strata's own.
    pub(super) macros: Option<&'static str>,
    /// A warehouse that is really there, in place of the answers.
    pub(super) real: Option<Arc<dyn Session>>,
    pub(super) asked: Asked,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            warehouse: Warehouse::DuckDb,
            phase: Phase::Execute,
            with_session: true,
            flags: json!({"FULL_REFRESH": false, "WHICH": "run"}),
            variables: json!({"limit": 10, "greeting": "hello {{ target.name }}", "list": [1, 2]}),
            config: json!({"materialized": "incremental", "unique_key": "id", "meta": {"owner": "me"}}),
            answers: vec![],
            macros: Some(MACROS),
            real: None,
            asked: Asked::default(),
        }
    }
}

/// The macros by which dbt's adapters do what is SQL.
const MACROS: &str = "
{% macro statement(name=none, fetch_result=False, auto_begin=True) -%}
  {%- if execute: -%}
    {%- set sql = caller() -%}
    {%- if name == 'main' -%}{{ write(sql) }}{%- endif -%}
    {%- set res, table = adapter.execute(sql, auto_begin=auto_begin, fetch=fetch_result) -%}
    {%- if name is not none -%}{{ store_result(name, response=res, agate_table=table) }}{%- endif -%}
  {%- endif -%}
{%- endmacro %}
{% macro run_query(sql) %}
  {% call statement('run_query', fetch_result=true) %}{{ sql }}{% endcall %}
  {% do return(load_result('run_query').table) %}
{% endmacro %}
{% macro list_relations_without_caching(schema_relation) %}
  {{ return(run_query('list ' ~ schema_relation)) }}
{% endmacro %}
{% macro get_columns_in_relation(relation) %}
  {% set columns = [] %}
  {% for row in run_query('columns ' ~ relation) %}{% do columns.append(api.Column(*row)) %}{% endfor %}
  {{ return(columns) }}
{% endmacro %}
{% macro check_schema_exists(information_schema, schema) %}
  {{ return(run_query('count ' ~ information_schema ~ ' ' ~ schema)) }}
{% endmacro %}
{% macro create_schema(relation) %}{% do run_query('create schema ' ~ relation) %}{% endmacro %}
{% macro drop_schema(relation) %}{% do run_query('drop schema ' ~ relation) %}{% endmacro %}
{% macro drop_relation(relation) %}{% do run_query('drop ' ~ relation.type ~ ' ' ~ relation) %}{% endmacro %}
{% macro rename_relation(from_relation, to_relation) %}
  {% do run_query('rename ' ~ from_relation ~ ' to ' ~ to_relation.identifier) %}
{% endmacro %}
{% macro alter_column_type(relation, column_name, new_column_type) %}
  {% do run_query('alter ' ~ relation ~ ' ' ~ column_name ~ ' ' ~ new_column_type) %}
{% endmacro %}
{% macro get_incremental_append_sql(arg) %}append {{ arg }}{% endmacro %}
{% macro duckdb__greet(name) %}duck {{ name }}{% endmacro %}
{% macro default__greet(name) %}default {{ name }}{% endmacro %}
";

pub(super) fn table(columns: &[(&str, ColumnType)], rows: Vec<Vec<Cell>>) -> Table {
    Table { columns: columns.iter().map(|(name, one)| ((*name).to_owned(), one.clone())).collect(), rows }
}

pub(super) fn texts(names: &[&str], rows: &[&[&str]]) -> Table {
    let columns: Vec<(&str, ColumnType)> = names.iter().map(|name| (*name, ColumnType::Text)).collect();
    let cell = |text: &&str| if text.is_empty() { Cell::Null } else { Cell::Text((*text).to_owned()) };
    table(&columns, rows.iter().map(|row| row.iter().map(cell).collect()).collect())
}

impl Stage {
    pub(super) fn settings(&self) -> ContextSettings {
        let object = |json: &Json| json.as_object().cloned().unwrap_or_default();
        ContextSettings {
            warehouse: self.warehouse,
            project_name: "shop".to_owned(),
            target: object(&json!({"name": "dev", "schema": "main", "type": self.warehouse.as_str(), "threads": 4})),
            flags: object(&self.flags),
            behavior: object(&json!({"require_explicit": true})),
            quoting: self.warehouse.default_quoting(),
            run_started_at: chrono::DateTime::from_timestamp(1_700_000_000, 123_456_000).expect("a valid time"),
            invocation_id: "an-id".to_owned(),
            dbt_version: ContextSettings::COMPATIBLE_DBT_VERSION.to_owned(),
            invocation_args: object(&json!({"which": "run"})),
            metadata_envs: BTreeMap::from([("JOB".to_owned(), "7".to_owned())]),
            runtime: RuntimeSettings {
                packages: vec![("shop".to_owned(), Some("1.2".to_owned())), ("dates".to_owned(), None)],
                ..RuntimeSettings::default()
            },
        }
    }

    pub(super) fn engine(&self) -> Arc<Engine> {
        let mut builder = RegistryBuilder::new();
        let mut add = |package: &str, path: &str, text: &str| {
            builder.add_package(package, PackageKind::Internal);
            let file = SourceFile::new(path, text);
            for definition in scan_macro_file(package, &file).expect("the macros are right").macros {
                builder.add(definition);
            }
        };
        match self.macros {
            Some(text) => add("dbt", "macros/all.sql", text),
            None => {
                for package in ["dbt_duckdb", "dbt", "strata"] {
                    for file in crate::project::builtin::macros(package) {
                        add(package, file.path, file.text());
                    }
                }
            }
        }
        builder.add_package("shop", PackageKind::Project);
        let registry = builder.build("shop", self.warehouse.as_str(), HashMap::new()).expect("no duplicates");
        Engine::new(registry, shared(&self.settings()))
    }

    pub(super) fn context(&self, engine: &Arc<Engine>) -> Arc<RenderContext> {
        let node = Arc::new(self.node());
        let manifest = self.manifest();
        let context = NodeContext {
            node: Some(NodeHandle::Single(node)),
            execute: self.phase == Phase::Execute,
            compiled: Some(Arc::from("select 1")),
            graph: Some(graph_value(&manifest)),
            selected: Some(Arc::new(vec!["model.shop.orders".into()])),
            thread_id: "Thread-1".to_owned(),
            ..NodeContext::default()
        };
        self.context_with(engine, context)
    }

    /// A render with these values of its own.
    pub(super) fn context_with(&self, engine: &Arc<Engine>, context: NodeContext) -> Arc<RenderContext> {
        let node = self.node();
        let host = FakeHost {
            phase: self.phase,
            id: node.unique_id.clone(),
            config: node.config.values().clone(),
            variables: self.variables.clone(),
            manifest: self.manifest(),
            asked: Arc::clone(&self.asked),
            session: self.session(),
        };
        RenderContext::new(engine, "shop", node_values(self.warehouse, context), Arc::new(host))
    }

    /// The model, and a source that is a file.
    fn manifest(&self) -> Arc<Manifest> {
        let node = self.node();
        let mut manifest = Manifest { project_name: "shop".to_owned(), ..Manifest::default() };
        let config = json!({"meta": {"external_location": "data/{identifier}.{ending}", "ending": "csv"}});
        let source = Source {
            unique_id: "source.shop.files.t".into(),
            package_name: "shop".to_owned(),
            source_name: "files".to_owned(),
            name: "t".to_owned(),
            identifier: "t_1".to_owned(),
            relation_name: RelationName::new(Some("db"), "files", "t", Quoting::ALL),
            relation: RelationName::new(Some("db"), "files", "t", Quoting::ALL),
            fqn: vec![],
            original_file_path: "models/sources.yml".to_owned(),
            declared_at: node.declared_at.clone(),
            description: String::new(),
            source_description: String::new(),
            loader: String::new(),
            loaded_at_field: None,
            loaded_at_query: None,
            freshness: None,
            columns: indexmap::IndexMap::new(),
            config: NodeConfig::new(config.as_object().cloned().unwrap_or_default()),
            external: json!({"location": "s3://files/", "using": "csv"}).as_object().cloned(),
            connector: None,
            extract: None,
        };
        manifest.source_index.insert(("files".to_owned(), "t".to_owned()), source.unique_id.clone());
        manifest.sources.insert(source.unique_id.clone(), source);
        // Nothing refers to it, so templates do not see it.
        let mut control = Node { unique_id: "model.strata.runs".into(), name: "runs".to_owned(), ..node.clone() };
        control.config.values_mut().insert("materialized".to_owned(), json!("control"));
        manifest.nodes.insert(control.unique_id.clone(), control);
        manifest.nodes.insert(node.unique_id.clone(), node);
        Arc::new(manifest)
    }

    fn session(&self) -> Option<Arc<dyn Session>> {
        let fake = || -> Arc<dyn Session> {
            Arc::new(FakeSession {
                answers: self.answers.clone(),
                asked: Arc::clone(&self.asked),
                relations: Mutex::default(),
            })
        };
        self.with_session.then(|| self.real.clone().unwrap_or_else(fake))
    }

    fn node(&self) -> Node {
        let file = SourceFile::new("models/orders.sql", "select 1");
        Node {
            unique_id: UniqueId::new(ResourceType::Model, "shop", "orders"),
            resource_type: ResourceType::Model,
            name: "orders".to_owned(),
            package_name: "shop".to_owned(),
            path: "orders.sql".to_owned(),
            original_file_path: "models/orders.sql".to_owned(),
            fqn: vec!["shop".to_owned(), "orders".to_owned()],
            raw_code: Arc::from("select 1"),
            code_range: 0..8,
            declared_at: Span::new(&file, 0..8),
            file,
            alias: "orders".to_owned(),
            schema: "main".to_owned(),
            database: Some("db".to_owned()),
            relation_name: Some(RelationName::new(Some("db"), "main", "orders", self.warehouse.default_quoting())),
            config: NodeConfig::new(self.config.as_object().cloned().unwrap_or_default()),
            unrendered_config: ConfigMap::new(),
            description: "All orders".to_owned(),
            columns: indexmap::IndexMap::new(),
            constraints: vec![],
            contract_checksum: None,
            patch_path: None,
            depends_on: DependsOn::default(),
            refs: vec![],
            sources: vec![],
            checksum: String::new(),
            test: None,
            version: None,
            unit_test: None,
            hook_index: None,
            defer_relation: None,
        }
    }

    /// The text of a template.
    pub(super) fn try_render(&self, template: &str) -> Result<String, Diagnostic> {
        let engine = self.engine();
        let file = SourceFile::new("models/orders.sql", template);
        let template = Template::whole(&file)?;
        engine.render(&template, &self.context(&engine)).map(|rendered| rendered.text)
    }

    pub(super) fn render(&self, template: &str) -> String {
        match self.try_render(template) {
            Ok(text) => text,
            Err(diagnostic) => panic!("{template}\n{diagnostic:#?}"),
        }
    }

    /// The message of a template that must fail.
    pub(super) fn message(&self, template: &str) -> String {
        let diagnostic = self.try_render(template).expect_err("the template must fail");
        format!("{}: {}", diagnostic.code(), diagnostic.message())
    }

    pub(super) fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct FakeHost {
    phase: Phase,
    id: UniqueId,
    config: ConfigMap,
    variables: Json,
    manifest: Arc<Manifest>,
    asked: Asked,
    session: Option<Arc<dyn Session>>,
}

impl FakeHost {
    fn note(&self, what: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Host for FakeHost {
    fn phase(&self) -> Phase {
        self.phase
    }

    fn node(&self) -> Option<&UniqueId> {
        Some(&self.id)
    }

    fn reference(&self, call: RefCall) -> Result<Relation, HostError> {
        if let Some(span) = call.span.as_ref().filter(|_| call.name == "placed") {
            self.note(format!("ref at {}", span.text()));
        }
        if call.name == "missing" {
            let message = "there is no `missing`".to_owned();
            return Err(HostError::Refused { code: Code::UnknownRef, message, help: None });
        }
        let version = call.version.map(|version| format!("_v{version}")).unwrap_or_default();
        let schema = call.package.unwrap_or_else(|| "main".to_owned());
        let name = RelationName::new(Some("db"), &schema, &format!("{}{version}", call.name), Quoting::ALL);
        Ok(Relation { name, relation_type: None })
    }

    fn source(&self, call: SourceCall) -> Result<Relation, HostError> {
        let name = RelationName::new(Some("db"), &call.source_name, &call.table_name, Quoting::ALL);
        Ok(Relation { name, relation_type: None })
    }

    fn configure(&self, values: ConfigMap, _: Option<Span>) -> Result<(), HostError> {
        self.note(format!("configure {}", Json::Object(values)));
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        self.config.get(key).cloned()
    }

    fn config_values(&self) -> ConfigMap {
        self.config.clone()
    }

    fn variable(&self, name: &str) -> Option<Json> {
        self.variables.get(name).cloned()
    }

    fn environment_variable(&self, name: &str) -> Result<Option<String>, HostError> {
        Ok((name == "HOME").then(|| "/home/me".to_owned()))
    }

    fn macro_called(&self, _: &UniqueId) {}

    fn manifest(&self) -> Option<&Arc<Manifest>> {
        Some(&self.manifest)
    }

    fn session(&self) -> Option<&dyn Session> {
        self.session.as_deref()
    }

    fn log(&self, message: &str, visible: bool) {
        self.note(format!("log {visible} {message}"));
    }

    fn warn(&self, message: &str) {
        self.note(format!("warn {message}"));
    }

    fn write(&self, sql: &str) {
        self.note(format!("write {sql}"));
    }

    fn seed(&self) -> Result<Arc<Table>, HostError> {
        let rows = vec![vec![Cell::Integer(1), Cell::Text("a".to_owned())]];
        Ok(Arc::new(table(&[("id", ColumnType::BigInt), ("name", ColumnType::Text)], rows)))
    }

    fn doc(&self, _: Option<&str>, name: &str) -> Result<String, HostError> {
        Ok(format!("the doc {name}"))
    }
}

/// Database and schema.
type SchemaKey = (Option<String>, String);

struct FakeSession {
    answers: Vec<(&'static str, Table)>,
    asked: Asked,
    relations: Mutex<HashMap<SchemaKey, Vec<Relation>>>,
}

impl FakeSession {
    fn note(&self, what: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Session for FakeSession {
    fn execute(&self, sql: &str, auto_begin: bool) -> Result<Answer, Box<FailedStatement>> {
        let sql = sql.trim();
        self.note(format!("{}{sql}", if auto_begin { "" } else { "(no begin) " }));
        if sql.starts_with("fail") {
            let error = DatabaseError::new(DatabaseErrorKind::Statement, "no such table");
            return Err(Box::new(FailedStatement { sql: sql.to_owned(), error }));
        }
        let found = self.answers.iter().find(|(start, _)| sql.starts_with(start));
        let response = Response { message: "OK".to_owned(), rows_affected: Some(3), ..Response::default() };
        Ok(Answer { response, table: found.map(|(_, table)| table.clone()).unwrap_or_default() })
    }

    fn commit(&self) -> Result<(), Box<FailedStatement>> {
        self.note("commit".to_owned());
        Ok(())
    }

    fn rollback(&self) -> Result<(), Box<FailedStatement>> {
        self.note("rollback".to_owned());
        Ok(())
    }

    fn cached_relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        let key = (database.map(str::to_owned), schema.to_owned());
        self.relations.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn remember_relations(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        let key = (database.map(str::to_owned), schema.to_owned());
        self.relations.lock().unwrap_or_else(PoisonError::into_inner).insert(key, relations);
    }

    fn relation_added(&self, relation: Relation) {
        self.note(format!("added {}", relation.name));
    }

    fn relation_dropped(&self, name: &RelationName) {
        self.note(format!("dropped {name}"));
    }

    fn relation_renamed(&self, from: &RelationName, to: &RelationName) {
        self.note(format!("renamed {from} to {to}"));
    }

    fn load_seed(&self, into: &RelationName, node: &UniqueId) -> Result<u64, HostError> {
        self.note(format!("load {node} into {into}"));
        Ok(1)
    }
}
