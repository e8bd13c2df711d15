//! The control tables: strata's own books in the warehouse. Rows about a node are written in the node's own
//! transaction, so that they say what the data say; failures are written in a transaction of their own.

use crate::manifest::{Manifest, Materialized, Node};
use crate::name::RelationName;
use crate::sql::Dialect;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// The package under which the control tables are ref()-able.
pub const PACKAGE: &str = "strata";

/// The control tables that the project has enabled, by name.
#[derive(Debug, Clone)]
pub struct ControlTables {
    tables: BTreeMap<String, ControlTable>,
    dialect: Dialect,
}

#[derive(Debug, Clone)]
struct ControlTable {
    relation: RelationName,
    columns: Vec<(String, String)>,
}

/// A value of a control row.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// SQL NULL.
    Null,
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// A point in time, kept as UTC without zone.
    Time(DateTime<Utc>),
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Option<u64>> for Field {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Null, |number| Self::Number(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl ControlTables {
    /// The control tables among the nodes of a manifest.
    pub fn new(manifest: &Manifest, dialect: Dialect) -> Self {
        let is_control =
            |node: &&Node| node.package_name == PACKAGE && node.config.materialized() == Materialized::Control;
        let tables = manifest
            .nodes
            .values()
            .filter(is_control)
            .filter_map(|node| {
                let columns = node
                    .columns
                    .values()
                    .map(|column| {
                        (column.name.clone(), column.data_type.clone().unwrap_or_else(|| "varchar".to_owned()))
                    })
                    .collect();
                Some((node.name.clone(), ControlTable { relation: node.relation_name.clone()?, columns }))
            })
            .collect();
        Self { tables, dialect }
    }

    /// No tables: for commands that only look, and keep no books.
    pub fn none(dialect: Dialect) -> Self {
        Self { tables: BTreeMap::new(), dialect }
    }

    /// The relation of a table, if it is enabled.
    pub fn relation(&self, table: &str) -> Option<&RelationName> {
        self.tables.get(table).map(|table| &table.relation)
    }

    /// A column of a control table, quoted.
    pub fn column(&self, name: &str) -> String {
        self.dialect.usual_name(name)
    }

    /// The statements that make the tables where they are missing, schemas first.
    pub fn create_statements(&self) -> Vec<String> {
        let mut statements = Vec::new();
        for table in self.tables.values() {
            let schema = RelationName { identifier: None, ..table.relation.clone() };
            let statement = format!("create schema if not exists {schema}");
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        for table in self.tables.values() {
            let columns: Vec<String> =
                table.columns.iter().map(|(name, data_type)| format!("{} {data_type}", self.column(name))).collect();
            statements.push(format!("create table if not exists {} ({})", table.relation, columns.join(", ")));
        }
        statements
    }

    /// The statement that adds a row; none where the table is disabled. Columns that the row leaves out are NULL.
    pub fn insert(&self, table: &str, row: &[(&str, Field)]) -> Option<String> {
        let table = self.tables.get(table)?;
        let names: Vec<String> = row.iter().map(|(name, _)| self.column(name)).collect();
        let values: Vec<String> = row.iter().map(|(_, field)| self.literal(field)).collect();
        Some(format!("insert into {} ({}) values ({})", table.relation, names.join(", "), values.join(", ")))
    }

    /// The statement that sets columns of the rows in which `key` has a value.
    pub fn update(&self, table: &str, key: (&str, &Field), row: &[(&str, Field)]) -> Option<String> {
        let table = self.tables.get(table)?;
        let assignments: Vec<String> =
            row.iter().map(|(name, field)| format!("{} = {}", self.column(name), self.literal(field))).collect();
        Some(format!(
            "update {} set {} where {} = {}",
            table.relation,
            assignments.join(", "),
            self.column(key.0),
            self.literal(key.1)
        ))
    }

    /// The statement that removes the rows in which `key` has a value.
    pub fn delete(&self, table: &str, key: (&str, &Field)) -> Option<String> {
        let table = self.tables.get(table)?;
        Some(format!("delete from {} where {} = {}", table.relation, self.column(key.0), self.literal(key.1)))
    }

    /// A text as a literal of the warehouse's dialect.
    pub fn literal(&self, field: &Field) -> String {
        match field {
            Field::Null => "null".to_owned(),
            Field::Text(text) => self.dialect.string_literal(text),
            Field::Number(number) => number.to_string(),
            Field::Time(at) => format!("cast('{}' as timestamp)", at.format("%Y-%m-%d %H:%M:%S%.6f")),
        }
    }
}
