//! The class `api.Relation`.

use super::method::bound_method;
use super::relation::{PARTS, RelationObject, parts_value, path_part, type_constant, type_word};
use super::warehouse::Warehouse;
use crate::adapter::{Relation, RelationType};
use crate::jinja::Arguments;
use crate::jinja::value::list;
use crate::name::{Quoting, RelationName};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// `api.Relation`: makes relations, and holds the words for their types.
#[derive(Debug)]
pub(super) struct RelationClass {
    pub(super) warehouse: Warehouse,
    /// How names are quoted where the caller says nothing.
    pub(super) quoting: Quoting,
}

impl RelationClass {
    fn create(&self, arguments: &mut Arguments<'_>) -> Result<RelationObject, Error> {
        let mut path = [None, None, None];
        for (index, part) in PARTS.into_iter().enumerate() {
            if let Some(value) = arguments.given(part) {
                path[index] = path_part(part, &value)?;
            }
        }
        let relation_type = arguments.optional("type").map_or(Ok(None), |value| type_word(&value))?;
        let [database, schema, identifier] = path;
        let name = RelationName { database, schema, identifier, quoting: self.quoting };
        let relation_type = relation_type.and_then(RelationType::from_word);
        let relation = RelationObject::new(self.warehouse, &Relation { name, relation_type });
        relation.with_fields(arguments)
    }
}

const METHODS: &[&str] = &[
    "create",
    "scd_args",
    "add_ephemeral_prefix",
    "get_relation_type",
    "get_default_quote_policy",
    "get_default_include_policy",
];

impl Object for RelationClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        type_constant(key).or_else(|| bound_method(self, METHODS, key))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<class '{}'>", self.warehouse.relation_class())
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "create" => self.create(&mut arguments)?.into_value(),
            "scd_args" => {
                let key = arguments.required("primary_key")?;
                let mut parts = if key.as_str().is_some() { vec![key] } else { key.try_iter()?.collect() };
                parts.push(arguments.required("updated_at")?);
                list(parts)
            }
            "add_ephemeral_prefix" => Value::from(format!("__dbt__cte__{}", arguments.text("name")?)),
            "get_relation_type" => Value::from(type_word(&arguments.required("type")?)?),
            "get_default_quote_policy" => {
                let quoting = self.warehouse.default_quoting();
                parts_value([quoting.database, quoting.schema, quoting.identifier].map(Value::from))
            }
            "get_default_include_policy" => parts_value([true; 3].map(Value::from)),
            _ => return Err(super::unknown_method("api.Relation", method, METHODS)),
        };
        arguments.finish()?;
        Ok(answer)
    }
}
