//! `adapter.*` about columns.

use super::{Call, list, none, run};
use crate::diagnostic::Code;
use crate::jinja::context::column::{ColumnObject, expanded_string_type};
use crate::jinja::context::failure;
use crate::jinja::context::relation::RelationObject;
use crate::jinja::context::warehouse::Warehouse;
use crate::jinja::value::repr;
use crate::name::RelationName;
use minijinja::Error;
use minijinja::value::Value;
use std::collections::HashMap;
use std::sync::Arc;

impl Call<'_, '_, '_, '_> {
    /// The answer of a method about columns; none if it is not one.
    pub(super) fn column_answer(&mut self) -> Result<Option<Value>, Error> {
        Ok(Some(match self.method {
            "get_columns_in_relation" => {
                let relation = self.relation("relation")?;
                self.call_macro("get_columns_in_relation", &[("relation", Value::from_dyn_object(relation))])?
            }
            "get_columns_in_table" => {
                let schema = self.arguments.text("schema")?;
                let identifier = self.arguments.text("identifier")?;
                let database = self.context.find("database").and_then(|database| database.as_str().map(str::to_owned));
                let name = RelationName::new(database.as_deref(), &schema, &identifier, self.adapter.quoting);
                let relation = crate::adapter::Relation { name, relation_type: None };
                let relation = RelationObject::new(self.adapter.warehouse, &relation).into_value();
                self.call_macro("get_columns_in_relation", &[("relation", relation)])?
            }
            "get_missing_columns" => {
                let (from, to) = (self.relation("from_relation")?, self.relation("to_relation")?);
                let known = self.columns(&to)?;
                let missing = |column: &Arc<ColumnObject>| !known.iter().any(|other| other.name() == column.name());
                let columns = self.columns(&from)?;
                list(columns.into_iter().filter(missing).map(Value::from_dyn_object))
            }
            "expand_target_column_types" => self.expand_target_column_types()?,
            "get_column_schema_from_query" => self.get_column_schema_from_query()?,
            _ => return Ok(None),
        }))
    }

    /// The columns of a relation, as the macro `get_columns_in_relation` says.
    pub(super) fn columns(&mut self, relation: &Arc<RelationObject>) -> Result<Vec<Arc<ColumnObject>>, Error> {
        let relation = Value::from_dyn_object(Arc::clone(relation));
        let columns = self.call_macro("get_columns_in_relation", &[("relation", relation)])?;
        columns
            .try_iter()?
            .map(|column| {
                ColumnObject::from_value(&column).ok_or_else(|| {
                    let message =
                        format!("macro `get_columns_in_relation` should give columns, but gave {}", repr(&column));
                    failure(Code::JinjaRender, message)
                })
            })
            .collect()
    }

    /// Widens the texts of an existing table to those of the rows that will be added.
    fn expand_target_column_types(&mut self) -> Result<Value, Error> {
        let (from, to) = (self.relation("from_relation")?, self.relation("to_relation")?);
        let existing: HashMap<String, Arc<ColumnObject>> =
            self.columns(&to)?.into_iter().map(|column| (column.name().to_owned(), column)).collect();
        for column in self.columns(&from)? {
            let Some(target) = existing.get(column.name()) else { continue };
            if target.can_expand_to(&column)? {
                let values = [
                    ("relation", Value::from_dyn_object(Arc::clone(&to))),
                    ("column_name", Value::from(column.name())),
                    ("new_column_type", Value::from(expanded_string_type(&column)?)),
                ];
                self.call_macro("alter_column_type", &values)?;
            }
        }
        Ok(none())
    }

    /// Names and types of a query's columns, without running it.
    fn get_column_schema_from_query(&mut self) -> Result<Value, Error> {
        let sql = self.arguments.text("sql")?;
        let warehouse = self.adapter.warehouse;
        let columns: Vec<ColumnObject> = match warehouse {
            Warehouse::DuckDb => {
                let answer = run(self.session()?, &format!("describe ({sql})"), false)?;
                let texts = answer.table.rows.iter().map(|row| row.iter().map(ToString::to_string).collect());
                texts
                    .filter_map(|row: Vec<String>| Some(ColumnObject::new(warehouse, row.first()?, row.get(1)?)))
                    .flat_map(|column| column.flatten())
                    .collect()
            }
            Warehouse::Snowflake => {
                let answer = run(self.session()?, &sql, false)?;
                let columns = answer.table.columns.iter();
                columns.map(|(name, one)| ColumnObject::new(warehouse, name, &warehouse.query_type(one))).collect()
            }
        };
        Ok(list(columns.into_iter().map(ColumnObject::into_value)))
    }
}
