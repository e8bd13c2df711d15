//! Whole commands on a project whose target is the stage.

use crate::support::stage::stage;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A project in a directory of its own.
pub(super) struct Project {
    directory: TempDir,
    database: &'static str,
}

impl Project {
    pub(super) fn new(database: &'static str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let project = "name: shop\nprofile: shop\nmodels:\n  shop:\n    +materialized: view\n";
        let profile = json!({"shop": {"target": "stage", "outputs": {"stage": stage().target(database, "PUBLIC")}}});
        let own = [("dbt_project.yml", project.to_owned()), ("profiles.yml", profile.to_string())];
        let given = files.iter().map(|(path, text)| (*path, (*text).to_owned()));
        for (path, text) in own.into_iter().chain(given) {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("written");
        }
        Self { directory, database }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.args(arguments).current_dir(self.path()).output().expect("strata starts")
    }

    /// A command that goes on while the test does; what it writes is lost.
    pub(super) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.args(arguments).current_dir(self.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("strata starts")
    }

    /// A command that must succeed.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// Adds a text to a file.
    pub(super) fn append(&self, path: &str, text: &str) {
        let path = self.directory.path().join(path);
        let before = fs::read_to_string(&path).expect("a file");
        fs::write(path, before + text).expect("written");
    }

    /// The statements that were sent since this was last asked, in small letters and on one line each.
    pub(super) fn sent(&self) -> Vec<String> {
        let line = |sql: &String| sql.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        stage().statements(self.database).iter().map(line).collect()
    }

    /// The first row of a query.
    pub(super) fn show(&self, sql: &str) -> Json {
        let shown = self.run(&["show", "--inline", sql, "--output", "json"]);
        let shown: Json = serde_json::from_str(&shown).unwrap_or_else(|error| panic!("{error}: {shown}"));
        shown["show"][0].clone()
    }
}

const SHOP: [(&str, &str); 5] = [
    ("seeds/raw.csv", "id,name,amount\n1,a,1.50\n2,,2.25\n3,\"it's\",\n"),
    ("models/v.sql", "select id, name, amount from {{ ref('raw') }}"),
    ("models/t.sql", "{{ config(materialized='table') }} select id, count(*) as n from {{ ref('v') }} group by id"),
    (
        "models/inc.sql",
        "{{ config(materialized='incremental', unique_key='id') }} select id, name from {{ ref('raw') }}",
    ),
    (
        "models/schema.yml",
        "models:\n  - name: t\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n",
    ),
];

#[test]
fn a_project_is_built_twice_and_its_books_are_kept() {
    let project = Project::new("BUILD_DB", &SHOP);
    project.run(&["build"]);
    project.run(&["build"]);
    let shown = project.show("select count(*) as groups, sum(n)::number(38,0) as total from {{ ref('t') }}");
    assert_eq!(shown, json!({"GROUPS": 3, "TOTAL": 3}));
    let books = project.show("select count(*) as n from {{ ref('strata', 'node_runs') }} where status = 'success'");
    assert_eq!(books, json!({"N": 8}), "four nodes, twice");
}

#[test]
fn what_a_node_writes_and_its_row_in_the_books_commit_together() {
    let project = Project::new("TOGETHER_DB", &SHOP);
    project.run(&["build"]);
    project.sent();
    project.run(&["run", "-s", "inc"]);
    let sent = project.sent();
    let at = |start: &str| {
        sent.iter().position(|sql| sql.starts_with(start)).unwrap_or_else(|| panic!("{start}: {sent:#?}"))
    };
    let merge = at("merge into");
    assert!(sent[..merge].iter().any(|sql| sql.starts_with("begin")), "{sent:#?}");
    assert!(sent[merge + 1].starts_with("insert into") && sent[merge + 1].contains("node_runs"), "{sent:#?}");
    assert!(sent[merge + 2].starts_with("commit"), "{sent:#?}");
    project.run(&["run", "-s", "t"]);
    let sent = project.sent();
    let create =
        sent.iter().position(|sql| sql.starts_with("create or replace") && sql.contains(" as ")).expect("a table");
    assert!(sent[create + 1].starts_with("insert into") && sent[create + 1].contains("node_runs"), "{sent:#?}");
}

