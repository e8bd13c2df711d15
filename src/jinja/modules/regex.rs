//! `modules.re`: Python's regular expressions on fancy-regex.

use super::super::native::{Arguments, native};
use super::super::value::{dict, invalid, list, none, repr, text, tuple};
use super::members;
use fancy_regex::{Regex, RegexBuilder};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use rustc_hash::FxHashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

const IGNORE_CASE: i64 = 2;
const MULTI_LINE: i64 = 8;
const DOT_ALL: i64 = 16;
const VERBOSE: i64 = 64;
/// As many compiled expressions are kept; templates use the same few again and again.
const KEPT: usize = 512;

/// The module.
pub(super) fn module() -> Value {
    const FUNCTIONS: [&str; 8] = ["match", "fullmatch", "search", "findall", "finditer", "sub", "subn", "split"];
    let mut functions: Vec<(&'static str, Value)> = FUNCTIONS
        .into_iter()
        .map(|name| {
            let function = native(name, move |state, mut arguments| {
                let pattern = arguments.required("pattern")?;
                run(state, name, &pattern, arguments)
            });
            (name, function)
        })
        .collect();
    functions.push((
        "compile",
        native("compile", |_, mut arguments| {
            let pattern = arguments.required("pattern")?;
            let flags = arguments.optional("flags").and_then(|flags| flags.as_i64()).unwrap_or(0);
            arguments.finish()?;
            Ok(Value::from_dyn_object(pattern_of(&pattern, flags)?))
        }),
    ));
    functions.push((
        "escape",
        native("escape", |_, mut arguments| {
            let plain = arguments.text("pattern")?;
            arguments.finish()?;
            Ok(Value::from(escape(&plain)))
        }),
    ));
    let flags = [
        (["I", "IGNORECASE"], IGNORE_CASE),
        (["M", "MULTILINE"], MULTI_LINE),
        (["S", "DOTALL"], DOT_ALL),
        (["X", "VERBOSE"], VERBOSE),
        (["A", "ASCII"], 256),
        (["U", "UNICODE"], 32),
    ];
    functions.extend(flags.iter().flat_map(|(names, flag)| names.map(|name| (name, Value::from(*flag)))));
    members("re", None, functions)
}

/// Python's `re.escape`.
fn escape(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for letter in plain.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A compiled expression.
struct Pattern {
    source: String,
    flags: i64,
    /// Finds it anywhere.
    anywhere: Regex,
    /// Finds it at the start of the text only, and as the whole text only.
    at_start: Regex,
    whole: Regex,
}

/// Compiled expressions by their text and flags.
type Compiled = FxHashMap<(String, i64), Arc<Pattern>>;

/// The pattern that a value is, or that its text means.
fn pattern_of(value: &Value, flags: i64) -> Result<Arc<Pattern>, Error> {
    static COMPILED: Mutex<Option<Compiled>> = Mutex::new(None);
    if let Some(pattern) = value.downcast_object::<Pattern>() {
        return Ok(pattern);
    }
    let Some(source) = value.as_str() else {
        return Err(invalid("first argument must be string or compiled pattern"));
    };
    let key = (source.to_owned(), flags);
    let lock = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = lock().get_or_insert_default().get(&key) {
        return Ok(Arc::clone(known));
    }
    let translated = translate(source, flags & MULTI_LINE != 0);
    let compile = |pattern: String| {
        RegexBuilder::new(&pattern)
            .case_insensitive(flags & IGNORE_CASE != 0)
            .multi_line(flags & MULTI_LINE != 0)
            .dot_matches_new_line(flags & DOT_ALL != 0)
            .verbose_mode(flags & VERBOSE != 0)
            .build()
            .map_err(|error| invalid(format!("the regular expression '{source}' cannot be read: {error}")))
    };
    let newline = if flags & VERBOSE == 0 { "" } else { "\n" };
    let pattern = Arc::new(Pattern {
        source: source.to_owned(),
        flags,
        anywhere: compile(translated.clone())?,
        at_start: compile(format!("\\A(?:{translated}{newline})"))?,
        whole: compile(format!("\\A(?:{translated}{newline})\\z"))?,
    });
    let mut guard = lock();
    let compiled = guard.get_or_insert_default();
    if compiled.len() >= KEPT {
        compiled.clear();
    }
    compiled.insert(key, Arc::clone(&pattern));
    Ok(pattern)
}

/// Where Python's syntax means something else: `\Z`, `$` before a last newline, brackets in a class.
fn translate(source: &str, multi_line: bool) -> String {
    let mut translated = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    let mut class: Option<usize> = None;
    while let Some(letter) = letters.next() {
        let position = class.as_mut().map(|position| {
            *position += 1;
            *position
        });
        match (letter, position) {
            ('\\', _) => match letters.next() {
                Some('Z') if class.is_none() => translated.push_str("\\z"),
                Some(next) => translated.extend(['\\', next]),
                None => translated.push('\\'),
            },
            ('[', None) => {
                class = Some(0);
                translated.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    translated.push('^');
                }
            }
            // The first bracket in a class stands for itself.
            (']', Some(1)) => translated.push_str("\\]"),
            (']', Some(_)) => {
                class = None;
                translated.push(']');
            }
            ('[' | '&' | '~', Some(_)) => translated.extend(['\\', letter]),
            ('$', None) if !multi_line => translated.push_str("(?=\\n?\\z)"),
            _ => translated.push(letter),
        }
    }
    translated
}

impl fmt::Debug for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "re.compile({})", repr(&Value::from(self.source.as_str())))
    }
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "pattern" => Some(Value::from(self.source.as_str())),
            "flags" => Some(Value::from(self.flags)),
            "groups" => Some(Value::from(self.anywhere.captures_len().saturating_sub(1))),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        run(state, method, &Value::from_dyn_object(Arc::clone(self)), Arguments::new(method, args))
    }
}

