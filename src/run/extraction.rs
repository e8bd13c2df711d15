//! Extract models: what is fetched from a source system becomes a batch that the model's SQL selects from.
//!
//! The fetch happens before the node's transaction, into files; the batch is a temporary table inside it, so that
//! rows, watermark and books land together or not at all.

use super::Run;
use super::control::Field;
use super::event::Event;
use super::session::WorkerSession;
use super::warehouse_batch::WarehouseTable;
use crate::adapter::{Batch, Cell, ColumnType, Relation, RelationType};
use crate::compile::{SourceOverride, Surroundings};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::extract::{
    self, Connector, ExtractConfig, Fetched, Lookback, Progress, Request, SourcesMode, SystemClock, Watermark,
    WatermarkKind,
};
use crate::jinja::host::{FailedStatement, Session};
use crate::manifest::{Node, Source};
use crate::name::{Quoting, RelationName};
use crate::secret::Scrubber;
use crate::sql::Dialect;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Where extract models read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sources {
    /// The source systems themselves; what they answer may be kept.
    Live {
        /// The directory in which answers are kept.
        record: Option<PathBuf>,
    },
    /// Answers that were kept.
    Replay(PathBuf),
}

/// A batch on disk, and what is to become of it.
pub struct Staged {
    source: Source,
    fetched: Fetched,
    batch: RelationName,
    rejects: Option<RelationName>,
    /// Where they wait for the node's transaction, if it does not hold their load.
    rejects_batch: Option<RelationName>,
    key: Vec<String>,
    order_by: Option<(String, WatermarkKind)>,
    /// Whether the batch is a table already: its rows are in the warehouse.
    is_table: bool,
}

/// Fetches what the source of an extract model has had since the model's watermark.
pub fn fetch(run: &Run, node: &Node, session: &Arc<WorkerSession>, surroundings: &Surroundings) -> Result<Staged> {
    let source = only_source(run, node)?;
    let config = read_config(run, node, &source)?;
    check_deletes(node)?;
    let project = run.compiler.project();
    let id = node.unique_id.clone();
    let emit = Arc::clone(&run.emit);
    let progress = move |progress: Progress| {
        emit(Event::NodeProgress { unique_id: id.clone(), rows: progress.rows, pages: progress.pages });
    };
    let mode = match &run.options.sources {
        Sources::Live { record } => SourcesMode::Live { record: record.clone() },
        Sources::Replay(directory) => SourcesMode::Replay(directory.clone()),
    };
    let former = Former::read(run, node, session);
    let key: Vec<String> = node.config.unique_key().iter().map(ToString::to_string).collect();
    let scrubber = Scrubber::new(&project.secrets());
    let request = Request {
        config: &config,
        source: &source.source_name,
        table: &source.name,
        watermark: former.watermark,
        lookback: read_lookback(node)?,
        full_refresh: run.options.full_refresh,
        key: &key,
        known_columns: &former.columns,
        max_reject_percent: node.config.get("max_reject_pct").and_then(Json::as_f64).unwrap_or(0.0),
        staging_directory: project.target_path.join("extract").join(node.unique_id.as_str()),
        mode,
        project_root: &project.root,
        proxy: project.environment.get("https_proxy").or_else(|| project.environment.get("HTTPS_PROXY")),
        scrubber: &scrubber,
        clock: &SystemClock::new(),
        cancel: run.cancel.as_atomic(),
        progress: &progress,
    };
    let dialect = run.compiler.dialect();
    let batch = temporary_name(node, "batch", dialect);
    let (fetched, is_table) = match &config.connector {
        Connector::Warehouse(config) => {
            let table = WarehouseTable { run, source: &source, config, request: &request };
            (table.read(&batch, session.as_ref(), surroundings)?, true)
        }
        _ => (extract::fetch(&request)?, false),
    };
    let order_by = config.incremental().map(|incremental| (incremental.field, incremental.kind));
    let rejects_batch = session.definitions_commit().then(|| temporary_name(node, "rejects_batch", dialect));
    Ok(Staged { batch, rejects_batch, rejects: rejects_name(node), order_by, source, fetched, key, is_table })
}

/// What former runs left: how far the source was read, and which columns it had.
#[derive(Default)]
struct Former {
    watermark: Option<Watermark>,
    columns: Vec<(String, ColumnType)>,
}

impl Former {
    /// Nothing for a first run or a full refresh, and nothing if the model's table is gone, since then everything
    /// is to be fetched again.
    fn read(run: &Run, node: &Node, session: &Arc<WorkerSession>) -> Self {
        Self::try_read(run, node, session).unwrap_or_default()
    }

