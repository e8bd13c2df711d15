//! The list that templates see: mutable and shared, as Python's is.

use super::bound::bound;
use super::native::Arguments;
use super::print::write_items;
use super::value::{invalid, is_absent, list, lock, nested, none, repr};
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A mutable list. The lock is never held while other code is called.
#[derive(Default)]
pub struct List(Mutex<Vec<Value>>);

/// Its methods: as attributes they come before items, as in Python.
const METHODS: [&str; 11] =
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];

impl List {
    /// A list of these items.
    pub(super) fn new(items: Vec<Value>) -> Self {
        Self(Mutex::new(items))
    }

    /// The items at this moment.
    pub fn items(&self) -> Vec<Value> {
        lock(&self.0).clone()
    }

    /// Adds an item at the end.
    pub fn push(&self, item: Value) {
        lock(&self.0).push(item);
    }

    /// Replaces all items.
    pub fn replace(&self, items: Vec<Value>) {
        *lock(&self.0) = items;
    }

    /// Where an item stands, from `start` on.
    fn position(&self, item: &Value, start: usize) -> Option<usize> {
        self.items().iter().skip(start).position(|other| other == item).map(|at| at + start)
    }

    fn pop(&self, arguments: &mut Arguments<'_>) -> Result<Value, Error> {
        let index = arguments
            .optional("index")
            .map_or(Ok(-1), |value| value.as_i64().ok_or_else(|| invalid("list indices must be integers")))?;
        let mut items = lock(&self.0);
        if items.is_empty() {
            return Err(invalid("pop from empty list"));
        }
        match within(index, items.len()) {
            Some(at) => Ok(items.remove(at)),
            None => Err(invalid("pop index out of range")),
        }
    }

    fn sort(&self, state: &mut State, key: Option<Value>, reverse: bool) -> Result<(), Error> {
        let mut keyed = Vec::new();
        for item in self.items() {
            let by = match &key {
                Some(function) => function.call(state, std::slice::from_ref(&item))?,
                None => item.clone(),
            };
            keyed.push((by, item));
        }
        self.replace(super::comparison::sorted_by_key(keyed, reverse)?);
        Ok(())
    }
}

/// The position that a Python index means for insertion.
fn clamp(index: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if index < 0 { index.saturating_add(length).max(0) } else { index.min(length) };
    usize::try_from(at).unwrap_or(0)
}

/// The position of an existing item that a Python index means.
fn within(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index.checked_add(length)? } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

/// Goes through a list as Python does: items that are appended on the way are visited too.
struct Live {
    list: Arc<List>,
    next: usize,
}

impl Iterator for Live {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let item = lock(&self.list.0).get(self.next).cloned()?;
        self.next += 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = lock(&self.list.0).len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.0).get(key.as_usize()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        bound(&METHODS, key, || Value::from_dyn_object(Arc::clone(self)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(Live { list: Arc::clone(self), next: 0 }))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self:?}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let (left, right) = (self.items(), other.downcast_ref::<Self>()?.items());
        Some(nested(|| left.cmp(&right)).unwrap_or(Ordering::Equal))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "append" => {
                let item = arguments.required("object")?;
                super::operators::check_length(lock(&self.0).len() + 1)?;
                self.push(item);
            }
            "extend" => {
                let items = super::value::members(&arguments.required("iterable")?)?;
                super::operators::check_length(items.len().saturating_add(lock(&self.0).len()))?;
                lock(&self.0).extend(items);
            }
            "insert" => {
                let index = arguments.integer("index")?;
                let item = arguments.required("object")?;
                let mut items = lock(&self.0);
                super::operators::check_length(items.len() + 1)?;
                let at = clamp(index, items.len());
                items.insert(at, item);
            }
            "pop" => return self.pop(&mut arguments),
            "remove" => {
                let item = arguments.required("value")?;
                let at = self.position(&item, 0).ok_or_else(|| invalid("list.remove(x): x not in list"))?;
                lock(&self.0).remove(at);
            }
            "clear" => lock(&self.0).clear(),
            "copy" => return Ok(list(self.items())),
            "count" => {
                let item = arguments.required("value")?;
                return Ok(Value::from(self.items().iter().filter(|other| **other == item).count()));
            }
            "index" => {
                let item = arguments.required("value")?;
                let start = if arguments.is_empty() { 0 } else { arguments.integer("start")? };
                let length = lock(&self.0).len();
                let at = self.position(&item, clamp(start, length));
                return at.map(Value::from).ok_or_else(|| invalid(format!("{} is not in list", repr(&item))));
            }
            "reverse" => lock(&self.0).reverse(),
            "sort" => {
                let (key, reverse) = (arguments.keyword("key"), arguments.keyword("reverse"));
                self.sort(state, key.filter(|key| !is_absent(key)), reverse.is_some_and(|flag| flag.is_true()))?;
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none())
    }
}

impl fmt::Debug for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_items(formatter, std::ptr::from_ref(self).addr(), &self.items())
    }
}
