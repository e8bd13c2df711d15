//! Judges what a unit test's model made of the rows that it was given.

use super::event::Status;
use super::row_diff;
use super::test::Verdict;
use crate::adapter::{Cell, Table};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::{Node, UnitTest};

/// The column that says what a row is.
const KIND: &str = "actual_or_expected";

/// Compares the rows of the one query that gives both kinds.
pub fn judge(node: &Node, test: &UnitTest, table: &Table) -> Result<Verdict, Diagnostic> {
    let Some(kind) = table.position(KIND) else {
        let message = format!("unit test `{}` gave rows without the column `{KIND}`", node.name);
        return Err(Diagnostic::error(Code::Database, message)
            .at(node.declared_at.clone(), "")
            .help("check an override of `get_unit_test_sql` or of the materialization `unit`"));
    };
    let without_kind = |row: &Vec<Cell>| -> Vec<Cell> {
        row.iter().enumerate().filter(|(at, _)| *at != kind).map(|(_, cell)| cell.clone()).collect()
    };
    let rows = |wanted: &str| -> Vec<Vec<Cell>> {
        let is_of = |row: &&Vec<Cell>| matches!(&row[kind], Cell::Text(text) if text == wanted);
        table.rows.iter().filter(is_of).map(without_kind).collect()
    };
    let columns: Vec<String> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != kind)
        .map(|(_, (name, _))| name.to_lowercase())
        .collect();
    let Some(drawn) = row_diff::draw(&columns, &rows("expected"), &rows("actual")) else {
        return Ok(Verdict { status: Status::Pass, failures: 0, message: None, diagnostic: None });
    };
    let sentence = format!("`{}` gives other rows than unit test `{}` expects", test.model, node.alias);
    let found = Diagnostic::error(Code::TestFailed, sentence)
        .at(test.expect.span.clone(), "these rows are expected")
        .help(format!("see what it is made of: strata compile -s {}", node.name));
    let message = format!("\n\nactual differs from expected:\n\n{drawn}\n");
    Ok(Verdict { status: Status::Fail, failures: 1, message: Some(message), diagnostic: Some(found) })
}
