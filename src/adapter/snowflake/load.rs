//! Loading files into a table. Few rows go as one bound text a statement, which works on every account; many go as a
//! file into a stage of the session, from there into a table of texts, and by one INSERT into their types.

use super::call::Input;
use super::column::type_word;
use super::connection::SnowflakeConnection;
use crate::adapter::duckdb::{TextRows, write_texts};
use crate::adapter::{Batch, Cell, ColumnType, Connection as _, DatabaseError, DatabaseErrorKind, Texts};
use crate::name::{Quoting, RelationName, quote_literal};
use crate::sql::Dialect;
use serde_json::{Value as Json, json};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// As many bytes of rows as one statement may bear; Snowflake's limit is a megabyte for the whole text.
const LONGEST_BINDING: usize = 900_000;
/// Files of more bytes go through a stage.
const LARGE: u64 = 4_000_000;

/// A directory that is gone with this value.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// A new directory in another.
    fn within(parent: &Path) -> Result<Self, DatabaseError> {
        let path = parent.join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir_all(&path).map_err(|error| disk(&path, &error))?;
        Ok(Self(path))
    }

    /// A new directory beside the first file of a batch.
    fn beside(batch: &Batch) -> Result<Self, DatabaseError> {
        Self::within(batch.files.first().and_then(|file| file.parent()).unwrap_or(Path::new(".")))
    }

    /// The files in a directory within, in order of their names.
    fn files(&self, name: &str) -> Result<Vec<PathBuf>, DatabaseError> {
        let path = self.0.join(name);
        let entries = std::fs::read_dir(&path).map_err(|error| disk(&path, &error))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        Ok(files)
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // What cannot be removed does no harm where it is: nothing reads it again.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn disk(path: &Path, error: &std::io::Error) -> DatabaseError {
    DatabaseError::new(DatabaseErrorKind::Statement, format!("{}: {error}", path.display()))
}

/// Appends the rows of a batch to a table, matching columns by name.
pub(super) fn load(
    connection: &mut SnowflakeConnection,
    into: &RelationName,
    batch: &Batch,
) -> Result<u64, DatabaseError> {
    if batch.files.is_empty() || batch.columns.is_empty() {
        return Ok(0);
    }
    let bytes: u64 = batch.files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum();
    // What makes a stage would commit the open transaction.
    let loaded = if bytes > LARGE && !connection.in_transaction() {
        match stage_batch(connection, into, batch) {
            // Where files cannot be carried to the account's cloud, rows still can.
            Err(failure) if failure.code.as_deref() == Some(super::upload::NO_WAY) => {
                bind_batch(connection, into, batch)
            }
            loaded => loaded,
        }
    } else {
        bind_batch(connection, into, batch)
    };
    // Places in these statements mean nothing to anyone: nobody wrote them.
    loaded.map_err(|failure| DatabaseError { offset: None, ..failure })
}

/// Appends rows of texts to a table whose columns take texts.
pub(super) fn load_texts(
    connection: &mut SnowflakeConnection,
    into: &RelationName,
    texts: &Texts<'_>,
) -> Result<u64, DatabaseError> {
    let bytes: usize = texts.rows.iter().flatten().map(|cell| cell.to_string().len() + 1).sum();
    let names = texts.columns.join(", ");
    let columns = texts.columns.len();
    let loaded = if bytes as u64 > LARGE && !connection.in_transaction() {
        let directory = TemporaryDirectory::within(texts.directory)?;
        let file = directory.0.join("rows.csv");
        write_csv(texts, &file)?;
        let values = texts_of(columns, unmarked);
        match by_stage(connection, into, columns, &[file], &format!("({names}) select {values}")) {
            Err(failure) if failure.code.as_deref() == Some(super::upload::NO_WAY) => {
                bind_texts(connection, into, texts)
            }
            loaded => loaded,
        }
    } else {
        bind_texts(connection, into, texts)
    };
    // Places in these statements mean nothing to anyone: nobody wrote them.
    loaded.map_err(|failure| DatabaseError { offset: None, ..failure })
}

fn bind_texts(
    connection: &mut SnowflakeConnection,
    into: &RelationName,
    texts: &Texts<'_>,
) -> Result<u64, DatabaseError> {
    let columns = texts.columns.len();
    let lines = texts.rows.iter().map(|row| Ok(row.iter().map(text_of).collect::<Json>().to_string()));
    by_binding(
        connection,
        into,
        columns,
        &format!("({}) select {}", texts.columns.join(", "), texts_of(columns, |text| text)),
        lines,
    )
}

/// The columns `r.c0`, `r.c1`, … as `read` gives them.
fn texts_of(columns: usize, read: impl Fn(String) -> String) -> String {
    (0..columns).map(|index| read(format!("r.c{index}"))).collect::<Vec<_>>().join(", ")
}

fn text_of(cell: &Cell) -> Option<String> {
    (*cell != Cell::Null).then(|| cell.to_string())
}

/// Writes rows as `COPY` reads them: a mark before each text tells it apart from NULL.
fn write_csv(texts: &Texts<'_>, to: &Path) -> Result<(), DatabaseError> {
    let unwritable =
        |error: csv::Error| DatabaseError::new(DatabaseErrorKind::Statement, format!("{}: {error}", to.display()));
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_path(to).map_err(unwritable)?;
    for row in texts.rows {
        let marked = row.iter().map(|cell| text_of(cell).map(|text| format!("={text}")).unwrap_or_default());
        writer.write_record(marked).map_err(unwritable)?;
    }
    writer.flush().map_err(|error| disk(to, &error))
}

