//! What the tables in the warehouse are made of, asked of all databases at once.

use super::{Setup, open_session};
use crate::adapter::{Cell, Table};
use crate::compile::{Surroundings, Wanted};
use crate::diagnostic::{Diagnostics, Result};
use crate::jinja::host::Session;
use crate::name::RelationName;
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

/// As many tables are asked for by their names, where a warehouse can; more by their schemas.
const MOST_RELATIONS: usize = 100;

/// A table or view as the warehouse describes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CatalogTable {
    /// Database, schema and name, in the warehouse's letters.
    pub path: [Option<String>; 3],
    /// `BASE TABLE`, `VIEW`, … in the warehouse's words.
    pub kind: String,
    /// The comment on it.
    pub comment: Option<String>,
    /// Who owns it.
    pub owner: Option<String>,
    /// Its columns by position.
    pub columns: Vec<CatalogColumn>,
    /// What the warehouse counts of it.
    pub statistics: Vec<CatalogStatistic>,
}

/// A column as the warehouse describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogColumn {
    /// Its name.
    pub name: String,
    /// Its type in the warehouse's words.
    pub data_type: String,
    /// Its position; the first one's depends on the warehouse.
    pub index: i64,
    /// The comment on it.
    pub comment: Option<String>,
}

/// Something that a warehouse counts of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogStatistic {
    /// A word for it: `row_count`.
    pub id: String,
    /// Words for it.
    pub label: String,
    /// Its value.
    pub value: Cell,
    /// What it means.
    pub description: String,
    /// Whether it is worth showing.
    pub include: bool,
}

/// Asks for the tables of these names: one statement a database, several databases at the same time. Gives what was
/// found, and what went wrong in databases that could not be asked.
pub fn catalog(setup: &Setup, names: &[RelationName]) -> (Vec<CatalogTable>, Diagnostics) {
    let mut databases: BTreeMap<String, Vec<RelationName>> = BTreeMap::new();
    for name in names {
        let database = name.database.as_deref().unwrap_or_default().to_lowercase();
        databases.entry(database).or_default().push(name.clone());
    }
    let databases: Vec<Vec<RelationName>> = databases.into_values().collect();
    let one_each = names.len() <= MOST_RELATIONS && setup.compiler.can_catalog_relations();
    let mut tables = vec![];
    let mut found = Diagnostics::new();
    for some in databases.chunks(setup.options.threads.max(1)) {
        let answers: Vec<Result<Vec<CatalogTable>>> = thread::scope(|scope| {
            let asked: Vec<_> = some.iter().map(|names| scope.spawn(|| ask(setup, names, one_each))).collect();
            asked.into_iter().map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        });
        tables.extend(answers.into_iter().filter_map(|answer| found.keep(answer)).flatten());
    }
    (tables, found)
}

/// Asks one database.
fn ask(setup: &Setup, names: &[RelationName], one_each: bool) -> Result<Vec<CatalogTable>> {
    let Some(first) = names.first() else { return Ok(vec![]) };
    let session = open_session(setup.adapter.as_ref(), "generate_catalog", &Arc::default(), &setup.listener.emit)?;
    setup.cancel.register(session.with_connection(|connection| connection.canceller()));
    let surroundings =
        Surroundings { session: Some(Arc::clone(&session) as Arc<dyn Session>), ..Surroundings::default() };
    let schemas: BTreeSet<String> = names.iter().filter_map(|name| name.schema.clone()).collect();
    let schemas: Vec<String> = schemas.into_iter().collect();
    let wanted = if one_each { Wanted::Relations(names) } else { Wanted::Schemas(&schemas) };
    let answer = setup.compiler.collect_catalog(first, wanted, &surroundings);
    // Without a transaction there is nothing to take back, and nothing to say about it.
    let _ = session.rollback();
    answer.map(|rows| tables(&rows))
}

