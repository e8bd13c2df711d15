//! Read-only values with named fields: `target`, `flags`, `exceptions`, `api`, `builtins`.

use super::unknown_method;
use crate::jinja::Arguments;
use crate::jinja::value::{dict, list, none, tuple};
use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// Fields by name, shared by all renders, which therefore cannot change them. It reads like a dict.
pub(super) struct Record {
    name: &'static str,
    fields: IndexMap<String, Value>,
}

impl Record {
    /// A record; the name is for error messages.
    pub(super) fn value(name: &'static str, fields: impl IntoIterator<Item = (impl Into<String>, Value)>) -> Value {
        let fields = fields.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Value::from_object(Self { name, fields })
    }

    fn pairs(&self) -> impl Iterator<Item = (Value, Value)> {
        self.fields.iter().map(|(key, value)| (Value::from(key.as_str()), value.clone()))
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", dict(self.pairs()))
    }
}

impl Object for Record {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.fields.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.fields.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.fields.keys().map(|key| Value::from(key.as_str())).collect())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        if let Some(field) = self.fields.get(method) {
            return field.call(state, values);
        }
        let mut arguments = Arguments::new(method, values);
        let answer = match method {
            "get" => {
                let key = arguments.required("key")?;
                let default = arguments.given("default").unwrap_or_else(none);
                key.as_str().and_then(|key| self.fields.get(key).cloned()).unwrap_or(default)
            }
            "keys" => list(self.pairs().map(|(key, _)| key)),
            "values" => list(self.pairs().map(|(_, value)| value)),
            "items" => list(self.pairs().map(|(key, value)| tuple([key, value]))),
            "copy" => dict(self.pairs()),
            _ => {
                let known: Vec<&str> = self.fields.keys().map(String::as_str).collect();
                return Err(unknown_method(self.name, method, &known));
            }
        };
        arguments.finish()?;
        Ok(answer)
    }
}
