//! Functions of the context that need no node and no warehouse: JSON, YAML, sets, hashes, messages.

use super::set::set_value;
use super::{current, failure, failure_with_help};
use crate::diagnostic::Code;
use crate::jinja::value::{dict, hashable, is_absent, list, none, pairs, repr, text, tuple};
use crate::jinja::{Arguments, from_json, json_text, native, to_json};
use crate::project::yaml;
use md5::{Digest, Md5};
use minijinja::value::Value;
use minijinja::{Error, State};
use std::fmt::Write as _;

/// The functions by name.
pub(super) fn functions() -> Vec<(&'static str, Value)> {
    vec![
        ("fromjson", native("fromjson", fromjson)),
        ("tojson", native("tojson", tojson)),
        ("fromyaml", native("fromyaml", fromyaml)),
        ("toyaml", native("toyaml", toyaml)),
        ("set", native("set", |_, arguments| set(arguments, false))),
        ("set_strict", native("set_strict", |_, arguments| set(arguments, true))),
        ("zip", native("zip", |_, arguments| zip(arguments, false))),
        ("zip_strict", native("zip_strict", |_, arguments| zip(arguments, true))),
        ("local_md5", native("local_md5", local_md5)),
        ("diff_of_two_dicts", native("diff_of_two_dicts", diff_of_two_dicts)),
        ("log", native("log", log)),
        ("print", native("print", print)),
        ("debug", native("debug", debug)),
        ("doc", native("doc", doc)),
        ("try_or_compiler_error", native("try_or_compiler_error", try_or_compiler_error)),
        ("adapter_macro", native("adapter_macro", adapter_macro)),
        ("submit_python_job", native("submit_python_job", submit_python_job)),
        ("metric", native("metric", |_, _| Err(not_supported("metric()", "the semantic layer")))),
        ("function", native("function", |_, _| Err(not_supported("function()", "user-defined functions as nodes")))),
    ]
}

fn not_supported(what: &str, reason: &str) -> Error {
    failure(Code::NotSupported, format!("`{what}` is not supported: strata does not have {reason}"))
}

fn fromjson(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let string = arguments.required("string")?;
    let default = arguments.given("default").unwrap_or_else(none);
    arguments.finish()?;
    let Some(string) = string.as_str() else {
        return Err(failure(Code::JinjaRender, format!("fromjson() needs a text, not {}", repr(&string))));
    };
    Ok(serde_json::from_str(string).map_or(default, |json| from_json(&json)))
}

fn tojson(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let value = arguments.required("value")?;
    let default = arguments.optional("default");
    let sort_keys = arguments.flag("sort_keys", false);
    arguments.finish()?;
    match (json_text(&value, sort_keys), default) {
        (Err(_), Some(default)) => Ok(default),
        (json, _) => json.map(Value::from),
    }
}

fn fromyaml(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let value = arguments.text("value")?;
    let default = arguments.given("default").unwrap_or_else(none);
    arguments.finish()?;
    Ok(yaml::parse_text(&value, "fromyaml()").map_or(default, |parsed| from_json(&parsed.to_json())))
}

fn toyaml(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let value = arguments.required("value")?;
    let default = arguments.given("default").unwrap_or_else(none);
    let sort_keys = arguments.flag("sort_keys", false);
    arguments.finish()?;
    let mut json = to_json(&value);
    if sort_keys {
        json.sort_all_objects();
    }
    // A document that is one plain scalar ends with three dots.
    let end = if json.is_object() || json.is_array() { "" } else { "...\n" };
    Ok(yaml::to_text(&json).map_or(default, |text| Value::from(text + end)))
}

/// The members of an iterable, or none if it is not one.
fn members(value: &Value) -> Option<Vec<Value>> {
    if is_absent(value) {
        return None;
    }
    value.try_iter().ok().map(Iterator::collect)
}

fn set(mut arguments: Arguments<'_>, strict: bool) -> Result<Value, Error> {
    let value = arguments.required("value")?;
    let default = if strict { None } else { arguments.given("default") };
    arguments.finish()?;
    match members(&value) {
        Some(members) if members.iter().all(|member| hashable(member).is_ok()) => Ok(set_value(members)),
        Some(_) if !strict => Ok(default.unwrap_or_else(none)),
        Some(members) => members.iter().try_for_each(hashable).map(|()| none()),
        None if strict => {
            Err(failure(Code::JinjaRender, format!("set_strict() needs something to iterate, not {}", repr(&value))))
        }
        None => Ok(default.unwrap_or_else(none)),
    }
}

