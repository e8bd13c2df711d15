//! The two minijinja environments: one for each phase.

use super::host::Phase;
use super::native::{Arguments, native};
use super::range::Range;
use super::runtime::{is_soft_undefined, soft_undefined};
use super::value::{self, dict, hashable, invalid, members, none, updates};
use super::{budget, error, filters, strings};
use minijinja::value::{Kwargs, Object, ObjectRepr, Value, ValueKind, ValueOrKwargs};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Functions that every template has, whatever its render brings along.
const GLOBALS: &[&str] = &["range", "dict", "namespace", "cycler", "joiner", "loop", "self", "debug", "lipsum"];
/// Whether a name is known to the environment or the VM itself.
pub(super) fn is_global(name: &str) -> bool {
    GLOBALS.contains(&name)
}

/// The environment in which templates of a phase run.
pub(super) fn of_phase(phase: Phase) -> Environment<'static> {
    let mut environment = Environment::new();
    // Errors then say which expression was undefined.
    environment.set_debug(true);
    environment.set_formatter(|output, state, value| {
        let escaped = !matches!(state.auto_escape(), AutoEscape::None) && !value.is_safe();
        let text = match value.as_str().filter(|_| value.kind() == ValueKind::String) {
            _ if escaped => Cow::Owned(filters::escaped(&value::text(value))),
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(value::text(value)),
        };
        budget::write(text.len())?;
        output.write_str(&text).map_err(Error::from)
    });
    filters::install(&mut environment);
    add_globals(&mut environment);
    match phase {
        Phase::Execute => {
            environment.set_undefined_behavior(UndefinedBehavior::Lenient);
            environment.set_unknown_method_callback(strings::unknown_method);
        }
        Phase::Parse => {
            environment.set_undefined_behavior(UndefinedBehavior::Chainable);
            environment.set_unknown_method_callback(soft_unknown_method);
            let undefined = |value: &Value| value.is_undefined() || is_soft_undefined(value);
            environment.add_test("defined", move |value: &Value| !undefined(value));
            environment.add_test("undefined", move |value: &Value| undefined(value));
        }
    }
    environment
}

/// In the parse phase values are not what they will be (`config.get()` gives an empty text, a query nothing), so a
/// method that a value has not gives nothing instead of failing.
fn soft_unknown_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match strings::unknown_method(state, value, method, args) {
        Err(error) if error.kind() == ErrorKind::UnknownMethod => Ok(soft_undefined()),
        result => result,
    }
}

/// `return` where the compiler could not make an instruction of it: without an argument, or in a `{% call %}` block.
pub(super) fn return_function() -> Value {
    native("return", |_state, mut arguments| {
        let value = arguments.required("data")?;
        arguments.finish()?;
        Err(error::returned(value))
    })
}

fn add_globals(environment: &mut Environment<'static>) {
    // Jinja2's reference to the template itself; dbt's templates have no blocks that it could render.
    environment.add_global("self", Value::from_object(value::Dict::default()));
    environment.add_global(
        "range",
        native("range", |_state, mut arguments| {
            let first = arguments.integer("stop")?;
            let second = if arguments.is_empty() { None } else { Some(arguments.integer("stop")?) };
            let step = if arguments.is_empty() { 1 } else { arguments.integer("step")? };
            arguments.finish()?;
            let (from, to) = second.map_or((0, first), |to| (first, to));
            Range::value(from, to, step)
        }),
    );
    environment.add_global("dict", Value::from_object(DictClass));
    environment.add_global(
        "namespace",
        native("namespace", |_state, mut arguments| {
            let mut pairs = updates(arguments.rest())?;
            pairs.extend(arguments.keywords().into_iter().map(|(key, value)| (Value::from(key), value)));
            let keywords: Kwargs = pairs.iter().map(|(key, value)| (value::text(key), value.clone())).collect();
            minijinja::functions::namespace(Some(ValueOrKwargs::from(Value::from(keywords))))
        }),
    );
    environment.add_global(
        "joiner",
        native("joiner", |_state, mut arguments| {
            let separator = arguments.given("sep").unwrap_or_else(|| Value::from(", "));
            let used = AtomicBool::new(false);
            Ok(native("joiner", move |_state, _arguments| {
                Ok(if used.swap(true, Ordering::Relaxed) { separator.clone() } else { Value::from("") })
            }))
        }),
    );
    environment.add_global(
        "cycler",
        native("cycler", |_state, mut arguments| {
            let items = arguments.rest().to_vec();
            if items.is_empty() {
                return Err(invalid("at least one item has to be provided"));
            }
            Ok(Value::from_object(Cycler { items, at: AtomicUsize::new(0) }))
        }),
    );
}

/// `dict(a=1)`, and `dict.fromkeys(…)`.
#[derive(Debug)]
struct DictClass;

impl Object for DictClass {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new("dict", args);
        let mut pairs = updates(arguments.rest())?;
        pairs.extend(arguments.keywords().into_iter().map(|(key, value)| (Value::from(key), value)));
        Ok(dict(pairs))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method != "fromkeys" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let mut arguments = Arguments::new(method, args);
        let keys = members(&arguments.required("iterable")?)?;
        let value = arguments.given("value").unwrap_or_else(none);
        arguments.finish()?;
        keys.iter().try_for_each(hashable)?;
        Ok(dict(keys.into_iter().map(|key| (key, value.clone()))))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<class 'dict'>")
    }
}

/// Jinja2's `cycler(a, b)`: `next()`, `current`, `reset()`.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Object for Cycler {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        (key == "current").then(|| self.items[self.at.load(Ordering::Relaxed) % self.items.len()].clone())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, _args: &[Value]) -> Result<Value, Error> {
        match method {
            "next" => Ok(self.items[self.at.fetch_add(1, Ordering::Relaxed) % self.items.len()].clone()),
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(none())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
