//! Seeds: a CSV text becomes typed rows, by the rules with which dbt (agate) tells types apart.

use super::session::WorkerSession;
use crate::adapter::{Cell, ColumnType, Table, Texts};
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use crate::jinja::host::{FailedStatement, Session as _};
use crate::name::{RelationName, quote_identifier};
use crate::sql::Dialect;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Rows of one INSERT statement: large enough to be quick, far below the limits of warehouses.
const ROWS_PER_INSERT: usize = 1_000;

/// Reads a seed's CSV. Columns for which `is_typed` says true keep their text: the config gives them a type.
/// Every row must have as many fields as the header; the first that has not is pointed at.
pub fn read(file: &Arc<SourceFile>, delimiter: u8, is_typed: &dyn Fn(&str) -> bool) -> Result<Table, Diagnostic> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(file.text().as_bytes());
    let header = reader.headers().map_err(|error| unreadable(file, &error))?.clone();
    if header.is_empty() {
        return Err(
            Diagnostic::error(Code::Seed, "the seed has no header").at(Span::new(file, 0..0), "expected column names")
        );
    }
    let mut records = Vec::new();
    for record in reader.records() {
        records.push(record.map_err(|error| unreadable(file, &error))?);
    }
    let mut table = Table { columns: vec![], rows: vec![Vec::with_capacity(header.len()); records.len()] };
    for (index, name) in header.iter().enumerate() {
        let fields: Vec<&str> = records.iter().map(|record| record.get(index).unwrap_or_default()).collect();
        let (column_type, cells) = if is_typed(name) { as_texts(&fields) } else { infer(&fields) };
        table.columns.push((name.trim().to_owned(), column_type));
        for (row, cell) in table.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }
    Ok(table)
}

/// The columns of a seed as SQL names them: with `quoted` as the header has them, else as the warehouse keeps unquoted
/// names.
pub fn column_names(table: &Table, dialect: Dialect, quoted: bool) -> Vec<String> {
    let name = |name: &str| if quoted { quote_identifier(name) } else { dialect.usual_name(name) };
    table.columns.iter().map(|(column, _)| name(column)).collect()
}

/// The INSERT statements that put `table` into a relation, as literals that the relation's types read back. With
/// `quoted`, the relation's columns are written as the header has them, else as the warehouse keeps unquoted names.
pub fn inserts(into: &RelationName, table: &Table, dialect: Dialect, quoted: bool) -> Vec<String> {
    let columns = column_names(table, dialect, quoted).join(", ");
    table
        .rows
        .chunks(ROWS_PER_INSERT)
        .map(|rows| {
            let mut sql = format!("insert into {into} ({columns}) values\n");
            for (index, row) in rows.iter().enumerate() {
                let values: Vec<String> = row.iter().map(|cell| literal(cell, dialect)).collect();
                let _ = write!(sql, "{}({})", if index == 0 { "" } else { ",\n" }, values.join(", "));
            }
            sql
        })
        .collect()
}

/// A seed on its way into a warehouse that takes rows better than as literals.
pub struct SeedRows {
    /// The seed.
    pub table: Arc<Table>,
    /// The seed's columns as SQL names them in its table, each with the type that its text is cast to; texts are not.
    pub columns: Vec<(String, Option<String>)>,
    /// A temporary table for the texts.
    pub texts: RelationName,
    /// A directory for files on the way.
    pub directory: PathBuf,
    /// The table of the seed itself: rows that come into it come together with the node's row in the books.
    pub target: Option<RelationName>,
}

impl SeedRows {
    /// Makes the seed's rows the content of a table, whole or not at all; none where the warehouse has no better way than
    /// INSERT statements.
    pub fn load(&self, session: &WorkerSession, into: &RelationName) -> Option<Result<u64, Box<FailedStatement>>> {
        if !session.definitions_commit() {
            return None;
        }
        let names: Vec<String> = (0..self.columns.len()).map(|index| format!("c{index}")).collect();
        let declared: Vec<String> = names.iter().map(|name| format!("{name} varchar")).collect();
        let create = format!("create or replace temporary table {} ({})", self.texts, declared.join(", "));
        if let Err(failed) = session.execute(&create, false) {
            return Some(Err(failed));
        }
        let rows = Texts { columns: &names, rows: &self.table.rows, directory: &self.directory };
        let loaded = session.load_texts(&self.texts, &rows)?;
        Some(loaded.and_then(|count| {
            let value = |((_, cast), name): (&(String, Option<String>), &String)| match cast {
                Some(cast) => format!("cast({name} as {cast})"),
                None => name.clone(),
            };
            let values: Vec<String> = self.columns.iter().zip(&names).map(value).collect();
            let columns: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
            let insert = format!(
                "insert into {into} ({})\nselect {} from {}",
                columns.join(", "),
                values.join(", "),
                self.texts
            );
            let is_last = self.target.as_ref() == Some(into);
            session.write_whole(&[format!("delete from {into}"), insert], is_last.then_some(count))?;
            session.wrote(count);
            session.execute(&format!("drop table if exists {}", self.texts), false)?;
            Ok(count)
        }))
    }
}

/// The types to which the texts of a seed are cast, by its columns: what its config declares, or what was inferred. A cast
/// of a text to a text could cut it.
pub fn casts(
    table: &Table,
    declared: impl Fn(&str) -> Option<String>,
    word: impl Fn(&ColumnType) -> String,
) -> Vec<Option<String>> {
    let is_text = |word: &str| {
        let name = word.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
        name.contains("char") || matches!(name.as_str(), "text" | "string")
    };
    let cast = |(name, column_type): &(String, ColumnType)| {
        Some(declared(name).unwrap_or_else(|| word(column_type))).filter(|word| !is_text(word))
    };
    table.columns.iter().map(cast).collect()
}

