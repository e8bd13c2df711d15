//! Methods of values that have none of their own: Python's string and tuple methods.

use super::native::Arguments;
use super::value::{Part, invalid, is_absent, list, none, text, tuple, type_name, view};
use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Answers a method call that the value itself did not.
pub(super) fn unknown_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let answer = match value.kind() {
        ValueKind::String => of_string(value.as_str().unwrap_or_default(), method, Arguments::new(method, args)),
        ValueKind::Seq if value.is_tuple() => of_tuple(value, method, Arguments::new(method, args)),
        ValueKind::Map => of_mapping(value, method, Arguments::new(method, args)),
        _ => None,
    };
    let result = answer.unwrap_or_else(|| unknown_method_callback(state, value, method, args));
    result.map_err(|error| match error.kind() {
        ErrorKind::UnknownMethod if !value.is_undefined() && error.detail().is_none() => {
            let message = format!("'{} object' has no attribute '{method}'", type_name(value));
            Error::new(ErrorKind::UnknownMethod, message)
        }
        _ => error,
    })
}

/// Mappings that are no dicts of ours (objects of the context, keyword arguments) have a dict's reading methods.
fn of_mapping(value: &Value, method: &str, mut arguments: Arguments<'_>) -> Option<Result<Value, Error>> {
    let pairs = super::value::pairs(value)?;
    Some(Ok(match method {
        "keys" => view(Part::Keys, pairs),
        "values" => view(Part::Values, pairs),
        "items" => view(Part::Items, pairs),
        "copy" => super::value::dict(pairs),
        "get" => match arguments.required("key") {
            Ok(key) => {
                let found = value.as_object().and_then(|object| object.get_value(&key));
                found.or_else(|| arguments.given("default")).unwrap_or_else(none)
            }
            Err(error) => return Some(Err(error)),
        },
        _ => return None,
    }))
}

fn of_tuple(value: &Value, method: &str, mut arguments: Arguments<'_>) -> Option<Result<Value, Error>> {
    if !matches!(method, "count" | "index") {
        return None;
    }
    let find = |wanted: Value| {
        let items: Vec<Value> = value.try_iter()?.collect();
        if method == "count" {
            return Ok(Value::from(items.iter().filter(|item| **item == wanted).count()));
        }
        let at = items.iter().position(|item| *item == wanted);
        at.map(Value::from).ok_or_else(|| invalid("tuple.index(x): x not in tuple"))
    };
    Some(arguments.required("value").and_then(find))
}

/// The string methods that pycompat lacks, or whose lists templates could not change.
fn of_string(this: &str, method: &str, arguments: Arguments<'_>) -> Option<Result<Value, Error>> {
    let answer = match method {
        "split" => split(this, arguments, false),
        "rsplit" => split(this, arguments, true),
        "splitlines" => splitlines(this, arguments),
        "join" => join(this, arguments),
        "zfill" => zfill(this, arguments),
        "ljust" | "rjust" | "center" => pad(this, method, arguments),
        "partition" | "rpartition" => partition(this, method == "rpartition", arguments),
        "removeprefix" | "removesuffix" => remove_affix(this, method == "removeprefix", arguments),
        "swapcase" => Ok(Value::from(swapcase(this))),
        "casefold" => Ok(Value::from(this.to_lowercase().replace('ß', "ss"))),
        "startswith" | "endswith" => starts_or_ends(this, method == "startswith", arguments),
        "translate" => translate(this, arguments),
        "title" => Ok(Value::from(title(this))),
        "find" | "rfind" | "index" | "rindex" => find(this, method, arguments),
        "count" => count(this, arguments),
        "expandtabs" => expandtabs(this, arguments).map(Value::from),
        "replace" => replace(this, arguments),
        "isidentifier" => Ok(Value::from(is_identifier(this))),
        "isdecimal" => Ok(Value::from(!this.is_empty() && this.chars().all(|letter| letter.is_ascii_digit()))),
        "istitle" => Ok(Value::from(this.chars().any(char::is_alphabetic) && title(this) == this)),
        "encode" => Ok(Value::from_bytes(this.as_bytes().to_vec())),
        "format" => {
            let mut arguments = arguments;
            super::formatting::braces(this, arguments.rest(), arguments.keywords()).map(Value::from)
        }
        "format_map" => format_map(this, arguments),
        _ => return None,
    };
    Some(answer)
}

/// A method of a text that is taken without being called; none if texts have no such method.
pub(super) fn method(this: &Value, name: &str) -> Option<Value> {
    super::bound::bound(&METHODS, name, || this.clone())
}

/// The methods of texts.
const METHODS: [&str; 46] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// `startswith` and `endswith`: one text or a tuple of several, in a part of the text.
fn starts_or_ends(this: &str, from_left: bool, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let wanted = arguments.required("prefix")?;
    let (part, _) = within(this, &mut arguments);
    arguments.finish()?;
    let fits = |wanted: &str| if from_left { part.starts_with(wanted) } else { part.ends_with(wanted) };
    if let Some(wanted) = wanted.as_str() {
        return Ok(Value::from(fits(wanted)));
    }
    if !wanted.is_tuple() {
        let method = if from_left { "startswith" } else { "endswith" };
        let found = type_name(&wanted);
        return Err(invalid(format!("{method} first arg must be str or a tuple of str, not {found}")));
    }
    Ok(Value::from(wanted.try_iter()?.any(|wanted| wanted.as_str().is_some_and(fits))))
}

