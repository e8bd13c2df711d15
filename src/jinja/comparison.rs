//! Python's order of values, which refuses what cannot be compared.

use super::context;
use super::dict::View;
use super::range::Range;
use super::runtime::is_soft_undefined;
use super::value::{invalid, nested, type_name};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::cmp::Ordering;

/// How two values stand to each other; none where neither is less (NaN). `symbol` is the operator, for messages.
pub(super) fn compare(left: &Value, right: &Value, symbol: &str) -> Result<Option<Ordering>, Error> {
    let number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    match (left.kind(), right.kind()) {
        _ if number(left) && number(right) => {
            Ok(if is_nan(left) || is_nan(right) { None } else { Some(left.cmp(right)) })
        }
        (ValueKind::String, ValueKind::String) | (ValueKind::Bytes, ValueKind::Bytes) => Ok(Some(left.cmp(right))),
        // Reading a project does not know the values that a query would give.
        _ if is_soft_undefined(left) || is_soft_undefined(right) => Ok(None),
        (ValueKind::Seq, ValueKind::Seq)
            if is_ordered(left) && is_ordered(right) && left.is_tuple() == right.is_tuple() =>
        {
            nested(|| in_order(left, right, symbol)).unwrap_or(Ok(Some(Ordering::Equal)))
        }
        (ValueKind::Iterable, ValueKind::Iterable) if context::is_set(left) && context::is_set(right) => {
            Ok(context::compare_sets(left, right))
        }
        (ValueKind::Plain, ValueKind::Plain) if same_type(left, right) => Ok(Some(left.cmp(right))),
        _ => Err(refused(left, right, symbol)),
    }
}

fn refused(left: &Value, right: &Value, symbol: &str) -> Error {
    if left.is_undefined() || right.is_undefined() {
        return Error::from(ErrorKind::UndefinedError);
    }
    let (left, right) = (type_name(left), type_name(right));
    invalid(format!("'{symbol}' not supported between instances of '{left}' and '{right}'"))
}

fn is_nan(value: &Value) -> bool {
    !value.is_integer() && f64::try_from(value.clone()).is_ok_and(f64::is_nan)
}

/// Lists and tuples are ordered by their items; ranges and views are not ordered.
fn is_ordered(value: &Value) -> bool {
    value.downcast_object_ref::<Range>().is_none() && value.downcast_object_ref::<View>().is_none()
}

/// Whether two objects are of one type and that type has an order: dates, moments, decimals.
fn same_type(left: &Value, right: &Value) -> bool {
    match (left.as_object(), right.as_object()) {
        (Some(left), Some(right)) => left.type_name() == right.type_name(),
        _ => false,
    }
}

fn in_order(left: &Value, right: &Value, symbol: &str) -> Result<Option<Ordering>, Error> {
    let (mut left_items, mut right_items) = (left.try_iter()?, right.try_iter()?);
    loop {
        match (left_items.next(), right_items.next()) {
            (None, None) => return Ok(Some(Ordering::Equal)),
            (None, Some(_)) => return Ok(Some(Ordering::Less)),
            (Some(_), None) => return Ok(Some(Ordering::Greater)),
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => return compare(&left, &right, symbol),
        }
    }
}

/// The items with their keys, in the order of the keys; equal ones stay as they were, also downwards.
pub(super) fn sorted_by_key(keyed: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<Value>, Error> {
    Ok(merge_sorted(keyed, reverse)?.into_iter().map(|(_, item)| item).collect())
}

/// The library's sorting takes no comparison that can fail or that is no total order.
fn merge_sorted(mut items: Vec<(Value, Value)>, reverse: bool) -> Result<Vec<(Value, Value)>, Error> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = merge_sorted(items.split_off(items.len() / 2), reverse)?;
    let left = merge_sorted(items, reverse)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((earlier, _)), Some((later, _))) = (left.peek(), right.peek()) {
        let (less, other) = if reverse { (earlier, later) } else { (later, earlier) };
        let later_first = compare(less, other, "<")? == Some(Ordering::Less);
        merged.extend(if later_first { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

/// `needle in container`.
pub(super) fn contains(needle: &Value, container: &Value) -> Result<bool, Error> {
    if let Some(text) = container.as_str() {
        return match needle.as_str() {
            Some(part) => Ok(text.contains(part)),
            None if needle.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
            None => {
                let found = type_name(needle);
                Err(invalid(format!("'in <string>' requires string as left operand, not {found}")))
            }
        };
    }
    match container.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::Map => Ok(container.as_object().is_some_and(|object| object.get_value(needle).is_some())),
        ValueKind::Seq | ValueKind::Iterable => Ok(container.try_iter()?.any(|item| item == *needle)),
        _ => Err(invalid(format!("argument of type '{}' is not iterable", type_name(container)))),
    }
}