    fn try_read(run: &Run, node: &Node, session: &Arc<WorkerSession>) -> Option<Self> {
        if run.options.full_refresh {
            return None;
        }
        let target = node.relation_name.as_ref()?;
        let rows = |sql: String| session.execute(&sql, false).ok().map(|answer| answer.table.rows);
        rows(format!("select 1 from {target} limit 0"))?;
        let tables = run.books.tables();
        let model = tables.literal(&Field::Text(node.unique_id.to_string()));
        let marks = tables.relation("watermarks").and_then(|table| {
            let columns = ["field", "value", "type"].map(|column| tables.column(column)).join(", ");
            rows(format!("select {columns} from {table} where {} = {model}", tables.column("model")))
        });
        let watermark = match marks.unwrap_or_default().into_iter().next().as_deref() {
            Some([Cell::Text(field), Cell::Text(text), Cell::Text(kind)]) => {
                WatermarkKind::from_word(kind).map(|kind| Watermark { field: field.clone(), text: text.clone(), kind })
            }
            _ => None,
        };
        let batches = tables.relation("extract_batches").and_then(|table| {
            rows(format!(
                "select {} from {table} where {} = {model} order by {} desc limit 1",
                tables.column("columns"),
                tables.column("model"),
                tables.column("created_at")
            ))
        });
        let columns = match batches.unwrap_or_default().into_iter().next().as_deref() {
            Some([Cell::Text(json)]) => read_columns(json),
            _ => vec![],
        };
        Some(Self { watermark, columns })
    }
}

/// Columns and types from the JSON in which the books keep them.
fn read_columns(json: &str) -> Vec<(String, ColumnType)> {
    let map: serde_json::Map<String, Json> = serde_json::from_str(json).unwrap_or_default();
    map.into_iter().filter_map(|(name, word)| Some((name, extract::type_from_word(word.as_str()?)?))).collect()
}

/// Only what a source says of itself is followed so far: rows that it no longer has stay.
fn check_deletes(node: &Node) -> Result<()> {
    match node.config.text("deletes") {
        None | Some("ignore") => Ok(()),
        Some(other) => Err(Diagnostic::error(
            Code::NotSupported,
            format!("`deletes: {other}` is not supported by extract models yet"),
        )
        .at(node.declared_at.clone(), "")
        .help("use `deletes: ignore`, and read the source's own mark of deleted rows")
        .into()),
    }
}

/// A temporary table of a model, such as the batch that its `source()` means: one a connection, gone with it.
pub(super) fn temporary_name(node: &Node, what: &str, dialect: Dialect) -> RelationName {
    let identifier = Some(format!("{}__{what}", node.alias));
    match node.relation_name.clone().filter(|_| dialect.temporary_tables_have_schemas()) {
        Some(place) => RelationName { identifier, quoting: Quoting { identifier: true, ..place.quoting }, ..place },
        None => RelationName { database: None, schema: None, identifier, quoting: Quoting::ALL },
    }
}

/// Where records go that could not be rows.
fn rejects_name(node: &Node) -> Option<RelationName> {
    let target = node.relation_name.clone()?;
    Some(RelationName { identifier: Some(format!("{}__rejects", node.alias)), ..target })
}

/// The source that an extract model reads: exactly one, with a connector and a description of what to fetch.
fn only_source(run: &Run, node: &Node) -> Result<Source> {
    let manifest = run.compiler.manifest();
    let mut sources: Vec<&Source> =
        node.sources.iter().filter_map(|call| manifest.find_source(&call.source_name, &call.table_name)).collect();
    sources.dedup_by_key(|source| &source.unique_id);
    let [source] = sources.as_slice() else {
        return Err(Diagnostic::error(
            Code::Extract,
            format!("the extract model `{}` reads {} sources, it must read exactly one", node.name, sources.len()),
        )
        .at(node.declared_at.clone(), "")
        .help("select from one `{{ source(…) }}`; combine sources in a model downstream")
        .into());
    };
    let missing = match (&source.connector, &source.extract) {
        (Some(_), Some(_)) => return Ok((*source).clone()),
        (None, _) => "its source has no `connector:`",
        (_, None) => "the table has no `extract:`",
    };
    Err(Diagnostic::error(
        Code::Extract,
        format!("`{}.{}` cannot be extracted: {missing}", source.source_name, source.name),
    )
    .at(source.declared_at.clone(), "")
    .within(format!("in model `{}`", node.name), Some(node.declared_at.clone()))
    .help("docs/extract.md shows what stands there")
    .into())
}

fn read_config(run: &Run, node: &Node, source: &Source) -> Result<ExtractConfig> {
    let project = run.compiler.project();
    let (Some(connector), Some(table)) = (&source.connector, &source.extract) else {
        return Err(Diagnostic::error(Code::Internal, "a source without connector was let through").into());
    };
    let connector = project.render_connector(&source.package_name, connector)?;
    let table = project.render_connector(&source.package_name, table)?;
    extract::parse_config(&connector, &table, &source.name).map_err(|found| {
        let what = format!("in model `{}`", node.name);
        found.into_iter().map(|finding| finding.within(what.clone(), Some(node.declared_at.clone()))).collect()
    })
}

