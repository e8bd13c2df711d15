//! Methods that are taken from their object without being called: `{% set add = names.append %}`.

use super::value::type_name;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// A method of a value.
struct Bound {
    owner: Value,
    method: &'static str,
}

/// The method `name` of what `owner` gives, if it is one of `methods`.
pub(super) fn bound(methods: &[&'static str], name: &str, owner: impl FnOnce() -> Value) -> Option<Value> {
    let method = methods.iter().find(|method| **method == name)?;
    Some(Value::from_object(Bound { owner: owner(), method }))
}

impl fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<built-in method {} of {} object>", self.method, type_name(&self.owner))
    }
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.owner.call_method(state, self.method, args)
    }
}
