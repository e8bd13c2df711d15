//! From minijinja's errors to located diagnostics.
//!
//! An error starts where a native function or the VM fails. Every macro call that it passes on its way out adds
//! where in that macro it was ([`at_site`]); the VM around adds where the macro was called. [`to_diagnostic`]
//! turns the whole into one [`Diagnostic`] with its chain.

use super::host::{FailedStatement, HostError};
use super::registry::Registry;
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span, nearest};
use minijinja::{Error, ErrorKind, Value};
use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The longest chain that is shown whole; of a longer one the middle is left out.
const LONGEST_CHAIN: usize = 12;

/// What a host could not do, as an error of the template. [`super::Engine`] turns it back into a located
/// diagnostic with its code and advice; a refused statement is shown with its SQL.
pub fn host_error(error: HostError) -> Error {
    let message = error.to_string();
    Error::new(ErrorKind::InvalidOperation, message).with_source(Carried::Host(error))
}

/// A finding that is complete already (of a template that was rendered by a function of another one), as an
/// error of the template that called the function.
pub fn diagnostic_error(diagnostic: Diagnostic) -> Error {
    let message = diagnostic.message().to_owned();
    Error::new(ErrorKind::InvalidOperation, message).with_source(Carried::Found(diagnostic))
}

/// A call of a name that is no macro.
pub(super) fn unknown_macro(message: String, help: Option<String>) -> Error {
    host_error(HostError::Refused { code: Code::UnknownMacro, message, help })
}

/// A call whose arguments do not fit.
pub(super) fn wrong_call(message: String, help: String) -> Error {
    host_error(HostError::Refused { code: Code::JinjaRender, message, help: Some(help) })
}

/// What an error carries from where it started.
#[derive(Debug)]
enum Carried {
    Host(HostError),
    Found(Diagnostic),
    /// `return(value)` where the VM could not return by itself: no failure at all.
    Returned(Value),
}

impl fmt::Display for Carried {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(error) => error.fmt(formatter),
            Self::Found(diagnostic) => diagnostic.fmt(formatter),
            Self::Returned(_) => formatter.write_str("`return` outside of a macro"),
        }
    }
}

impl std::error::Error for Carried {}

/// The way out of a macro for a value that `return()` was given.
pub(super) fn returned(value: Value) -> Error {
    Error::new(ErrorKind::InvalidOperation, "`return` outside of a macro").with_source(Carried::Returned(value))
}

/// The value that an error brings back, if it is a `return()` and no failure.
pub(super) fn returned_value(error: &Error) -> Option<Value> {
    match error.source()?.downcast_ref::<Carried>()? {
        Carried::Returned(value) => Some(value.clone()),
        _ => None,
    }
}

/// One step on an error's way out.
#[derive(Debug, Clone)]
struct Site {
    /// What failed there: ``macro `dbt_utils.star` ``.
    what: String,
    span: Span,
}

