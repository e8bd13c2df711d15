//! Files as a FROM clause: every column with the type that the caller says, nothing guessed.

use super::value::type_name;
use crate::adapter::{Batch, BatchFormat, ColumnType, DatabaseError, DatabaseErrorKind};
use crate::name::{RelationName, quote_identifier, quote_literal};
use std::path::Path;

/// The INSERT that appends a batch to a table, matching columns by name.
pub(super) fn insert_statement(into: &RelationName, batch: &Batch) -> Result<String, DatabaseError> {
    let names: Vec<String> = batch.columns.iter().map(|(name, _)| quote_identifier(name)).collect();
    let values: Vec<String> = batch
        .columns
        .iter()
        .zip(&names)
        .map(|((_, column_type), name)| converted(batch.format, name, column_type))
        .collect();
    Ok(format!("insert into {into} ({}) select {} from {}", names.join(", "), values.join(", "), source(batch)?))
}

/// The files as what stands behind `from`.
pub(super) fn source(batch: &Batch) -> Result<String, DatabaseError> {
    Ok(match batch.format {
        BatchFormat::JsonLines => read_json(batch),
        BatchFormat::Csv => read_csv(batch)?,
        BatchFormat::Parquet => format!("read_parquet({})", files(batch.files.iter())),
    })
}

/// How a column is read from JSON before it is converted: DuckDB's reader knows these types exactly, all others
/// are read as text, since a decimal would pass through binary floating point.
fn read_as(column_type: &ColumnType) -> &'static str {
    match column_type {
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::BigInt => "BIGINT",
        ColumnType::Double => "DOUBLE",
        ColumnType::Json => "JSON",
        _ => "VARCHAR",
    }
}

/// A column of the files as a value of its type.
pub(super) fn converted(format: BatchFormat, name: &str, column_type: &ColumnType) -> String {
    match (format, column_type) {
        (BatchFormat::JsonLines | BatchFormat::Csv, ColumnType::Text) => name.to_owned(),
        (BatchFormat::JsonLines, ColumnType::Boolean | ColumnType::BigInt | ColumnType::Double | ColumnType::Json) => {
            name.to_owned()
        }
        // A plain cast to TIMESTAMP would drop an offset without a word; sessions are in UTC.
        (BatchFormat::JsonLines | BatchFormat::Csv, ColumnType::Timestamp) => {
            format!("cast(cast({name} as timestamp with time zone) as timestamp)")
        }
        (BatchFormat::JsonLines, ColumnType::Binary) => format!("from_base64({name})"),
        _ => format!("cast({name} as {})", type_name(column_type)),
    }
}

fn read_json(batch: &Batch) -> String {
    let columns: Vec<String> = batch
        .columns
        .iter()
        .map(|(name, column_type)| format!("{}: '{}'", quote_literal(name), read_as(column_type)))
        .collect();
    // A row may be long: the limit guards DuckDB's sniffing, and nothing is sniffed here.
    format!(
        "read_json({}, format = 'newline_delimited', columns = {{{}}}, maximum_object_size = 268435456)",
        files(batch.files.iter()),
        columns.join(", ")
    )
}

/// A file's own header gives the order of its columns; all values are read as text.
fn read_csv(batch: &Batch) -> Result<String, DatabaseError> {
    let mut parts = Vec::new();
    for file in &batch.files {
        let columns: Vec<String> =
            header(file)?.iter().map(|name| format!("{}: 'VARCHAR'", quote_literal(name))).collect();
        parts.push(format!(
            "select {} from read_csv({}, auto_detect = false, header = true, delim = ',', quote = '\"', \
             escape = '\"', nullstr = '', allow_quoted_nulls = false, columns = {{{}}}, max_line_size = 16777216)",
            batch.columns.iter().map(|(name, _)| quote_identifier(name)).collect::<Vec<_>>().join(", "),
            files(std::iter::once(file)),
            columns.join(", ")
        ));
    }
    Ok(format!("({})", parts.join(" union all ")))
}

fn header(file: &Path) -> Result<Vec<String>, DatabaseError> {
    let refused = |cause: csv::Error| {
        DatabaseError::new(DatabaseErrorKind::Statement, format!("cannot read {}: {cause}", file.display()))
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(file).map_err(refused)?;
    Ok(reader.headers().map_err(refused)?.iter().map(str::to_owned).collect())
}

/// Paths as a DuckDB list.
fn files<'a>(paths: impl Iterator<Item = &'a std::path::PathBuf>) -> String {
    let literals: Vec<String> = paths.map(|path| quote_literal(&path.to_string_lossy())).collect();
    format!("[{}]", literals.join(", "))
}
