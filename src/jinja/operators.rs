//! Python's operators. The compiler puts calls of these functions where minijinja has its own instructions.

use super::comparison;
use super::range::Range;
use super::runtime::make_caller;
use super::value::{Dict, as_text, dict, hashable, invalid, list, members, text, tuple, type_name};
use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// The largest text that an operator or filter makes, in bytes.
const LARGEST_TEXT: usize = 100_000_000;
/// The longest list that an operator or filter makes.
const LONGEST_LIST: usize = 2_000_000;

/// Refuses texts that only a mistake can make.
pub(super) fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST_TEXT {
        return Err(invalid(format!("the result is too large: a text has at most {LARGEST_TEXT} bytes")));
    }
    Ok(())
}

/// Refuses lists that only a mistake can make.
pub(super) fn check_length(items: usize) -> Result<(), Error> {
    if items > LONGEST_LIST {
        return Err(invalid(format!("the result is too large: a list has at most {LONGEST_LIST} items")));
    }
    Ok(())
}

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
    /// `a < b`.
    Less,
    /// `a <= b`.
    LessOrEqual,
    /// `a > b`.
    Greater,
    /// `a >= b`.
    GreaterOrEqual,
    /// `a in b`.
    Contains,
    /// `-a`.
    Negate,
    /// What a loop goes through: an error for what Python cannot go through, the letters of a text.
    Iterate,
    /// What stands left of an assignment to several names: the value and how many there are.
    Unpack,
    /// The value of `{{ x | as_number }}` where the whole template is that: value and name of the filter.
    Convert,
    /// What a called macro gets as `caller`.
    Caller,
    /// `a.cycle(…)`: minijinja's loops divide by the number of what is given.
    Cycle,
}

impl Operator {
    /// In the order of their letters.
    const ALL: [Self; 22] = [
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
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Contains,
        Self::Negate,
        Self::Iterate,
        Self::Unpack,
        Self::Convert,
        Self::Caller,
        Self::Cycle,
    ];

    /// The name of its function; no identifier of a template is like it. The letter is what it is found by: operators
    /// are looked up more often than anything else.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "\u{1}A list",
            Self::Dict => "\u{1}B dict",
            Self::Slice => "\u{1}C slice",
            Self::Add => "\u{1}D add",
            Self::Subtract => "\u{1}E subtract",
            Self::Multiply => "\u{1}F multiply",
            Self::Divide => "\u{1}G divide",
            Self::FloorDivide => "\u{1}H floor_divide",
            Self::Remainder => "\u{1}I remainder",
            Self::Power => "\u{1}J power",
            Self::Concatenate => "\u{1}K concatenate",
            Self::Less => "\u{1}L less",
            Self::LessOrEqual => "\u{1}M less_or_equal",
            Self::Greater => "\u{1}N greater",
            Self::GreaterOrEqual => "\u{1}O greater_or_equal",
            Self::Contains => "\u{1}P contains",
            Self::Negate => "\u{1}Q negate",
            Self::Iterate => "\u{1}R iterate",
            Self::Unpack => "\u{1}S unpack",
            Self::Convert => "\u{1}T convert",
            Self::Caller => "\u{1}U caller",
            Self::Cycle => "\u{1}V cycle",
        }
    }

    /// Its function, which instructions call by its name and filters to calculate.
    pub fn function(self) -> Value {
        Self::named(self.name()).unwrap_or_default()
    }

    /// The function of the operator whose function has this name.
    pub fn named(name: &str) -> Option<Value> {
        static FUNCTIONS: LazyLock<[Value; Operator::ALL.len()]> =
            LazyLock::new(|| Operator::ALL.map(|operator| Value::from_object(Function(operator))));
        let letter = name.as_bytes().get(1)?;
        FUNCTIONS.get(usize::from(letter.checked_sub(b'A')?)).cloned()
    }

    fn apply(self, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        match (self, args) {
            (Self::List, items) => Ok(list(items.iter().cloned())),
            (Self::Dict, items) => {
                items.iter().step_by(2).try_for_each(hashable)?;
                Ok(dict(items.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()))))
            }
            (Self::Caller, args) => make_caller(state, args),
            (Self::Slice, [value, bounds @ ..]) if bounds.len() == 3 => slice(value, bounds),
            (Self::Add, [left, right]) => add(left, right),
            (Self::Subtract, [left, right]) => subtract(left, right),
            (Self::Multiply, [left, right]) => multiply(left, right),
            (Self::Divide, [left, right]) => divide(left, right),
            (Self::FloorDivide, [left, right]) => floor_divide(left, right),
            (Self::Remainder, [left, right]) => remainder(left, right),
            (Self::Power, [left, right]) => power(left, right),
            (Self::Concatenate, [left, right]) => concatenate(&as_text(left), &as_text(right)),
            (Self::Less, [left, right]) => ordered(left, right, "<", &[Ordering::Less]),
            (Self::LessOrEqual, [left, right]) => ordered(left, right, "<=", &[Ordering::Less, Ordering::Equal]),
            (Self::Greater, [left, right]) => ordered(left, right, ">", &[Ordering::Greater]),
            (Self::GreaterOrEqual, [left, right]) => ordered(left, right, ">=", &[Ordering::Greater, Ordering::Equal]),
            (Self::Contains, [needle, container]) => comparison::contains(needle, container).map(Value::from),
            (Self::Negate, [value]) => negate(value),
            (Self::Iterate, [value]) => iterate(value),
            (Self::Unpack, [value, count]) => unpack(value, count),
            (Self::Cycle, [value, items @ ..]) => cycle(state, value, items),
            (Self::Convert, [value, filter]) => super::literal::convert(value, &text(filter)),
            _ => Err(invalid(format!("an operator got {} operands", args.len()))),
        }
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