/// The error that started it and the steps on the way out, innermost first.
#[derive(Debug)]
struct Trace {
    error: Arc<Error>,
    sites: Vec<Site>,
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for Trace {}

/// The error with one more step: it came out of `what`, whose failing place is `span`.
#[cold]
pub(super) fn at_site(error: Error, what: String, span: Span) -> Error {
    let known = error.source().and_then(|source| source.downcast_ref::<Trace>());
    let known = known.map(|trace| (Arc::clone(&trace.error), trace.sites.clone()));
    let (inner, mut sites) = known.unwrap_or_else(|| (Arc::new(error), vec![]));
    sites.push(Site { what, span });
    Error::new(inner.kind(), inner.detail().unwrap_or_default().to_owned()).with_source(Trace { error: inner, sites })
}

/// Where in a text an error says it is.
pub(super) fn place(error: &Error, text: &str) -> Range<usize> {
    if let Some(range) = error.range() {
        return widened(text, range);
    }
    let line = error.line().unwrap_or(1);
    let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    start..end
}

/// minijinja's places of attributes start at their dot: the value before it belongs to them.
fn widened(text: &str, range: Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    let (first, end) = (range.start.min(text.len()), range.end.min(text.len()));
    let mut start = first;
    if bytes.get(start) == Some(&b'.') {
        let mut depth = 0;
        while let Some(before) = start.checked_sub(1) {
            match bytes[before] {
                b')' | b']' | b'}' => depth += 1,
                b'(' | b'[' | b'{' if depth == 0 => break,
                b'(' | b'[' | b'{' => depth -= 1,
                b'\n' => return first..end.max(first),
                byte if depth == 0 && !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.') => break,
                _ => {}
            }
            start = before;
        }
    }
    start..end.max(start)
}

/// A text that cannot be parsed.
pub(super) fn syntax_error(file: &Arc<SourceFile>, base: usize, text: &str, error: &Error) -> Diagnostic {
    let place = place(error, text);
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    Diagnostic::error(Code::JinjaSyntax, format!("this Jinja cannot be parsed: {message}"))
        .at(Span::new(file, base + place.start..base + place.end), "")
}

/// What an error that came out of a render means. `outermost` is where in the rendered text it came out; none for
/// a macro that Rust called. `known` gives the names that can be called, for "did you mean".
pub(super) fn to_diagnostic(error: Error, outermost: Option<Span>, registry: &Registry, known: &[&str]) -> Diagnostic {
    let trace = error.source().and_then(|source| source.downcast_ref::<Trace>());
    let (inner, sites) = match trace {
        Some(trace) => (&*trace.error, trace.sites.as_slice()),
        None => (&error, &[][..]),
    };
    let innermost = sites.first().map(|site| site.span.clone()).or_else(|| outermost.clone());
    let (diagnostic, innermost_is_shown) = start(inner, innermost, registry, known);
    chain(diagnostic, sites, outermost, innermost_is_shown)
}

/// The diagnostic without its chain, and whether the innermost place is a label of it.
fn start(inner: &Error, innermost: Option<Span>, registry: &Registry, known: &[&str]) -> (Diagnostic, bool) {
    match inner.source().and_then(|source| source.downcast_ref::<Carried>()) {
        Some(Carried::Host(HostError::Refused { code, message, help })) => {
            let mut diagnostic = Diagnostic::error(*code, message).at_if_known(innermost, "");
            if let Some(help) = help {
                diagnostic = diagnostic.help(help);
            }
            (diagnostic, true)
        }
        Some(Carried::Host(HostError::Database(failed))) => (refused_statement(failed), false),
        Some(Carried::Found(diagnostic)) => (diagnostic.clone(), false),
        _ => (of_template(inner, innermost, registry, known), true),
    }
}

/// A statement that the warehouse refused, shown as it was sent.
fn refused_statement(failed: &FailedStatement) -> Diagnostic {
    let file = SourceFile::new("(SQL as sent)", failed.sql.as_str());
    let mut diagnostic = Diagnostic::error(Code::Database, &failed.error.message);
    if let Some(offset) = failed.error.offset {
        diagnostic = diagnostic.at(Span::new(&file, word_at(&failed.sql, offset)), "");
    }
    if let Some(id) = &failed.error.query_id {
        let code = failed.error.code.as_ref().map_or_else(String::new, |code| format!(", its error code {code}"));
        diagnostic = diagnostic.note(format!("the warehouse's query id is {id}{code}"));
    }
    diagnostic
}

/// The word that starts at an offset, or one character.
pub(super) fn word_at(text: &str, offset: usize) -> Range<usize> {
    let mut start = offset.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &text[start..];
    let word = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let one = rest.chars().next().map_or(0, char::len_utf8);
    start..start + word.max(one)
}

/// An error of the template's own.
fn of_template(inner: &Error, place: Option<Span>, registry: &Registry, known: &[&str]) -> Diagnostic {
    let detail = inner.detail().unwrap_or_default();
    match inner.kind() {
        ErrorKind::UnknownFunction => unknown_callable(detail.trim_end_matches(" is unknown"), place, registry, known),
        ErrorKind::UndefinedError => undefined(detail, place, registry, known),
        // A method of something undefined: what is undefined counts.
        ErrorKind::UnknownMethod if detail.contains("` is undefined") => undefined(detail, place, registry, known),
        ErrorKind::SyntaxError => {
            Diagnostic::error(Code::JinjaSyntax, format!("this Jinja cannot be parsed: {detail}"))
                .at_if_known(place, "")
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest if detail.is_empty() => {
            let kind = inner.kind();
            Diagnostic::error(Code::JinjaRender, format!("{kind}: a name that is given here does not exist"))
                .at_if_known(place, "")
        }
        ErrorKind::UnknownFilter => {
            let name = detail.trim_start_matches("filter ").trim_end_matches(" is unknown");
            Diagnostic::error(Code::JinjaRender, format!("there is no filter `{name}`")).at_if_known(place, "")
        }
        ErrorKind::UnknownTest => {
            let name = detail.trim_start_matches("test ").trim_end_matches(" is unknown");
            Diagnostic::error(Code::JinjaRender, format!("there is no test `{name}`")).at_if_known(place, "")
        }
        ErrorKind::InvalidOperation | ErrorKind::UnknownMethod if !detail.is_empty() => {
            Diagnostic::error(Code::JinjaRender, detail).at_if_known(place, "")
        }
        kind if detail.is_empty() => Diagnostic::error(Code::JinjaRender, kind.to_string()).at_if_known(place, ""),
        kind => Diagnostic::error(Code::JinjaRender, format!("{kind}: {detail}")).at_if_known(place, ""),
    }
}

fn unknown_callable(name: &str, place: Option<Span>, registry: &Registry, known: &[&str]) -> Diagnostic {
    if name == "caller" {
        return Diagnostic::error(Code::JinjaRender, "no caller defined")
            .at_if_known(place, "")
            .help("this macro can only be called with `{% call … %}`");
    }
    let diagnostic = Diagnostic::error(Code::UnknownMacro, format!("`{name}` is undefined"))
        .at_if_known(place, "no macro or function of this name");
    advise(diagnostic, name, registry, known)
}

/// `` `x.y` is undefined ``, perhaps with more around it.
fn undefined(detail: &str, place: Option<Span>, registry: &Registry, known: &[&str]) -> Diagnostic {
    let name = detail.split('`').nth(1).unwrap_or_default();
    // Where operators and literals were compiled to calls, the place says better what it is: an attribute was
    // asked of what stands before it.
    let written = place.as_ref().map(|place| place.text().trim()).filter(|text| !text.contains('\n'));
    let written = written.map(|text| text.rsplit_once('.').map_or(text, |(value, _)| value).to_owned());
    let name = if name.contains('\u{1}') { written.as_deref().unwrap_or_default() } else { name };
    if name.is_empty() {
        let message = match place.as_ref().map(|place| place.text().trim()).filter(|text| !text.contains('\n')) {
            Some(written) if detail.is_empty() => format!("a value in `{written}` is undefined"),
            _ if detail.is_empty() => "a value that is used here is undefined".to_owned(),
            _ => detail.to_owned(),
        };
        return Diagnostic::error(Code::JinjaRender, message).at_if_known(place, "");
    }
    let diagnostic = Diagnostic::error(Code::JinjaRender, format!("`{name}` is undefined")).at_if_known(place, "");
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if is_name { advise(diagnostic, name, registry, known) } else { diagnostic }
}

fn advise(diagnostic: Diagnostic, name: &str, registry: &Registry, known: &[&str]) -> Diagnostic {
    if let Some(package) = registry.packages_with(name).next() {
        return diagnostic.help(format!("the package `{package}` has a macro of this name: `{package}.{name}`"));
    }
    let near = match nearest(name, known.iter().copied()) {
        Some(near) => return diagnostic.help(format!("did you mean `{near}`?")),
        None => registry.nearest_of_packages(name),
    };
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("a macro of another package is called with the package's name before it"),
    }
}

/// Adds the steps of the way out, each with the place from which it was called.
fn chain(mut diagnostic: Diagnostic, sites: &[Site], outermost: Option<Span>, innermost_is_shown: bool) -> Diagnostic {
    let places: Vec<Option<Span>> = sites.iter().map(|site| Some(site.span.clone())).chain([outermost]).collect();
    if !innermost_is_shown && let Some(Some(span)) = places.first() {
        diagnostic = diagnostic.within("sent or rendered from here", Some(span.clone()));
    }
    let left_out = if sites.len() > LONGEST_CHAIN { LONGEST_CHAIN / 2..sites.len() - LONGEST_CHAIN / 2 } else { 0..0 };
    for (at, site) in sites.iter().enumerate() {
        if left_out.contains(&at) {
            if at == left_out.start {
                diagnostic = diagnostic.within(format!("{} more calls are left out", left_out.len()), None);
            }
            continue;
        }
        diagnostic = diagnostic.within(format!("in {}, called here", site.what), places[at + 1].clone());
    }
    diagnostic
}