/// Characters by their number replaced by a text, by the character of a number, or by nothing.
fn translate(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let table = arguments.required("table")?;
    arguments.finish()?;
    let mut translated = String::with_capacity(this.len());
    for letter in this.chars() {
        let found = table.get_item(&Value::from(u32::from(letter)))?;
        match (found.as_str(), found.as_i64().and_then(|code| char::from_u32(u32::try_from(code).ok()?))) {
            _ if found.is_undefined() => translated.push(letter),
            (Some(text), _) => translated.push_str(text),
            (None, Some(letter)) => translated.push(letter),
            _ if found.is_none() => {}
            _ => return Err(invalid("character mapping must return integer, None or str")),
        }
    }
    Ok(Value::from(translated))
}

fn strings<'a>(parts: impl IntoIterator<Item = &'a str>) -> Value {
    list(parts.into_iter().map(Value::from))
}

fn split(this: &str, mut arguments: Arguments<'_>, from_right: bool) -> Result<Value, Error> {
    let separator = arguments.optional_text("sep");
    let limit = arguments.optional("maxsplit").and_then(|limit| limit.as_i64()).filter(|limit| *limit >= 0);
    let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    arguments.finish()?;
    let Some(separator) = separator else { return Ok(split_whitespace(this, limit, from_right)) };
    if separator.is_empty() {
        return Err(invalid("empty separator"));
    }
    let separator = separator.as_str();
    Ok(match (limit, from_right) {
        (None, _) => strings(this.split(separator)),
        (Some(limit), false) => strings(this.splitn(limit.saturating_add(1), separator)),
        (Some(limit), true) => {
            let mut parts: Vec<&str> = this.rsplitn(limit.saturating_add(1), separator).collect();
            parts.reverse();
            strings(parts)
        }
    })
}

/// `split()` without a separator: at runs of whitespace, none at the ends.
fn split_whitespace(this: &str, limit: Option<usize>, from_right: bool) -> Value {
    let Some(limit) = limit else { return strings(this.split_whitespace()) };
    let mut parts = Vec::new();
    // Only the side from which it splits loses its whitespace: what is left after the last cut stays as it is.
    let mut rest = if from_right { this.trim_end() } else { this.trim_start() };
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        match cut.filter(|_| parts.len() < limit) {
            Some(at) if from_right => {
                parts.push(rest[at..].trim_start());
                rest = rest[..at].trim_end();
            }
            Some(at) => {
                parts.push(&rest[..at]);
                rest = rest[at..].trim_start();
            }
            None => {
                parts.push(rest);
                break;
            }
        }
    }
    if from_right {
        parts.reverse();
    }
    strings(parts)
}

fn splitlines(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let keep = arguments.flag("keepends", false);
    arguments.finish()?;
    let mut lines = Vec::new();
    let mut rest = this;
    while !rest.is_empty() {
        let ends =
            |letter: char| matches!(letter, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let end = rest.find(ends).unwrap_or(rest.len());
        let width = rest[end..].chars().next().map_or(0, char::len_utf8);
        let after = if rest[end..].starts_with("\r\n") { end + 2 } else { end + width };
        lines.push(if keep { &rest[..after] } else { &rest[..end] });
        rest = &rest[after..];
    }
    Ok(strings(lines))
}

fn join(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let items = arguments.required("iterable")?;
    arguments.finish()?;
    if let Some(text) = items.as_str() {
        let letters: Vec<String> = text.chars().map(String::from).collect();
        return Ok(Value::from(letters.join(this)));
    }
    let mut parts = Vec::new();
    for (at, item) in super::value::members(&items)?.into_iter().enumerate() {
        // While a project is read, what will be there later counts as text.
        if item.as_str().is_none() && !super::runtime::is_soft_undefined(&item) {
            let found = type_name(&item);
            return Err(invalid(format!("sequence item {at}: expected str instance, {found} found")));
        }
        parts.push(text(&item));
    }
    let size = parts.iter().map(|part| part.len().saturating_add(this.len()));
    super::operators::check_size(size.fold(0, usize::saturating_add))?;
    Ok(Value::from(parts.join(this)))
}

fn width(arguments: &mut Arguments<'_>, length: usize) -> Result<usize, Error> {
    let width = usize::try_from(arguments.integer("width")?.max(0)).unwrap_or(0);
    if width > 10_000_000 {
        return Err(invalid("the width is too large"));
    }
    Ok(width.saturating_sub(length))
}

fn zfill(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let missing = width(&mut arguments, this.chars().count())?;
    let (sign, digits) = this.split_at(usize::from(this.starts_with(['-', '+'])));
    Ok(Value::from(format!("{sign}{}{digits}", "0".repeat(missing))))
}

fn pad(this: &str, method: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let length = this.chars().count();
    let missing = width(&mut arguments, length)?;
    let fill = arguments.optional_text("fillchar").unwrap_or_else(|| " ".to_owned());
    if fill.chars().count() != 1 {
        return Err(invalid("The fill character must be exactly one character long"));
    }
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // As CPython rounds: an odd rest goes left if the width is odd.
        _ => missing / 2 + (missing & (missing + length) & 1),
    };
    Ok(Value::from(format!("{}{this}{}", fill.repeat(left), fill.repeat(missing - left))))
}

