//! Functions that templates call and Rust answers, and how they read their arguments.

use super::value::{invalid, is_absent, text};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// A function under the name `name` (used in messages). It finds its render with [`super::current`].
pub fn native<F>(name: &'static str, function: F) -> Value
where
    F: Fn(&mut State<'_, '_>, Arguments<'_>) -> Result<Value, Error> + Send + Sync + 'static,
{
    Value::from_object(Native { name, function })
}

struct Native<F> {
    name: &'static str,
    function: F,
}

impl<F> fmt::Debug for Native<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<function {}>", self.name)
    }
}

impl<F> Object for Native<F>
where
    F: Fn(&mut State<'_, '_>, Arguments<'_>) -> Result<Value, Error> + Send + Sync + 'static,
{
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        (self.function)(state, Arguments::new(self.name, args))
    }

    fn get_value_by_str(self: &Arc<Self>, _key: &str) -> Option<Value> {
        None
    }
}

/// The arguments of one call, read in the order of the function's parameters: each reader takes the next
/// positional argument, or else the keyword argument of its name.
#[derive(Debug)]
pub struct Arguments<'a> {
    function: &'a str,
    positional: &'a [Value],
    keywords: Vec<(String, Value)>,
    count: usize,
}

impl<'a> Arguments<'a> {
    /// The arguments as an object's `call` or `call_method` gets them; `function` is for messages.
    pub fn new(function: &'a str, args: &'a [Value]) -> Self {
        let (positional, keywords) = match args.split_last() {
            Some((last, rest)) if last.is_kwargs() => {
                let pairs = last.as_object().and_then(minijinja::value::DynObject::try_iter_pairs);
                let named = pairs.into_iter().flatten().map(|(key, value)| (text(&key), value)).collect();
                (rest, named)
            }
            _ => (args, Vec::new()),
        };
        Self { function, positional, keywords, count: 0 }
    }

    /// The next argument as given: a template may pass `None` on purpose.
    pub fn given(&mut self, name: &str) -> Option<Value> {
        self.count += 1;
        if let Some((first, rest)) = self.positional.split_first() {
            self.positional = rest;
            return Some(first.clone());
        }
        self.keyword(name)
    }

    /// The next argument, where `None` and an undefined value count as not given.
    pub fn optional(&mut self, name: &str) -> Option<Value> {
        self.given(name).filter(|value| !is_absent(value))
    }

    /// The next argument, which must be there (but may be `None`).
    pub fn required(&mut self, name: &str) -> Result<Value, Error> {
        self.given(name).ok_or_else(|| invalid(format!("{}() missing required argument: '{name}'", self.function)))
    }

    /// The next argument as text; values of other types are printed.
    pub fn text(&mut self, name: &str) -> Result<String, Error> {
        self.required(name).map(|value| text(&value))
    }

    /// The next argument as text where it is given and not `None`.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        self.optional(name).map(|value| text(&value))
    }

    /// The next argument as a whole number.
    pub fn integer(&mut self, name: &str) -> Result<i64, Error> {
        let value = self.required(name)?;
        let number = if value.kind() == minijinja::value::ValueKind::Bool { None } else { value.as_i64() };
        number.or_else(|| (value == Value::from(true)).then_some(1)).ok_or_else(|| {
            invalid(format!("{}(): '{name}' must be an integer, not {}", self.function, super::value::repr(&value)))
        })
    }

    /// The next argument as a truth value, or what holds without it.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        self.optional(name).map_or(default, |value| value.is_true())
    }

    /// A keyword argument, wherever the reader stands.
    pub fn keyword(&mut self, name: &str) -> Option<Value> {
        let at = self.keywords.iter().position(|(key, _)| key == name)?;
        Some(self.keywords.remove(at).1)
    }

    /// All positional arguments that are left.
    pub fn rest(&mut self) -> &'a [Value] {
        std::mem::take(&mut self.positional)
    }

    /// All keyword arguments that are left.
    pub fn keywords(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.keywords)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.positional.is_empty() && self.keywords.is_empty()
    }

    /// Complains about arguments that no reader took, in Python's words.
    pub fn finish(self) -> Result<(), Error> {
        if let Some((name, _)) = self.keywords.first() {
            return Err(invalid(format!("{}() got an unexpected keyword argument '{name}'", self.function)));
        }
        if !self.positional.is_empty() {
            let (takes, given) = (self.count, self.count + self.positional.len());
            return Err(invalid(format!(
                "{}() takes {takes} positional arguments but {given} were given",
                self.function
            )));
        }
        Ok(())
    }
}