/// Runs one of the functions that the module and its patterns both have.
fn run(state: &mut State<'_, '_>, name: &str, pattern: &Value, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let replacement = if matches!(name, "sub" | "subn") { Some(arguments.required("repl")?) } else { None };
    let subject: Arc<str> = {
        let subject = arguments.required("string")?;
        subject.as_str().ok_or_else(|| invalid("expected string or bytes-like object"))?.into()
    };
    let count = match name {
        "sub" | "subn" => arguments.optional("count"),
        "split" => arguments.optional("maxsplit"),
        _ => None,
    };
    let count = count.and_then(|count| count.as_usize()).unwrap_or(0);
    let flags = arguments.optional("flags").and_then(|flags| flags.as_i64()).unwrap_or(0);
    arguments.finish()?;
    let pattern = pattern_of(pattern, flags)?;
    let found = |regex: &Regex| {
        let found = find(&pattern, regex, &subject, 0)?;
        Ok(found.map_or_else(none, Value::from_object))
    };
    match name {
        "search" => found(&pattern.anywhere),
        "match" => found(&pattern.at_start),
        "fullmatch" => found(&pattern.whole),
        "finditer" => Ok(list(all(&pattern, &subject, 0)?.into_iter().map(Value::from_object))),
        "findall" => Ok(list(all(&pattern, &subject, 0)?.iter().map(Match::found))),
        "split" => split(&pattern, &subject, count),
        "sub" | "subn" => {
            let replacement = replacement.unwrap_or_else(none);
            let (replaced, times) = replace(state, &pattern, &subject, &replacement, count)?;
            let replaced = Value::from(replaced);
            Ok(if name == "subn" { tuple([replaced, Value::from(times)]) } else { replaced })
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// One match, with its groups.
struct Match {
    pattern: Arc<Pattern>,
    subject: Arc<str>,
    groups: Vec<Option<Range<usize>>>,
    names: Vec<Option<String>>,
}

fn find(pattern: &Arc<Pattern>, regex: &Regex, subject: &Arc<str>, from: usize) -> Result<Option<Match>, Error> {
    let captures = regex
        .captures_from_pos(&**subject, from)
        .map_err(|error| invalid(format!("the regular expression '{}' failed: {error}", pattern.source)))?;
    Ok(captures.map(|captures| Match {
        pattern: Arc::clone(pattern),
        subject: Arc::clone(subject),
        groups: (0..captures.len()).map(|at| captures.get(at).map(|group| group.start()..group.end())).collect(),
        names: regex.capture_names().map(|name| name.map(str::to_owned)).collect(),
    }))
}

/// All matches that do not overlap, at most `limit` of them (0: all). An empty one may follow another one directly.
fn all(pattern: &Arc<Pattern>, subject: &Arc<str>, limit: usize) -> Result<Vec<Match>, Error> {
    let mut matches = Vec::new();
    let mut from = 0;
    while from <= subject.len() && (limit == 0 || matches.len() < limit) {
        let Some(found) = find(pattern, &pattern.anywhere, subject, from)? else { break };
        let Some(Some(place)) = found.groups.first().cloned() else { break };
        from = place.end;
        if place.is_empty() {
            from += subject[place.end..].chars().next().map_or(1, char::len_utf8);
        }
        matches.push(found);
    }
    Ok(matches)
}

fn split(pattern: &Arc<Pattern>, subject: &Arc<str>, limit: usize) -> Result<Value, Error> {
    let mut parts = Vec::new();
    let mut from = 0;
    for found in all(pattern, subject, limit)? {
        let place = found.place();
        parts.push(Value::from(&subject[from..place.start]));
        parts.extend((1..found.groups.len()).map(|group| found.group(group, none())));
        from = place.end;
    }
    parts.push(Value::from(&subject[from..]));
    Ok(list(parts))
}

fn replace(
    state: &mut State<'_, '_>,
    pattern: &Arc<Pattern>,
    subject: &Arc<str>,
    replacement: &Value,
    limit: usize,
) -> Result<(String, usize), Error> {
    let mut replaced = String::with_capacity(subject.len());
    let mut from = 0;
    let matches = all(pattern, subject, limit)?;
    let times = matches.len();
    for found in matches {
        let place = found.place();
        replaced.push_str(&subject[from..place.start]);
        from = place.end;
        match replacement.as_str() {
            Some(template) => found.expand(template, &mut replaced)?,
            None => replaced.push_str(&text(&replacement.call(state, &[Value::from_object(found)])?)),
        }
    }
    replaced.push_str(&subject[from..]);
    Ok((replaced, times))
}

impl Match {
    fn place(&self) -> Range<usize> {
        self.groups.first().cloned().flatten().unwrap_or(0..0)
    }

    /// The text of a group, or `default` where the group took no part.
    fn group(&self, number: usize, default: Value) -> Value {
        match self.groups.get(number).cloned().flatten() {
            Some(place) => Value::from(&self.subject[place]),
            None => default,
        }
    }

    /// The number of a group that is given by number or name.
    fn number(&self, group: &Value) -> Result<usize, Error> {
        let number = match group.as_str() {
            Some(name) => self.names.iter().position(|known| known.as_deref() == Some(name)),
            None => group.as_usize().filter(|number| *number < self.groups.len()),
        };
        number.ok_or_else(|| invalid(format!("no such group: {}", repr(group))))
    }

    /// What `findall` lists: the whole match, its only group, or a tuple of its groups.
    fn found(&self) -> Value {
        match self.groups.len() {
            0 | 1 => self.group(0, Value::from("")),
            2 => self.group(1, Value::from("")),
            count => tuple((1..count).map(|group| self.group(group, Value::from("")))),
        }
    }

    /// Writes a replacement with its references to groups: `\1`, `\g<1>`, `\g<name>`.
    fn expand(&self, template: &str, output: &mut String) -> Result<(), Error> {
        let mut rest = template;
        while let Some(at) = rest.find('\\') {
            output.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let (group, after) = if let Some(named) = rest.strip_prefix("g<") {
                let (name, after) = named.split_once('>').ok_or_else(|| invalid("missing >, unterminated name"))?;
                let key = name.parse::<usize>().map_or_else(|_| Value::from(name), Value::from);
                (Some(self.number(&key)?), after)
            } else {
                let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let number = rest[..digits].parse::<usize>().ok();
                (number.map(|number| self.number(&Value::from(number))).transpose()?, &rest[digits..])
            };
            rest = after;
            if let Some(group) = group {
                output.push_str(self.group(group, Value::from("")).as_str().unwrap_or_default());
                continue;
            }
            let letter = rest.chars().next().ok_or_else(|| invalid("bad escape (end of pattern)"))?;
            rest = &rest[letter.len_utf8()..];
            match letter {
                'n' => output.push('\n'),
                't' => output.push('\t'),
                'r' => output.push('\r'),
                '\\' => output.push('\\'),
                letter if letter.is_ascii_alphabetic() => return Err(invalid(format!("bad escape \\{letter}"))),
                letter => output.extend(['\\', letter]),
            }
        }
        output.push_str(rest);
        Ok(())
    }

    /// A byte offset as a count of characters.
    fn characters(&self, offset: usize) -> usize {
        self.subject[..offset].chars().count()
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        let span = (self.characters(place.start), self.characters(place.end));
        let found = repr(&self.group(0, none()));
        write!(formatter, "<re.Match object; span=({}, {}), match={found}>", span.0, span.1)
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some("string") => Some(Value::from(&*self.subject)),
            Some("re") => Some(Value::from_dyn_object(Arc::clone(&self.pattern))),
            Some("lastindex") => {
                let last = (1..self.groups.len()).rev().find(|group| self.groups[*group].is_some());
                Some(last.map_or_else(none, Value::from))
            }
            _ => self.number(key).ok().map(|group| self.group(group, none())),
        }
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "group" => {
                let wanted = arguments.rest().iter().map(|group| self.number(group)).collect::<Result<Vec<_>, _>>()?;
                Ok(match wanted.as_slice() {
                    [] => self.group(0, none()),
                    [one] => self.group(*one, none()),
                    more => tuple(more.iter().map(|group| self.group(*group, none()))),
                })
            }
            "groups" => {
                let default = arguments.given("default").unwrap_or_else(none);
                Ok(tuple((1..self.groups.len()).map(|group| self.group(group, default.clone()))))
            }
            "groupdict" => {
                let default = arguments.given("default").unwrap_or_else(none);
                let named = self.names.iter().enumerate().filter_map(|(at, name)| Some((name.as_deref()?, at)));
                Ok(dict(named.map(|(name, at)| (name, self.group(at, default.clone())))))
            }
            "start" | "end" | "span" => {
                let group = arguments.given("group").unwrap_or_else(|| Value::from(0));
                let place = self.groups[self.number(&group)?].clone();
                let (start, end) = match place {
                    Some(place) => (Value::from(self.characters(place.start)), Value::from(self.characters(place.end))),
                    None => (Value::from(-1), Value::from(-1)),
                };
                Ok(match method {
                    "start" => start,
                    "end" => end,
                    _ => tuple([start, end]),
                })
            }
            "expand" => {
                let mut output = String::new();
                self.expand(&arguments.text("template")?, &mut output)?;
                Ok(Value::from(output))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