/// `a.cycle(…)` of whatever has one. A loop, whose type minijinja keeps to itself, is known by its depth.
fn cycle(state: &mut State<'_, '_>, value: &Value, items: &[Value]) -> Result<Value, Error> {
    let has_depth = || value.get_attr("depth0").is_ok_and(|depth| !depth.is_undefined());
    if items.is_empty() && value.downcast_object_ref::<Dict>().is_none() && has_depth() {
        return Err(invalid("no items for cycling given"));
    }
    value.call_method(state, "cycle", items)
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

/// Whether a value is a list or tuple, which can be added and repeated.
fn is_sequence(value: &Value) -> bool {
    value.kind() == ValueKind::Seq && value.downcast_object_ref::<Range>().is_none()
}

fn ordered(left: &Value, right: &Value, symbol: &str, wanted: &[Ordering]) -> Result<Value, Error> {
    let order = comparison::compare(left, right, symbol)?;
    Ok(Value::from(order.is_some_and(|order| wanted.contains(&order))))
}

fn negate(value: &Value) -> Result<Value, Error> {
    if let Some(whole) = whole(value) {
        return checked(whole.checked_neg());
    }
    match real(value) {
        Some(number) => Ok(Value::from(-number)),
        None if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
        None => super::modules::arithmetic("__mul__", value, &Value::from(-1))
            .unwrap_or_else(|| Err(invalid(format!("bad operand type for unary -: '{}'", type_name(value))))),
    }
}

fn iterate(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        // The VM would not know how many there are.
        ValueKind::String => members(value).map(list),
        ValueKind::Undefined | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => Ok(value.clone()),
        _ => Err(invalid(format!("'{}' object is not iterable", type_name(value)))),
    }
}

fn unpack(value: &Value, count: &Value) -> Result<Value, Error> {
    let items = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::String => members(value)?,
        _ => return Err(invalid(format!("cannot unpack non-iterable {} object", type_name(value)))),
    };
    let wanted = count.as_usize().unwrap_or_default();
    match items.len().cmp(&wanted) {
        Ordering::Equal => Ok(tuple(items)),
        Ordering::Less => Err(invalid(format!("not enough values to unpack (expected {wanted}, got {})", items.len()))),
        Ordering::Greater => Err(invalid(format!("too many values to unpack (expected {wanted})"))),
    }
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
        return concatenate(left, right);
    }
    if is_sequence(left) && is_sequence(right) && left.is_tuple() == right.is_tuple() {
        check_length(left.len().unwrap_or(0).saturating_add(right.len().unwrap_or(0)))?;
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

fn concatenate(left: &str, right: &str) -> Result<Value, Error> {
    check_size(left.len().saturating_add(right.len()))?;
    Ok(Value::from([left, right].concat()))
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return checked(left.checked_sub(right));
    }
    if let (Some(left), Some(right)) = (real(left), real(right)) {
        return Ok(Value::from(left - right));
    }
    if let Some(rest) = super::context::subtract_sets(left, right) {
        return Ok(rest);
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
        if is_repeated {
            let total = length.saturating_mul(times);
            if value.as_str().is_some() { check_size(total)? } else { check_length(total)? }
        }
        if let Some(text) = value.as_str() {
            return Ok(Value::from(text.repeat(times)));
        }
        if is_sequence(value) {
            let items: Vec<Value> = value.try_iter()?.collect();
            // Nothing repeated without end is nothing, at once.
            let times = if items.is_empty() { 0 } else { times };
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

/// `value[start:stop:step]`, with Python's meaning of negative and missing bounds. What cannot be sliced like that
/// gives something undefined, as every subscript that is not there.
fn slice(value: &Value, bounds: &[Value]) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if bounds.iter().any(|bound| !bound.is_none() && bound.as_i64().is_none()) {
        return Ok(Value::UNDEFINED);
    }
    let (from, to, step) = (bounds[0].as_i64(), bounds[1].as_i64(), bounds[2].as_i64().unwrap_or(1));
    if step == 0 {
        return Err(invalid("slice step cannot be zero"));
    }
    if let Some(text) = value.as_str() {
        let letters: Vec<char> = text.chars().collect();
        return Ok(Value::from(positions(letters.len(), from, to, step).map(|at| letters[at]).collect::<String>()));
    }
    if value.kind() != ValueKind::Seq {
        return Ok(Value::UNDEFINED);
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    let picked: Vec<usize> = positions(items.len(), from, to, step).collect();
    let range = value.downcast_object_ref::<Range>().zip(picked.first());
    if let Some(slice) = range.and_then(|(range, first)| range.slice(*first, picked.len(), step)) {
        return Ok(slice);
    }
    let picked = picked.into_iter().map(|at| items[at].clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_found_by_its_name() {
        for operator in Operator::ALL {
            let found = Operator::named(operator.name()).expect("its function");
            assert_eq!(found.downcast_object_ref::<Function>().map(|function| function.0), Some(operator));
        }
        assert!(Operator::named("\u{1}literal0").is_none());
    }
}
