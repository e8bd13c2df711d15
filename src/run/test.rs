//! Judges what a data test found, as its config asks.

use super::event::Status;
use crate::adapter::{Cell, Table};
use crate::diagnostic::{Code, Diagnostic};
use crate::manifest::Node;

/// How a test ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Pass, warn or fail.
    pub status: Status,
    /// How many rows it found (or what its `fail_calc` says); 0 if it passed, also where its conditions let some
    /// rows pass.
    pub failures: u64,
    /// dbt's sentence about what it found; none if it passed.
    pub message: Option<String>,
    /// The finding, unless it passed.
    pub diagnostic: Option<Diagnostic>,
}

/// Reads the one row that a test's query gives: `failures`, `should_warn`, `should_error`.
pub fn judge(node: &Node, table: &Table) -> Result<Verdict, Diagnostic> {
    let cell = |column: &str| table.position(column).and_then(|position| table.rows.first()?.get(position));
    let (Some(failures), Some(should_warn), Some(should_error)) =
        (cell("failures").and_then(count), cell("should_warn").and_then(truth), cell("should_error").and_then(truth))
    else {
        return Err(unreadable(node, table));
    };
    let severity = node.config.text("severity").unwrap_or("error").to_ascii_lowercase();
    let condition = |key: &str| node.config.text(key).unwrap_or("!= 0").to_owned();
    let (status, tripped) = if severity == "error" && should_error {
        (Status::Fail, condition("error_if"))
    } else if should_warn {
        (Status::Warn, condition("warn_if"))
    } else {
        return Ok(Verdict { status: Status::Pass, failures: 0, message: None, diagnostic: None });
    };
    let results = if failures == 1 { "result" } else { "results" };
    let verb = if status == Status::Fail { "fail" } else { "warn" };
    let message = format!("Got {failures} {results}, configured to {verb} if {tripped}");
    let sentence = format!("test `{}` found {failures} {}", node.name, if failures == 1 { "row" } else { "rows" });
    let found = if status == Status::Fail {
        Diagnostic::error(Code::TestFailed, sentence)
    } else {
        Diagnostic::warning(Code::TestFailed, sentence)
    };
    let found = found.at(node.declared_at.clone(), format!("configured to {verb} if {tripped}"));
    let found = match node.relation_name.as_ref().filter(|_| node.config.flag("store_failures") == Some(true)) {
        Some(stored) => found.help(format!("see the rows: select * from {stored}")),
        None => found.help(format!("see the rows: strata show --limit 20 -s {}", node.name)),
    };
    Ok(Verdict { status, failures, message: Some(message), diagnostic: Some(found) })
}

fn count(cell: &Cell) -> Option<u64> {
    match cell {
        Cell::Null => Some(0),
        Cell::Integer(number) => u64::try_from(*number).ok(),
        Cell::Decimal(text) => text.parse::<f64>().ok().and_then(whole),
        Cell::Float(number) => whole(*number),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a whole number in range")]
fn whole(number: f64) -> Option<u64> {
    (number.is_finite() && (0.0..1e18).contains(&number)).then_some(number.round() as u64)
}

fn truth(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Boolean(value) => Some(*value),
        Cell::Integer(number) => Some(*number != 0),
        Cell::Text(text) => text.to_ascii_lowercase().parse().ok(),
        Cell::Null => Some(false),
        _ => None,
    }
}

fn unreadable(node: &Node, table: &Table) -> Diagnostic {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    Diagnostic::error(
        Code::Database,
        format!(
            "test `{}` gave {} row(s) with the columns [{}] where it must give one row of failures, should_warn, should_error",
            node.name,
            table.rows.len(),
            columns.join(", ")
        ),
    )
    .at(node.declared_at.clone(), "")
    .help("check `fail_calc`, `warn_if` and `error_if`, and an override of `get_test_sql`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::ColumnType;
    use serde_json::json;

    fn verdict(config: serde_json::Value, failures: i128, should_warn: bool, should_error: bool) -> Verdict {
        let mut node = Node::example("test.p.unique_id", &[]);
        node.config = crate::manifest::NodeConfig::new(config.as_object().cloned().unwrap_or_default());
        let names = ["failures", "should_warn", "should_error"];
        let table = Table {
            columns: names.iter().map(|name| ((*name).to_owned(), ColumnType::BigInt)).collect(),
            rows: vec![vec![Cell::Integer(failures), Cell::Boolean(should_warn), Cell::Boolean(should_error)]],
        };
        judge(&node, &table).expect("a readable row")
    }

    #[test]
    fn severity_decides_between_fail_and_warn() {
        assert_eq!(verdict(json!({}), 0, false, false).status, Status::Pass);
        assert_eq!(verdict(json!({}), 3, true, true).status, Status::Fail);
        assert_eq!(verdict(json!({"error_if": "> 10", "warn_if": "> 10"}), 3, false, false).failures, 0);
        assert_eq!(verdict(json!({"severity": "warn"}), 3, true, true).status, Status::Warn);
        assert_eq!(verdict(json!({"error_if": "> 10"}), 3, true, false).status, Status::Warn);
        assert_eq!(
            verdict(json!({"error_if": "> 1"}), 3, true, true).message.as_deref(),
            Some("Got 3 results, configured to fail if > 1")
        );
    }
}
