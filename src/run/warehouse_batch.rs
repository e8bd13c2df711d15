//! A source whose table the warehouse itself can read: its batch is made there, and no row moves.

use super::Run;
use super::extraction::typed;
use crate::adapter::{Batch, BatchFormat, Cell, ColumnType};
use crate::compile::Surroundings;
use crate::diagnostic::{Code, Diagnostic, Result, nearest};
use crate::extract::{Fetched, Incremental, Request, WarehouseConfig, Watermark, WatermarkKind};
use crate::jinja::host::{FailedStatement, Session};
use crate::manifest::Source;
use crate::name::{RelationName, quote_identifier};
use std::fmt::Write as _;

/// A table of the warehouse that is about to be read.
pub struct WarehouseTable<'a> {
    /// The run.
    pub run: &'a Run,
    /// The source.
    pub source: &'a Source,
    /// What is read of it.
    pub config: &'a WarehouseConfig,
    /// What is known of earlier batches.
    pub request: &'a Request<'a>,
}

/// A column of the table as the warehouse names it, and its type.
type Column = (String, ColumnType);

impl WarehouseTable<'_> {
    /// Makes the batch: a temporary table of the rows from the watermark on. One statement reads them, so they belong
    /// together.
    pub fn read(&self, batch: &RelationName, session: &dyn Session, surroundings: &Surroundings) -> Result<Fetched> {
        let ask = |sql: &str| session.execute(sql, false).map_err(|failed| self.refused(&failed));
        let from = match &self.config.query {
            Some(query) => format!("({query}) as source_rows"),
            None => self.source.relation.to_string(),
        };
        let columns = self.columns(ask(&format!("select * from {from} limit 0"))?.table.columns)?;
        let dialect = self.run.compiler.dialect();
        let incremental = match &self.config.incremental {
            Some(incremental) => {
                let column = self.named(&columns, &incremental.field, "incremental: field")?;
                Some((incremental, quote_identifier(&column.0)))
            }
            None => None,
        };
        let selected: Vec<String> = columns.iter().map(|column| self.selected(column)).collect();
        let mut sql =
            format!("create or replace temporary table {batch} as\nselect {} from {from}", selected.join(", "));
        if let (Some(since), Some((incremental, column))) = (self.request.since_text()?, &incremental) {
            let field = typed(column, incremental.kind, dialect);
            let from = typed(&dialect.string_literal(&since), incremental.kind, dialect);
            let _ = write!(sql, "\nwhere {field} >= {from}");
        }
        ask(&sql)?;
        let rows = ask(&format!("select count(*) from {batch}"))?.table;
        let rows = match rows.scalar() {
            Some(Cell::Integer(count)) => u64::try_from(*count).unwrap_or(0),
            other => other.map(ToString::to_string).and_then(|text| text.parse().ok()).unwrap_or(0),
        };
        let newest = match &incremental {
            Some((incremental, _)) => {
                let newest = self.newest_sql(batch, incremental, surroundings)?;
                self.watermark(incremental, ask(&newest)?.table.scalar())?
            }
            None => None,
        };
        Ok(Fetched {
            batch: Batch { format: BatchFormat::JsonLines, files: vec![], columns },
            rows,
            pages: 1,
            rejects: None,
            rejected: 0,
            watermark: newest,
            complete: incremental.is_none(),
            batch_id: uuid::Uuid::new_v4().to_string(),
            staging_directory: self.request.staging_directory.clone(),
        })
    }

    /// The columns to read, with the types that the config declares; all that is wrong with them is told.
    fn columns(&self, found: Vec<Column>) -> Result<Vec<Column>> {
        let declared = &self.request.config.columns;
        let mut wrong = crate::diagnostic::Diagnostics::new();
        let wanted = self.config.columns.iter().chain(declared.iter().map(|(name, _)| name));
        for name in wanted {
            if let Err(unknown) = self.named(&found, name, "columns") {
                wrong.push(unknown);
            }
        }
        if wrong.has_errors() {
            return Err(wrong);
        }
        let is_wanted = |(name, _): &Column| {
            let named = |wanted: &String| wanted.eq_ignore_ascii_case(name);
            self.config.columns.is_empty() || self.config.columns.iter().any(named)
        };
        let with_type = |(name, column_type): Column| {
            let own = declared.iter().find(|(declared, _)| declared.eq_ignore_ascii_case(&name));
            let column_type = own.map_or(column_type, |(_, own)| own.clone());
            (name, column_type)
        };
        Ok(found.into_iter().filter(is_wanted).map(with_type).collect())
    }

    fn named<'a>(&self, columns: &'a [Column], name: &str, key: &str) -> Result<&'a Column, Diagnostic> {
        columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let names = || columns.iter().map(|(name, _)| name.as_str());
            let message = format!("`{}` has no column `{name}`, which `{key}` names", self.source.relation);
            let found =
                Diagnostic::error(Code::Extract, message).at(self.request.config.place.clone(), "for this table");
            match nearest(name, names()) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
            }
        })
    }

    /// A column in the list of what is selected.
    fn selected(&self, (name, column_type): &Column) -> String {
        let (column, alias) = (quote_identifier(name), self.run.compiler.dialect().usual_name(name));
        let declared = self.request.config.columns.iter().any(|(declared, _)| declared.eq_ignore_ascii_case(name));
        match declared {
            true => format!("cast({column} as {}) as {alias}", self.run.adapter.type_word(column_type)),
            false if column == alias => column,
            false => format!("{column} as {alias}"),
        }
    }

    /// The row that stands furthest, rows from the future left out: by the warehouse's clock, never ours.
    fn newest_sql(&self, batch: &RelationName, by: &Incremental, surroundings: &Surroundings) -> Result<String> {
        let dialect = self.run.compiler.dialect();
        let column = dialect.usual_name(&by.field);
        let field = typed(&column, by.kind, dialect);
        let bound = match by.kind {
            WatermarkKind::TimestampTz => Some("current_timestamp".to_owned()),
            WatermarkKind::Timestamp | WatermarkKind::Date => {
                Some(self.run.compiler.call_text("snapshot_get_time", &[], surroundings)?.trim().to_owned())
            }
            WatermarkKind::Integer | WatermarkKind::Text => None,
        };
        let bound = bound.map(|now| format!(" and {field} <= {now}")).unwrap_or_default();
        Ok(format!("select {column} from {batch} where {column} is not null{bound} order by {field} desc limit 1"))
    }

    /// How far the table has been read now: the value, unless an earlier batch went further.
    fn watermark(&self, by: &Incremental, newest: Option<&Cell>) -> Result<Option<Watermark>> {
        let former = self.request.watermark.clone();
        let Some(newest) = newest.filter(|cell| **cell != Cell::Null) else { return Ok(former) };
        let watermark = Watermark { field: by.field.clone(), text: newest.to_string(), kind: by.kind };
        let Some(position) = watermark.position() else {
            let message = format!("`{}` is `{}`, which is no {}", by.field, watermark.text, by.kind.as_str());
            let found =
                Diagnostic::error(Code::Extract, message).at(self.request.config.place.clone(), "for this table");
            return Err(found.help("declare the type that the column has: `incremental: {field: …, type: …}`").into());
        };
        Ok(Some(match former {
            Some(former) if former.position().is_some_and(|before| before.compare(&position).is_gt()) => former,
            _ => watermark,
        }))
    }

    fn refused(&self, failed: &FailedStatement) -> Diagnostic {
        let message = format!("`{}` cannot be read: {}", self.source.relation, failed.error.message);
        Diagnostic::error(Code::Database, message).at(self.source.declared_at.clone(), "")
    }
}
