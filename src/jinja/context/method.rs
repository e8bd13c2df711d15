//! Methods that a template takes from an object without calling them: `api.Column.translate_type is defined`.

use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// A method of an object, to be called later.
struct Method {
    receiver: Value,
    name: &'static str,
}

/// The method of this name; none if the object has no such method.
pub(super) fn bound_method<T: Object + 'static>(
    receiver: &Arc<T>,
    names: &[&'static str],
    name: &str,
) -> Option<Value> {
    let name = names.iter().find(|known| **known == name)?;
    Some(Value::from_object(Method { receiver: Value::from_dyn_object(Arc::clone(receiver)), name }))
}

impl fmt::Debug for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<bound method {} of {}>", self.name, self.receiver)
    }
}

impl Object for Method {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, values: &[Value]) -> Result<Value, Error> {
        self.receiver.call_method(state, self.name, values)
    }
}
