//! Python's modules that templates may use: `modules.re`, `modules.datetime`, `modules.pytz`, `modules.itertools`.

mod datetime;
mod format;
mod itertools;
mod moment;
mod pytz;
mod regex;
mod span;

pub use moment::{date_value, datetime_value, datetime_with_offset_value, utc_datetime_value};

use super::value::dict;
use chrono::{DateTime, Utc};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::fmt;
use std::sync::Arc;

/// The value of `modules`. `started` is when the invocation started: what `datetime.now()` gives is counted from
/// there, since nothing here reads the clock.
pub fn modules(started: DateTime<Utc>) -> Value {
    dict([
        ("datetime", datetime::module(started)),
        ("pytz", pytz::module()),
        ("re", regex::module()),
        ("itertools", itertools::module()),
    ])
}

/// Arithmetic that an object of these modules answers; none if it is not one, or does not know the other operand.
pub(super) fn arithmetic(method: &str, this: &Value, other: &Value) -> Option<Result<Value, Error>> {
    moment::arithmetic(method, this, other).or_else(|| span::arithmetic(method, this, other))
}

/// A date or time as `'{:%Y}'.format(…)` writes it; none if the value is neither.
pub(super) fn formatted(value: &Value, pattern: &str) -> Option<Result<String, Error>> {
    moment::formatted(value, pattern)
}

/// A module or a class: members by name, and perhaps what calling it makes.
struct Members {
    name: &'static str,
    construct: Option<Value>,
    values: Vec<(&'static str, Value)>,
}

/// A module or a class as templates see it.
fn members(name: &'static str, construct: Option<Value>, values: Vec<(&'static str, Value)>) -> Value {
    Value::from_object(Members { name, construct, values })
}

impl fmt::Debug for Members {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.construct.is_some() { "class" } else { "module" };
        write!(formatter, "<{kind} '{}'>", self.name)
    }
}

impl Object for Members {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.values.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        match &self.construct {
            Some(construct) => construct.call(state, args),
            None => Err(super::value::invalid(format!("the module {} cannot be called", self.name))),
        }
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match self.get_value_by_str(method) {
            Some(member) => member.call(state, args),
            None => Err(Error::new(ErrorKind::UnknownMethod, format!("'{}' has no attribute '{method}'", self.name))),
        }
    }
}
