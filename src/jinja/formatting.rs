//! Python's two ways of formatting text: `'%s' % x` and `'{}'.format(x)`. minijinja formats each single value; how a
//! pattern is read, which value goes where and what Python has besides stands here.

use super::value::{invalid, pairs, repr, text, type_name};
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

/// The largest width or precision, in characters: more can only be a mistake.
const WIDEST: usize = 100_000;

/// `pattern % args`.
pub(super) fn printf(pattern: &str, args: &Value) -> Result<String, Error> {
    let mut values = PrintfValues {
        positional: if args.is_tuple() { args.try_iter()?.collect() } else { vec![args.clone()] },
        used: 0,
        named: pairs(args),
        is_tuple: args.is_tuple(),
    };
    let mut formatted = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        formatted.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let named = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        let name = named.map(|(name, after)| {
            rest = after;
            name
        });
        let flags = rest.len() - rest.trim_start_matches(['-', '+', ' ', '#', '0']).len();
        let mut spec = format!("%{}", &rest[..flags]);
        rest = &rest[flags..];
        values.number(&mut rest, &mut spec)?;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            spec.push('.');
            values.number(&mut rest, &mut spec)?;
        }
        rest = rest.trim_start_matches(['h', 'l', 'L']);
        let conversion = rest.chars().next().ok_or_else(|| invalid("incomplete format"))?;
        rest = &rest[conversion.len_utf8()..];
        if conversion == '%' {
            formatted.push('%');
            continue;
        }
        let value = match name {
            Some(name) => values.by_name(name)?,
            None => values.next()?,
        };
        formatted.push_str(&converted(&spec, conversion, &value)?);
    }
    formatted.push_str(rest);
    values.finish()?;
    Ok(formatted)
}

/// One value as `spec` (from `%` to before the letter) and the letter say.
fn converted(spec: &str, conversion: char, value: &Value) -> Result<String, Error> {
    let (letter, value) = match conversion {
        's' => ('s', Value::from(text(value))),
        'r' | 'a' => ('s', Value::from(repr(value))),
        'd' | 'i' | 'u' => ('d', whole(value, conversion)?),
        'x' | 'X' | 'o' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'c' => (conversion, counted(value)),
        other => return Err(invalid(format!("unsupported format character '{other}' (0x{:x})", u32::from(other)))),
    };
    format(FormatStyle::Printf, &format!("{spec}{letter}"), &[value])
}

/// A truth value as the number that it is.
fn counted(value: &Value) -> Value {
    if value.kind() == ValueKind::Bool { Value::from(i64::from(value.is_true())) } else { value.clone() }
}

/// A number without its fraction.
fn whole(value: &Value, conversion: char) -> Result<Value, Error> {
    let value = counted(value);
    if value.kind() != ValueKind::Number {
        let found = type_name(&value);
        return Err(invalid(format!("%{conversion} format: a real number is required, not {found}")));
    }
    if value.is_integer() {
        return Ok(value);
    }
    let number = f64::try_from(value).unwrap_or(f64::NAN).trunc();
    let digits = format!("{number:.0}");
    digits.parse::<i128>().map(Value::from).map_err(|_| invalid(format!("cannot convert {digits} to a whole number")))
}

/// The values that a pattern with percent signs takes, in their order or by name.
struct PrintfValues {
    positional: Vec<Value>,
    used: usize,
    named: Option<Vec<(Value, Value)>>,
    is_tuple: bool,
}

impl PrintfValues {
    fn next(&mut self) -> Result<Value, Error> {
        let value = self.positional.get(self.used).cloned();
        self.used += 1;
        value.ok_or_else(|| invalid("not enough arguments for format string"))
    }

    fn by_name(&self, name: &str) -> Result<Value, Error> {
        let named = self.named.as_ref().ok_or_else(|| invalid("format requires a mapping"))?;
        let found = named.iter().find(|(key, _)| key.as_str() == Some(name));
        found.map(|(_, value)| value.clone()).ok_or_else(|| invalid(format!("KeyError: '{name}'")))
    }

    /// Reads a width or a precision, which may be a value of its own: `%*d`.
    fn number(&mut self, rest: &mut &str, spec: &mut String) -> Result<(), Error> {
        if let Some(after) = rest.strip_prefix('*') {
            *rest = after;
            let number = self.next()?.as_i64().ok_or_else(|| invalid("* wants int"))?;
            check_width(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))?;
            spec.push_str(&number.to_string());
            return Ok(());
        }
        let digits = &rest[..rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len()];
        check_digits(digits)?;
        spec.push_str(digits);
        *rest = &rest[digits.len()..];
        Ok(())
    }

    /// Complains about values that no place took.
    fn finish(&self) -> Result<(), Error> {
        let unused = self.used < self.positional.len();
        // A single mapping or list may be there for names that the pattern does not have.
        let single = self.positional.first().filter(|_| !self.is_tuple);
        let excused =
            single.is_some_and(|value| matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Undefined));
        if unused && !excused {
            return Err(invalid("not all arguments converted during string formatting"));
        }
        Ok(())
    }
}

fn check_width(width: usize) -> Result<(), Error> {
    if width > WIDEST {
        return Err(invalid(format!("a width of more than {WIDEST} characters is not allowed")));
    }
    Ok(())
}

