//! The lists and dicts that templates see: mutable and shared, as Python's are.
//!
//! Everything that hands a sequence or a mapping to a template makes it with [`list`] or [`dict`], because
//! templates append to what they are given. Printing follows Python: `str()` is [`text`], `repr()` is [`repr`].

use minijinja::value::{ObjectRepr, Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::context::is_set;
pub use super::dict::{Dict, Part, view};
pub use super::list::List;
pub(super) use super::print::as_text;
pub use super::print::{bytes, float, repr, text};
use super::range::Range;

/// How deep nested values are compared; deeper ones can only be cycles.
const DEEPEST: usize = 100;

/// A new list.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(List::new(items.into_iter().collect()))
}

/// A new dict.
pub fn dict<K: Into<Value>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::from_object(Dict::new(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

/// A tuple.
pub fn tuple(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from(Tuple::from(items.into_iter().collect::<Vec<_>>()))
}

/// Python's `None`.
pub fn none() -> Value {
    Value::from(())
}

/// `None` or not there at all.
pub fn is_absent(value: &Value) -> bool {
    value.is_none() || value.is_undefined()
}

/// An error of the template's own making: wrong values, wrong arguments.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// What Python's `for` would go through: nothing where a value is undefined, an error for `None`.
pub fn members(value: &Value) -> Result<Vec<Value>, Error> {
    if value.is_none() {
        return Err(invalid("'NoneType' object is not iterable"));
    }
    if let Some(list) = value.downcast_object_ref::<List>() {
        return Ok(list.items());
    }
    match value.try_iter() {
        Ok(items) => Ok(items.collect()),
        Err(_) => Err(invalid(format!("'{}' object is not iterable", type_name(value)))),
    }
}

/// Complains about values that cannot be keys of a dict or members of a set, because they can change.
pub fn hashable(value: &Value) -> Result<(), Error> {
    let changes = value.downcast_object_ref::<List>().is_some() || value.downcast_object_ref::<Dict>().is_some();
    if changes || is_set(value) {
        return Err(invalid(format!("unhashable type: '{}'", type_name(value))));
    }
    if value.is_tuple() {
        return value.try_iter()?.try_for_each(|item| hashable(&item));
    }
    Ok(())
}

/// The pairs of a mapping of any kind (dict, keyword arguments, an object that acts as one).
pub fn pairs(value: &Value) -> Option<Vec<(Value, Value)>> {
    let object = value.as_object().filter(|object| object.repr() == ObjectRepr::Map)?;
    Some(object.try_iter_pairs()?.collect())
}

/// The name of a value's type as Python says it in error messages.
pub fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq if value.downcast_object_ref::<Range>().is_some() => "range",
        ValueKind::Seq => "list",
        ValueKind::Map => "dict",
        _ if is_set(value) => "set",
        _ => "object",
    }
}

/// A copy of a literal in which every list and dict is new: what the template changes stays its own.
pub fn fresh(value: &Value) -> Value {
    if value.is_tuple() {
        return match value.try_iter() {
            Ok(items) => tuple(items.map(|item| fresh(&item))),
            Err(_) => value.clone(),
        };
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => match value.try_iter() {
            Ok(items) => list(items.map(|item| fresh(&item))),
            Err(_) => value.clone(),
        },
        ValueKind::Map if !value.is_kwargs() => match pairs(value) {
            Some(pairs) => dict(pairs.into_iter().map(|(key, item)| (key, fresh(&item)))),
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere cannot leave a list half changed: every change is one call of Vec or IndexMap.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static NESTING: Cell<usize> = const { Cell::new(0) };
}

/// Runs `inner` one level deeper, or gives `None` where only a value that contains itself can be so deep.
pub(super) fn nested<T>(inner: impl FnOnce() -> T) -> Option<T> {
    let depth = NESTING.get();
    if depth >= DEEPEST {
        return None;
    }
    NESTING.set(depth + 1);
    let result = inner();
    NESTING.set(depth);
    Some(result)
}

/// The pairs that `dict(…)` and `update(…)` are given: a mapping or a list of pairs, then keywords.
pub fn updates(args: &[Value]) -> Result<Vec<(Value, Value)>, Error> {
    let mut result = Vec::new();
    for arg in args {
        if let Some(pairs) = pairs(arg) {
            result.extend(pairs);
            continue;
        }
        for pair in members(arg)? {
            let items = members(&pair)?;
            let [key, value] = items.as_slice() else {
                return Err(invalid("dictionary update sequence elements must be pairs"));
            };
            hashable(key)?;
            result.push((key.clone(), value.clone()));
        }
    }
    Ok(result)
}
