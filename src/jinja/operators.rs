//! Python's operators. The compiler puts calls of these functions where minijinja has its own instructions.

use super::runtime::make_caller;
use super::value::{dict, invalid, list, text, tuple, type_name};
use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use std::fmt;
use std::sync::Arc;

/// The largest text or list that repetition may make, in bytes or items.
const LARGEST: usize = 100_000_000;

/// A function that instructions call instead of doing the thing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// A new list of the arguments.
    List,
    /// A new dict of keys and values in turn.
    Dict,
    /// `a[b:c:d]`.
    Slice,
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// `a // b`.
    FloorDivide,
    /// `a % b`, for numbers and for `'%s' % x`.
    Remainder,
    /// `a ** b`.
    Power,
    /// `a ~ b`.
    Concatenate,
    /// The value of `{{ x | as_number }}` where the whole template is that: value and name of the filter.
    Convert,
    /// What a called macro gets as `caller`.
    Caller,
}

impl Operator {
    const ALL: [Self; 13] = [
        Self::List,
        Self::Dict,
        Self::Slice,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::FloorDivide,
        Self::Remainder,
        Self::Power,
        Self::Concatenate,
        Self::Convert,
        Self::Caller,
    ];

    /// The name of its function; no identifier of a template is like it.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "\u{1}list",
            Self::Dict => "\u{1}dict",
            Self::Slice => "\u{1}slice",
            Self::Add => "\u{1}add",
            Self::Subtract => "\u{1}subtract",
            Self::Multiply => "\u{1}multiply",
            Self::Divide => "\u{1}divide",
            Self::FloorDivide => "\u{1}floor_divide",
            Self::Remainder => "\u{1}remainder",
            Self::Power => "\u{1}power",
            Self::Concatenate => "\u{1}concatenate",
            Self::Convert => "\u{1}convert",
            Self::Caller => "\u{1}caller",
        }
    }

    fn apply(self, state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        match (self, args) {
            (Self::List, items) => Ok(list(items.iter().cloned())),
            (Self::Dict, items) => Ok(dict(items.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())))),
            (Self::Caller, args) => make_caller(state, args),
            (Self::Slice, [value, bounds @ ..]) if bounds.len() == 3 => slice(value, bounds),
            (Self::Add, [left, right]) => add(left, right),
            (Self::Subtract, [left, right]) => subtract(left, right),
            (Self::Multiply, [left, right]) => multiply(left, right),
            (Self::Divide, [left, right]) => divide(left, right),
            (Self::FloorDivide, [left, right]) => floor_divide(left, right),
            (Self::Remainder, [left, right]) => remainder(left, right),
            (Self::Power, [left, right]) => power(left, right),
            (Self::Concatenate, [left, right]) => Ok(Value::from(text(left) + &text(right))),
            (Self::Convert, [value, filter]) => super::literal::convert(value, &text(filter)),
            _ => Err(invalid(format!("an operator got {} operands", args.len()))),
        }
    }
}

/// Makes the operators known to an environment.
pub(super) fn install(environment: &mut Environment<'static>) {
    for operator in Operator::ALL {
        environment.add_global(operator.name(), Value::from_object(Function(operator)));
    }
}

#[derive(Debug)]
struct Function(Operator);

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.0.apply(state, args)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<operator>")
    }
}

/// A value that arithmetic takes as a whole number; `True` is 1.
fn whole(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::Bool => Some(if value.is_true() { 1.0 } else { 0.0 }),
        _ => None,
    }
}

fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    if left.is_undefined() || right.is_undefined() {
        return Error::from(ErrorKind::UndefinedError);
    }
    let (left, right) = (type_name(left), type_name(right));
    invalid(format!("unsupported operand type(s) for {operator}: '{left}' and '{right}'"))
}

fn checked(value: Option<i128>) -> Result<Value, Error> {
    value.map(Value::from).ok_or_else(|| invalid("the result is too large: whole numbers have up to 127 bits here"))
}

/// Arithmetic that an object answers itself (dates, time spans): `__add__` of either side.
fn asked(method: &str, reflected: &str, left: &Value, right: &Value) -> Option<Result<Value, Error>> {
    super::modules::arithmetic(method, left, right).or_else(|| super::modules::arithmetic(reflected, right, left))
}

fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return checked(left.checked_add(right));
    }
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Ok(Value::from([left, right].concat()));
    }
    if is_sequence(left) && is_sequence(right) && left.is_tuple() == right.is_tuple() {
        let items = left.try_iter()?.chain(right.try_iter()?);
        return Ok(if left.is_tuple() { tuple(items) } else { list(items) });
    }
    if let (Some(left), Some(right)) = (real(left), real(right)) {
        return Ok(Value::from(left + right));
    }
    if let Some(result) = asked("__add__", "__radd__", left, right) {
        return result;
    }
    match (left.kind(), right.kind()) {
        (ValueKind::String, kind) if kind != ValueKind::Undefined => {
            Err(invalid(format!("can only concatenate str (not \"{}\") to str", type_name(right))))
        }
        _ => Err(unsupported("+", left, right)),
    }
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return checked(left.checked_sub(right));
    }
    if let (Some(left), Some(right)) = (real(left), real(right)) {
        return Ok(Value::from(left - right));
    }
    asked("__sub__", "__rsub__", left, right).unwrap_or_else(|| Err(unsupported("-", left, right)))
}

fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return checked(left.checked_mul(right));
    }
    for (value, times) in [(left, right), (right, left)] {
        let Some(times) = whole(times) else { continue };
        let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        let length = value.as_str().map(str::len).or_else(|| value.len()).unwrap_or(0);
        let is_repeated = value.as_str().is_some() || is_sequence(value);
        if is_repeated && length.saturating_mul(times) > LARGEST {
            return Err(invalid("the result of a repetition is too large"));
        }
        if let Some(text) = value.as_str() {
            return Ok(Value::from(text.repeat(times)));
        }
        if is_sequence(value) {
            let items: Vec<Value> = value.try_iter()?.collect();
            let repeated = (0..times).flat_map(|_| items.iter().cloned());
            return Ok(if value.is_tuple() { tuple(repeated) } else { list(repeated) });
        }
    }
    if let (Some(left), Some(right)) = (real(left), real(right)) {
        return Ok(Value::from(left * right));
    }
    asked("__mul__", "__rmul__", left, right).unwrap_or_else(|| Err(unsupported("*", left, right)))
}

fn divide(left: &Value, right: &Value) -> Result<Value, Error> {
    match (real(left), real(right)) {
        (Some(_), Some(0.0)) => Err(invalid("division by zero")),
        (Some(left), Some(right)) => Ok(Value::from(left / right)),
        _ => asked("__truediv__", "__rtruediv__", left, right).unwrap_or_else(|| Err(unsupported("/", left, right))),
    }
}

fn floor_divide(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        if right == 0 {
            return Err(invalid("integer division or modulo by zero"));
        }
        let rounded = left.wrapping_div(right) - i128::from(left % right != 0 && (left < 0) != (right < 0));
        return Ok(Value::from(rounded));
    }
    match (real(left), real(right)) {
        (Some(_), Some(0.0)) => Err(invalid("float floor division by zero")),
        (Some(left), Some(right)) => Ok(Value::from((left / right).floor())),
        _ => asked("__floordiv__", "__rfloordiv__", left, right).unwrap_or_else(|| Err(unsupported("//", left, right))),
    }
}

fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(pattern) = left.as_str() {
        return super::formatting::printf(pattern, right).map(Value::from);
    }
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        if right == 0 {
            return Err(invalid("integer division or modulo by zero"));
        }
        // Python's remainder has the sign of the divisor.
        let rest = left.wrapping_rem(right);
        let rest = if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest };
        return Ok(Value::from(rest));
    }
    match (real(left), real(right)) {
        (Some(_), Some(0.0)) => Err(invalid("float modulo")),
        (Some(left), Some(right)) => Ok(Value::from(left - right * (left / right).floor())),
        _ => Err(unsupported("%", left, right)),
    }
}

fn power(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(base), Some(exponent)) = (whole(left), whole(right))
        && exponent >= 0
    {
        return checked(u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)));
    }
    match (real(left), real(right)) {
        (Some(left), Some(right)) => Ok(Value::from(left.powf(right))),
        _ => Err(unsupported("** or pow()", left, right)),
    }
}

/// `value[start:stop:step]`, with Python's meaning of negative and missing bounds.
fn slice(value: &Value, bounds: &[Value]) -> Result<Value, Error> {
    let bound = |bound: &Value| match bound {
        bound if bound.is_none() => Ok(None),
        bound => bound.as_i64().map(Some).ok_or_else(|| invalid("slice indices must be integers or None")),
    };
    let step = bound(&bounds[2])?.unwrap_or(1);
    if step == 0 {
        return Err(invalid("slice step cannot be zero"));
    }
    let (from, to) = (bound(&bounds[0])?, bound(&bounds[1])?);
    if let Some(text) = value.as_str() {
        let letters: Vec<char> = text.chars().collect();
        return Ok(Value::from(positions(letters.len(), from, to, step).map(|at| letters[at]).collect::<String>()));
    }
    if value.is_undefined() || value.is_none() || !is_sequence(value) {
        let message = format!("'{}' object is not subscriptable", type_name(value));
        return Err(if value.is_undefined() { Error::from(ErrorKind::UndefinedError) } else { invalid(message) });
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    let picked = positions(items.len(), from, to, step).map(|at| items[at].clone());
    Ok(if value.is_tuple() { tuple(picked) } else { list(picked) })
}

/// The positions that a slice picks out of `length` items.
fn positions(length: usize, from: Option<i64>, to: Option<i64>, step: i64) -> impl Iterator<Item = usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound }.clamp(lowest, highest);
    let (first, last) = if step > 0 { (lowest, highest) } else { (highest, lowest) };
    let (mut at, end) = (from.map_or(first, place), to.map_or(last, place));
    std::iter::from_fn(move || {
        let inside = if step > 0 { at < end } else { at > end };
        let position = usize::try_from(at).ok().filter(|_| inside)?;
        at = at.saturating_add(step);
        Some(position)
    })
}
