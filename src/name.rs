//! The names by which strata knows things: unique ids of nodes, relations in a warehouse.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What kind of thing a node is, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A `.sql` file under `model-paths`.
    Model,
    /// A `.csv` file under `seed-paths`.
    Seed,
    /// A snapshot block or YAML entry.
    Snapshot,
    /// A table that something else loads.
    Source,
    /// A data test, generic or singular.
    Test,
    /// A test of a model's SQL on rows that the test itself gives.
    UnitTest,
    /// A SQL file that is compiled but never run.
    Analysis,
    /// A hook of the project (`on-run-start`, `on-run-end`).
    #[serde(rename = "operation")]
    Operation,
    /// A macro.
    Macro,
    /// A docs block.
    Doc,
}

impl ResourceType {
    /// The word in unique ids, selectors and artifacts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
            Self::Source => "source",
            Self::Test => "test",
            Self::UnitTest => "unit_test",
            Self::Analysis => "analysis",
            Self::Operation => "operation",
            Self::Macro => "macro",
            Self::Doc => "doc",
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// dbt's unique id, `model.shop.orders`: cheap to clone, ordered by its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UniqueId(Arc<str>);

impl UniqueId {
    /// `resource.package.name`, where the name may have further dots.
    pub fn new(resource: ResourceType, package: &str, name: &str) -> Self {
        Self(format!("{resource}.{package}.{name}").into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for UniqueId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::borrow::Borrow<str> for UniqueId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Which parts of a relation's name are quoted when it is written into SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quoting {
    /// Quote the database.
    pub database: bool,
    /// Quote the schema.
    pub schema: bool,
    /// Quote the identifier.
    pub identifier: bool,
}

impl Quoting {
    /// Everything quoted: dbt's default for DuckDB.
    pub const ALL: Self = Self { database: true, schema: true, identifier: true };
    /// Nothing quoted: dbt's default for Snowflake.
    pub const NONE: Self = Self { database: false, schema: false, identifier: false };
}

/// The full name of a table or view, and how it is quoted. A part that is absent is not written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RelationName {
    /// The database (catalog).
    pub database: Option<String>,
    /// The schema.
    pub schema: Option<String>,
    /// The table's or view's own name; absent where only a schema is meant.
    pub identifier: Option<String>,
    /// Which parts are quoted.
    pub quoting: Quoting,
}

impl RelationName {
    /// `database.schema.identifier`.
    pub fn new(database: Option<&str>, schema: &str, identifier: &str, quoting: Quoting) -> Self {
        Self {
            database: database.map(str::to_owned),
            schema: Some(schema.to_owned()),
            identifier: Some(identifier.to_owned()),
            quoting,
        }
    }

    /// The key by which relations are the same to a warehouse that folds the case of names.
    pub fn folded(&self) -> (String, String, String) {
        let fold = |part: &Option<String>| part.as_deref().unwrap_or_default().to_lowercase();
        (fold(&self.database), fold(&self.schema), fold(&self.identifier))
    }
}

/// As written into SQL: `"db"."schema"."name"`.
impl fmt::Display for RelationName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (&self.database, self.quoting.database),
            (&self.schema, self.quoting.schema),
            (&self.identifier, self.quoting.identifier),
        ];
        let mut dot = "";
        for (part, quoted) in parts {
            let Some(part) = part else { continue };
            formatter.write_str(dot)?;
            if quoted {
                formatter.write_str(&quote_identifier(part))?;
            } else {
                formatter.write_str(part)?;
            }
            dot = ".";
        }
        Ok(())
    }
}

/// A name in double quotes, quotes inside doubled: right for DuckDB and Snowflake.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a SQL string literal, quotes inside doubled. For Snowflake, backslashes must be doubled too:
/// see [`crate::sql::Dialect::string_literal`].
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_quote_part_by_part() {
        let mut name = RelationName::new(Some("db"), "s", "we\"ird", Quoting::ALL);
        assert_eq!(name.to_string(), r#""db"."s"."we""ird""#);
        name.quoting = Quoting::NONE;
        name.database = None;
        assert_eq!(name.to_string(), "s.we\"ird");
    }
}
