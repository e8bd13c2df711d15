//! `warehouses:`: sizes while a run lasts, put back however it ends.

use super::commands::Project;
use crate::support::stage::stage;
use serde_json::json;

/// A project whose warehouse, of its own, is to be larger while it runs.
fn project(database: &'static str, warehouse: &str) -> Project {
    stage().rows(database, &format!("create warehouse {warehouse} warehouse_size = xsmall auto_suspend = 60"));
    let models =
        [("models/fine.sql", "select 1 as id"), ("models/broken.sql", "select id, nope from {{ ref('fine') }}")];
    let project = Project::new(database, &models);
    project.append(
        "dbt_project.yml",
        &format!("warehouses:\n  {warehouse}: {{size: large, max_clusters: 3, auto_suspend: 60}}\n"),
    );
    project
}

/// The size and the highest number of clusters.
fn size(database: &str, warehouse: &str) -> Vec<Option<String>> {
    let shown = stage().rows(database, &format!("show warehouses like '{warehouse}'"));
    [3, 5].map(|column| shown[0][column].clone()).to_vec()
}

const BEFORE: [&str; 2] = ["X-Small", "1"];
const DURING: [&str; 2] = ["Large", "3"];

fn texts(texts: [&str; 2]) -> Vec<Option<String>> {
    texts.map(|text| Some(text.to_owned())).to_vec()
}

#[test]
fn sizes_are_changed_before_the_first_node_and_put_back_after_a_failure() {
    let project = project("SIZES_DB", "sizes_wh");
    assert_eq!(size("SIZES_DB", "sizes_wh"), texts(BEFORE));
    project.sent();
    assert_eq!(project.output(&["run"]).status.code(), Some(1), "one model is broken");
    let sent = project.sent();
    let at = |text: &str| sent.iter().position(|sql| sql.contains(text)).unwrap_or_else(|| panic!("{text}: {sent:#?}"));
    let applied = at("alter warehouse sizes_wh set warehouse_size = 'large' max_cluster_count = 3 ");
    let restored = at("alter warehouse sizes_wh set warehouse_size = 'x-small' max_cluster_count = 1 ");
    assert!(applied < at(" view sizes_db.public.fine") && at(" view sizes_db.public.broken") < restored, "{sent:#?}");
    assert!(!sent.iter().any(|sql| sql.contains("auto_suspend")), "it is as the project wants it: {sent:#?}");
    assert_eq!(size("SIZES_DB", "sizes_wh"), texts(BEFORE));
}

#[test]
fn sizes_of_a_run_that_was_killed_are_put_back_by_the_next() {
    let (database, warehouse) = ("SIZES_KILLED_DB", "sizes_killed_wh");
    let project = project(database, warehouse);
    stage().faults(database, json!({"match": "view SIZES_KILLED_DB.PUBLIC.fine", "hold_before": 1}));
    let mut running = project.start(&["run"]);
    while !stage().has_happened(database, &["hold_before"]) {
        assert!(running.try_wait().expect("a process").is_none(), "it ended too early");
    }
    running.kill().expect("it can be killed");
    running.wait().expect("it ends");
    stage().faults(database, json!({}));
    assert_eq!(size(database, warehouse), texts(DURING));
    let shown = project.run(&["run", "-s", "fine"]);
    assert!(shown.contains("Put back what an interrupted run had left changed: alter warehouse"), "{shown}");
    assert_eq!(size(database, warehouse), texts(BEFORE));
}

#[test]
fn a_warehouse_that_is_not_there_is_an_error_before_anything_runs() {
    let project = Project::new("SIZES_NONE_DB", &[("models/fine.sql", "select 1 as id")]);
    project.append("dbt_project.yml", "warehouses: {nowhere_wh: {size: small}}\n");
    let output = project.output(&["run"]);
    let shown = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && shown.contains("`nowhere_wh` of `warehouses:` does not exist"), "{shown}");
    assert!(!project.sent().iter().any(|sql| sql.contains(" view ")), "nothing ran");
}
