//! Rows for `show`: as a table for people, as JSON, as CSV.

use crate::adapter::{Cell, Table};
use comfy_table::{CellAlignment, presets};
use serde_json::{Map, Number, Value, json};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// A table that lines up.
    Text,
    /// One document with the rows as objects.
    Json,
    /// CSV with a header; NULL is the empty field.
    Csv,
}

/// The rows in a format; `node` is the name of what was asked for, none for a query that was typed.
pub fn format_table(table: &Table, format: TableFormat, node: Option<&str>) -> String {
    match format {
        TableFormat::Text => text(table),
        TableFormat::Json => {
            let document = match node {
                Some(node) => json!({"node": node, "show": rows(table)}),
                None => json!({"show": rows(table)}),
            };
            format!("{document:#}")
        }
        TableFormat::Csv => csv(table),
    }
}

fn text(table: &Table) -> String {
    let mut drawn = comfy_table::Table::new();
    drawn.load_preset(presets::ASCII_MARKDOWN);
    drawn.set_header(table.columns.iter().map(|(name, _)| name.as_str()));
    for row in &table.rows {
        drawn.add_row(row.iter().map(|cell| match cell {
            Cell::Null => "NULL".to_owned(),
            cell => cell.to_string().replace('\n', "\\n"),
        }));
    }
    for (index, column) in drawn.column_iter_mut().enumerate() {
        let mut cells = table.rows.iter().filter_map(|row| row.get(index)).filter(|cell| **cell != Cell::Null);
        if cells.any(|cell| matches!(cell, Cell::Integer(_) | Cell::Decimal(_) | Cell::Float(_))) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let count = super::wording::counted(table.rows.len() as u64, "row");
    format!("{drawn}\n({count})")
}

fn rows(table: &Table) -> Vec<Value> {
    let object = |row: &Vec<Cell>| -> Map<String, Value> {
        table.columns.iter().zip(row).map(|((name, _), cell)| (name.clone(), value(cell))).collect()
    };
    table.rows.iter().map(|row| Value::Object(object(row))).collect()
}

/// A cell as JSON. A number that JSON's readers would round is written as a text.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => json!(value),
        Cell::Integer(number) => Number::from_i128(*number).map_or_else(|| json!(number.to_string()), Value::Number),
        Cell::Decimal(text) => match text.parse::<f64>() {
            Ok(number) if exact(number, text) => json!(number),
            _ => json!(text),
        },
        Cell::Float(number) => json!(number),
        other => json!(other.to_string()),
    }
}

fn exact(number: f64, text: &str) -> bool {
    let shown = number.to_string();
    let (shorter, longer) = if shown.len() <= text.len() { (shown.as_str(), text) } else { (text, shown.as_str()) };
    let padding = &longer[shorter.len()..];
    longer.starts_with(shorter)
        && (padding.is_empty() || padding.trim_matches('0').is_empty() && shorter.contains('.') || {
            padding.starts_with('.') && padding[1..].trim_matches('0').is_empty()
        })
}

fn csv(table: &Table) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let lines = std::iter::once(header).chain(table.rows.iter().map(|row| row.iter().map(Cell::to_string).collect()));
    for line in lines {
        // Writing to memory cannot fail, and all lines have one length.
        let _ = writer.write_record(&line);
    }
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::ColumnType;

    fn table() -> Table {
        Table {
            columns: vec![
                ("id".into(), ColumnType::BigInt),
                ("name".into(), ColumnType::Text),
                ("amount".into(), ColumnType::Decimal(38, 2)),
            ],
            rows: vec![
                vec![Cell::Integer(1), Cell::Text("a, \"b\"\nc".into()), Cell::Decimal("12.50".into())],
                vec![Cell::Integer(20), Cell::Null, Cell::Decimal("12345678901234567890.25".into())],
            ],
        }
    }

    #[test]
    fn every_format() {
        let all: Vec<String> = [TableFormat::Text, TableFormat::Json, TableFormat::Csv]
            .into_iter()
            .map(|format| format_table(&table(), format, Some("orders")))
            .collect();
        insta::assert_snapshot!(all.join("\n----\n"));
    }

    #[test]
    fn a_decimal_becomes_a_number_only_where_nothing_is_lost() {
        let shown = |text: &str| value(&Cell::Decimal(text.into()));
        assert_eq!(shown("12.50"), json!(12.5));
        assert_eq!(shown("7"), json!(7.0));
        assert_eq!(shown("100"), json!(100.0));
        assert_eq!(shown("3.00"), json!(3.0));
        assert_eq!(shown("0.1234567890123456789"), json!("0.1234567890123456789"));
        assert_eq!(value(&Cell::Integer(i128::MAX)), json!(i128::MAX.to_string()));
    }
}
