//! The dict that templates see, mutable and shared as Python's is, and the views that `keys()` and its kin give.

use super::bound::bound;
use super::native::Arguments;
use super::print::{write_list, write_pairs};
use super::value::{dict, hashable, invalid, lock, nested, none, repr, tuple, updates};
use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A mutable dict that keeps the order of insertion. The lock is never held while other code is called.
#[derive(Default)]
pub struct Dict(Mutex<IndexMap<Value, Value>>);

/// Its methods: as attributes they come before items, as in Python.
const METHODS: [&str; 10] =
    ["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

impl Dict {
    /// A dict of these pairs.
    pub(super) fn new(pairs: IndexMap<Value, Value>) -> Self {
        Self(Mutex::new(pairs))
    }

    /// The pairs at this moment.
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        lock(&self.0).iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The value of a key.
    pub fn get(&self, key: &Value) -> Option<Value> {
        lock(&self.0).get(key).cloned()
    }

    /// Sets the value of a key.
    pub fn insert(&self, key: Value, value: Value) {
        lock(&self.0).insert(key, value);
    }

    fn view(self: &Arc<Self>, part: Part) -> Value {
        Value::from_object(View { part, of: Viewed::Dict(Arc::clone(self)) })
    }
}

/// Goes through the keys of a dict; like Python it fails when the dict grows or shrinks on the way.
struct Keys {
    dict: Arc<Dict>,
    left: std::vec::IntoIter<Value>,
    size: usize,
    failed: bool,
}

impl Iterator for Keys {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        if self.failed {
            return None;
        }
        if lock(&self.dict.0).len() != self.size {
            self.failed = true;
            return Some(Value::from(invalid("dictionary changed size during iteration")));
        }
        self.left.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        bound(&METHODS, key, || Value::from_dyn_object(Arc::clone(self))).or_else(|| self.get(&Value::from(key)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys: Vec<Value> = lock(&self.0).keys().cloned().collect();
        let size = keys.len();
        Enumerator::Iter(Box::new(Keys { dict: Arc::clone(self), left: keys.into_iter(), size, failed: false }))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let (left, right) = (self.pairs(), other.downcast_ref::<Self>()?);
        let equal = || {
            let other = right.pairs();
            left.len() == other.len() && left.iter().all(|(key, value)| right.get(key).as_ref() == Some(value))
        };
        match nested(equal) {
            Some(false) => Some(left.cmp(&right.pairs()).then(Ordering::Less)),
            _ => Some(Ordering::Equal),
        }
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "get" => {
                let key = arguments.required("key")?;
                Ok(self.get(&key).or_else(|| arguments.given("default")).unwrap_or_else(none))
            }
            "keys" => Ok(self.view(Part::Keys)),
            "values" => Ok(self.view(Part::Values)),
            "items" => Ok(self.view(Part::Items)),
            "update" => {
                let more = updates(args)?;
                lock(&self.0).extend(more);
                Ok(none())
            }
            "pop" => {
                let key = arguments.required("key")?;
                let removed = lock(&self.0).shift_remove(&key);
                let value = removed.or_else(|| arguments.given("default"));
                value.ok_or_else(|| invalid(format!("KeyError: {}", repr(&key))))
            }
            "popitem" => {
                let last = lock(&self.0).pop();
                last.map(|(key, value)| tuple([key, value])).ok_or_else(|| invalid("popitem(): dictionary is empty"))
            }
            "setdefault" => {
                let key = arguments.required("key")?;
                hashable(&key)?;
                let value = arguments.given("default").unwrap_or_else(none);
                Ok(lock(&self.0).entry(key).or_insert(value).clone())
            }
            "copy" => Ok(dict(self.pairs())),
            "clear" => {
                lock(&self.0).clear();
                Ok(none())
            }
            // A function that is kept under a key: `modules` and its kin are used like that.
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pairs(formatter, std::ptr::from_ref(self).addr(), &self.pairs())
    }
}

/// Which part of a mapping a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What `keys()` gives.
    Keys,
    /// What `values()` gives.
    Values,
    /// What `items()` gives.
    Items,
}

/// What `keys()`, `values()` and `items()` of a mapping give: no list, since it has no positions, and it shows what
/// the dict holds when it is looked at.
pub(super) struct View {
    part: Part,
    of: Viewed,
}

enum Viewed {
    Dict(Arc<Dict>),
    /// Of a mapping that does not change.
    Fixed(Vec<(Value, Value)>),
}

/// A part of a mapping that is no dict of ours.
pub fn view(part: Part, pairs: Vec<(Value, Value)>) -> Value {
    Value::from_object(View { part, of: Viewed::Fixed(pairs) })
}

impl View {
    fn items(&self) -> Vec<Value> {
        let pairs = match &self.of {
            Viewed::Dict(dict) => dict.pairs(),
            Viewed::Fixed(pairs) => pairs.clone(),
        };
        let shown = |(key, value)| match self.part {
            Part::Keys => key,
            Part::Values => value,
            Part::Items => tuple([key, value]),
        };
        pairs.into_iter().map(shown).collect()
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    /// Views have no positions; without an answer the VM would count through them.
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::UNDEFINED)
    }

    fn get_value_by_str(self: &Arc<Self>, _key: &str) -> Option<Value> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.enumerator_len() != Some(0)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match (&self.of, self.part) {
            (Viewed::Dict(dict), Part::Keys) => dict.enumerate(),
            _ => Enumerator::Values(self.items()),
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        match &self.of {
            Viewed::Dict(dict) => dict.enumerator_len(),
            Viewed::Fixed(pairs) => Some(pairs.len()),
        }
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl fmt::Debug for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.part {
            Part::Keys => "dict_keys",
            Part::Values => "dict_values",
            Part::Items => "dict_items",
        };
        write!(formatter, "{name}(")?;
        write_list(formatter, &self.items())?;
        formatter.write_str(")")
    }
}
