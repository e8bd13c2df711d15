//! The two minijinja environments: one for each phase.

use super::host::Phase;
use super::native::native;
use super::runtime::{is_soft_undefined, soft_undefined};
use super::value::{self, dict, invalid, list, none, updates};
use super::{error, filters, operators, strings};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Functions that every template has, whatever its render brings along.
const GLOBALS: &[&str] = &["range", "dict", "namespace", "cycler", "joiner", "loop", "self", "debug", "lipsum"];
/// As many items as a range may have: more can only be a mistake.
const LONGEST_RANGE: u64 = 10_000_000;

/// Whether a name is known to the environment or the VM itself.
pub(super) fn is_global(name: &str) -> bool {
    GLOBALS.contains(&name)
}

/// The environment in which templates of a phase run.
pub(super) fn of_phase(phase: Phase) -> Environment<'static> {
    let mut environment = Environment::new();
    // Errors then say which expression was undefined.
    environment.set_debug(true);
    environment.set_formatter(|output, _state, value| {
        match value.as_str() {
            Some(text) => output.write_str(text),
            None => output.write_str(&value::text(value)),
        }
        .map_err(Error::from)
    });
    operators::install(&mut environment);
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

/// In the parse phase, what a query would give is not there: its methods give nothing instead of failing.
fn soft_unknown_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match strings::unknown_method(state, value, method, args) {
        Err(error)
            if error.kind() == ErrorKind::UnknownMethod
                && matches!(value.kind(), ValueKind::Undefined | ValueKind::None | ValueKind::Map) =>
        {
            Ok(soft_undefined())
        }
        result => result,
    }
}

/// `return` where the compiler could not make an instruction of it: without an argument, or in a `{% call %}` block.
pub(super) fn return_function() -> Value {
    native("return", |_state, mut arguments| {
        let value = arguments.given("value").unwrap_or_else(none);
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
            range(from, to, step)
        }),
    );
    environment.add_global(
        "dict",
        native("dict", |_state, mut arguments| {
            let mut pairs = updates(arguments.rest())?;
            pairs.extend(arguments.keywords().into_iter().map(|(key, value)| (Value::from(key), value)));
            Ok(dict(pairs))
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

fn range(from: i64, to: i64, step: i64) -> Result<Value, Error> {
    if step == 0 {
        return Err(invalid("range() arg 3 must not be zero"));
    }
    let distance = if step > 0 { to.saturating_sub(from) } else { from.saturating_sub(to) };
    let count = u64::try_from(distance).unwrap_or(0).div_ceil(step.unsigned_abs());
    if count > LONGEST_RANGE {
        return Err(invalid(format!("range() would have {count} items; at most {LONGEST_RANGE} are allowed")));
    }
    Ok(list((0..count).map(|at| Value::from(from + step * i64::try_from(at).unwrap_or(0)))))
}

/// Jinja2's `cycler(a, b)`: `next()`, `current`, `reset()`.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl minijinja::value::Object for Cycler {
    fn get_value_by_str(self: &std::sync::Arc<Self>, key: &str) -> Option<Value> {
        (key == "current").then(|| self.items[self.at.load(Ordering::Relaxed) % self.items.len()].clone())
    }

    fn get_value(self: &std::sync::Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn call_method(
        self: &std::sync::Arc<Self>,
        _state: &mut State,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
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