fn partition(this: &str, from_right: bool, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let separator = arguments.text("sep")?;
    let cut = if from_right { this.rsplit_once(&*separator) } else { this.split_once(&*separator) };
    let parts = match cut {
        Some((before, after)) => [before, separator.as_str(), after],
        None if from_right => ["", "", this],
        None => [this, "", ""],
    };
    Ok(tuple(parts.map(Value::from)))
}

fn remove_affix(this: &str, is_prefix: bool, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let affix = arguments.text(if is_prefix { "prefix" } else { "suffix" })?;
    let rest = if is_prefix { this.strip_prefix(&*affix) } else { this.strip_suffix(&*affix) };
    Ok(Value::from(rest.unwrap_or(this)))
}

fn swapcase(this: &str) -> String {
    let mut swapped = String::with_capacity(this.len());
    for letter in this.chars() {
        if letter.is_uppercase() {
            swapped.extend(letter.to_lowercase());
        } else {
            swapped.extend(letter.to_uppercase());
        }
    }
    swapped
}

/// Every letter after something that is no letter in upper case, as Python's `title()`: `it's` becomes `It'S`.
fn title(this: &str) -> String {
    let mut titled = String::with_capacity(this.len());
    let mut inside = false;
    for letter in this.chars() {
        if inside {
            titled.extend(letter.to_lowercase());
        } else {
            titled.extend(letter.to_uppercase());
        }
        inside = letter.is_alphabetic();
    }
    titled
}

/// The part of a text between two optional character positions, and how many characters stand before it.
fn within<'t>(this: &'t str, arguments: &mut Arguments<'_>) -> (&'t str, usize) {
    let length = i64::try_from(this.chars().count()).unwrap_or(i64::MAX);
    let mut bound = |name, default| {
        let given = arguments.optional(name).and_then(|value| value.as_i64()).unwrap_or(default);
        usize::try_from(if given < 0 { (given + length).max(0) } else { given.min(length) }).unwrap_or(0)
    };
    let (start, end) = (bound("start", 0), bound("end", length));
    let byte = |position: usize| this.char_indices().nth(position).map_or(this.len(), |(at, _)| at);
    (if start < end { &this[byte(start)..byte(end)] } else { "" }, start)
}

fn find(this: &str, method: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let wanted = arguments.text("sub")?;
    let (part, before) = within(this, &mut arguments);
    let at = if method.starts_with('r') { part.rfind(&*wanted) } else { part.find(&*wanted) };
    match at {
        Some(at) => Ok(Value::from(before + part[..at].chars().count())),
        None if method.ends_with("index") => Err(invalid("substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn count(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let wanted = arguments.text("sub")?;
    let (part, _) = within(this, &mut arguments);
    Ok(Value::from(part.matches(&*wanted).count()))
}

fn replace(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let mut text = |name: &str, position: usize| {
        let value = arguments.required(name)?;
        let found = || if value.is_none() { "None" } else { type_name(&value) };
        let refused = || invalid(format!("replace() argument {position} must be str, not {}", found()));
        let later = super::runtime::is_soft_undefined(&value).then(String::new);
        value.as_str().map(str::to_owned).or(later).ok_or_else(refused)
    };
    let (old, new) = (text("old", 1)?, text("new", 2)?);
    let count = arguments.optional("count").and_then(|count| count.as_i64());
    arguments.finish()?;
    super::filters::replaced(this, &old, &new, count.and_then(|count| usize::try_from(count).ok())).map(Value::from)
}

fn expandtabs(this: &str, mut arguments: Arguments<'_>) -> Result<String, Error> {
    let size = arguments.optional("tabsize").and_then(|size| size.as_usize()).unwrap_or(8);
    super::operators::check_size(this.matches('\t').count().saturating_mul(size))?;
    let (mut expanded, mut column) = (String::new(), 0);
    for letter in this.chars() {
        match letter {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                expanded.push_str(&" ".repeat(spaces));
                column += spaces;
            }
            '\t' => {}
            '\n' | '\r' => {
                expanded.push(letter);
                column = 0;
            }
            _ => {
                expanded.push(letter);
                column += 1;
            }
        }
    }
    Ok(expanded)
}

fn is_identifier(this: &str) -> bool {
    this.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
        && this.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

fn format_map(this: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let mapping = arguments.required("mapping")?;
    if is_absent(&mapping) {
        return Err(invalid("format_map() argument must be a mapping"));
    }
    let pairs = super::value::pairs(&mapping).unwrap_or_default();
    let keywords = pairs.into_iter().map(|(key, value)| (text(&key), value)).collect();
    super::formatting::braces(this, &[], keywords).map(Value::from)
}
