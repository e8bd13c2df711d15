//! `ref()`, `source()`, `var()`, `env_var()` and `builtins`.

use super::adapter::Adapter;
use super::external::external_location;
use super::relation::RelationObject;
use super::warehouse::Warehouse;
use super::{current, failure, failure_with_help};
use crate::diagnostic::Code;
use crate::jinja::host::Phase;
use crate::jinja::value::{is_absent, none, repr, text, type_name};
use crate::jinja::{Arguments, from_json, host_error, native};
use crate::manifest::{RefCall, SourceCall};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, State};
use std::fmt;
use std::sync::Arc;

/// `ref` and `source`: functions that also show dbt's configuration of the invocation, as `config`.
pub(super) struct Resolver {
    pub function: Value,
    pub config: Value,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.function)
    }
}

impl Object for Resolver {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "config").then(|| self.config.clone())
    }

    fn call(self: &Arc<Self>, state: &mut State, values: &[Value]) -> Result<Value, Error> {
        self.function.call(state, values)
    }
}

/// `ref()` for this warehouse; under `--empty`, what it gives has no rows. The adapter knows what exists.
pub(super) fn ref_function(adapter: Arc<Adapter>, empty: bool) -> Value {
    let warehouse = adapter.warehouse;
    native("ref", move |state, mut arguments| {
        let names = arguments.rest();
        let version = arguments.keyword("v").or_else(|| arguments.keyword("version"));
        arguments.keyword("v");
        arguments.keyword("version");
        arguments.finish()?;
        let (package, name) = match names {
            [name] => (None, name_argument("ref", "name", name)?),
            [package, name] if package.is_none() => (None, name_argument("ref", "name", name)?),
            [package, name] => (Some(name_argument("ref", "package", package)?), name_argument("ref", "name", name)?),
            _ => {
                let message = format!("ref() takes a name, or a package and a name, not {} arguments", names.len());
                return Err(failure(Code::JinjaRender, message));
            }
        };
        let version = version.filter(|version| !is_absent(version)).map(|version| text(&version));
        let context = current(state)?;
        let call = RefCall { package, name, version, span: context.call_site() };
        let window = context.host().window_of_reference(&call);
        let deferred = context.host().deferred(&call);
        let own = context.host().reference(call).map_err(host_error)?;
        let relation = match deferred {
            Some(other) if other.is_favored || !adapter.knows(state, &context, &own.name)? => other.relation,
            _ => own,
        };
        Ok(RelationObject::new(warehouse, &relation).limited(empty.then_some(0)).of_window(window).into_value())
    })
}

/// `source()` for this warehouse; under `--empty`, what it gives has no rows.
pub(super) fn source_function(warehouse: Warehouse, empty: bool) -> Value {
    native("source", move |state, mut arguments| {
        let names = arguments.rest();
        arguments.finish()?;
        let [source_name, table_name] = names else {
            let message = format!("source() takes a source and a table, not {} arguments", names.len());
            return Err(failure_with_help(Code::JinjaRender, message, "write `source('crm', 'customers')`"));
        };
        let source_name = name_argument("source", "source name", source_name)?;
        let table_name = name_argument("source", "table name", table_name)?;
        let context = current(state)?;
        let manifest = context.host().manifest().filter(|_| warehouse == Warehouse::DuckDb);
        let declared = manifest.and_then(|manifest| manifest.find_source(&source_name, &table_name));
        let call = SourceCall { source_name, table_name, span: context.call_site() };
        let window = context.host().window_of_source(&call);
        let relation = context.host().source(call).map_err(host_error)?;
        // A host may put another relation in the source's place, such as the batch that was just fetched.
        let external = match declared.filter(|source| source.relation == relation.name) {
            Some(source) => external_location(source)?,
            None => None,
        };
        let limit = empty.then_some(0);
        let read = RelationObject::new(warehouse, &relation).limited(limit).of_window(window);
        Ok(read.at_location(external).into_value())
    })
}

fn name_argument(function: &str, what: &str, value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(failure(
            Code::JinjaRender,
            format!("the {what} argument of {function}() must be a text, not {}", type_name(value)),
        )),
    }
}

/// `var()`, with its method `has_var`.
pub(super) struct Variables;

impl fmt::Debug for Variables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<function var>")
    }
}

impl Variables {
    fn value(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
        let name = arguments.text("name")?;
        let default = arguments.given("default");
        arguments.finish()?;
        let context = current(state)?;
        match (context.host().variable(&name), default) {
            (Some(json), _) => match json.as_str().filter(|text| text.contains("{{") || text.contains("{%")) {
                Some(template) => super::templates::render_text(state, template).map(Value::from),
                None => Ok(from_json(&json)),
            },
            (None, Some(default)) => Ok(default),
            (None, None) if context.host().phase() == Phase::Parse => Ok(none()),
            (None, None) => Err(failure_with_help(
                Code::UnknownVariable,
                format!("variable `{name}` has no value"),
                format!(
                    "set it under `vars:` in dbt_project.yml or with `--vars '{{{name}: …}}'`, \
                     or give a default: `var('{name}', …)`"
                ),
            )),
        }
    }
}

impl Object for Variables {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<function var>")
    }

    fn call(self: &Arc<Self>, state: &mut State, values: &[Value]) -> Result<Value, Error> {
        Self::value(state, Arguments::new("var", values))
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, values: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, values);
        if method != "has_var" {
            return Err(super::unknown_method("var", method, &["has_var"]));
        }
        let name = arguments.text("var_name")?;
        arguments.finish()?;
        Ok(Value::from(current(state)?.host().variable(&name).is_some()))
    }
}

/// `env_var()`.
pub(super) fn environment_variable(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("var")?;
    let default = arguments.optional("default");
    arguments.finish()?;
    let found = current(state)?.host().environment_variable(&name).map_err(host_error)?;
    found.map(Value::from).or(default).ok_or_else(|| {
        failure_with_help(
            Code::UnknownVariable,
            format!("environment variable `{name}` is not set"),
            format!("set it, or give a default: `env_var('{name}', '…')`"),
        )
    })
}

/// `validation.any(…)`: a function that complains about a value that is none of these.
pub(super) fn validation_any(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let allowed = arguments.rest().to_vec();
    arguments.finish()?;
    Ok(native("validator", move |_, mut arguments| {
        let value = arguments.required("value")?;
        arguments.finish()?;
        if allowed.contains(&value) {
            return Ok(none());
        }
        let words: Vec<String> = allowed.iter().map(text).collect();
        let message = format!("{} is not one of {}", repr(&value), words.join(", "));
        Err(failure(Code::Config, message))
    }))
}