/// Puts the rows of each table together.
fn tables(rows: &Table) -> Vec<CatalogTable> {
    let position = |name: &str| rows.columns.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
    let columns = DBT_COLUMNS.map(position);
    let statistics = statistic_columns(rows);
    let mut found: IndexMap<[Option<String>; 3], CatalogTable> = IndexMap::new();
    for row in &rows.rows {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).unwrap_or(&Cell::Null);
        let text = |at: Option<usize>| Some(cell(at)).filter(|cell| **cell != Cell::Null).map(ToString::to_string);
        let [database, schema, name, kind, comment, owner, column, index, data_type, column_comment] = columns;
        let path = [text(database), text(schema), text(name)];
        let table = found.entry(path.clone()).or_insert_with(|| CatalogTable {
            path,
            kind: text(kind).unwrap_or_default(),
            comment: text(comment),
            owner: text(owner),
            columns: vec![],
            statistics: statistics
                .iter()
                .map(|(id, [label, value, description, include])| CatalogStatistic {
                    id: id.clone(),
                    label: text(*label).unwrap_or_default(),
                    value: cell(*value).clone(),
                    description: text(*description).unwrap_or_default(),
                    include: *cell(*include) == Cell::Boolean(true),
                })
                .collect(),
        });
        table.columns.push(CatalogColumn {
            name: text(column).unwrap_or_default(),
            data_type: text(data_type).unwrap_or_default(),
            index: text(index).and_then(|index| index.parse().ok()).unwrap_or_default(),
            comment: text(column_comment),
        });
    }
    let mut tables: Vec<CatalogTable> = found.into_values().collect();
    for table in &mut tables {
        table.columns.sort_by_key(|column| column.index);
    }
    tables
}

/// The names of the columns of a catalog's rows.
const DBT_COLUMNS: [&str; 10] = [
    "table_database",
    "table_schema",
    "table_name",
    "table_type",
    "table_comment",
    "table_owner",
    "column_name",
    "column_index",
    "column_type",
    "column_comment",
];

/// Where label, value, description and `include` of a statistic stand.
type StatisticColumns = [Option<usize>; 4];

/// The columns `stats:<id>:…`, by their statistic.
fn statistic_columns(rows: &Table) -> IndexMap<String, StatisticColumns> {
    let mut found: IndexMap<String, StatisticColumns> = IndexMap::new();
    for (at, (name, _)) in rows.columns.iter().enumerate() {
        let lower = name.to_lowercase();
        let Some((id, part)) = lower.strip_prefix("stats:").and_then(|rest| rest.rsplit_once(':')) else { continue };
        let part = ["label", "value", "description", "include"].iter().position(|known| *known == part);
        if let Some(part) = part {
            found.entry(id.to_owned()).or_default()[part] = Some(at);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::ColumnType;

    #[test]
    fn rows_of_columns_become_tables_with_statistics() {
        let header = DBT_COLUMNS.iter().copied().chain(["stats:row_count:label", "stats:row_count:value"]);
        let header = header.chain(["stats:row_count:description", "stats:row_count:include"]);
        let cells = |texts: [&str; 9], index: i128| -> Vec<Cell> {
            let text = |text: &str| if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) };
            let mut row: Vec<Cell> = texts.into_iter().map(text).collect();
            row.insert(7, Cell::Integer(index));
            row.extend([text("Row Count"), Cell::Integer(12), text("How many"), Cell::Boolean(true)]);
            row
        };
        let rows = Table {
            columns: header.map(|name| (name.to_owned(), ColumnType::Text)).collect(),
            rows: vec![
                cells(["DB", "S", "T", "BASE TABLE", "", "ME", "B", "TEXT", "second"], 2),
                cells(["DB", "S", "U", "VIEW", "a view", "", "X", "DATE", ""], 1),
                cells(["DB", "S", "T", "BASE TABLE", "", "ME", "A", "NUMBER", ""], 1),
            ],
        };
        let found = tables(&rows);
        assert_eq!(found.iter().map(|table| table.path[2].as_deref()).collect::<Vec<_>>(), [Some("T"), Some("U")]);
        let names: Vec<&str> = found[0].columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["A", "B"], "by their position, not by their row");
        assert_eq!(found[0].columns[1].comment.as_deref(), Some("second"));
        assert_eq!((found[0].owner.as_deref(), found[1].comment.as_deref()), (Some("ME"), Some("a view")));
        let statistic = &found[1].statistics[0];
        assert_eq!(
            (statistic.id.as_str(), &statistic.value, statistic.include),
            ("row_count", &Cell::Integer(12), true)
        );
    }
}
