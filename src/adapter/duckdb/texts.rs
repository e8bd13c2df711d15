//! A batch of any format, rewritten so that every value is a text: what warehouses that read no such files can load.

use super::load::{converted, source};
use super::{DuckDb, DuckDbSettings};
use crate::adapter::{Adapter, Batch, ColumnType, DatabaseError};
use crate::name::{quote_identifier, quote_literal};
use std::path::Path;

/// How the rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapter) enum TextRows {
    /// A directory of CSV files of some 32 MB without a header: every value in quotes
    /// and with an `=` before it, NULL as nothing at all. Readers of CSV differ in whether an empty text is NULL.
    Csv,
    /// One file, with a JSON list of texts and nulls a line.
    Lists,
}

/// Writes the rows of a batch into a file or directory, by an engine in memory. Timestamps are in UTC, bytes in hexadecimal.
pub(in crate::adapter) fn write_texts(batch: &Batch, to: &Path, rows: TextRows) -> Result<(), DatabaseError> {
    let mut session = DuckDb::open(DuckDbSettings::default())?.connect("texts")?;
    session.execute(&statement(batch, to, rows)?).map(drop).map_err(|failure| DatabaseError { offset: None, ..failure })
}

fn statement(batch: &Batch, to: &Path, rows: TextRows) -> Result<String, DatabaseError> {
    let texts: Vec<String> = batch
        .columns
        .iter()
        .map(|(name, column_type)| as_text(&converted(batch.format, &quote_identifier(name), column_type), column_type))
        .collect();
    let (from, to) = (source(batch)?, quote_literal(&to.to_string_lossy()));
    Ok(match rows {
        TextRows::Csv => {
            let names: Vec<String> = (0..texts.len()).map(|index| format!("c{index}")).collect();
            let columns: Vec<String> =
                texts.iter().zip(&names).map(|(text, name)| format!("'=' || {text} as {name}")).collect();
            format!(
                "copy (select {} from {from}) to {to} \
                 (format csv, header false, quote '\"', escape '\"', force_quote ({}), nullstr '', file_size_bytes '32MB')",
                columns.join(", "),
                names.join(", ")
            )
        }
        // A JSON text has no line break and no control character: nothing needs a quote.
        TextRows::Lists => format!(
            "copy (select cast(to_json([{}]) as varchar) from {from}) to {to} \
             (format csv, header false, quote '', escape '', delimiter e'\\x01', nullstr '')",
            texts.join(", ")
        ),
    })
}

fn as_text(value: &str, column_type: &ColumnType) -> String {
    let written = "'%Y-%m-%d %H:%M:%S.%f'";
    match column_type {
        ColumnType::Timestamp => format!("strftime({value}, {written})"),
        ColumnType::TimestampTz => format!("strftime(make_timestamp(epoch_us({value})), {written}) || '+00:00'"),
        ColumnType::Binary => format!("hex({value})"),
        _ => format!("cast({value} as varchar)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::BatchFormat;

    fn written(rows: TextRows) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let (from, to) = (directory.path().join("batch.json"), directory.path().join("texts"));
        let lines = [
            r#"{"id": 9007199254740993, "price": "12.50", "at": "2024-05-01T10:00:00+02:00", "raw": "AP8=", "note": ""}"#,
            r#"{"id": -1, "price": null, "note": "a \"b\"\n, c", "doc": {"k": [1, "x"]}}"#,
        ];
        std::fs::write(&from, lines.join("\n")).expect("written");
        let columns = [
            ("id", ColumnType::BigInt),
            ("price", ColumnType::Decimal(9, 2)),
            ("at", ColumnType::TimestampTz),
            ("raw", ColumnType::Binary),
            ("note", ColumnType::Text),
            ("doc", ColumnType::Json),
        ];
        let columns = columns.map(|(name, column_type)| (name.to_owned(), column_type)).to_vec();
        let batch = Batch { format: BatchFormat::JsonLines, files: vec![from], columns };
        write_texts(&batch, &to, rows).expect("texts");
        let to = if rows == TextRows::Csv { to.join("data_0.csv") } else { to };
        std::fs::read_to_string(&to).expect("a file")
    }

    #[test]
    fn every_value_is_a_text_and_null_is_none() {
        let rows = [
            "\"=9007199254740993\",\"=12.50\",\"=2024-05-01 08:00:00.000000+00:00\",\"=00FF\",\"=\",\n",
            "\"=-1\",,,,\"=a \"\"b\"\"\n, c\",\"={\"\"k\"\":[1,\"\"x\"\"]}\"\n",
        ];
        // Files of a limited size are written in no order.
        let found = written(TextRows::Csv);
        assert!(found == rows.concat() || found == [rows[1], rows[0]].concat(), "{found}");
        let lists = written(TextRows::Lists);
        let rows: Vec<Vec<Option<String>>> =
            lists.lines().map(|line| serde_json::from_str(line).expect("a list")).collect();
        assert_eq!(
            rows[0][..3],
            ["9007199254740993", "12.50", "2024-05-01 08:00:00.000000+00:00"].map(|text| Some(text.to_owned()))
        );
        assert_eq!(rows[1][4].as_deref(), Some("a \"b\"\n, c"));
        assert_eq!((rows[0][4].as_deref(), &rows[1][1]), (Some(""), &None));
    }
}
