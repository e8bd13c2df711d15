//! What is asked about the warehouse: pages of objects, and when tables last changed.

use super::commands::Project;
use crate::support::stage::stage;
use serde_json::{Value as Json, json};
use std::fs;

#[test]
fn schemas_are_listed_page_by_page() {
    let text = "{{ config(materialized='incremental', unique_key='id') }} select 1 as id";
    let models: Vec<(String, &str)> = (0..5).map(|number| (format!("models/model_{number}.sql"), text)).collect();
    let models: Vec<(&str, &str)> = models.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let project = Project::new("PAGES_DB", &models);
    project.append("dbt_project.yml", "flags: {list_relations_per_page: 2}\n");
    // A client that asks for more at once than there can be in an answer is told so by the server.
    stage().faults("PAGES_DB", json!({"show_limit": 2}));
    project.run(&["run"]);
    project.sent();
    project.run(&["run"]);
    let sent = project.sent();
    let shown: Vec<&str> =
        sent.iter().filter(|sql| sql.contains("show objects in pages_db.public")).map(String::as_str).collect();
    let pages: Vec<bool> = ["limit 2 /*", "limit 2 from 'model_1'", "limit 2 from 'model_3'"]
        .iter()
        .zip(&shown)
        .map(|(page, sql)| sql.contains(page))
        .collect();
    assert_eq!(pages, [true; 3], "{shown:#?}");
    assert_eq!(shown.len(), 3, "once for all workers: {shown:#?}");
    let merged = sent.iter().filter(|sql| sql.starts_with("merge into")).count();
    assert_eq!(merged, 5, "every table was found: {sent:#?}");
}

#[test]
fn freshness_is_asked_of_the_metadata_once_for_all_tables() {
    let sources = "sources:\n  - name: raw\n    schema: public\n    config:\n      freshness: {error_after: {count: 1, period: day}}\n    \
        tables: [{name: orders}, {name: visits}]\n";
    let project = Project::new("FRESH_DB", &[("models/sources.yml", sources)]);
    for sql in ["create schema fresh_db.public", "create table fresh_db.public.orders (id int)"] {
        stage().rows("FRESH_DB", sql);
    }
    stage().rows("FRESH_DB", "create table fresh_db.public.visits (id int)");
    project.sent();
    project.run(&["source", "freshness"]);
    let asked: Vec<String> = project.sent().into_iter().filter(|sql| sql.contains("last_altered")).collect();
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert!(asked[0].contains("information_schema"), "{asked:#?}");
    let results = fs::read_to_string(project.path().join("target/sources.json")).expect("written");
    let results: Json = serde_json::from_str(&results).expect("json");
    let statuses: Vec<&Json> =
        results["results"].as_array().into_iter().flatten().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["pass", "pass"], "{results}");
}
