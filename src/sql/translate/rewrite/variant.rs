//! VARIANTs, arrays and objects.

use super::super::build::{call, literal_text, macro_call, template};
use super::super::variant::text;
use super::super::{Refusal, Translator, path};
use super::{expect, required};
use sqlparser::ast::{Array, Expr};

/// An array of the values; NULLs stay in it.
#[expect(clippy::unnecessary_wraps, reason = "all rules have one signature")]
pub(in super::super) fn array_construct(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    Ok(call("json_array", arguments))
}

/// An array of the values that are not NULL.
#[expect(clippy::unnecessary_wraps, reason = "all rules have one signature")]
pub(in super::super) fn array_construct_compact(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    Ok(macro_call("array_compact", vec![call("json_array", arguments)]))
}

/// Pairs with a NULL value are left out.
pub(in super::super) fn object_construct(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    pairs(arguments, "object_construct")
}

/// Pairs with a NULL value have JSON's null.
pub(in super::super) fn object_construct_keep_null(
    _: &mut Translator<'_>,
    arguments: Vec<Expr>,
) -> Result<Expr, Refusal> {
    pairs(arguments, "object_construct_keep_null")
}

fn pairs(arguments: Vec<Expr>, function: &str) -> Result<Expr, Refusal> {
    let is_wildcard = matches!(arguments.as_slice(), [Expr::Wildcard(_) | Expr::QualifiedWildcard(..)]);
    if is_wildcard || arguments.len() % 2 == 1 {
        return Err(Refusal::new("it takes pairs of key and value", "name the columns: `'id', id, 'name', name`"));
    }
    Ok(object(arguments, function))
}

/// The object of `pairs` (key, value, key, value, …), made by the macro `function`. Snowflake shows an object with
/// its keys in order, so literal keys are put in order.
pub(in super::super) fn object(pairs: Vec<Expr>, function: &str) -> Expr {
    let mut entries: Vec<(Expr, Expr)> = Vec::with_capacity(pairs.len() / 2);
    let mut rest = pairs.into_iter();
    while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
        entries.push((key, macro_call("to_variant", vec![value])));
    }
    if entries.is_empty() {
        return template("cast('{}' as json)", &[]);
    }
    if entries.iter().all(|(key, _)| literal_text(key).is_some()) {
        entries.sort_by_key(|(key, _)| literal_text(key));
    }
    let (keys, values) = entries.into_iter().unzip();
    macro_call(function, vec![list(keys), list(values)])
}

/// `object_delete(object, key, …)`.
pub(in super::super) fn object_delete(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    by_keys(arguments, "object_delete")
}

/// `object_pick(object, key, …)`.
pub(in super::super) fn object_pick(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    by_keys(arguments, "object_pick")
}

fn by_keys(arguments: Vec<Expr>, function: &str) -> Result<Expr, Refusal> {
    let mut rest = arguments.into_iter();
    match (rest.next(), rest.len()) {
        (Some(object), 1..) => Ok(macro_call(function, vec![object, list(rest.collect())])),
        _ => Err(Refusal::new("it takes an object and at least one key", "")),
    }
}

fn list(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: false })
}

/// `get_path(value, 'a.b[0]')`.
pub(in super::super) fn get_path(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, mut steps] = expect(arguments, ["a value", "a path"], 0)?;
    let steps = required(&mut steps)?;
    let Some(steps) = literal_text(&steps) else {
        return Err(Refusal::new("the path must be written as a text", "use `get(value, key)` for a computed key"));
    };
    Ok(path::text_path(required(&mut value)?, &steps))
}

/// `json_extract_path_text(text, 'a.b')`.
pub(in super::super) fn json_extract_path_text(
    translator: &mut Translator<'_>,
    arguments: Vec<Expr>,
) -> Result<Expr, Refusal> {
    let found = get_path(translator, arguments)?;
    Ok(text(found))
}
