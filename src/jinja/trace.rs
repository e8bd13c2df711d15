//! Who wrote what: the chain of macro calls behind each part of a rendered text.
//!
//! Macros get marks as templates have them ([`super::marks`]), and what a macro writes stands between brackets that
//! name its call. Text with marks in it can mislead a template that measures or compares what a macro wrote. So the
//! template is rendered as always, too, and of what is traced only those parts are believed that read the same.

use super::body::Body;
use super::engine::Rendered;
use super::marks::{FIRST_MARK, MARK, Mark};
use crate::diagnostic::Span;
use std::sync::{Arc, Mutex, PoisonError};

/// Before a call's number and what the call wrote.
const OPEN: char = '\u{fdd1}';
/// After what a call wrote.
const CLOSE: char = '\u{fdd2}';
/// As many calls are told apart; what further ones write counts as their callers'.
const MOST_CALLS: usize = 0xfffd;

/// A part of a rendered text and who wrote it.
#[derive(Debug, Clone)]
pub struct TracedPart {
    /// The text.
    pub text: String,
    /// The places that led to it, the node's own first.
    pub chain: Vec<TracedPlace>,
    /// Whether the text stands at the last place as it is.
    pub is_verbatim: bool,
    /// The macros that the last place calls, as written, where what they wrote cannot be traced further.
    pub untraced: Vec<String>,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedPlace {
    /// The macro in which the place lies: `dbt_utils.star`; none for the node's own text.
    pub name: Option<String>,
    /// The text that was written, or the call that led further.
    pub span: Span,
}

/// The macro calls of one traced render.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Vec<(String, Arc<Body>)>>);

impl Calls {
    /// What a call wrote, between its brackets. Whitespace around it stays outside, so that `trim` finds it; a text of
    /// nothing else stays as it is, since templates ask whether there is one.
    pub fn bracketed(&self, name: &str, body: &Arc<Body>, text: &str) -> String {
        let plain = without_marks(text);
        let trimmed = plain.trim_start();
        let (before, inner) = (&plain[..plain.len() - trimmed.len()], trimmed.trim_end());
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = Some(calls.len()).filter(|number| *number < MOST_CALLS).and_then(numbered);
        let Some(number) = number.filter(|_| !inner.is_empty()) else { return plain };
        calls.push((name.to_owned(), Arc::clone(body)));
        let mut written = before.to_owned();
        written.extend([OPEN, number]);
        cut(text, before.len(), inner.len(), &mut written);
        written.push(CLOSE);
        written.push_str(&trimmed[inner.len()..]);
        written
    }

    fn of(&self, number: usize) -> Option<(String, Arc<Body>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }
}

/// Writes `keep` bytes of a marked text after its first `skip`, with the marks and brackets between them.
fn cut(text: &str, mut skip: usize, mut keep: usize, into: &mut String) {
    for token in tokens(text) {
        match token {
            Token::Text(part) => {
                let start = skip.min(part.len());
                let end = (start + keep).min(part.len());
                into.push_str(&part[start..end]);
                (skip, keep) = (skip - start, keep - (end - start));
            }
            other => other.write(into),
        }
    }
}

fn numbered(number: usize) -> Option<char> {
    char::from_u32(FIRST_MARK + u32::try_from(number).ok()?)
}

fn number_of(letter: char) -> usize {
    (letter as u32).saturating_sub(FIRST_MARK) as usize
}

/// A piece of a marked text.
enum Token<'t> {
    Text(&'t str),
    Mark(char),
    Open(char),
    Close,
}

impl Token<'_> {
    fn write(&self, into: &mut String) {
        match self {
            Self::Text(text) => into.push_str(text),
            Self::Mark(letter) => into.extend([MARK, *letter]),
            Self::Open(letter) => into.extend([OPEN, *letter]),
            Self::Close => into.push(CLOSE),
        }
    }
}

fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let after = &rest[first.len_utf8()..];
        if let (MARK | OPEN, Some(letter)) = (first, after.chars().next()) {
            rest = &after[letter.len_utf8()..];
            return Some(if first == MARK { Token::Mark(letter) } else { Token::Open(letter) });
        }
        if first == CLOSE {
            rest = after;
            return Some(Token::Close);
        }
        let end = rest[first.len_utf8()..].find([MARK, OPEN, CLOSE]).map_or(rest.len(), |at| at + first.len_utf8());
        let (text, further) = rest.split_at(end);
        rest = further;
        Some(Token::Text(text))
    })
}