fn read_lookback(node: &Node) -> Result<Option<Lookback>> {
    let Some(value) = node.config.get("lookback") else { return Ok(None) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match Lookback::read(&text) {
        Some(lookback) => Ok(Some(lookback)),
        None => Err(Diagnostic::error(Code::Config, format!("`lookback` of `{}` is `{text}`", node.name))
            .at(node.declared_at.clone(), "")
            .help("write a span of time such as `10 minutes`, or a number for watermarks that are whole numbers")
            .into()),
    }
}

impl Staged {
    /// What `source()` gives while the model runs.
    pub fn source_override(&self) -> SourceOverride {
        let relation = Relation { name: self.batch.clone(), relation_type: Some(RelationType::Table) };
        SourceOverride { source: self.source.unique_id.clone(), relation }
    }

    /// The watermark to keep.
    pub fn watermark(&self) -> Option<&Watermark> {
        self.fetched.watermark.as_ref()
    }

    /// What was fetched, in numbers.
    pub fn fetched(&self) -> &Fetched {
        &self.fetched
    }

    /// The source's columns and types as known now, as JSON.
    pub fn columns(&self) -> String {
        let columns = self.fetched.batch.columns.iter();
        let map: serde_json::Map<String, Json> =
            columns.map(|(name, column_type)| (name.clone(), Json::from(extract::type_word(column_type)))).collect();
        Json::Object(map).to_string()
    }

    /// Makes the batch a temporary table, the newest row of each key alone, inside the open transaction; records
    /// that could not be rows are kept beside the model's table.
    pub fn load(&self, run: &Run, session: &Arc<WorkerSession>, surroundings: &Surroundings) -> Result<()> {
        let refused = |failed: Box<FailedStatement>| {
            Diagnostic::error(Code::Database, format!("the batch cannot be loaded: {}", failed.error.message))
                .at(self.source.declared_at.clone(), "")
        };
        let batch = &self.batch;
        if !self.is_table {
            let columns = column_list(run, &self.fetched.batch);
            let create = format!("create or replace temporary table {batch} ({columns})");
            session.execute(&create, false).map_err(refused)?;
            session.load(batch, &self.fetched.batch).map_err(refused)?;
        }
        if let (Some(records), Some(table)) = (&self.fetched.rejects, &self.rejects) {
            let create = format!("create table if not exists {table} ({})", column_list(run, records));
            session.execute(&create, false).map_err(refused)?;
            let into = self.rejects_batch.as_ref().unwrap_or(table);
            if self.rejects_batch.is_some() {
                let create = format!("create or replace temporary table {into} ({})", column_list(run, records));
                session.execute(&create, false).map_err(refused)?;
            }
            session.load(into, records).map_err(refused)?;
        }
        let has =
            |column: &String| self.fetched.batch.columns.iter().any(|(name, _)| name.eq_ignore_ascii_case(column));
        if self.key.is_empty() || !self.key.iter().all(has) {
            // Without the key's columns nothing can be told apart: the materialization refuses rows that repeat a key.
            return Ok(());
        }
        let dialect = run.compiler.dialect();
        let key: Vec<String> = self.key.iter().map(|column| dialect.usual_name(column)).collect();
        let order_by = self.order_by.as_ref().map(|(field, kind)| typed(&dialect.usual_name(field), *kind, dialect));
        let columns = self.fetched.batch.columns.iter().map(|(name, _)| dialect.usual_name(name));
        let columns: Vec<String> = columns.collect();
        let arguments = [json!(batch.to_string()), json!(key), json!(order_by), json!(columns)];
        let sql = run.compiler.call_text("newest_batch_rows_sql", &arguments, surroundings)?;
        session.execute(&sql, false).map_err(refused)?;
        Ok(())
    }

    /// What the node's transaction still has to do for the batch, beside the model's own rows.
    pub fn closing(&self) -> Option<String> {
        let (table, batch) = (self.rejects.as_ref()?, self.rejects_batch.as_ref()?);
        self.fetched.rejects.as_ref()?;
        Some(format!("insert into {table} select * from {batch}"))
    }

    /// Removes the files, once their rows are in the table.
    pub fn clean_up(&self) -> Result<()> {
        Ok(self.fetched.discard()?)
    }
}

fn column_list(run: &Run, batch: &Batch) -> String {
    let word = |(name, column_type): &(String, ColumnType)| {
        format!("{} {}", run.compiler.dialect().usual_name(name), run.adapter.type_word(column_type))
    };
    batch.columns.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A column (or a value) as what it is compared, whatever the type in which it arrived.
pub(super) fn typed(column: &str, kind: WatermarkKind, dialect: Dialect) -> String {
    match kind {
        WatermarkKind::TimestampTz => format!("cast({column} as {})", dialect.instant_type()),
        WatermarkKind::Timestamp => format!("cast({column} as timestamp)"),
        WatermarkKind::Date => format!("cast({column} as date)"),
        WatermarkKind::Integer => format!("cast({column} as decimal(38, 0))"),
        WatermarkKind::Text => column.to_owned(),
    }
}