#[test]
fn an_error_shows_the_line_of_the_model() {
    let project =
        Project::new("ERROR_DB", &[("models/broken.sql", "select 1 as a,\n  nope\nfrom {{ this.schema }}.nothing")]);
    let output = project.output(&["run"]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("query id"), "{shown}");
}

#[test]
fn debug_logs_in_and_says_what_is_wrong() {
    let project = Project::new("DEBUG_DB", &[]);
    let shown = project.run(&["debug"]);
    assert!(shown.contains("it answers") && !shown.contains("secret of the stage"), "{shown}");
    let profile = project.path().join("profiles.yml");
    let text = fs::read_to_string(&profile).expect("a profile");
    let port = format!("\"port\":{}", stage().port);
    fs::write(&profile, text.replace(&port, "\"port\":1")).expect("written");
    let output = project.output(&["debug"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("127.0.0.1 cannot be reached") && shown.contains("`port`"), "{shown}");
}

#[test]
fn an_interrupt_stops_the_statement_on_the_server_and_closes_the_sessions() {
    let project =
        Project::new("INTERRUPT_DB", &[("models/slow.sql", "{{ config(materialized='table') }} select 1 as slow_one")]);
    stage().faults(project.database, json!({"pause": true, "match": "slow_one"}));
    let mut running = project.start(&["run"]);
    let mut log = Vec::new();
    let mut count = |what: &str| {
        log.extend(stage().log(project.database));
        log.iter().filter(|entry| entry["what"] == what).count()
    };
    while count("paused") == 0 {
        assert!(running.try_wait().expect("a process").is_none(), "it ended too early");
        std::thread::yield_now();
    }
    let killed = Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("kill is there");
    assert!(killed.success());
    assert_eq!(running.wait().expect("it ends").code(), Some(130));
    let (aborted, logins, closed) = (count("abort"), count("login"), count("close"));
    assert!(
        aborted > 0 && logins > 1 && logins == closed,
        "{aborted} aborted, {logins} sessions, {closed} closed: {log:?}"
    );
}

#[test]
fn the_catalog_is_asked_by_relations_and_tells_types_and_statistics() {
    let project = Project::new("CATALOG_DB", &SHOP);
    project.run(&["build"]);
    project.sent();
    project.run(&["docs", "generate"]);
    let asked: Vec<String> = project.sent().into_iter().filter(|sql| sql.contains("information_schema")).collect();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].contains(r#""table_name" ilike 'inc' and upper("table_name") = upper('inc')"#), "{}", asked[0]);
    let catalog = fs::read_to_string(project.path().join("target/catalog.json")).expect("written");
    let catalog: Json = serde_json::from_str(&catalog).expect("json");
    let table = &catalog["nodes"]["model.shop.t"];
    assert_eq!(table["metadata"]["type"], "BASE TABLE");
    assert_eq!(table["columns"]["ID"], json!({"type": "NUMBER", "index": 1, "name": "ID", "comment": null}));
    assert_eq!(catalog["nodes"]["model.shop.v"]["metadata"]["type"], "VIEW");
    assert_eq!(table["stats"]["row_count"]["value"], 3);
    assert_eq!(catalog["errors"], Json::Null);
}

#[test]
fn tables_are_cloned_and_all_else_is_viewed_in_place_of_what_is_there() {
    let schema = "{% macro generate_schema_name(name, node) %}{{ var('env', 'DEV') }}{% endmacro %}";
    let kept = "{{ config(materialized='table', transient=false, copy_grants=true) }} select id from {{ ref('raw') }}";
    let files = [&SHOP[..], &[("macros/schema.sql", schema), ("models/kept.sql", kept)]].concat();
    let project = Project::new("CLONE_DB", &files);
    project.run(&["build", "--vars", "env: PROD", "--target-path", "prod"]);
    project.sent();
    let clone = ["clone", "--state", "prod", "-s", "t", "v", "raw", "kept"];
    project.run(&clone);
    let made = |sent: Vec<String>| -> Vec<String> {
        let made = sent.into_iter().filter(|sql| sql.starts_with("create or replace") || sql.starts_with("execute"));
        // What follows is the project's comment.
        made.map(|sql| sql.split(" /* {").next().unwrap_or_default().replace('"', "")).collect()
    };
    let tables = [
        "create or replace table clone_db.dev.kept clone clone_db.prod.kept copy grants",
        "create or replace transient table clone_db.dev.raw clone clone_db.prod.raw",
        "create or replace transient table clone_db.dev.t clone clone_db.prod.t",
    ];
    let view = "create or replace view clone_db.dev.v as ( select * from clone_db.prod.v )";
    let mut sent = made(project.sent());
    sent.sort();
    assert_eq!(sent, [tables[0], tables[1], tables[2], view]);
    let results = fs::read_to_string(project.directory.path().join("target/run_results.json")).expect("results");
    assert_eq!(results.matches("SUCCESS 1").count(), 8, "messages and responses: {results}");
    assert_eq!(project.show("select count(*) as n from CLONE_DB.DEV.T"), json!({"N": 3}));
    project.run(&clone);
    assert!(made(project.sent()).is_empty(), "what is there stays");

    // A view in the place of the table, which the clone takes without a gap.
    project.append("models/t.sql", " {{ config(materialized='view') }}");
    project.run(&["run", "-s", "t"]);
    project.sent();
    project.run(&["clone", "--state", "prod", "-s", "t", "--full-refresh"]);
    let sent = made(project.sent());
    assert_eq!(sent[0], "create or replace transient table clone_db.dev.t__dbt_new clone clone_db.prod.t");
    assert!(sent[1].starts_with("execute immediate") && sent[1].contains("rename to clone_db.dev.t"), "{sent:#?}");
    assert_eq!(project.show("select count(*) as n from CLONE_DB.DEV.T"), json!({"N": 3}));

    // What is of the same kind is replaced by one statement.
    project.sent();
    project.run(&["clone", "--state", "prod", "-s", "t", "kept", "--full-refresh"]);
    let mut sent = made(project.sent());
    sent.sort();
    assert_eq!(sent, [tables[0], tables[2]]);
}

#[test]
fn a_reference_is_deferred_by_what_exists_on_the_server() {
    let schema = "{% macro generate_schema_name(name, node) %}{{ var('env', 'DEV') }}{% endmacro %}";
    let project = Project::new("DEFER_DB", &[&SHOP[..], &[("macros/schema.sql", schema)]].concat());
    project.run(&["build", "--vars", "env: PROD", "--target-path", "prod"]);
    project.sent();
    project.run(&["run", "-s", "t", "inc", "--defer", "--state", "prod"]);
    let sent = project.sent();
    assert_eq!(
        sent.iter().filter(|sql| sql.starts_with("show objects in") && sql.contains("dev")).count(),
        1,
        "{sent:#?}"
    );
    let read = |model: &str| {
        let path = project.directory.path().join(format!("target/compiled/shop/models/{model}.sql"));
        fs::read_to_string(path).expect("it was compiled").replace('"', "").to_lowercase()
    };
    assert!(read("t").contains("from defer_db.prod.v"), "{}", read("t"));
    project.run(&["run", "-s", "v", "--defer", "--state", "prod"]);
    project.run(&["compile", "-s", "t", "--defer", "--state", "prod"]);
    assert!(read("t").contains("from defer_db.dev.v"), "{}", read("t"));
}
