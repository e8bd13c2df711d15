//! Values between the warehouse and templates: cells and relations.

use super::relation::RelationObject;
use super::warehouse::Warehouse;
use crate::adapter::{Cell, Relation};
use crate::jinja::modules::{date_value, datetime_value, datetime_with_offset_value};
use crate::jinja::value::{bytes as python_bytes, float, none};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A cell as Python would have it: `None`, numbers, texts, dates.
pub fn cell_value(cell: &Cell) -> Value {
    match cell {
        Cell::Null => none(),
        Cell::Boolean(value) => Value::from(*value),
        Cell::Integer(number) => match i64::try_from(*number) {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(*number),
        },
        Cell::Decimal(text) => decimal_value(text),
        Cell::Float(number) => Value::from(*number),
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::Date(date) => date_value(*date),
        Cell::Timestamp(moment) => datetime_value(*moment),
        Cell::TimestampTz(moment) => datetime_with_offset_value(*moment),
        // agate knows no times of day: they are texts there.
        Cell::Time(_) => Value::from(cell.to_string()),
        Cell::Binary(bytes) => Value::from(python_bytes(bytes)),
    }
}

/// A relation for templates.
pub fn relation_value(warehouse: Warehouse, relation: &Relation) -> Value {
    RelationObject::new(warehouse, relation).into_value()
}

/// The relation that a value is, if it is one.
pub fn relation_from_value(value: &Value) -> Option<Relation> {
    RelationObject::from_value(value).map(|relation| relation.relation())
}

/// The relations that a materialization says it made: `return({'relations': [this]})`.
pub fn returned_relations(value: &Value) -> Vec<Relation> {
    let relations = value.get_attr("relations").ok().and_then(|relations| relations.try_iter().ok());
    relations.into_iter().flatten().filter_map(|relation| relation_from_value(&relation)).collect()
}

/// A decimal as a number where a number can hold it, so that templates can compare and add; else as a value
/// that at least keeps every digit when it is written.
fn decimal_value(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::from(number);
    }
    let shortest = text.trim_end_matches('0');
    match text.parse::<f64>() {
        Ok(number) if float(number).trim_end_matches('0') == shortest => Value::from(number),
        _ => Value::from_object(Decimal(text.to_owned())),
    }
}

/// A decimal with more digits than a binary number holds.
struct Decimal(String);

impl fmt::Debug for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Decimal('{}')", self.0)
    }
}

impl Object for Decimal {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        let other = other.downcast_ref::<Self>()?;
        Some(number(&self.0).total_cmp(&number(&other.0)).then_with(|| self.0.cmp(&other.0)))
    }
}