fn check_digits(digits: &str) -> Result<(), Error> {
    match digits.parse() {
        Ok(width) => check_width(width),
        Err(_) if digits.is_empty() => Ok(()),
        Err(_) => check_width(usize::MAX),
    }
}

/// `'…'.format(…)`.
pub(super) fn braces(template: &str, positional: &[Value], keywords: Vec<(String, Value)>) -> Result<String, Error> {
    Braces { positional, keywords, numbering: None }.text(template, 0)
}

/// How fields without a name are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    /// `{}`; the number of the next one.
    Automatic(usize),
    /// `{0}`.
    Manual,
}

struct Braces<'a> {
    positional: &'a [Value],
    keywords: Vec<(String, Value)>,
    numbering: Option<Numbering>,
}

impl Braces<'_> {
    fn text(&mut self, template: &str, depth: usize) -> Result<String, Error> {
        if depth > 1 {
            return Err(invalid("Max string recursion exceeded"));
        }
        let mut formatted = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            formatted.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                formatted.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(invalid("Single '}' encountered in format string"));
            }
            let end = end_of_field(rest).ok_or_else(|| invalid("expected '}' before end of string"))?;
            formatted.push_str(&self.field(&rest[..end], depth)?);
            rest = &rest[end + 1..];
        }
        formatted.push_str(rest);
        Ok(formatted)
    }

    /// `name!conversion:spec`.
    fn field(&mut self, field: &str, depth: usize) -> Result<String, Error> {
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (path, conversion) = match field.split_once('!') {
            Some((path, conversion)) => (path, Some(conversion)),
            None => (field, None),
        };
        let value = self.value(path)?;
        let value = match conversion {
            None => value,
            Some("s") => Value::from(text(&value)),
            Some("r" | "a") => Value::from(repr(&value)),
            Some(other) => return Err(invalid(format!("Unknown conversion specifier '{other}'"))),
        };
        let spec = if spec.contains('{') { self.text(spec, depth + 1)? } else { spec.to_owned() };
        with_spec(&value, &spec)
    }

    /// `0`, `name`, `name.attribute[key]`.
    fn value(&mut self, path: &str) -> Result<Value, Error> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (first, mut rest) = path.split_at(end);
        let mut value = self.first(first)?;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let name = &after[..end];
                rest = &after[end..];
                // What is private stays unseen, as in Jinja2's sandbox.
                value = if name.starts_with('_') { Value::UNDEFINED } else { value.get_attr(name)? };
            } else {
                let inner = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
                let (key, after) = inner.ok_or_else(|| invalid("Missing ']' in format string"))?;
                rest = after;
                let index = key.parse::<usize>().map_or_else(|_| Value::from(key), Value::from);
                value = value.get_item(&index)?;
                if value.is_undefined() {
                    return Err(invalid(format!("KeyError: {}", repr(&index))));
                }
            }
        }
        Ok(value)
    }

    fn first(&mut self, name: &str) -> Result<Value, Error> {
        let position = match (name.parse::<usize>(), self.numbering) {
            (Ok(_), Some(Numbering::Automatic(_))) => {
                return Err(invalid("cannot switch from automatic field numbering to manual field specification"));
            }
            (Ok(position), _) => {
                self.numbering = Some(Numbering::Manual);
                position
            }
            (Err(_), Some(Numbering::Manual)) if name.is_empty() => {
                return Err(invalid("cannot switch from manual field specification to automatic field numbering"));
            }
            (Err(_), numbering) if name.is_empty() => {
                let next = if let Some(Numbering::Automatic(next)) = numbering { next } else { 0 };
                self.numbering = Some(Numbering::Automatic(next + 1));
                next
            }
            _ => {
                let found = self.keywords.iter().find(|(keyword, _)| keyword == name);
                return found.map(|(_, value)| value.clone()).ok_or_else(|| invalid(format!("KeyError: '{name}'")));
            }
        };
        let found = self.positional.get(position).cloned();
        found.ok_or_else(|| invalid(format!("Replacement index {position} out of range for positional args tuple")))
    }
}

/// Where the field ends whose content starts here; fields inside of its spec have their own ends.
fn end_of_field(rest: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, letter) in rest.char_indices() {
        match letter {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

/// A value as the part of its field after the colon says.
fn with_spec(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return Ok(text(value));
    }
    if let Some(date) = super::modules::formatted(value, spec) {
        return date;
    }
    let digits = spec.split(|letter: char| !letter.is_ascii_digit());
    digits.into_iter().try_for_each(check_digits)?;
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => {
            let value = counted(value);
            match spec.strip_suffix('%') {
                Some(spec) => {
                    let share = f64::try_from(value).unwrap_or(f64::NAN) * 100.0;
                    let shown = format(FormatStyle::StrFormat, &format!("{{:{spec}f}}"), &[Value::from(share)])?;
                    Ok(format!("{shown}%"))
                }
                None => format(FormatStyle::StrFormat, &format!("{{:{spec}}}"), &[value]),
            }
        }
        ValueKind::String => format(FormatStyle::StrFormat, &format!("{{:{spec}}}"), std::slice::from_ref(value)),
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        _ => Err(invalid(format!("unsupported format string passed to {}.__format__", type_name(value)))),
    }
}
