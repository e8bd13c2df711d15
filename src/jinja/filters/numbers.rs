//! Filters over numbers.

use super::super::native::Arguments;
use super::super::value::{invalid, type_name};
use super::Filter;
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

pub(super) const FILTERS: [(&str, Filter); 5] =
    [("abs", absolute), ("int", int), ("float", to_float), ("round", round), ("filesizeformat", file_size)];

/// A truth value is a number, too.
fn whole(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn absolute(_state: &mut State<'_, '_>, value: Value, arguments: Arguments<'_>) -> Result<Value, Error> {
    arguments.finish()?;
    if let Some(size) = whole(&value).and_then(i128::checked_abs) {
        return Ok(Value::from(size));
    }
    match f64::try_from(value.clone()) {
        Ok(number) if value.kind() == ValueKind::Number => Ok(Value::from(number.abs())),
        _ => Err(invalid(format!("bad operand type for abs(): '{}'", type_name(&value)))),
    }
}

fn int(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let default = arguments.given("default").unwrap_or_else(|| Value::from(0));
    let base = arguments.optional("base").and_then(|base| base.as_i64()).unwrap_or(10);
    arguments.finish()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let Some(text) = value.as_str() else {
        return Ok(match whole(&value) {
            Some(whole) => Value::from(whole),
            None if value.kind() == ValueKind::Number => {
                f64::try_from(value).ok().and_then(truncated).unwrap_or(default)
            }
            None => default,
        });
    };
    let digits = text.trim().replace('_', "");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, digits.strip_prefix('+').unwrap_or(&digits)),
    };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).unwrap_or(10);
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let plain = digits.strip_prefix(prefix).unwrap_or(digits);
    if !plain.starts_with(['+', '-'])
        && let Ok(number) = i128::from_str_radix(plain, base)
    {
        return Ok(Value::from(sign * number));
    }
    let number = digits.parse::<f64>().ok().filter(|_| !digits.starts_with(['+', '-']));
    Ok(number.map(|number| if sign < 0 { -number } else { number }).and_then(truncated).unwrap_or(default))
}

/// A float without its fraction, as a whole number; none if it has no such value.
fn truncated(number: f64) -> Option<Value> {
    let whole = number.trunc();
    // Beyond 2^96 no text that people write is meant; within, the conversion is exact.
    if !whole.is_finite() || whole.abs() > 2f64.powi(96) {
        return None;
    }
    format!("{whole:.0}").parse::<i128>().ok().map(Value::from)
}

fn to_float(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let default = arguments.given("default").unwrap_or_else(|| Value::from(0.0));
    arguments.finish()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if let Some(text) = value.as_str() {
        return Ok(text.trim().replace('_', "").parse::<f64>().map_or(default, Value::from));
    }
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value).map_or(default, Value::from),
        _ => default,
    })
}

/// Jinja2's `round`: halves to even as Python rounds; whole numbers stay whole.
fn round(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let precision = arguments.optional("precision").and_then(|value| value.as_i64()).unwrap_or(0);
    let method = arguments.optional_text("method").unwrap_or_else(|| "common".to_owned());
    arguments.finish()?;
    let digits = i32::try_from(precision.clamp(-300, 300)).unwrap_or(0);
    if method == "common"
        && let Some(whole) = whole(&value)
    {
        return Ok(Value::from(rounded_whole(whole, digits)));
    }
    if value.kind() != ValueKind::Number && value.kind() != ValueKind::Bool {
        return Err(invalid(format!("type {} doesn't define __round__ method", type_name(&value))));
    }
    let number = f64::try_from(value.clone()).unwrap_or(if value.is_true() { 1.0 } else { 0.0 });
    let scale = 10f64.powi(digits);
    let rounded = match method.as_str() {
        "ceil" => (number * scale).ceil() / scale,
        "floor" => (number * scale).floor() / scale,
        // Formatting rounds the exact binary value, halves to even, as Python does.
        "common" if digits >= 0 => {
            format!("{number:.*}", usize::try_from(digits).unwrap_or(0)).parse().unwrap_or(number)
        }
        "common" => (number * scale).round_ties_even() / scale,
        _ => return Err(invalid("method must be common, ceil or floor")),
    };
    Ok(Value::from(rounded))
}

/// A whole number rounded to tens, hundreds, …, halves to the even one.
fn rounded_whole(number: i128, digits: i32) -> i128 {
    let Some(unit) = 10i128.checked_pow(digits.min(0).unsigned_abs()) else { return 0 };
    let (count, rest) = (number.div_euclid(unit), number.rem_euclid(unit));
    let up = rest > unit / 2 || unit > 1 && rest == unit / 2 && count % 2 != 0;
    (count + i128::from(up)).checked_mul(unit).unwrap_or(number)
}

/// A number of bytes for people: `1.5 MB`, in powers of 1000, or of 1024.
fn file_size(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let binary = arguments.flag("binary", false);
    arguments.finish()?;
    let bytes = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    let bytes = bytes.ok_or_else(|| invalid(format!("could not convert {} to a number", type_name(&value))))?;
    let (base, units) = if binary {
        (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"])
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"])
    };
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{:.0} Bytes", bytes.trunc())));
    }
    let mut size = bytes;
    let mut unit = "";
    for next in units {
        (size, unit) = (size / base, next);
        if size < base {
            break;
        }
    }
    Ok(Value::from(format!("{size:.1} {unit}")))
}
