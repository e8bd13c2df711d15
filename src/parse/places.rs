//! Where in a node's own text its `ref()` and `source()` calls stand.

use crate::diagnostic::{SourceFile, Span};
use crate::manifest::{RefCall, SourceCall};
use std::ops::Range;
use std::sync::Arc;

/// A call whose arguments are plain texts.
struct Call<'a> {
    function: &'a str,
    arguments: Vec<&'a str>,
    range: Range<usize>,
}

/// The calls in a text, found once and then looked up.
pub struct Places<'a> {
    file: &'a Arc<SourceFile>,
    calls: Vec<Call<'a>>,
}

impl<'a> Places<'a> {
    /// Looks through the part `range` of a file. Calls with computed arguments have no place.
    pub fn new(file: &'a Arc<SourceFile>, range: &Range<usize>) -> Self {
        let text = file.text().get(range.clone()).unwrap_or_default();
        let mut calls = Vec::new();
        for function in ["ref", "source"] {
            for (at, _) in text.match_indices(function) {
                let word_before = text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
                if word_before {
                    continue;
                }
                if let Some((arguments, length)) = literal_arguments(&text[at + function.len()..]) {
                    let start = range.start + at;
                    calls.push(Call { function, arguments, range: start..start + function.len() + length });
                }
            }
        }
        Self { file, calls }
    }

    /// Where a `ref()` stands.
    pub fn reference(&self, call: &RefCall) -> Option<Span> {
        self.find("ref", |arguments| match (&call.package, arguments) {
            (None, [name]) => *name == call.name,
            (Some(package), [first, name]) => first == package && *name == call.name,
            _ => false,
        })
    }

    /// Where a `source()` stands.
    pub fn source(&self, call: &SourceCall) -> Option<Span> {
        self.find("source", |arguments| *arguments == [call.source_name.as_str(), call.table_name.as_str()])
    }

    fn find(&self, function: &str, fits: impl Fn(&[&str]) -> bool) -> Option<Span> {
        let call = self.calls.iter().find(|call| call.function == function && fits(&call.arguments))?;
        Some(Span::new(self.file, call.range.clone()))
    }
}

/// The quoted arguments of a call, and how long it is from its bracket on. Named arguments are passed over.
fn literal_arguments(text: &str) -> Option<(Vec<&str>, usize)> {
    let open = text.len() - text.trim_start().len();
    let mut at = open + text[open..].strip_prefix('(').map(|_| 1)?;
    let mut arguments = Vec::new();
    loop {
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start().len();
        at += blank;
        let first = text[at..].chars().next()?;
        match first {
            ')' => return Some((arguments, at + 1)),
            ',' => at += 1,
            '\'' | '"' => {
                let length = text[at + 1..].find(first)?;
                arguments.push(&text[at + 1..at + 1 + length]);
                at += length + 2;
            }
            letter if letter.is_alphabetic() => {
                let end = text[at..].find([',', ')'])?;
                if !text[at..at + end].contains('=') {
                    return None;
                }
                at += end;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_their_brackets() {
        let text = "select xref('a'), {{ ref( 'b' ) }}, {{ref(\"p\", 'b', v=2)}}, {{ source('s', 't') }}, {{ ref(x) }}";
        let file = SourceFile::new("a.sql", text);
        let places = Places::new(&file, &(0..text.len()));
        let reference = |package: Option<&str>, name: &str| {
            let call =
                RefCall { package: package.map(str::to_owned), name: name.to_owned(), version: None, span: None };
            places.reference(&call).map(|span| span.text().to_owned())
        };
        assert_eq!(reference(None, "b").as_deref(), Some("ref( 'b' )"));
        assert_eq!(reference(Some("p"), "b").as_deref(), Some("ref(\"p\", 'b', v=2)"));
        assert_eq!(reference(None, "a"), None);
        let source = SourceCall { source_name: "s".into(), table_name: "t".into(), span: None };
        assert_eq!(places.source(&source).expect("it is there").text(), "source('s', 't')");
    }
}
