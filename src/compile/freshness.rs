//! How old sources are, asked by macros that projects and adapters may override.

use super::{Compiler, NodeHost, Surroundings};
use crate::adapter::{Relation, Response, Table};
use crate::diagnostic::{Code, Diagnostic, Result, SourceFile};
use crate::jinja::context::{self, statement_result};
use crate::jinja::{Template, Value};
use crate::manifest::Source;
use crate::name::{RelationName, UniqueId};
use std::sync::Arc;

/// What a freshness macro gave: what the warehouse said, and one row of two times, the newest one and the present one.
pub type Collected = (Response, Arc<Table>);

const BY_FIELD: &str = "collect_freshness";
const BY_QUERY: &str = "collect_freshness_custom_sql";
const BY_BATCH: &str = "collect_extract_freshness";
const BY_METADATA: &str = "collect_last_modified";

impl Compiler {
    /// Asks for the greatest `field` of a table, with the source's filter: the macro `collect_freshness`.
    pub fn collect_freshness(
        &self,
        source: &Source,
        table: &RelationName,
        field: &str,
        surroundings: &Surroundings,
    ) -> Result<Collected> {
        let filter = source.freshness.as_ref().and_then(|freshness| freshness.filter.as_deref());
        let arguments = [
            ("source", self.relation(table)),
            ("loaded_at_field", Value::from(field)),
            ("filter", Value::from(filter)),
        ];
        let given = self.call(BY_FIELD, &[], &arguments, surroundings)?;
        collected(BY_FIELD, &given)
    }

    /// Asks the source's `loaded_at_query`: the macro `collect_freshness_custom_sql`. In the query `this` is the table,
    /// `source_node` and `model` the source.
    pub fn collect_freshness_by_query(
        &self,
        source: &Source,
        table: &RelationName,
        query: &str,
        surroundings: &Surroundings,
    ) -> Result<Collected> {
        let place = format!("loaded_at_query of {}", source.full_name());
        let template = Template::whole(&SourceFile::new(place, query))?;
        let host = Arc::new(NodeHost::new(self, None, surroundings));
        let node = context::source_value(&self.manifest, &source.unique_id);
        let own = vec![("this", self.relation(table)), ("source_node", node.clone()), ("model", node)];
        let rendered = self.engine.render(&template, &self.context_with(None, None, surroundings, &host, own))?;
        let arguments = [("source", self.relation(table)), ("loaded_at_query", Value::from(rendered.text))];
        let given = self.call(BY_QUERY, &[], &arguments, surroundings)?;
        collected(BY_QUERY, &given)
    }

    /// Asks the control table `batches` when the last batch of an extract model was taken over; none where there is no
    /// such table in the warehouse.
    pub fn collect_extract_freshness(
        &self,
        batches: &RelationName,
        model: &UniqueId,
        surroundings: &Surroundings,
    ) -> Result<Option<Collected>> {
        let arguments = [self.relation(batches), Value::from(model.as_str())];
        let given = self.call(BY_BATCH, &arguments, &[], surroundings)?;
        if given.is_none() { Ok(None) } else { collected(BY_BATCH, &given).map(Some) }
    }

    /// Asks the warehouse itself when tables of one database last changed, all at once: rows of schema, identifier,
    /// last change and present time. None where it does not know.
    pub fn collect_last_modified(
        &self,
        tables: &[&RelationName],
        surroundings: &Surroundings,
    ) -> Result<Option<Collected>> {
        let relations: Vec<Value> = tables.iter().map(|table| self.relation(table)).collect();
        let given = self.call(BY_METADATA, &[Value::from(relations)], &[], surroundings)?;
        if given.is_none() {
            return Ok(None);
        }
        let (response, table) = statement_result(&given).unwrap_or_default();
        match table {
            Some(table) if table.columns.len() == 4 => Ok(Some((response, table))),
            _ => Err(wrong(BY_METADATA, "no rows of schema, identifier, last_modified, snapshotted_at")),
        }
    }

    /// Whether there is a relation of this name in the warehouse.
    pub fn exists(&self, relation: &RelationName, surroundings: &Surroundings) -> Result<bool> {
        Ok(!self.call("load_relation", &[self.relation(relation)], &[], surroundings)?.is_none())
    }

    fn relation(&self, name: &RelationName) -> Value {
        context::relation_value(self.warehouse, &Relation { name: name.clone(), relation_type: None })
    }
}

/// The one row of two columns that a freshness macro must give.
fn collected(name: &str, given: &Value) -> Result<Collected> {
    let (response, table) = statement_result(given).unwrap_or_default();
    match table {
        Some(table) if table.rows.len() == 1 && table.columns.len() == 2 => Ok((response, table)),
        Some(table) => {
            let (rows, columns) = (table.rows.len(), table.columns.len());
            Err(wrong(name, &format!("{rows} rows of {columns} columns")))
        }
        None => Err(wrong(name, "no result of a statement")),
    }
}

fn wrong(name: &str, gave: &str) -> crate::diagnostic::Diagnostics {
    Diagnostic::error(Code::Database, format!("the macro `{name}` gave {gave}"))
        .help("it must return `load_result(…)` of a query that gives one row: max_loaded_at, snapshotted_at")
        .into()
}
