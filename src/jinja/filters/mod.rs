//! Filters and tests where Jinja2's differ from minijinja's, or minijinja has none.

mod markup;
mod numbers;
mod sequences;
mod text;
mod wrap;

pub(super) use markup::escaped;
pub(super) use text::replaced;

use super::json::{json_indented, json_text};
use super::native::Arguments;
use super::operators::Operator;
use super::runtime::is_soft_undefined;
use super::value::{Dict, List, repr, text as printed};
use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State};
use std::sync::Arc;

/// One type for all filters: some of them cannot fail.
type Filter = fn(&mut State<'_, '_>, Value, Arguments<'_>) -> Result<Value, Error>;

/// Makes the filters and tests known to an environment.
pub(super) fn install(environment: &mut Environment<'static>) {
    let own: [(&'static str, Filter); 9] = [
        ("attr", attribute),
        ("is_list", |_, value, _| Ok(Value::from(value.downcast_object_ref::<List>().is_some()))),
        ("string", |_, value, _| Ok(Value::from(printed(&value)))),
        ("pprint", |_, value, _| Ok(Value::from(repr(&sorted_keys(&value))))),
        ("tojson", tojson),
        ("escape", markup::escape),
        ("e", markup::escape),
        ("forceescape", |_, value, _| Ok(markup::safe(&printed(&value)))),
        ("xmlattr", markup::xmlattr),
    ];
    let all = own.into_iter().chain(sequences::FILTERS).chain(numbers::FILTERS).chain(text::FILTERS);
    for (name, function) in all {
        environment.add_filter(name, move |state: &mut State<'_, '_>, value: Value, args: Rest<ValueOrKwargs>| {
            function(state, value, Arguments::new(name, &values(args)))
        });
    }
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    // They matter only where a whole template is one expression: see `super::literal`.
    for name in ["as_text", "as_bool", "as_native", "as_number"] {
        environment.add_filter(name, |value: Value| value);
    }
    install_tests(environment);
}

fn values(args: Rest<ValueOrKwargs>) -> Vec<Value> {
    args.0.into_iter().map(ValueOrKwargs::into_value).collect()
}

fn install_tests(environment: &mut Environment<'static>) {
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
            || is_soft_undefined(value)
    });
    environment.add_test("iterable", |value: &Value| {
        !matches!(value.kind(), ValueKind::None | ValueKind::Number | ValueKind::Bool | ValueKind::Plain)
    });
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("integer", |value: &Value| value.kind() == ValueKind::Number && value.is_integer());
    environment.add_test("float", |value: &Value| value.kind() == ValueKind::Number && !value.is_integer());
    environment.add_test("callable", |value: &Value| is_callable(value));
    environment.add_test("escaped", |value: &Value| value.is_safe());
    environment.add_test("odd", |state: &mut State<'_, '_>, value: &Value| remainder_is(state, value, 2, 1));
    environment.add_test("even", |state: &mut State<'_, '_>, value: &Value| remainder_is(state, value, 2, 0));
    environment.add_test("sameas", |value: &Value, other: &Value| is_same(value, other));
}

/// Whether a value can be called: functions and macros are plain objects, everything with items is none.
fn is_callable(value: &Value) -> bool {
    let printed = value.as_object().map(|object| format!("{object:?}")).unwrap_or_default();
    value.kind() == ValueKind::Plain
        && ["<function", "<built-in", "<macro", "<caller", "<class"].iter().any(|start| printed.starts_with(start))
        || value.is_undefined()
        || is_soft_undefined(value)
}

/// Python's `is`: the same object; for simple values, the same value of the same type.
fn is_same(left: &Value, right: &Value) -> bool {
    if let (Some(left), Some(right)) = (left.downcast_object::<List>(), right.downcast_object::<List>()) {
        return Arc::ptr_eq(&left, &right);
    }
    if let (Some(left), Some(right)) = (left.downcast_object::<Dict>(), right.downcast_object::<Dict>()) {
        return Arc::ptr_eq(&left, &right);
    }
    left.kind() == right.kind() && left.is_integer() == right.is_integer() && left == right
}

/// Whether a number leaves a remainder, as Python's `%` counts it.
fn remainder_is(state: &mut State<'_, '_>, value: &Value, divisor: i64, wanted: i64) -> Result<bool, Error> {
    let remainder = Operator::Remainder.function().call(state, &[value.clone(), Value::from(divisor)])?;
    Ok(remainder == Value::from(wanted))
}

/// An attribute, not an item: of a dict its methods.
fn attribute(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("name")?;
    arguments.finish()?;
    if value.kind() == ValueKind::String {
        return Ok(super::strings::method(&value, &name).unwrap_or(Value::UNDEFINED));
    }
    let found = value.get_attr(&name)?;
    let is_item =
        value.downcast_object_ref::<Dict>().is_some_and(|dict| dict.get(&Value::from(name)) == Some(found.clone()));
    Ok(if is_item { Value::UNDEFINED } else { found })
}

/// A copy whose dicts have their keys in order.
fn sorted_keys(value: &Value) -> Value {
    if let Some(dict) = value.downcast_object_ref::<Dict>() {
        let mut pairs = dict.pairs();
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        return super::value::dict(pairs);
    }
    value.clone()
}

/// As Jinja2's: keys sorted, and safe inside of HTML.
fn tojson(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let json = match arguments.optional("indent") {
        Some(indent) => json_indented(&value, indent.as_usize().unwrap_or(0).min(40))?,
        None => json_text(&value, true)?,
    };
    arguments.finish()?;
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
    Ok(Value::from(json))
}

/// `default`, for what is undefined; in the parse phase, unknown names are values of their own.
fn default(value: &Value, args: Rest<ValueOrKwargs>) -> Value {
    let args = values(args);
    let mut arguments = Arguments::new("default", &args);
    let default = arguments.given("default_value").unwrap_or_else(|| Value::from(""));
    let also_false = arguments.flag("boolean", false);
    let is_missing = value.is_undefined() || is_soft_undefined(value) || (also_false && !value.is_true());
    if is_missing { default } else { value.clone() }
}
