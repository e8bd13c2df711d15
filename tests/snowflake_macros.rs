//! The statements that the built-in macros send to Snowflake.

use crate::support::builder::{Build, Builder};
use serde_json::{Value as Json, json};
use strata::adapter::{Cell, ColumnType, Table};

fn table(columns: &[&str], rows: &[&[&str]]) -> Table {
    let cell = |text: &&str| if text.is_empty() { Cell::Null } else { Cell::Text((*text).to_owned()) };
    Table {
        columns: columns.iter().map(|name| ((*name).to_owned(), ColumnType::Text)).collect(),
        rows: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    }
}

/// What is sent for one node; `existing` is what the schema holds, by name and kind.
fn sent(materialized: &str, config: Json, existing: &[(&str, &str)]) -> String {
    let relations: Vec<Vec<&str>> =
        existing.iter().map(|(name, kind)| vec!["MEMORY", "MAIN", *name, *kind, "N", "N"]).collect();
    let relations: Vec<&[&str]> = relations.iter().map(Vec::as_slice).collect();
    let columns: &[&[&str]] = if materialized == "scd2" {
        &[
            &["CUSTOMER_KEY", "VARCHAR(32)"],
            &["ID", "NUMBER(38,0)"],
            &["NAME", "VARCHAR(20)"],
            &["EFFECTIVE_FROM", "TIMESTAMP_NTZ(9)"],
            &["EFFECTIVE_TO", "TIMESTAMP_NTZ(9)"],
            &["IS_CURRENT", "BOOLEAN"],
            &["VERSION_NUMBER", "NUMBER(38,0)"],
        ]
    } else {
        &[&["ID", "NUMBER(38,0)"], &["NAME", "VARCHAR(20)"]]
    };
    let source_columns: &[&[&str]] = &[&["ID", "NUMBER(38,0)"], &["NAME", "VARCHAR(20)"]];
    let builder = Builder::snowflake(vec![
        (
            "show objects",
            table(&["database_name", "schema_name", "name", "kind", "is_dynamic", "is_iceberg"], &relations),
        ),
        ("__dbt_source\norder", Table::default()),
        ("describe table memory.main.dim_customer__dbt", table(&["name", "type"], source_columns)),
        ("describe table", table(&["name", "type"], columns)),
        ("select count(*) from", table(&["count"], &[&["1"]])),
    ]);
    let name = if materialized == "scd2" { "dim_customer" } else { "orders" };
    let build = Build { name, materialized, config, sql: "select id, name from customers", at: 1_700_000_000 };
    builder.build(&build).unwrap_or_else(|found| panic!("{found}\n{}", builder.take_asked()));
    builder.take_asked()
}

#[test]
fn views_and_tables_are_published_by_one_statement() {
    insta::assert_snapshot!("snowflake_view", sent("view", json!({"secure": true}), &[("ORDERS", "TABLE")]));
    insta::assert_snapshot!(
        "snowflake_table",
        sent("table", json!({"cluster_by": ["id"], "transient": false, "copy_grants": true}), &[("ORDERS", "TABLE")])
    );
}

#[test]
fn incremental_models_merge() {
    let config = json!({"unique_key": "id", "incremental_predicates": ["DBT_INTERNAL_DEST.id > 5"]});
    insta::assert_snapshot!("snowflake_incremental", sent("incremental", config, &[("ORDERS", "TABLE")]));
}

#[test]
fn extracts_merge_what_differs() {
    let config = json!({"unique_key": "id"});
    insta::assert_snapshot!("snowflake_extract", sent("extract", config, &[("ORDERS", "TABLE")]));
}

#[test]
fn dimensions_close_and_open_versions() {
    let config = json!({"unique_key": "id"});
    insta::assert_snapshot!("snowflake_scd2", sent("scd2", config, &[("DIM_CUSTOMER", "TABLE")]));
}