/// A cell as a SQL literal.
pub fn literal(cell: &Cell, dialect: Dialect) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Boolean(_) | Cell::Integer(_) | Cell::Decimal(_) | Cell::Float(_) => cell.to_string(),
        _ => dialect.string_literal(&cell.to_string()),
    }
}

fn unreadable(file: &Arc<SourceFile>, error: &csv::Error) -> Diagnostic {
    let at = error.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
    let line = file.text()[at.min(file.text().len())..].lines().next().map_or(0, str::len);
    let message = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("a row has {len} fields, the header has {expected_len}")
        }
        _ => format!("the seed is not readable as CSV: {error}"),
    };
    Diagnostic::error(Code::Seed, message)
        .at(Span::new(file, at..at + line), "")
        .help("quote fields that contain the delimiter, or set `delimiter` in the seed's config")
}

fn is_null(field: &str) -> bool {
    let field = field.trim();
    field.is_empty() || field.eq_ignore_ascii_case("null")
}

fn as_texts(fields: &[&str]) -> (ColumnType, Vec<Cell>) {
    let cell = |field: &&str| if is_null(field) { Cell::Null } else { Cell::Text((*field).to_owned()) };
    (ColumnType::Text, fields.iter().map(cell).collect())
}

/// The first type in dbt's order that every field has; a column of nothing but NULLs is a whole number.
fn infer(fields: &[&str]) -> (ColumnType, Vec<Cell>) {
    let all = |read: fn(&str) -> Option<Cell>| -> Option<Vec<Cell>> {
        fields.iter().map(|field| if is_null(field) { Some(Cell::Null) } else { read(field.trim()) }).collect()
    };
    if let Some(cells) = all(|field| field.replace(',', "").parse().ok().map(Cell::Integer)) {
        return (ColumnType::BigInt, cells);
    }
    if let Some(cells) = all(|field| decimal_text(field).map(Cell::Decimal)) {
        return (ColumnType::Double, cells);
    }
    if let Some(cells) = all(|field| NaiveDate::parse_from_str(field, "%Y-%m-%d").ok().map(Cell::Date)) {
        return (ColumnType::Date, cells);
    }
    if let Some(cells) =
        all(|field| NaiveDateTime::parse_from_str(field, "%Y-%m-%d %H:%M:%S").ok().map(Cell::Timestamp))
    {
        return (ColumnType::Timestamp, cells);
    }
    if let Some(cells) = all(iso_timestamp) {
        return (ColumnType::Timestamp, cells);
    }
    if let Some(cells) = all(boolean) {
        return (ColumnType::Boolean, cells);
    }
    as_texts(fields)
}

/// A decimal number as dbt reads it: thousands separators and a percent sign do not count.
fn decimal_text(field: &str) -> Option<String> {
    let text = field.trim_matches('%').replace(',', "");
    let digits = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.parse::<f64>().is_ok_and(f64::is_finite);
    is_number.then_some(text)
}

fn iso_timestamp(field: &str) -> Option<Cell> {
    if !field.contains('T') {
        return None;
    }
    if let Ok(point) = DateTime::parse_from_rfc3339(field) {
        return Some(Cell::Timestamp(point.naive_utc()));
    }
    NaiveDateTime::parse_from_str(field, "%Y-%m-%dT%H:%M:%S%.f").ok().map(Cell::Timestamp)
}

fn boolean(field: &str) -> Option<Cell> {
    match field.to_ascii_lowercase().as_str() {
        "true" => Some(Cell::Boolean(true)),
        "false" => Some(Cell::Boolean(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        read(&SourceFile::new("seeds/s.csv", text), b',', &|_| false).expect("a readable seed")
    }

    #[test]
    fn types_are_told_apart_as_dbt_does() {
        let read = table(
            "i,n,d,t,z,b,x,e\n1,1.5,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05Z,true,a,\n,null,,,,FALSE,NULL,\n",
        );
        let types: Vec<ColumnType> = read.columns.iter().map(|(_, column_type)| column_type.clone()).collect();
        use ColumnType::{BigInt, Boolean, Date, Double, Text, Timestamp};
        assert_eq!(types, [BigInt, Double, Date, Timestamp, Timestamp, Boolean, Text, BigInt]);
        assert_eq!(read.rows[1][6], Cell::Null);
    }

    #[test]
    fn a_column_with_a_declared_type_keeps_its_text() {
        let file = SourceFile::new("seeds/s.csv", "zip,n\n007,1\n");
        let read = read(&file, b',', &|name| name == "zip").expect("a readable seed");
        assert_eq!(read.rows, [vec![Cell::Text("007".into()), Cell::Integer(1)]]);
    }

    #[test]
    fn a_short_row_is_pointed_at() {
        let file = SourceFile::new("seeds/s.csv", "a,b\n1,2\n3\n");
        let found = read(&file, b',', &|_| false).expect_err("a row too short");
        assert_eq!(found.message(), "a row has 1 fields, the header has 2");
        assert_eq!(found.labels()[0].span.line_and_column(), (3, 1));
    }

    #[test]
    fn literals_survive_quotes() {
        let into = RelationName::new(None, "s", "t", crate::name::Quoting::ALL);
        let rows = Table { columns: vec![("x".into(), ColumnType::Text)], rows: vec![vec![Cell::Text("it's".into())]] };
        assert_eq!(
            inserts(&into, &rows, Dialect::DuckDb, false),
            ["insert into \"s\".\"t\" (\"x\") values\n('it''s')"]
        );
        let snowflake = inserts(&into, &rows, Dialect::Snowflake, false);
        assert_eq!(snowflake, ["insert into \"s\".\"t\" (\"X\") values\n('it''s')"]);
    }
}