/// Few rows of a batch.
fn bind_batch(connection: &mut SnowflakeConnection, into: &RelationName, batch: &Batch) -> Result<u64, DatabaseError> {
    let directory = TemporaryDirectory::beside(batch)?;
    let file = directory.0.join("rows");
    write_texts(batch, &file, TextRows::Lists)?;
    let lines = BufReader::new(File::open(&file).map_err(|error| disk(&file, &error))?).lines();
    let lines = lines.map(|line| line.map_err(|error| disk(&file, &error)));
    let values = format!("({}) select {}", names(batch), values(batch, |text| text));
    by_binding(connection, into, batch.columns.len(), &values, lines)
}

/// Few rows, each a list of texts in JSON: a statement has many of them as one bound text. `values` is what stands in
/// the INSERT before the texts `r.c0`, `r.c1`, ….
fn by_binding(
    connection: &mut SnowflakeConnection,
    into: &RelationName,
    columns: usize,
    values: &str,
    lines: impl Iterator<Item = Result<String, DatabaseError>>,
) -> Result<u64, DatabaseError> {
    let texts: Vec<String> = (0..columns).map(|index| format!("f.value[{index}]::varchar as c{index}")).collect();
    let insert = format!(
        "insert into {into} {values} from (select {} from table(flatten(input => parse_json(?))) f) r",
        texts.join(", ")
    );
    let mut rows = String::new();
    let mut loaded = 0;
    let mut send = |rows: &mut String| -> Result<u64, DatabaseError> {
        let bindings = json!({"1": {"type": "TEXT", "value": format!("[{rows}]")}});
        rows.clear();
        let answer = connection.run(&insert, Input { bindings: Some(bindings), ..Input::default() })?;
        Ok(answer.response.rows_affected.unwrap_or_default())
    };
    for line in lines {
        let line = line?;
        if !rows.is_empty() && rows.len() + line.len() > LONGEST_BINDING {
            loaded += send(&mut rows)?;
        }
        if !rows.is_empty() {
            rows.push(',');
        }
        rows.push_str(&line);
    }
    if !rows.is_empty() {
        loaded += send(&mut rows)?;
    }
    Ok(loaded)
}

/// Many rows of a batch.
fn stage_batch(connection: &mut SnowflakeConnection, into: &RelationName, batch: &Batch) -> Result<u64, DatabaseError> {
    let directory = TemporaryDirectory::beside(batch)?;
    write_texts(batch, &directory.0.join("rows"), TextRows::Csv)?;
    let files = directory.files("rows")?;
    let values = format!("({}) select {}", names(batch), values(batch, unmarked));
    by_stage(connection, into, batch.columns.len(), &files, &values)
}

/// Many rows: files in a stage, a table of texts, one INSERT. Both go with the session, or before. `values` is what stands
/// in the INSERT before the texts `r.c0`, `r.c1`, ….
fn by_stage(
    connection: &mut SnowflakeConnection,
    into: &RelationName,
    columns: usize,
    files: &[PathBuf],
    values: &str,
) -> Result<u64, DatabaseError> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let beside = |name: String| RelationName {
        identifier: Some(name),
        quoting: Quoting { identifier: false, ..into.quoting },
        ..into.clone()
    };
    let (stage, texts) = (beside(format!("strata_stage_{id}")), beside(format!("strata_rows_{id}")));
    let path = format!("@{stage}/{}", connection.settings().invocation);
    let loaded = carry(connection, columns, files, (&stage, &path, &texts))
        .and_then(|()| connection.execute(&format!("insert into {into} {values} from {texts} r")));
    for clean_up in [format!("drop table if exists {texts}"), format!("drop stage if exists {stage}")] {
        // They are temporary: what cannot be dropped now is gone with the session.
        let _ = connection.execute(&clean_up);
    }
    Ok(loaded?.response.rows_affected.unwrap_or_default())
}

/// Carries files into a table of texts.
fn carry(
    connection: &mut SnowflakeConnection,
    columns: usize,
    files: &[PathBuf],
    (stage, path, texts): (&RelationName, &str, &RelationName),
) -> Result<(), DatabaseError> {
    let columns: Vec<String> = (0..columns).map(|index| format!("c{index} varchar")).collect();
    // The server encrypts: the client sends files as they are.
    connection.execute(&format!("create temporary stage {stage} encryption = (type = 'SNOWFLAKE_SSE')"))?;
    connection.execute(&format!("create temporary table {texts} ({})", columns.join(", ")))?;
    for file in files {
        let location = quote_literal(&format!("file://{}", file.to_string_lossy()));
        connection.execute(&format!("put {location} {path} auto_compress = false overwrite = true"))?;
    }
    connection.execute(&format!(
        "copy into {texts} from {path} file_format = (type = csv field_optionally_enclosed_by = '\"' \
         escape_unenclosed_field = none empty_field_as_null = true null_if = () compression = none) \
         on_error = abort_statement"
    ))?;
    Ok(())
}

fn names(batch: &Batch) -> String {
    batch.columns.iter().map(|(name, _)| Dialect::Snowflake.usual_name(name)).collect::<Vec<_>>().join(", ")
}

/// A text without the mark by which it is told apart from NULL.
fn unmarked(text: String) -> String {
    format!("substr(nullif({text}, ''), 2)")
}

/// The columns' values, from the texts `r.c0`, `r.c1`, … as `read` gives them.
fn values(batch: &Batch, read: impl Fn(String) -> String) -> String {
    let value = |(index, (_, column_type)): (usize, &(String, ColumnType))| {
        let text = read(format!("r.c{index}"));
        match column_type {
            ColumnType::Text => text,
            ColumnType::Json => format!("parse_json({text})"),
            ColumnType::Binary => format!("to_binary({text}, 'HEX')"),
            other => format!("cast({text} as {})", type_word(other)),
        }
    };
    batch.columns.iter().enumerate().map(value).collect::<Vec<_>>().join(", ")
}
