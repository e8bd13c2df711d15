//! Builds single nodes with the built-in macros on a real DuckDB (or on a scripted Snowflake), without a project
//! around them.

use super::script::{Answers, ScriptedConnection};
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use strata::adapter::{
    Adapter, Cell, Connection, DuckDb, DuckDbSettings, Relation, RelationCache, RelationType, Table,
};
use strata::diagnostic::{Code, Diagnostic, SourceFile, Span};
use strata::jinja::context::{
    ContextSettings, NodeContext, NodeHandle, RuntimeSettings, Warehouse, node_values, relation_from_value, shared,
};
use strata::jinja::host::{Host, HostError, Phase, Session};
use strata::jinja::{Engine, PackageKind, RegistryBuilder, RenderContext, Value, from_json, scan_macro_file};
use strata::manifest::{ConfigMap, DependsOn, Manifest, Node, NodeConfig, RefCall, SourceCall};
use strata::name::{Quoting, RelationName, ResourceType, UniqueId};
use strata::project::builtin;
use strata::run::WorkerSession;

/// A database in memory and the built-in macros.
pub struct Builder {
    warehouse: Warehouse,
    engine: Arc<Engine>,
    session: Arc<WorkerSession>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// A node to build.
pub struct Build<'a> {
    pub name: &'a str,
    pub materialized: &'a str,
    pub config: Json,
    pub sql: &'a str,
    /// When the run started, in seconds since 1970.
    pub at: i64,
}

impl Builder {
    pub fn new() -> Self {
        Self::with_flags(json!({}))
    }

    /// With flags of the command line, such as `FULL_REFRESH`.
    pub fn with_flags(flags: Json) -> Self {
        let adapter = DuckDb::open(DuckDbSettings::default()).expect("a database in memory");
        let connection = adapter.connect("test").expect("a connection");
        Self::over(connection, Warehouse::DuckDb, flags, Arc::default())
    }

    /// A Snowflake that answers from a script.
    pub fn snowflake(answers: Answers) -> Self {
        let asked = Arc::default();
        let connection = ScriptedConnection { answers, asked: Arc::clone(&asked) };
        Self::over(Box::new(connection), Warehouse::Snowflake, json!({}), asked)
    }

    fn over(
        connection: Box<dyn Connection>,
        warehouse: Warehouse,
        flags: Json,
        asked: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        /// Most tests take the same engine, whose macros are compiled only once.
        static USUAL: LazyLock<Arc<Engine>> = LazyLock::new(|| engine(Warehouse::DuckDb, &json!({})));
        let is_usual = warehouse == Warehouse::DuckDb && flags == json!({});
        let engine = if is_usual { Arc::clone(&USUAL) } else { engine(warehouse, &flags) };
        let session = WorkerSession::new(connection, Arc::new(RelationCache::new()), Arc::new(|_| {}));
        Self { warehouse, engine, session, asked }
    }

    /// What a scripted warehouse was asked since the last call, lines that hold nothing left out.
    pub fn take_asked(&self) -> String {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let tidy = |sql: &String| sql.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n");
        asked.iter().map(tidy).collect::<Vec<_>>().join("\n--\n")
    }

    /// The rows of a query.
    pub fn query(&self, sql: &str) -> Table {
        let answer = self.session.with_connection(|connection| connection.execute(sql));
        answer.unwrap_or_else(|error| panic!("{error}\n{sql}")).table
    }

    /// The rows of a query as texts, NULL as `-`.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let cell = |cell: &Cell| if *cell == Cell::Null { "-".to_owned() } else { cell.to_string() };
        let row = |row: &Vec<Cell>| row.iter().map(cell).collect::<Vec<_>>().join("|");
        self.query(sql).rows.iter().map(row).collect()
    }

    /// Builds a node in one transaction; what fails is rolled back.
    pub fn build(&self, build: &Build<'_>) -> Result<(), Diagnostic> {
        let definition = self
            .engine
            .registry()
            .find_materialization(build.materialized, self.warehouse.as_str())
            .unwrap_or_else(|| panic!("no materialization {}", build.materialized));
        let context = self.context(build);
        self.session.assign(Some(node_id(build)), None, None);
        self.session.begin().expect("a transaction");
        match self.engine.call_macro(&definition, &[], &[], &context) {
            Ok(result) => {
                self.remember(&result);
                self.session.finish().expect("the transaction ends");
                Ok(())
            }
            Err(diagnostic) => {
                self.session.rollback().expect("the transaction is undone");
                Err(diagnostic)
            }
        }
    }

    /// What a materialization says that it made.
    fn remember(&self, result: &Value) {
        let relations = result.get_attr("relations").expect("a materialization gives its relations");
        for relation in relations.try_iter().expect("a list of relations") {
            self.session.relation_added(relation_from_value(&relation).expect("a relation"));
        }
    }

    /// The rows that a macro gives, called in the context of a node.
    pub fn rows_of(&self, build: &Build<'_>, name: &str, args: &[Value]) -> Vec<String> {
        let definition = self.engine.registry().find(name, "shop").unwrap_or_else(|| panic!("no macro {name}"));
        let table = match self.engine.call_macro(&definition, args, &[], &self.context(build)) {
            Ok(table) => table,
            Err(diagnostic) => panic!("{diagnostic}"),
        };
        table.try_iter().expect("rows").map(|row| row.to_string()).collect()
    }

    fn context(&self, build: &Build<'_>) -> Arc<RenderContext> {
        let at = DateTime::<Utc>::from_timestamp(build.at, 0).expect("a time");
        let context = NodeContext {
            node: Some(NodeHandle::Single(Arc::new(node(build, self.warehouse)))),
            execute: true,
            compiled: Some(Arc::from(build.sql)),
            more: vec![("run_started_at", Value::from(at.format("%Y-%m-%d %H:%M:%S%.6f%:z").to_string()))],
            ..NodeContext::default()
        };
        let host = BuildHost { id: node_id(build), config: config_of(build), session: Arc::clone(&self.session) };
        RenderContext::new(&self.engine, "shop", node_values(self.warehouse, context), Arc::new(host))
    }
}

