//! Filters and tests where Jinja2's differ from minijinja's, or minijinja has none.

use super::json::json_text;
use super::native::Arguments;
use super::runtime::is_soft_undefined;
use super::value::{Dict, List, invalid, list, repr, text, tuple, type_name};
use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, filters};
use std::sync::Arc;

// One type for all filters: some of them cannot fail.
type Filter = fn(&mut State<'_, '_>, Value, Arguments<'_>) -> Result<Value, Error>;

/// Makes the filters and tests known to an environment.
pub(super) fn install(environment: &mut Environment<'static>) {
    let own: [(&'static str, Filter); 25] = [
        ("list", |_, value, _| to_list(&value)),
        ("sort", sort),
        ("dictsort", dictsort),
        ("groupby", groupby),
        ("batch", batch),
        ("slice", slice),
        ("reverse", reverse),
        ("items", items),
        ("join", join),
        ("string", |_, value, _| Ok(Value::from(text(&value)))),
        ("int", int),
        ("float", to_float),
        ("round", round),
        ("sum", sum),
        ("tojson", tojson),
        ("title", |_, value, _| Ok(Value::from(title(&text(&value))))),
        ("center", center),
        ("wordcount", |_, value, _| Ok(Value::from(word_count(&text(&value))))),
        ("truncate", truncate),
        ("pprint", |_, value, _| Ok(Value::from(repr(&value)))),
        ("is_list", |_, value, _| Ok(Value::from(value.downcast_object_ref::<List>().is_some()))),
        ("length", length),
        ("count", length),
        ("random", random),
        ("urlencode", |_, value, _| Ok(Value::from(urlencode(&value)))),
    ];
    for (name, function) in own {
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
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map)
    });
    environment.add_test("iterable", |value: &Value| {
        !matches!(value.kind(), ValueKind::None | ValueKind::Number | ValueKind::Bool | ValueKind::Plain)
    });
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("integer", |value: &Value| value.kind() == ValueKind::Number && value.is_integer());
    environment.add_test("float", |value: &Value| value.kind() == ValueKind::Number && !value.is_integer());
    environment.add_test("callable", |value: &Value| is_callable(value));
    environment.add_test("escaped", |value: &Value| value.is_safe());
    environment.add_test("sameas", |value: &Value, other: &Value| is_same(value, other));
}

/// Whether a value can be called: functions and macros are plain objects, everything with items is none.
fn is_callable(value: &Value) -> bool {
    let printed = value.as_object().map(|object| format!("{object:?}")).unwrap_or_default();
    value.kind() == ValueKind::Plain
        && ["<function", "<macro", "<caller", "<class"].iter().any(|start| printed.starts_with(start))
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
    left.kind() == right.kind() && left == right
}

fn to_list(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(list(text.chars().map(|letter| Value::from(letter.to_string()))));
    }
    if value.is_none() {
        return Err(invalid("'NoneType' object is not iterable"));
    }
    Ok(list(value.try_iter()?))
}

/// The keyword arguments that minijinja's own filters take.
fn keywords<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Kwargs {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn sort(state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let pairs = [
        ("reverse", arguments.optional("reverse")),
        ("case_sensitive", arguments.optional("case_sensitive")),
        ("attribute", arguments.optional("attribute")),
    ];
    arguments.finish()?;
    to_list(&filters::sort(state, to_list(&value)?, keywords(pairs))?)
}

fn dictsort(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let pairs = [
        ("case_sensitive", arguments.optional("case_sensitive")),
        ("by", arguments.optional("by")),
        ("reverse", arguments.optional("reverse")),
    ];
    arguments.finish()?;
    let sorted = filters::dictsort(&value, keywords(pairs))?;
    let pair = |pair: Value| pair.try_iter().map(tuple);
    Ok(list(sorted.try_iter()?.map(pair).collect::<Result<Vec<_>, _>>()?))
}

fn groupby(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let attribute = arguments.text("attribute")?;
    let pairs = [("default", arguments.given("default")), ("case_sensitive", arguments.optional("case_sensitive"))];
    arguments.finish()?;
    to_list(&filters::groupby(value, Some(&attribute), keywords(pairs))?)
}

/// Items in groups of `count`; `complete` is whether the last group is filled up.
fn groups(items: Vec<Value>, count: usize, fill: Option<&Value>) -> Value {
    let group = |part: &[Value]| {
        let missing = if fill.is_some() { count - part.len() } else { 0 };
        list(part.iter().cloned().chain(fill.into_iter().cycle().take(missing).cloned()))
    };
    list(items.chunks(count).map(group))
}

fn positive(arguments: &mut Arguments<'_>, name: &str) -> Result<usize, Error> {
    usize::try_from(arguments.integer(name)?)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| invalid(format!("'{name}' must be greater than 0")))
}

