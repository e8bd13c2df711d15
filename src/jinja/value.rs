//! The lists and dicts that templates see: mutable and shared, as Python's are.
//!
//! Everything that hands a sequence or a mapping to a template makes it with [`list`] or [`dict`], because
//! templates append to what they are given. Printing follows Python: `str()` is [`text`], `repr()` is [`repr`].

use indexmap::IndexMap;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr, Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::native::Arguments;
pub use super::print::{float, repr, text};
use super::print::{write_items, write_pairs};

/// How deep nested values are printed and compared; deeper ones can only be cycles.
const DEEPEST: usize = 100;

/// A mutable list. The lock is never held while other code is called.
#[derive(Default)]
pub struct List(Mutex<Vec<Value>>);

/// A mutable dict that keeps the order of insertion. The lock is never held while other code is called.
#[derive(Default)]
pub struct Dict(Mutex<IndexMap<Value, Value>>);

/// What `keys()`, `values()` and `items()` of a dict give: a sequence that says what it is when printed.
pub struct View {
    name: &'static str,
    items: Vec<Value>,
}

/// A new list.
pub fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::from_object(List(Mutex::new(items.into_iter().collect())))
}

/// A new dict.
pub fn dict<K: Into<Value>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Value {
    Value::from_object(Dict(Mutex::new(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())))
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
        ValueKind::Seq => "list",
        ValueKind::Map => "dict",
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

impl List {
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

    fn position(&self, item: &Value) -> Option<usize> {
        self.items().iter().position(|other| other == item)
    }
}

impl Dict {
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

    fn get_value_by_str(self: &Arc<Self>, _key: &str) -> Option<Value> {
        None
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Iter(Box::new(Live { list: Arc::clone(self), next: 0 }))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_items(formatter, &self.items())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let (left, right) = (self.items(), other.downcast_ref::<Self>()?.items());
        Some(nested(|| left.cmp(&right)).unwrap_or(Ordering::Equal))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "append" => self.push(arguments.required("object")?),
            "extend" => {
                let items: Vec<Value> = arguments.required("iterable")?.try_iter()?.collect();
                lock(&self.0).extend(items);
            }
            "insert" => {
                let index = arguments.integer("index")?;
                let item = arguments.required("object")?;
                let mut items = lock(&self.0);
                let at = clamp(index, items.len());
                items.insert(at, item);
            }
            "pop" => return self.pop(&mut arguments),
            "remove" => {
                let item = arguments.required("value")?;
                let at = self.position(&item).ok_or_else(|| invalid("list.remove(x): x not in list"))?;
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
                let at = self.position(&item);
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

impl List {
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
        // Python keeps the order of equal items also when it sorts downwards.
        if reverse {
            keyed.sort_by(|left, right| right.0.cmp(&left.0));
        } else {
            keyed.sort_by(|left, right| left.0.cmp(&right.0));
        }
        self.replace(keyed.into_iter().map(|(_, item)| item).collect());
        Ok(())
    }
}

/// The position that a Python index means for insertion.
fn clamp(index: i64, length: usize) -> usize {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let at = if index < 0 { (index + length).max(0) } else { index.min(length) };
    usize::try_from(at).unwrap_or(0)
}

/// The position of an existing item that a Python index means.
fn within(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let at = if index < 0 { index + length } else { index };
    usize::try_from(at).ok().filter(|_| at < length)
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.0).keys().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.0).len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pairs(formatter, &self.pairs())
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
            "keys" => Ok(view("dict_keys", self.pairs().into_iter().map(|(key, _)| key))),
            "values" => Ok(view("dict_values", self.pairs().into_iter().map(|(_, value)| value))),
            "items" => Ok(view("dict_items", self.pairs().into_iter().map(|(key, value)| tuple([key, value])))),
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
            "setdefault" => {
                let key = arguments.required("key")?;
                let value = arguments.given("default").unwrap_or_else(none);
                Ok(lock(&self.0).entry(key).or_insert(value).clone())
            }
            "copy" => Ok(dict(self.pairs())),
            "clear" => {
                lock(&self.0).clear();
                Ok(none())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// The pairs that `dict(…)` and `update(…)` are given: a mapping or a list of pairs, then keywords.
pub fn updates(args: &[Value]) -> Result<Vec<(Value, Value)>, Error> {
    let mut result = Vec::new();
    for arg in args {
        if let Some(pairs) = pairs(arg) {
            result.extend(pairs);
            continue;
        }
        for pair in arg.try_iter()? {
            let items: Vec<Value> = pair.try_iter()?.collect();
            let [key, value] = items.as_slice() else {
                return Err(invalid("dictionary update sequence elements must be pairs"));
            };
            result.push((key.clone(), value.clone()));
        }
    }
    Ok(result)
}

fn view(name: &'static str, items: impl Iterator<Item = Value>) -> Value {
    view_of(name, items.collect())
}

/// A sequence that prints as `name([…])`: what `keys()` and `items()` of a mapping give.
pub fn view_of(name: &'static str, items: Vec<Value>) -> Value {
    Value::from_object(View { name, items })
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}(", self.name)?;
        write_items(formatter, &self.items)?;
        formatter.write_str(")")
    }
}

impl fmt::Debug for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_items(formatter, &self.items())
    }
}

impl fmt::Debug for Dict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pairs(formatter, &self.pairs())
    }
}

impl fmt::Debug for View {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_items(formatter, &self.items)
    }
}
