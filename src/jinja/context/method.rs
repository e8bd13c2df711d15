//! Methods that a template takes from an object without calling them: `api.Column.translate_type is defined`.

use crate::jinja::bound::bound;
use minijinja::value::{Object, Value};
use std::sync::Arc;

/// The method of this name; none if the object has no such method.
pub(super) fn bound_method<T: Object + 'static>(
    receiver: &Arc<T>,
    names: &[&'static str],
    name: &str,
) -> Option<Value> {
    bound(names, name, || Value::from_dyn_object(Arc::clone(receiver)))
}