fn batch(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let count = positive(&mut arguments, "linecount")?;
    let fill = arguments.optional("fill_with");
    Ok(groups(value.try_iter()?.collect(), count, fill.as_ref()))
}

/// `count` columns of items, the first ones one longer where it does not come out even.
fn slice(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let count = positive(&mut arguments, "slices")?;
    let fill = arguments.optional("fill_with");
    let items: Vec<Value> = value.try_iter()?.collect();
    let (each, longer) = (items.len() / count, items.len() % count);
    let mut rest = items.as_slice();
    let columns = (0..count).map(|column| {
        let (part, after) = rest.split_at(each + usize::from(column < longer));
        rest = after;
        let filler = fill.iter().filter(|_| longer > 0 && column >= longer).cloned();
        list(part.iter().cloned().chain(filler))
    });
    Ok(list(columns.collect::<Vec<_>>()))
}

fn reverse(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items: Vec<Value> = value.try_iter()?.collect();
    items.reverse();
    Ok(list(items))
}

fn items(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(list([]));
    }
    let pairs = super::value::pairs(&value).ok_or_else(|| invalid("Can only get item pairs from a mapping."))?;
    Ok(list(pairs.into_iter().map(|(key, value)| tuple([key, value]))))
}

fn join(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let separator = arguments.optional_text("d").unwrap_or_default();
    let attribute = arguments.optional_text("attribute");
    if let Some(text) = value.as_str() {
        let letters: Vec<String> = text.chars().map(String::from).collect();
        return Ok(Value::from(letters.join(&separator)));
    }
    let mut parts = Vec::new();
    for item in value.try_iter()? {
        parts.push(match &attribute {
            Some(attribute) => text(&attribute_of(&item, attribute)),
            None => text(&item),
        });
    }
    Ok(Value::from(parts.join(&separator)))
}

/// `a.b.0` of a value; undefined where it has none.
fn attribute_of(value: &Value, path: &str) -> Value {
    path.split('.').fold(value.clone(), |value, part| {
        let key = part.parse::<usize>().map_or_else(|_| Value::from(part), Value::from);
        value.get_item(&key).unwrap_or(Value::UNDEFINED)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "has the type of all filters")]
fn int(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let default = arguments.given("default").unwrap_or_else(|| Value::from(0));
    let base = arguments.optional("base").and_then(|base| base.as_i64()).unwrap_or(10);
    if let Some(text) = value.as_str() {
        let digits = text.trim().replace('_', "");
        let digits = digits.strip_prefix('+').unwrap_or(&digits);
        let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base)).unwrap_or(10);
        let prefix = match base {
            16 => "0x",
            8 => "0o",
            2 => "0b",
            _ => "",
        };
        let plain = digits.strip_prefix(prefix).unwrap_or(digits);
        if let Ok(number) = i128::from_str_radix(plain, base) {
            return Ok(Value::from(number));
        }
        return Ok(digits.parse::<f64>().ok().and_then(truncated).unwrap_or(default));
    }
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value,
        ValueKind::Number => f64::try_from(value).ok().and_then(truncated).unwrap_or(default),
        _ => default,
    })
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

#[expect(clippy::unnecessary_wraps, reason = "has the type of all filters")]
fn to_float(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let default = arguments.given("default").unwrap_or_else(|| Value::from(0.0));
    if let Some(text) = value.as_str() {
        return Ok(text.trim().replace('_', "").parse::<f64>().map_or(default, Value::from));
    }
    Ok(match value.kind() {
        ValueKind::Bool => Value::from(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value).map_or(default, Value::from),
        _ => default,
    })
}

