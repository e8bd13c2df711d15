//! Tables in `SQLite` database files.
//!
//! One statement in one transaction reads one snapshot, row by row. A crashed run starts again: the file is near,
//! and what was read before would belong to another snapshot.

use super::batch::{Build, Manner};
use super::config::{Relation, SqliteConfig};
use super::infer::Kind;
use super::intake::{type_from_word, type_word};
use super::position::{Lookback, WatermarkKind, before};
use super::record::{Field, write_fields};
use super::recording::{Meta, MetaColumn, Recorded, existing_directory, read_meta, unreadable, unwritable, write_meta};
use super::{Fetched, Request, Since, SourcesMode};
use crate::adapter::ColumnType;
use crate::diagnostic::{Code, Diagnostic, Result, nearest};
use crate::name::quote_identifier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait for a writer that holds the database.
const BUSY: Duration = Duration::from_secs(30);
/// After how many rows to tell how far it is, and to look whether the run was cancelled.
const ROWS_A_STEP: u64 = 10_000;

const KIND: &str = "sqlite";
const ROWS: &str = "rows.ndjson";

/// Fetches a table.
pub fn fetch(request: &Request<'_>, config: &SqliteConfig) -> Result<Fetched> {
    match &request.mode {
        SourcesMode::Replay(directory) => replay(request, config, directory),
        SourcesMode::Live { record } => {
            let recorder = match record {
                Some(directory) => Some(RowRecorder::begin(directory, request)?),
                None => None,
            };
            live(request, config, recorder)
        }
    }
}

fn live(request: &Request<'_>, config: &SqliteConfig, mut recorder: Option<RowRecorder>) -> Result<Fetched> {
    let refused = |cause: rusqlite::Error| refused(request, config, &cause);
    let connection = open(request, config)?;
    connection.execute_batch("begin").map_err(refused)?;
    let (sql, parameters) = statement(request, config, &connection)?;
    let mut statement = connection.prepare(&sql).map_err(refused)?;
    let columns: Vec<(String, ColumnType)> = statement
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), declared_type(column.decl_type().unwrap_or_default())))
        .collect();
    let mut build = Build::begin(request, Manner { leaves_out: true, ..Manner::default() })?;
    build.restart()?;
    for (name, _) in &columns {
        build.expect_column(name);
    }
    let mut rows = statement.query(rusqlite::params_from_iter(parameters)).map_err(refused)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(refused)? {
        count += 1;
        let mut fields = Vec::with_capacity(columns.len());
        let mut broken = None;
        for (index, (name, _)) in columns.iter().enumerate() {
            match field(name, row.get_ref(index).map_err(refused)?) {
                Some(field) => fields.push(field),
                None => broken = Some(name),
            }
        }
        if let Some(name) = broken {
            build.reject(format!("`{name}` is no UTF-8"), 1, shown(&fields))?;
        } else {
            if let Some(recorder) = &mut recorder {
                recorder.row(&fields, request)?;
            }
            build.fields(fields, 1)?;
        }
        if count % ROWS_A_STEP == 0 {
            request.check_cancelled()?;
            build.tell(1);
        }
    }
    build.tell(1);
    let empty_type = |name: &str| {
        columns.iter().find(|(column, _)| column == name).map_or(ColumnType::Text, |(_, declared)| declared.clone())
    };
    let fetched = build.finish(1, &empty_type)?;
    if let Some(recorder) = recorder {
        recorder.finish(request, &fetched)?;
    }
    Ok(fetched)
}

