//! Translation as a whole: what is written, and what is refused where.

use super::*;

fn result(sql: &str) -> Result<String, Diagnostics> {
    translate(&SourceFile::new("target/compiled/shop/models/orders.sql", sql), Dialect::Snowflake, Dialect::DuckDb)
}

fn translated(sql: &str) -> String {
    let text = result(sql).unwrap_or_else(|found| panic!("{sql}\n{found:#?}"));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_both_say_alike_stays_byte_for_byte() {
    let sql =
        "select  a,\n  upper(b) as b -- kept\nfrom t\nqualify row_number() over (partition by a order by b) = 1\n";
    assert_eq!(result(sql).as_deref(), Ok(sql));
}

#[test]
fn comments_and_commas_that_duckdb_does_not_read_go_away() {
    assert_eq!(translated("select a, // why\n b, from t"), "SELECT a, b FROM t");
}