/// Jinja2's `round`: always a float, halves to even as Python rounds.
fn round(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let precision = arguments.optional("precision").and_then(|value| value.as_i64()).unwrap_or(0);
    let method = arguments.optional_text("method").unwrap_or_else(|| "common".to_owned());
    if value.kind() != ValueKind::Number && value.kind() != ValueKind::Bool {
        return Err(invalid(format!("type {} doesn't define __round__ method", type_name(&value))));
    }
    let number = f64::try_from(value.clone()).unwrap_or(if value.is_true() { 1.0 } else { 0.0 });
    let digits = i32::try_from(precision.clamp(-300, 300)).unwrap_or(0);
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
    let is_whole = value.is_integer() && digits == 0 && method == "common";
    Ok(if is_whole { value } else { Value::from(rounded) })
}

fn sum(state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let attribute = arguments.optional_text("attribute");
    let mut total = arguments.given("start").unwrap_or_else(|| Value::from(0));
    let add = state.lookup(super::operators::Operator::Add.name()).unwrap_or(Value::UNDEFINED);
    for item in value.try_iter()? {
        let item = attribute.as_ref().map_or_else(|| item.clone(), |attribute| attribute_of(&item, attribute));
        total = add.call(state, &[total, item])?;
    }
    Ok(total)
}

/// As Jinja2's: keys sorted, and safe inside of HTML.
fn tojson(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    let json = json_text(&value, true)?;
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
    Ok(Value::from(json))
}

/// Jinja2's `title`: words begin after whitespace, hyphens and opening brackets.
fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        if inside {
            titled.extend(letter.to_lowercase());
        } else {
            titled.extend(letter.to_uppercase());
        }
        inside = !(letter.is_whitespace() || matches!(letter, '-' | '(' | '{' | '[' | '<'));
    }
    titled
}

#[expect(clippy::unnecessary_wraps, reason = "has the type of all filters")]
fn center(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let width = arguments.optional("width").and_then(|width| width.as_usize()).unwrap_or(80);
    let text = text(&value);
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    let left = missing / 2 + (missing & width & 1);
    Ok(Value::from(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))))
}

fn word_count(text: &str) -> usize {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty()).count()
}

#[expect(clippy::unnecessary_wraps, reason = "has the type of all filters")]
fn truncate(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let length = arguments.optional("length").and_then(|length| length.as_usize()).unwrap_or(255);
    let cut_words = arguments.flag("killwords", false);
    let end = arguments.optional_text("end").unwrap_or_else(|| "...".to_owned());
    let leeway = arguments.optional("leeway").and_then(|leeway| leeway.as_usize()).unwrap_or(5);
    let text = text(&value);
    if text.chars().count() <= length + leeway {
        return Ok(Value::from(text));
    }
    let room = length.saturating_sub(end.chars().count());
    let cut: String = text.chars().take(room).collect();
    let kept = if cut_words { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words) };
    Ok(Value::from(format!("{kept}{end}")))
}

fn length(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    if value.is_undefined() || is_soft_undefined(&value) {
        return Ok(Value::from(0));
    }
    let count = value.len().or_else(|| {
        let countable = matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable);
        countable.then(|| value.try_iter().map_or(0, Iterator::count))
    });
    count.map(Value::from).ok_or_else(|| invalid(format!("object of type '{}' has no len()", type_name(&value))))
}

/// Any item of a list; nothing here depends on which.
fn random(_state: &mut State<'_, '_>, value: Value, _arguments: Arguments<'_>) -> Result<Value, Error> {
    let items: Vec<Value> = to_list(&value)?.try_iter()?.collect();
    let number = uuid::Uuid::new_v4().as_u128() % items.len().max(1) as u128;
    Ok(usize::try_from(number).ok().and_then(|at| items.get(at).cloned()).unwrap_or(Value::UNDEFINED))
}

/// Text, or the pairs of a mapping, as they stand in a URL; slashes stay in text as in Jinja2.
fn urlencode(value: &Value) -> String {
    let encode = |text: &str, kept: &[u8]| {
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.extend(['%', hexadecimal(byte >> 4), hexadecimal(byte & 15)]);
            }
        }
        encoded
    };
    match super::value::pairs(value) {
        Some(pairs) => {
            let pair =
                |(key, item): &(Value, Value)| format!("{}={}", encode(&text(key), b""), encode(&text(item), b""));
            pairs.iter().map(pair).collect::<Vec<_>>().join("&")
        }
        None => encode(&text(value), b"/"),
    }
}

fn hexadecimal(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).map_or('0', |digit| digit.to_ascii_uppercase())
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
