//! The object `adapter` with strata's own macros on a database that is really there.

use super::stage::Stage;
use crate::adapter::{Adapter, Answer, Connection, DatabaseError, DuckDb, DuckDbSettings, Relation, RelationCache};
use crate::jinja::host::{FailedStatement, HostError, Session};
use crate::name::{RelationName, UniqueId};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct DuckDbSession {
    connection: Mutex<Box<dyn Connection>>,
    cache: RelationCache,
}

impl DuckDbSession {
    fn connection(&self) -> MutexGuard<'_, Box<dyn Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(sql: &str, error: DatabaseError) -> FailedStatement {
    FailedStatement { sql: sql.to_owned(), error }
}

impl Session for DuckDbSession {
    fn execute(&self, sql: &str, auto_begin: bool) -> Result<Answer, Box<FailedStatement>> {
        let mut connection = self.connection();
        if auto_begin && !connection.in_transaction() {
            connection.begin().map_err(|error| Box::new(refused(sql, error)))?;
        }
        connection.execute(sql).map_err(|error| Box::new(refused(sql, error)))
    }

    fn commit(&self) -> Result<(), Box<FailedStatement>> {
        self.connection().commit().map_err(|error| Box::new(refused("commit", error)))
    }

    fn rollback(&self) -> Result<(), Box<FailedStatement>> {
        self.connection().rollback().map_err(|error| Box::new(refused("rollback", error)))
    }

    fn cached_relations(&self, database: Option<&str>, schema: &str) -> Option<Vec<Relation>> {
        self.cache.relations(database, schema)
    }

    fn remember_relations(&self, database: Option<&str>, schema: &str, relations: Vec<Relation>) {
        self.cache.remember(database, schema, relations);
    }

    fn relation_added(&self, relation: Relation) {
        self.cache.add(relation);
    }

    fn relation_dropped(&self, name: &RelationName) {
        self.cache.drop_relation(name);
    }

    fn relation_renamed(&self, from: &RelationName, to: &RelationName) {
        self.cache.rename(from, to);
    }

    fn load_seed(&self, into: &RelationName, _: &UniqueId) -> Result<u64, HostError> {
        let sql = format!("insert into {into} values (1, 'a')");
        self.execute(&sql, false).map_err(HostError::Database)?;
        Ok(1)
    }
}

/// Builds the model and remembers what it made, as a run does.
fn build(materialization: &str) -> String {
    format!(
        "{{% set made = materialization_{materialization}_default() %}}\
         {{% for relation in made.relations %}}{{% do adapter.cache_added(relation) %}}{{% endfor %}}"
    )
}

/// A stage on an empty database `db`, for a model with this config.
fn stage(config: Json) -> Stage {
    let settings = DuckDbSettings {
        path: ":memory:".to_owned(),
        schema: "main".to_owned(),
        read_only: false,
        settings: vec![],
        config_options: vec![],
        extensions: vec![],
        attach: vec![],
        lock_wait: std::time::Duration::ZERO,
    };
    let adapter = DuckDb::open(settings).expect("an empty database opens");
    let mut connection = adapter.connect("test").expect("it gives connections");
    connection.execute("attach ':memory:' as db").expect("another database can be attached");
    let session = DuckDbSession { connection: Mutex::new(connection), cache: RelationCache::new() };
    Stage { macros: None, real: Some(Arc::new(session)), config, ..Stage::default() }
}

#[test]
fn relations_come_and_go() {
    let stage = stage(json!({"materialized": "table"}));
    let text = "{% set schema = api.Relation.create(database='db', schema='s') %}\
        {{ adapter.check_schema_exists('db', 's') }} {% do adapter.create_schema(schema) %}\
        {{ adapter.check_schema_exists('db', 's') }} \
        {% do run_query('create table db.s.t (id integer, name varchar, price decimal(10, 2))') %}\
        {% set t = adapter.get_relation('db', 's', 't') %}{{ t }} {{ t.type }} \
        {% for c in adapter.get_columns_in_relation(t) %}{{ c.name }}:{{ c.data_type }} {% endfor %}\
        {% set u = t.incorporate(path={'identifier': 'u'}) %}{% do adapter.rename_relation(t, u) %}\
        {{ adapter.get_relation('db', 's', 't') }} {{ adapter.get_relation('db', 's', 'u') }} \
        {% do run_query('insert into db.s.u values (1, null, 2.5)') %}{{ run_query('from db.s.u')[0].values() }} \
        {% do adapter.truncate_relation(u) %}{{ run_query('from db.s.u') | length }} \
        {% do adapter.drop_relation(u) %}{{ adapter.get_relation('db', 's', 'u') }} \
        {% do adapter.drop_schema(schema) %}{{ adapter.check_schema_exists('db', 's') }}";
    assert_eq!(
        stage.render(text),
        "False True \"db\".\"s\".\"t\" table id:INTEGER name:character varying(256) price:DECIMAL(10,2) \
         None \"db\".\"s\".\"u\" (1, None, 2.5) 0 None False"
    );
}

#[test]
fn a_table_replaces_a_view_and_itself() {
    let stage = stage(json!({"materialized": "table"}));
    let build = format!("{}{{{{ made.relations }}}}", build("table"));
    stage.render("{% do run_query('create view db.main.orders as select 2 as old') %}");
    for _ in 0..2 {
        assert_eq!(stage.render(&build), r#"[<DuckDBRelation "db"."main"."orders">]"#);
        assert_eq!(stage.render("{{ run_query('from db.main.orders').columns[0].values() }}"), "(1,)");
    }
    assert_eq!(
        stage.render(
            "{{ adapter.list_relations_without_caching(this.without_identifier()) | map(attribute='type') | list }}"
        ),
        "['table']"
    );
}

#[test]
fn views_tests_and_seeds_are_built() {
    let view = stage(json!({"materialized": "view"}));
    view.render(&build("view"));
    assert_eq!(view.render("{{ adapter.get_relation('db', 'main', 'orders').is_view }}"), "True");

    let test = stage(json!({"materialized": "test", "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0"}));
    let engine = test.engine();
    let context = test.context(&engine);
    let file = crate::diagnostic::SourceFile::new("test.sql", "{% do materialization_test_default() %}");
    let template = crate::jinja::Template::whole(&file).expect("right");
    engine.render(&template, &context).expect("the test runs");
    let (_, counts) = crate::jinja::context::main_result(&context).expect("the test has a result");
    let counts: Vec<String> = counts.rows[0].iter().map(ToString::to_string).collect();
    assert_eq!(counts, ["1", "true", "true"]);

    let seed = stage(json!({"materialized": "seed"}));
    seed.render("{% do materialization_seed_default() %}");
    assert_eq!(seed.render("{{ run_query('from db.main.orders')[0].values() }}"), "(1, 'a')");
}

#[test]
fn an_incremental_model_adds_to_its_table() {
    let stage = stage(json!({"materialized": "incremental", "incremental_strategy": "append"}));
    let build = format!("{}{{{{ run_query('from db.main.orders') | length }}}}", build("incremental"));
    assert_eq!(stage.render(&build), "1");
    assert_eq!(stage.render(&build), "2");
    assert_eq!(stage.render("{{ is_incremental() }}"), "True");
}
