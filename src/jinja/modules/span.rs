//! `datetime.timedelta`: spans of time in microseconds.

use super::super::native::{Arguments, native};
use super::super::value::invalid;
use super::members;
use minijinja::value::{DynObject, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// The longest span of Python: 999,999,999 days.
const LONGEST: i128 = 999_999_999 * DAY as i128;

/// A span of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    /// In microseconds; Python's longest span needs more than 64 bits.
    pub microseconds: i128,
}

/// A span as templates see it.
pub(super) fn value(microseconds: i128) -> Result<Value, Error> {
    if microseconds.abs() > LONGEST {
        return Err(invalid("a timedelta cannot be longer than 999999999 days"));
    }
    Ok(Value::from_object(Span { microseconds }))
}

impl Span {
    pub fn of(value: &Value) -> Option<Self> {
        value.downcast_object_ref::<Self>().copied()
    }

    /// As chrono counts; none where it cannot.
    pub fn duration(self) -> Option<chrono::TimeDelta> {
        i64::try_from(self.microseconds).ok().map(chrono::TimeDelta::microseconds)
    }

    fn days(self) -> i128 {
        self.microseconds.div_euclid(i128::from(DAY))
    }

    fn within_day(self) -> i128 {
        self.microseconds.rem_euclid(i128::from(DAY))
    }

    #[expect(clippy::cast_precision_loss, reason = "Python's total_seconds() is a float too")]
    fn total_seconds(self) -> f64 {
        self.microseconds as f64 / SECOND as f64
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.days();
        if days != 0 {
            write!(formatter, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" })?;
        }
        let (seconds, fraction) = (self.within_day() / i128::from(SECOND), self.within_day() % i128::from(SECOND));
        write!(formatter, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if fraction == 0 { Ok(()) } else { write!(formatter, ".{fraction:06}") }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.within_day() / i128::from(SECOND), self.within_day() % i128::from(SECOND));
        let parts = [("days", self.days()), ("seconds", seconds), ("microseconds", fraction)];
        let shown: Vec<String> =
            parts.iter().filter(|(_, count)| *count != 0).map(|(name, count)| format!("{name}={count}")).collect();
        write!(formatter, "datetime.timedelta({})", if shown.is_empty() { "0".to_owned() } else { shown.join(", ") })
    }
}

impl Object for Span {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.microseconds != 0
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "days" => Some(Value::from(self.days())),
            "seconds" => Some(Value::from(self.within_day() / i128::from(SECOND))),
            "microseconds" => Some(Value::from(self.within_day() % i128::from(SECOND))),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method != "total_seconds" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        Arguments::new(method, args).finish()?;
        Ok(Value::from(self.total_seconds()))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some((**self).cmp(other.downcast_ref::<Self>()?))
    }
}

/// The class `timedelta`.
pub(super) fn class() -> Value {
    let construct = native("timedelta", |_, mut arguments| {
        let units = [
            ("days", DAY),
            ("seconds", SECOND),
            ("microseconds", 1),
            ("milliseconds", 1000),
            ("minutes", 60 * SECOND),
            ("hours", 3600 * SECOND),
            ("weeks", 7 * DAY),
        ];
        let mut total = 0;
        for (name, unit) in units {
            if let Some(count) = arguments.optional(name) {
                total += times(i128::from(unit), &count)
                    .ok_or_else(|| invalid(format!("unsupported type for timedelta {name} component")))?;
            }
        }
        arguments.finish()?;
        value(total)
    });
    members("datetime.timedelta", Some(construct), vec![])
}

/// A count of microseconds times a number, rounded to whole ones.
fn times(microseconds: i128, factor: &Value) -> Option<i128> {
    if factor.kind() != ValueKind::Number {
        return None;
    }
    if let Some(whole) = factor.as_i64() {
        return microseconds.checked_mul(i128::from(whole));
    }
    rounded(approximate(microseconds) * f64::try_from(factor.clone()).ok()?)
}

#[expect(clippy::cast_precision_loss, reason = "multiplied by a float, which is no more precise")]
fn approximate(microseconds: i128) -> f64 {
    microseconds as f64
}

fn rounded(number: f64) -> Option<i128> {
    // Longer than any span that is allowed: refuse before the text gets long.
    if !number.is_finite() || number.abs() > 1e24 {
        return None;
    }
    format!("{:.0}", number.round_ties_even()).parse().ok()
}

/// Arithmetic with a span on the left (or, reflected, on the right) side.
pub(super) fn arithmetic(method: &str, this: &Value, other: &Value) -> Option<Result<Value, Error>> {
    let this = Span::of(this)?.microseconds;
    if let Some(other) = Span::of(other).map(|span| span.microseconds) {
        return match method {
            "__add__" => Some(value(this + other)),
            "__sub__" => Some(value(this - other)),
            "__truediv__" | "__floordiv__" if other == 0 => Some(Err(invalid("integer division or modulo by zero"))),
            "__truediv__" => Some(Ok(Value::from(approximate(this) / approximate(other)))),
            "__floordiv__" => Some(Ok(Value::from(this.div_euclid(other)))),
            _ => None,
        };
    }
    let number = f64::try_from(other.clone()).ok().filter(|_| other.kind() == ValueKind::Number)?;
    let result = match method {
        "__mul__" | "__rmul__" => times(this, other),
        "__truediv__" if number != 0.0 => rounded(approximate(this) / number),
        "__floordiv__" if number != 0.0 => rounded((approximate(this) / number).floor()),
        "__truediv__" | "__floordiv__" => return Some(Err(invalid("division by zero"))),
        _ => return None,
    };
    Some(result.map_or_else(|| Err(invalid("the timedelta is out of range")), value))
}
