//! Seeds: how their rows come into the table, and that macros of a project are still asked.

use super::commands::Project;
use serde_json::json;
use std::fmt::Write as _;

const TYPES: &str =
    "seeds:\n  shop:\n    raw:\n      +column_types: {code: varchar(3), price: 'number(9,2)', seen: timestamp_ntz}\n";

#[test]
fn values_arrive_as_what_they_are_declared() {
    let csv = "id,code,price,seen,note\n1,007,1.50,2024-02-29 01:02:03,\"it's \"\"q\"\", ü\\n\"\n2,,,,\n";
    let project = Project::new("SEED_TYPES_DB", &[("seeds/raw.csv", csv), ("seeds/s.yml", "")]);
    project.append("dbt_project.yml", TYPES);
    for arguments in [&["seed"][..], &["seed"], &["seed", "--full-refresh"]] {
        project.run(arguments);
        let shown = project.show("select * from {{ ref('raw') }} where id = 1");
        assert_eq!(
            shown,
            json!({"ID": 1, "CODE": "007", "PRICE": 1.5, "SEEN": "2024-02-29 01:02:03", "NOTE": "it's \"q\", ü\\n"})
        );
        let shown = project.show(
            "select count(*) as n, count(code) as codes, count(price) as prices, count(note) as notes from {{ ref('raw') }}",
        );
        assert_eq!(shown, json!({"N": 2, "CODES": 1, "PRICES": 1, "NOTES": 1}), "{arguments:?}");
    }
}

#[test]
fn rows_replace_rows_in_one_transaction() {
    let project = Project::new("SEED_ONCE_DB", &[("seeds/raw.csv", "id\n1\n2\n")]);
    project.run(&["seed"]);
    project.sent();
    project.run(&["seed"]);
    let sent = project.sent();
    let verbs: Vec<&str> = sent.iter().map(|sql| sql.split(" seed_once_db").next().unwrap_or(sql)).collect();
    let delete = verbs.iter().position(|sql| sql.starts_with("delete from")).expect("a delete");
    assert!(sent[delete - 1].starts_with("begin"), "{sent:#?}");
    assert!(sent[delete + 1].starts_with("insert into") && sent[delete + 1].contains("raw__seed"), "{sent:#?}");
    assert!(sent[delete + 2].contains("node_runs") && sent[delete + 3].starts_with("commit"), "{sent:#?}");
    assert!(!sent.iter().any(|sql| sql.starts_with("truncate")), "{sent:#?}");
    project.run(&["seed", "--full-refresh"]);
    let sent = project.sent();
    let taken = sent.iter().find(|sql| sql.starts_with("execute immediate")).expect("a new table takes the place");
    assert!(taken.contains("node_runs") && taken.contains("'success', 2, "), "{taken}");
}

#[test]
fn many_rows_go_through_a_stage() {
    let mut csv = "id,text\n".to_owned();
    for id in 0..3_000 {
        let text = if id % 2 == 0 { String::new() } else { "ü;x".repeat(1_000) };
        writeln!(csv, "{id},{text}").expect("written");
    }
    let project = Project::new("SEED_MANY_DB", &[("seeds/raw.csv", &csv)]);
    project.run(&["seed"]);
    let sent = project.sent();
    assert!(
        sent.iter().any(|sql| sql.starts_with("put ")) && sent.iter().any(|sql| sql.starts_with("copy into")),
        "{sent:#?}"
    );
    let shown = project
        .show("select count(*) as n, count(text) as texts, sum(id)::number(38,0) as total from {{ ref('raw') }}");
    assert_eq!(shown, json!({"N": 3000, "TEXTS": 1500, "TOTAL": 4_498_500}));
}

#[test]
fn macros_of_a_project_load_and_make_the_table() {
    let load = "{% macro snowflake__load_csv_rows(model, agate_table) %}\
                {% do run_query('insert into ' ~ this ~ ' values (' ~ agate_table.rows[0][0] ~ ' + 100)') %}\
                {{ return('-- mine') }}{% endmacro %}";
    let project = Project::new("SEED_OWN_LOAD_DB", &[("seeds/raw.csv", "id\n1\n"), ("macros/load.sql", load)]);
    project.run(&["seed"]);
    project.run(&["seed"]);
    assert_eq!(project.show("select count(*) as n, max(id) as id from {{ ref('raw') }}"), json!({"N": 1, "ID": 101}));

    let make = "{% macro snowflake__create_csv_table(model, agate_table) %}\
                {% do run_query('create table ' ~ this ~ ' (id varchar, extra varchar)') %}\
                {{ return('-- mine') }}{% endmacro %}";
    let project = Project::new("SEED_OWN_TABLE_DB", &[("seeds/raw.csv", "id\n1\n"), ("macros/make.sql", make)]);
    for arguments in [&["seed"][..], &["seed"], &["seed", "--full-refresh"]] {
        project.run(arguments);
        assert_eq!(project.show("select * from {{ ref('raw') }}"), json!({"ID": "1", "EXTRA": null}), "{arguments:?}");
    }
}