/// The built-in macros for a warehouse.
fn engine(warehouse: Warehouse, flags: &Json) -> Arc<Engine> {
    let adapter_package = if warehouse == Warehouse::DuckDb { "dbt_duckdb" } else { "dbt_snowflake" };
    let mut registry = RegistryBuilder::new();
    for package in [adapter_package, "dbt", "strata"] {
        registry.add_package(package, PackageKind::Internal);
        for file in builtin::macros(package) {
            let source = SourceFile::new(file.path, file.text());
            for definition in scan_macro_file(package, &source).expect("built-in macros are right").macros {
                registry.add(definition);
            }
        }
    }
    let registry = registry.build("shop", warehouse.as_str(), HashMap::new()).expect("no macro is there twice");
    let object = |value: &Json| value.as_object().cloned().unwrap_or_default();
    let mut all_flags = object(&json!({"FULL_REFRESH": false, "STORE_FAILURES": false}));
    all_flags.extend(object(flags));
    let settings = ContextSettings {
        warehouse,
        project_name: "shop".to_owned(),
        target: object(&json!({"name": "dev", "schema": "main", "database": "memory", "type": warehouse.as_str()})),
        flags: all_flags,
        behavior: ConfigMap::new(),
        quoting: warehouse.default_quoting(),
        run_started_at: DateTime::UNIX_EPOCH,
        invocation_id: "an-id".to_owned(),
        dbt_version: ContextSettings::COMPATIBLE_DBT_VERSION.to_owned(),
        invocation_args: ConfigMap::new(),
        metadata_envs: std::collections::BTreeMap::new(),
        runtime: RuntimeSettings::default(),
    };
    Engine::new(registry, shared(&settings))
}

fn node_id(build: &Build<'_>) -> UniqueId {
    let resource = if build.materialized == "snapshot" { ResourceType::Snapshot } else { ResourceType::Model };
    UniqueId::new(resource, "shop", build.name)
}

fn config_of(build: &Build<'_>) -> ConfigMap {
    let mut config = build.config.as_object().cloned().unwrap_or_default();
    config.insert("materialized".to_owned(), json!(build.materialized));
    config
}

fn node(build: &Build<'_>, warehouse: Warehouse) -> Node {
    let path = format!("models/{}.sql", build.name);
    let file = SourceFile::new(path.as_str(), build.sql);
    let unique_id = node_id(build);
    Node {
        resource_type: if build.materialized == "snapshot" { ResourceType::Snapshot } else { ResourceType::Model },
        unique_id,
        name: build.name.to_owned(),
        package_name: "shop".to_owned(),
        path: format!("{}.sql", build.name),
        original_file_path: path,
        fqn: vec!["shop".to_owned(), build.name.to_owned()],
        raw_code: Arc::from(build.sql),
        code_range: 0..build.sql.len(),
        declared_at: Span::whole(&file),
        file,
        alias: build.name.to_owned(),
        schema: "main".to_owned(),
        database: Some("memory".to_owned()),
        relation_name: Some(RelationName::new(Some("memory"), "main", build.name, warehouse.default_quoting())),
        config: NodeConfig::new(config_of(build)),
        unrendered_config: ConfigMap::new(),
        description: String::new(),
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

/// Answers for one node.
struct BuildHost {
    id: UniqueId,
    config: ConfigMap,
    session: Arc<WorkerSession>,
}

fn refused(what: &str) -> HostError {
    HostError::Refused { code: Code::Internal, message: format!("this stage has no {what}"), help: None }
}

impl Host for BuildHost {
    fn phase(&self) -> Phase {
        Phase::Execute
    }

    fn node(&self) -> Option<&UniqueId> {
        Some(&self.id)
    }

    fn reference(&self, call: RefCall) -> Result<Relation, HostError> {
        let name = RelationName::new(Some("memory"), "main", &call.name, Quoting::ALL);
        Ok(Relation { name, relation_type: Some(RelationType::Table) })
    }

    fn source(&self, call: SourceCall) -> Result<Relation, HostError> {
        let name = RelationName::new(Some("memory"), "main", &call.table_name, Quoting::ALL);
        Ok(Relation { name, relation_type: Some(RelationType::Table) })
    }

    fn configure(&self, _: ConfigMap, _: Option<Span>) -> Result<(), HostError> {
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        self.config.get(key).cloned()
    }

    fn config_values(&self) -> ConfigMap {
        self.config.clone()
    }

    fn variable(&self, _: &str) -> Option<Json> {
        None
    }

    fn environment_variable(&self, _: &str) -> Result<Option<String>, HostError> {
        Ok(None)
    }

    fn macro_called(&self, _: &UniqueId) {}

    fn manifest(&self) -> Option<&Arc<Manifest>> {
        None
    }

    fn session(&self) -> Option<&dyn Session> {
        Some(self.session.as_ref())
    }

    fn log(&self, _: &str, _: bool) {}

    fn warn(&self, _: &str) {}

    fn write(&self, _: &str) {}

    fn seed(&self) -> Result<Arc<Table>, HostError> {
        Err(refused("seed"))
    }

    fn doc(&self, _: Option<&str>, _: &str) -> Result<String, HostError> {
        Err(refused("docs"))
    }
}

/// A value for a macro's argument.
pub fn argument(json: &Json) -> Value {
    from_json(json)
}