fn zip(mut arguments: Arguments<'_>, strict: bool) -> Result<Value, Error> {
    let default = if strict { None } else { arguments.keyword("default") };
    let values = arguments.rest();
    arguments.finish()?;
    let mut columns = Vec::with_capacity(values.len());
    for value in values {
        match members(value) {
            Some(members) => columns.push(members),
            None if strict => {
                let message = format!("zip_strict() needs things to iterate, not {}", repr(value));
                return Err(failure(Code::JinjaRender, message));
            }
            None => return Ok(default.unwrap_or_else(none)),
        }
    }
    let length = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(list((0..length).map(|row| tuple(columns.iter().map(|column| column[row].clone())))))
}

fn local_md5(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let value = arguments.required("value")?;
    arguments.finish()?;
    match value.as_str() {
        Some(text) => Ok(Value::from(md5_hex(text))),
        None => Err(failure(Code::JinjaRender, format!("local_md5() needs a text, not {}", repr(&value)))),
    }
}

/// The MD5 of a text in hexadecimal.
pub(super) fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The entries of the first dict of lists that the second does not have, case not regarded.
fn diff_of_two_dicts(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (first, second) = (arguments.required("dict_a")?, arguments.required("dict_b")?);
    arguments.finish()?;
    let read = |value: &Value| {
        let pairs = pairs(value).ok_or_else(|| {
            failure(Code::JinjaRender, format!("diff_of_two_dicts() needs dicts of lists, not {}", repr(value)))
        })?;
        pairs
            .into_iter()
            .map(|(key, items)| Ok((key, items.try_iter()?.collect::<Vec<_>>())))
            .collect::<Result<Vec<_>, Error>>()
    };
    let fold = |value: &Value| text(value).to_lowercase();
    let known: Vec<(String, Vec<String>)> =
        read(&second)?.iter().map(|(key, items)| (fold(key), items.iter().map(fold).collect())).collect();
    let mut result = vec![];
    for (key, items) in read(&first)? {
        let other = known.iter().find(|(other, _)| *other == fold(&key));
        match other {
            None => result.push((key, list(items))),
            Some((_, other)) => {
                let left: Vec<Value> = items.into_iter().filter(|item| !other.contains(&fold(item))).collect();
                if !left.is_empty() {
                    result.push((key, list(left)));
                }
            }
        }
    }
    Ok(dict(result))
}

fn log(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let message = arguments.text("msg")?;
    let visible = arguments.flag("info", false);
    arguments.finish()?;
    current(state)?.host().log(&message, visible);
    Ok(Value::from(""))
}

fn print(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let message = arguments.text("msg")?;
    arguments.finish()?;
    let context = current(state)?;
    let wanted = context.find("flags").and_then(|flags| flags.get_attr("PRINT").ok());
    if wanted != Some(Value::from(false)) {
        context.host().log(&message, true);
    }
    Ok(Value::from(""))
}

fn debug(_: &mut State, _: Arguments<'_>) -> Result<Value, Error> {
    Err(failure_with_help(
        Code::NotSupported,
        "`debug()` opens Python's debugger, which strata does not have",
        "use `{{ log(value, info=true) }}` to see a value",
    ))
}

fn doc(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let names = arguments.rest();
    arguments.finish()?;
    let (package, name) = match names {
        [name] => (None, text(name)),
        [package, name] => (Some(text(package)), text(name)),
        _ => {
            let message = format!("doc() takes a name, or a package and a name, not {} arguments", names.len());
            return Err(failure(Code::JinjaRender, message));
        }
    };
    let found = current(state)?.host().doc(package.as_deref(), &name);
    found.map(Value::from).map_err(crate::jinja::host_error)
}

fn try_or_compiler_error(state: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let message = arguments.text("message_if_exception")?;
    let function = arguments.required("func")?;
    let mut values = arguments.rest().to_vec();
    let named = arguments.keywords();
    if !named.is_empty() {
        values.push(minijinja::value::Kwargs::from_iter(named).into());
    }
    function.call(state, &values).map_err(|_| failure(Code::CompilerError, message))
}

fn adapter_macro(_: &mut State, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let name = arguments.text("name")?;
    let (package, name) = name.split_once('.').map_or((None, name.as_str()), |(package, name)| (Some(package), name));
    let package = package.map(|package| format!(", '{package}'")).unwrap_or_default();
    Err(failure_with_help(
        Code::NotSupported,
        "`adapter_macro()` is gone from dbt",
        format!("write `adapter.dispatch('{name}'{package})(…)`"),
    ))
}

fn submit_python_job(_: &mut State, _: Arguments<'_>) -> Result<Value, Error> {
    Err(failure(Code::NotSupported, "Python models are not supported: strata has no Python to run them"))
}