/// A text without marks and brackets: what everything outside of templates must be given.
pub fn without_marks(text: &str) -> String {
    tokens(text).filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None }).collect()
}

/// One level of calls while a marked text is read: whose it is, the mark that was last seen in it, and how much was
/// written since.
struct Level {
    name: Option<String>,
    body: Arc<Body>,
    mark: Option<usize>,
    written: usize,
}

impl Level {
    fn place(&self) -> Option<TracedPlace> {
        let mark = self.body.marks.get(self.mark?)?;
        let unit = &self.body.unit;
        let mut place = mark.place.clone();
        if mark.verbatim {
            place.start = (place.start + self.written).min(place.end);
        }
        Some(TracedPlace { name: self.name.clone(), span: unit.span(place) })
    }

    fn is_verbatim(&self) -> bool {
        self.mark.and_then(|mark| self.body.marks.get(mark)).is_some_and(|mark| mark.verbatim)
    }

    /// Whitespace that was moved out of a bracket is missing at the start of a text that stands in the file as it is.
    fn skip_blank(&mut self, text: &str) {
        let Some(Mark { verbatim: true, place, .. }) = self.mark.and_then(|mark| self.body.marks.get(mark)) else {
            return;
        };
        let raw = &self.body.unit.text()[place.clone()];
        if self.written == 0 && !raw.starts_with(text) {
            self.written = raw.len() - raw.trim_start().len();
        }
    }
}

/// The parts of a text that was rendered without marks in macros (`plain`) and with them (`marked`, none where that
/// failed).
pub(super) fn parts(plain: &Rendered, marked: Option<&str>, calls: &Calls) -> Vec<TracedPart> {
    let traced = marked.map(|marked| segments(marked, &plain.map.body, calls)).unwrap_or_default();
    let coarse: Vec<(usize, &str)> = plain.segments().collect();
    let same = traced.len() == coarse.len() && traced.iter().zip(&coarse).all(|(one, other)| one.0 == other.0);
    let mut parts = Vec::new();
    for (at, (number, text)) in coarse.into_iter().enumerate() {
        let fine = traced.get(at).filter(|_| same).map(|(_, parts)| parts);
        let fine = fine.filter(|parts| parts.iter().map(|part| part.text.as_str()).collect::<String>() == text);
        if let Some(fine) = fine {
            parts.extend(fine.iter().cloned());
        } else if let Some(mark) = plain.map.body.marks.get(number) {
            let span = plain.map.body.unit.span(mark.place.clone());
            let chain = vec![TracedPlace { name: None, span }];
            let (untraced, is_verbatim) = (mark.macros.clone(), mark.verbatim);
            parts.push(TracedPart { text: text.to_owned(), chain, is_verbatim, untraced });
        }
    }
    parts
}

/// A marked text by the marks of the node's own text: the number of the mark and the parts after it.
fn segments(marked: &str, body: &Arc<Body>, calls: &Calls) -> Vec<(usize, Vec<TracedPart>)> {
    let mut levels = vec![Level { name: None, body: Arc::clone(body), mark: None, written: 0 }];
    let mut segments: Vec<(usize, Vec<TracedPart>)> = Vec::new();
    for token in tokens(marked) {
        let is_own = levels.len() == 1;
        let Some(level) = levels.last_mut() else { break };
        match token {
            Token::Mark(letter) => {
                (level.mark, level.written) = (Some(number_of(letter)), 0);
                if is_own {
                    segments.push((number_of(letter), vec![]));
                }
            }
            Token::Open(letter) => {
                if let Some((name, body)) = calls.of(number_of(letter)) {
                    levels.push(Level { name: Some(name), body, mark: None, written: 0 });
                }
            }
            Token::Close if is_own => {}
            Token::Close => drop(levels.pop()),
            Token::Text(text) => {
                level.skip_blank(text);
                let is_verbatim = level.is_verbatim();
                let chain = levels.iter().filter_map(Level::place).collect();
                if let Some((_, parts)) = segments.last_mut() {
                    parts.push(TracedPart { text: text.to_owned(), chain, is_verbatim, untraced: vec![] });
                }
                if let Some(level) = levels.last_mut() {
                    level.written += text.len();
                }
            }
        }
    }
    segments
}
