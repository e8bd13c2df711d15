//! Filters over text.

use super::super::native::Arguments;
use super::super::operators::check_size;
use super::super::value::{as_text, invalid, text};
use super::wrap::wrap;
use super::{Filter, markup};
use minijinja::value::Value;
use minijinja::{Error, State};

pub(super) const FILTERS: [(&str, Filter); 10] = [
    ("title", |_, value, _| Ok(Value::from(title(&text(&value))))),
    ("center", center),
    ("wordcount", |_, value, _| Ok(Value::from(word_count(&text(&value))))),
    ("wordwrap", wordwrap),
    ("truncate", truncate),
    ("indent", indent),
    ("trim", trim),
    ("replace", replace),
    ("striptags", |_, value, _| Ok(Value::from(markup::without_tags(&text(&value))))),
    ("urlencode", |_, value, _| urlencode(&value)),
];

/// The widest text that a filter pads to, in characters.
const WIDEST: usize = 1_000_000;

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

fn center(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let width = arguments.optional("width").and_then(|width| width.as_usize()).unwrap_or(80);
    arguments.finish()?;
    if width > WIDEST {
        return Err(invalid("the width is too large"));
    }
    let text = text(&value);
    let length = text.chars().count();
    let missing = width.saturating_sub(length);
    let left = missing / 2 + (missing & width & 1);
    Ok(Value::from(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left))))
}

fn word_count(text: &str) -> usize {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty()).count()
}

fn wordwrap(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let width = arguments.optional("width").map_or(Some(79), |width| width.as_usize()).filter(|width| *width > 0);
    let width = width.ok_or_else(|| invalid("invalid width (must be > 0)"))?;
    let break_long_words = arguments.flag("break_long_words", true);
    let separator = arguments.optional_text("wrapstring").unwrap_or_else(|| "\n".to_owned());
    let break_on_hyphens = arguments.flag("break_on_hyphens", true);
    arguments.finish()?;
    let text = text(&value);
    let wrapped = text.lines().map(|line| wrap(line, width, break_long_words, break_on_hyphens).join(&separator));
    Ok(Value::from(wrapped.collect::<Vec<_>>().join(&separator)))
}

fn truncate(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let length = arguments.optional("length").and_then(|length| length.as_usize()).unwrap_or(255);
    let cut_words = arguments.flag("killwords", false);
    let end = arguments.optional_text("end").unwrap_or_else(|| "...".to_owned());
    let leeway = arguments.optional("leeway").and_then(|leeway| leeway.as_usize()).unwrap_or(5);
    arguments.finish()?;
    let shortest = end.chars().count();
    if length < shortest {
        return Err(invalid(format!("expected length >= {shortest}, got {length}")));
    }
    let text = text(&value);
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(Value::from(text));
    }
    let cut: String = text.chars().take(length - shortest).collect();
    let kept = if cut_words { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words) };
    Ok(Value::from(format!("{kept}{end}")))
}

/// All lines but the first indented, by spaces or by a text; empty ones only if asked for.
fn indent(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let width = arguments.optional("width").unwrap_or_else(|| Value::from(4));
    let (first, blank) = (arguments.flag("first", false), arguments.flag("blank", false));
    arguments.finish()?;
    let margin = match width.as_str() {
        Some(margin) => margin.to_owned(),
        None => match width.as_i64().map(|width| usize::try_from(width).unwrap_or(0)) {
            Some(width) if width <= WIDEST => " ".repeat(width),
            _ => return Err(invalid("the width of an indent must be a number of spaces or a text")),
        },
    };
    let text = text(&value);
    check_size(text.len().saturating_add(text.lines().count().saturating_mul(margin.len())))?;
    let mut indented = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            indented.push('\n');
        }
        if if at == 0 { first } else { blank || !line.is_empty() } {
            indented.push_str(&margin);
        }
        indented.push_str(line);
    }
    Ok(Value::from(indented))
}

fn trim(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let letters = arguments.optional_text("chars");
    arguments.finish()?;
    let text = as_text(&value);
    Ok(Value::from(match letters {
        Some(letters) => text.trim_matches(|letter| letters.contains(letter)),
        None => text.trim(),
    }))
}

fn replace(_state: &mut State<'_, '_>, value: Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let (old, new) = (arguments.text("old")?, arguments.text("new")?);
    let count = arguments.optional("count").and_then(|count| count.as_i64());
    arguments.finish()?;
    let count = count.and_then(|count| usize::try_from(count).ok());
    replaced(&text(&value), &old, &new, count).map(Value::from)
}

/// A text with parts of it replaced, unless that makes it too large.
pub(in crate::jinja) fn replaced(text: &str, old: &str, new: &str, count: Option<usize>) -> Result<String, Error> {
    let count = count.unwrap_or(usize::MAX).min(text.matches(old).count());
    check_size(text.len().saturating_add(count.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

/// Text, or the pairs of a mapping or list, as they stand in a URL; slashes stay in text as in Jinja2.
fn urlencode(value: &Value) -> Result<Value, Error> {
    let encode = |text: &str, is_query: bool| {
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || byte == b'/' && !is_query {
                encoded.push(char::from(byte));
            } else if byte == b' ' && is_query {
                encoded.push('+');
            } else {
                encoded.extend(['%', hexadecimal(byte >> 4), hexadecimal(byte & 15)]);
            }
        }
        encoded
    };
    let is_single = value.as_str().is_some() || value.try_iter().is_err() || value.is_none();
    if is_single {
        return Ok(Value::from(encode(&text(value), false)));
    }
    let pairs = super::super::value::updates(std::slice::from_ref(value))?;
    let pair = |(key, item): &(Value, Value)| format!("{}={}", encode(&text(key), true), encode(&text(item), true));
    Ok(Value::from(pairs.iter().map(pair).collect::<Vec<_>>().join("&")))
}

fn hexadecimal(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}