fn open(request: &Request<'_>, config: &SqliteConfig) -> Result<Connection, Diagnostic> {
    let path = request.project_root.join(&config.path);
    if !path.is_file() {
        return Err(Diagnostic::error(Code::Extract, format!("there is no database file {}", config.path.display()))
            .at(config.path_place.clone(), "this path")
            .note(format!("looked for {}", path.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(connection)
    };
    open().map_err(|cause| refused(request, config, &cause))
}

/// The SELECT and its parameters.
fn statement(
    request: &Request<'_>,
    config: &SqliteConfig,
    connection: &Connection,
) -> Result<(String, Vec<Value>), Diagnostic> {
    let from = match &config.relation {
        Relation::Table(name) => quote_identifier(name),
        Relation::Query(query) => format!("({})", query.trim().trim_end_matches(';')),
    };
    // SQLite reads a quoted name that it does not know as a text, without a word: names are checked first.
    let probe = connection.prepare(&format!("select * from {from} limit 0"));
    let known: Vec<String> = match &probe {
        Ok(statement) => statement.column_names().into_iter().map(str::to_owned).collect(),
        Err(cause) => return Err(unknown_relation(request, config, connection, cause)),
    };
    let incremental = config.incremental.as_ref();
    for name in config.columns.iter().chain(incremental.map(|incremental| &incremental.field)) {
        if !known.iter().any(|column| column.eq_ignore_ascii_case(name)) {
            let found = Diagnostic::error(Code::Extract, format!("`{}` has no column `{name}`", request.table))
                .at(request.config.place.clone(), "extracted here")
                .note(format!("it has `{}`", known.join("`, `")));
            return Err(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            });
        }
    }
    let mut selected = config.columns.clone();
    if let Some(incremental) = incremental
        && !selected.is_empty()
        && !selected.iter().any(|column| column.eq_ignore_ascii_case(&incremental.field))
    {
        // Without it there would be no watermark.
        selected.push(incremental.field.clone());
    }
    let columns = match selected.as_slice() {
        [] => "*".to_owned(),
        names => names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", "),
    };
    let mut sql = format!("select {columns} from {from}");
    let mut parameters = Vec::new();
    if let (Some(incremental), Some(since)) = (incremental, request.since()?)
        && let Some(bound) = coarse_bound(incremental.kind, &since)
    {
        let field = quote_identifier(&incremental.field);
        sql = format!("{sql} where {field} >= ?1 or {field} is null");
        parameters.push(bound);
    }
    Ok((sql, parameters))
}

/// A bound that `SQLite`'s comparison of texts can be trusted with, and that an index helps with: timestamps of one
/// column may be written in several shapes and offsets, their dates are not. What is too much is left out as it is
/// read.
fn coarse_bound(kind: WatermarkKind, since: &Since) -> Option<Value> {
    let days = |days: u64| Some(Lookback::Time(Duration::from_secs(days * 86_400)));
    let date = |lookback| before(WatermarkKind::Date, since.text.get(..10)?, lookback).map(Value::Text);
    match kind {
        WatermarkKind::TimestampTz => date(days(2)),
        WatermarkKind::Timestamp | WatermarkKind::Date => date(None),
        WatermarkKind::Integer => since.text.parse().ok().map(Value::Integer),
        // A column may have an order of its own; the exact comparison is left to us.
        WatermarkKind::Text => None,
    }
}

fn unknown_relation(
    request: &Request<'_>,
    config: &SqliteConfig,
    connection: &Connection,
    cause: &rusqlite::Error,
) -> Diagnostic {
    let Relation::Table(name) = &config.relation else { return refused(request, config, cause) };
    let list = || {
        let mut statement =
            connection.prepare("select name from sqlite_schema where type in ('table', 'view') order by 1")?;
        statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()
    };
    match list() {
        Ok(tables) if !tables.iter().any(|table| table.eq_ignore_ascii_case(name)) => {
            let found = Diagnostic::error(Code::Extract, format!("{} has no table `{name}`", config.path.display()))
                .at(request.config.place.clone(), "extracted here")
                .note(format!("it has `{}`", tables.join("`, `")));
            match nearest(name, tables.iter().map(String::as_str)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            }
        }
        _ => refused(request, config, cause),
    }
}

fn refused(request: &Request<'_>, config: &SqliteConfig, cause: &rusqlite::Error) -> Diagnostic {
    Diagnostic::error(Code::Extract, format!("SQLite cannot read `{}`: {cause}", request.table))
        .at(request.config.place.clone(), "extracted here")
        .note(format!("database file {}", config.path.display()))
}

/// A value as a field; none if it is a text that is no UTF-8.
fn field<'a>(name: &'a str, value: ValueRef<'_>) -> Option<Field<'a>> {
    let (raw, kind) = match value {
        ValueRef::Null => ("null".to_owned(), Kind::Null),
        ValueRef::Integer(number) => (number.to_string(), Kind::Integer),
        ValueRef::Real(number) => match serde_json::Number::from_f64(number) {
            Some(number) => (number.to_string(), Kind::Double),
            None if number > 0.0 => ("\"Infinity\"".to_owned(), Kind::Double),
            None => ("\"-Infinity\"".to_owned(), Kind::Double),
        },
        ValueRef::Text(bytes) => (serde_json::Value::from(std::str::from_utf8(bytes).ok()?).to_string(), Kind::Text),
        ValueRef::Blob(bytes) => (format!("\"{}\"", STANDARD.encode(bytes)), Kind::Binary),
    };
    Some(Field { name: Cow::Borrowed(name), raw: Cow::Owned(raw), kind })
}

/// The type of a column that has only NULLs, by `SQLite`'s rules for declared types.
fn declared_type(declared: &str) -> ColumnType {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if has("INT") {
        ColumnType::BigInt
    } else if has("REAL") || has("FLOA") || has("DOUB") || has("NUMERIC") || has("DECIMAL") {
        ColumnType::Double
    } else if has("BLOB") {
        ColumnType::Binary
    } else {
        ColumnType::Text
    }
}

fn shown(fields: &[Field<'_>]) -> String {
    let mut line = Vec::new();
    write_fields(fields, false, &mut line);
    String::from_utf8_lossy(line.trim_ascii_end()).into_owned()
}

/// Reads the rows of a recording, as the database would give them.
fn replay(request: &Request<'_>, config: &SqliteConfig, directory: &Path) -> Result<Fetched> {
    let table = existing_directory(directory, request)?;
    let meta = read_meta(&table, KIND)?.unwrap_or_default();
    covers(request, &meta)?;
    let mut recorded = Vec::new();
    for column in &meta.columns {
        let Some(column_type) = type_from_word(&column.column_type) else {
            let message =
                format!("the recording of `{}` has the type `{}`, which is none", request.table, column.column_type);
            return Err(Diagnostic::error(Code::Extract, message)
                .at(request.config.place.clone(), "recorded for this table")
                .into());
        };
        let selected =
            config.columns.is_empty() || config.columns.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        if selected || config.incremental.as_ref().is_some_and(|incremental| incremental.field == column.name) {
            recorded.push((column.name.clone(), column_type));
        }
    }
    let mut build = Build::begin(request, Manner { recorded, ..Manner::default() })?;
    build.restart()?;
    let path = table.join(ROWS);
    let unreadable = |cause: std::io::Error| unreadable(&path, &cause);
    let mut lines = BufReader::new(File::open(&path).map_err(unreadable)?);
    let mut line = String::new();
    while lines.read_line(&mut line).map_err(unreadable)? > 0 {
        let record = line.trim();
        if !record.is_empty() {
            take_recorded(&mut build, config, record)?;
        }
        line.clear();
    }
    build.tell(1);
    build.finish(1, &|_| ColumnType::Text)
}

/// Takes a recorded row, of which only the columns that are asked for count.
fn take_recorded(build: &mut Build<'_>, config: &SqliteConfig, record: &str) -> Result<()> {
    if config.columns.is_empty() {
        return build.record(record, 1);
    }
    match super::record::fields(record) {
        Err(reason) => build.reject(reason, 1, record.to_owned()),
        Ok(mut fields) => {
            fields.retain(|field| {
                let asked = config.columns.iter().any(|name| name.eq_ignore_ascii_case(&field.name));
                asked || config.incremental.as_ref().is_some_and(|incremental| incremental.field == field.name)
            });
            build.fields(fields, 1)
        }
    }
}

/// Fails where a recording has less than what is asked for.
pub(super) fn covers(request: &Request<'_>, meta: &Meta) -> Result<(), Diagnostic> {
    let Some(recorded) = &meta.since else { return Ok(()) };
    let position = request.config.incremental().and_then(|incremental| incremental.kind.read(recorded));
    let covered = match (position, request.since()?) {
        (Some(recorded), Some(since)) => recorded.compare(&since.position) != std::cmp::Ordering::Greater,
        _ => false,
    };
    if covered {
        return Ok(());
    }
    Err(Diagnostic::error(
        Code::Extract,
        format!("the recording of `{}` has only rows from `{recorded}` on", request.table),
    )
    .at(request.config.place.clone(), "this run asks for more")
    .help("replay the recordings in the order in which they were made, or record with --full-refresh"))
}

/// Keeps the rows that a database gave.
struct RowRecorder {
    recorded: Recorded,
    rows: BufWriter<File>,
    path: PathBuf,
    line: Vec<u8>,
}

impl RowRecorder {
    fn begin(directory: &Path, request: &Request<'_>) -> Result<Self, Diagnostic> {
        let recorded = Recorded::begin(directory, request.source, request.table)?;
        let path = recorded.path().join(ROWS);
        let rows = BufWriter::new(File::create(&path).map_err(|cause| unwritable(&path, &cause))?);
        Ok(Self { recorded, rows, path, line: Vec::new() })
    }

    fn row(&mut self, fields: &[Field<'_>], request: &Request<'_>) -> Result<(), Diagnostic> {
        self.line.clear();
        write_fields(fields, false, &mut self.line);
        let text = String::from_utf8_lossy(&self.line);
        let written = self.rows.write_all(request.scrubber.scrub(&text).as_bytes());
        written.map_err(|cause| unwritable(&self.path, &cause))
    }

    fn finish(mut self, request: &Request<'_>, fetched: &Fetched) -> Result<(), Diagnostic> {
        self.rows.flush().map_err(|cause| unwritable(&self.path, &cause))?;
        let columns = (fetched.batch.columns.iter())
            .map(|(name, column_type)| MetaColumn { name: name.clone(), column_type: type_word(column_type) })
            .collect();
        let since = request.since()?.map(|since| since.text);
        let meta = Meta { kind: KIND.to_owned(), columns, since, files: vec![] };
        write_meta(&self.recorded, &meta, request.scrubber)?;
        self.recorded.finish()
    }
}
