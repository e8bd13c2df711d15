//! What tables the warehouse has and what they are made of, asked by macros that projects and adapters may override.

use super::{Compiler, Surroundings};
use crate::adapter::{Relation, Table};
use crate::diagnostic::{Code, Diagnostic, Result};
use crate::jinja::context::{self, RelationObject, statement_result};
use crate::jinja::value::list;
use crate::jinja::{Value, definition_of};
use crate::name::RelationName;
use std::sync::Arc;

/// The tables of a database that are asked for.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// Those in these schemas: the macro `get_catalog`.
    Schemas(&'a [String]),
    /// These alone: the macro `get_catalog_relations`, which not every warehouse has.
    Relations(&'a [RelationName]),
}

const BY_SCHEMA: &str = "get_catalog";
const BY_RELATION: &str = "get_catalog_relations";

impl Compiler {
    /// Whether the warehouse can be asked for single tables.
    pub fn can_catalog_relations(&self) -> bool {
        let found = self.engine.registry().find_dispatched(BY_RELATION, Some("dbt"), self.project.name());
        let definition = found.and_then(|value| definition_of(&value));
        definition.is_some_and(|definition| !definition.name.starts_with("default__"))
    }

    /// Asks for the columns of the tables that are wanted of the database of `any`, a row each, under dbt's names:
    /// `table_database`, `table_schema`, `table_name`, `table_type`, `table_comment`, `table_owner`, `column_name`,
    /// `column_index`, `column_type`, `column_comment`, and `stats:<id>:label|value|description|include`.
    pub fn collect_catalog(
        &self,
        any: &RelationName,
        wanted: Wanted<'_>,
        surroundings: &Surroundings,
    ) -> Result<Arc<Table>> {
        let relation = |name: &RelationName| Relation { name: name.clone(), relation_type: None };
        let database = RelationObject::new(self.warehouse, &relation(any)).information_schema(None).into_value();
        let (name, asked): (_, Vec<Value>) = match wanted {
            Wanted::Schemas(schemas) => (BY_SCHEMA, schemas.iter().map(|schema| schema.as_str().into()).collect()),
            Wanted::Relations(names) => {
                let value = |name| context::relation_value(self.warehouse, &relation(name));
                (BY_RELATION, names.iter().map(value).collect())
            }
        };
        let given = self.call(name, &[database, list(asked)], &[], surroundings)?;
        let (_, table) = statement_result(&given).unwrap_or_default();
        table.ok_or_else(|| {
            Diagnostic::error(Code::Database, format!("the macro `{name}` gave no rows"))
                .help("it must return the table of a query: `return(run_query(…))`")
                .into()
        })
    }
}
