//! From text to a tree with places.

use super::scalar::resolve;
use super::{Entry, Yaml, YamlValue};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result, SourceFile, Span};
use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// How deep lists and mappings may nest: far beyond any real file, far below the stack's end.
const DEEPEST: usize = 200;
/// How many values the aliases of one file may stand for, so that a few lines cannot fill the memory.
const MOST_ALIASED: usize = 1_000_000;

/// Reads one YAML document; an empty file is `null`. A key that is given twice is a warning and its last value
/// counts, as dbt has it; what is no YAML, or is more than one document, is an error.
pub fn parse(file: &Arc<SourceFile>) -> Result<(Yaml, Diagnostics)> {
    let mut builder = Builder::new(file);
    let tree = builder.document().map_err(Diagnostics::from)?;
    Ok((tree, builder.found))
}

/// Reads YAML that stands in no file, as given on a command line; `name` is shown in its place.
pub fn parse_text(text: &str, name: &str) -> Result<Yaml> {
    Ok(parse(&SourceFile::new(name, text))?.0)
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    /// The byte offset of each character, where the text is not plain ASCII.
    offsets: Option<Vec<u32>>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: FxHashMap<usize, (Yaml, usize)>,
    aliased: usize,
    depth: usize,
    found: Diagnostics,
}

type Step<T> = std::result::Result<T, Diagnostic>;

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<SourceFile>) -> Self {
        let text = file.text();
        let offsets = (!text.is_ascii())
            .then(|| text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect());
        Self {
            file,
            offsets,
            parser: Parser::new_from_str(text),
            anchors: FxHashMap::default(),
            aliased: 0,
            depth: 0,
            found: Diagnostics::new(),
        }
    }

    fn document(&mut self) -> Step<Yaml> {
        let mut tree = None;
        loop {
            let (event, place) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if tree.is_some() => {
                    return Err(syntax_error(
                        self.span(place.start, place.start),
                        "a second YAML document starts here",
                    )
                    .help("keep one document in a file"));
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => tree = Some(self.value(event, place)?),
            }
        }
        Ok(tree.unwrap_or_else(|| Yaml { span: Span::new(self.file, 0..0), value: YamlValue::Null }))
    }

    fn next(&mut self) -> Step<(Event<'a>, saphyr_parser::Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, saphyr_parser::Span::default())),
        }
    }

    fn value(&mut self, event: Event<'a>, place: saphyr_parser::Span) -> Step<Yaml> {
        let before = self.aliased;
        let (anchor, yaml) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(text, style, tag, place)?),
            Event::SequenceStart(anchor, _) => (anchor, self.nested(place, Self::sequence)?),
            Event::MappingStart(anchor, _) => (anchor, self.nested(place, Self::mapping)?),
            Event::Alias(anchor) => {
                let span = self.span(place.start, place.end);
                let Some((target, size)) = self.anchors.get(&anchor) else {
                    return Err(syntax_error(span, "this alias stands inside the value that it refers to"));
                };
                self.aliased += size;
                if self.aliased > MOST_ALIASED {
                    return Err(syntax_error(span, "the aliases of this file stand for too many values"));
                }
                return Ok(target.clone());
            }
            _ => return Err(syntax_error(self.span(place.start, place.end), "this is no YAML value")),
        };
        if anchor > 0 {
            let size = count(&yaml) + (self.aliased - before);
            self.anchors.insert(anchor, (yaml.clone(), size));
        }
        Ok(yaml)
    }

    fn nested(
        &mut self,
        place: saphyr_parser::Span,
        read: fn(&mut Self, saphyr_parser::Span) -> Step<Yaml>,
    ) -> Step<Yaml> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(syntax_error(
                self.span(place.start, place.start),
                format!("values are nested more than {DEEPEST} deep"),
            ));
        }
        let yaml = read(self, place);
        self.depth -= 1;
        yaml
    }

    fn sequence(&mut self, place: saphyr_parser::Span) -> Step<Yaml> {
        let mut items: Vec<Yaml> = Vec::new();
        loop {
            let (event, end) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let span = self.around(place, end, items.last().map(|item| &item.span));
                return Ok(Yaml { span, value: YamlValue::Sequence(items) });
            }
            items.push(self.value(event, end)?);
        }
    }

    fn mapping(&mut self, place: saphyr_parser::Span) -> Step<Yaml> {
        let mut own: IndexMap<String, Entry> = IndexMap::new();
        let mut merged: IndexMap<String, Entry> = IndexMap::new();
        let mut last: Option<Span> = None;
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let span = self.around(place, at, last.as_ref());
                // Merged entries stand first and give way to the mapping's own.
                merged.extend(own);
                return Ok(Yaml { span, value: YamlValue::Mapping(merged) });
            }
            let key_span = self.span(at.start, at.end);
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key(event, at)?;
            let (event, at) = self.next()?;
            let value = self.value(event, at)?;
            last = Some(if value.span.range().end >= key_span.range().end {
                value.span.clone()
            } else {
                key_span.clone()
            });
            if is_merge {
                Self::merge(&mut merged, value)?;
            } else if let Some(first) = own.insert(key.clone(), Entry { key: key_span.clone(), value }) {
                self.found.push(
                    Diagnostic::warning(
                        Code::YamlSyntax,
                        format!("the key `{key}` is given twice; the last one counts"),
                    )
                    .at(key_span, "given again here")
                    .at(first.key, "given first here")
                    .help("remove one of the two"),
                );
            }
        }
    }

    fn key(&mut self, event: Event<'a>, place: saphyr_parser::Span) -> Step<String> {
        let span = self.span(place.start, place.end);
        match event {
            Event::Scalar(text, ..) => Ok(text.into_owned()),
            Event::Alias(_) => match self.value(event, place)?.scalar_text() {
                Some(text) => Ok(text),
                None => Err(syntax_error(span, "a key must be a text")),
            },
            _ if self.file.text()[span.range().start..].starts_with("{{") || self.inside_braces(&span) => {
                Err(syntax_error(span, "Jinja at the start of a value is read as a YAML mapping")
                    .help("put quotes around the whole value: \"{{ … }}\""))
            }
            _ => Err(syntax_error(span, "a key must be a text")),
        }
    }

    /// Whether a flow mapping starts right after another brace: unquoted Jinja.
    fn inside_braces(&self, span: &Span) -> bool {
        self.file.text()[..span.range().start].ends_with('{')
    }

    /// Takes over the entries of the mapping (or of each of the mappings) behind `<<`; what stands first wins.
    fn merge(merged: &mut IndexMap<String, Entry>, value: Yaml) -> Step<()> {
        let mut take = |source: Yaml| match source.value {
            YamlValue::Mapping(entries) => {
                for (key, entry) in entries {
                    merged.entry(key).or_insert(entry);
                }
                Ok(())
            }
            _ => Err(syntax_error(source.span, "`<<` needs a mapping, or a list of mappings")),
        };
        match value.value {
            YamlValue::Sequence(items) => items.into_iter().try_for_each(take),
            _ => take(value),
        }
    }

    fn scalar(
        &self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<Cow<'a, Tag>>,
        place: saphyr_parser::Span,
    ) -> Step<Yaml> {
        let span = self.trimmed(self.bytes(place.start, place.end));
        let value = match tag.as_deref() {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => YamlValue::String(text.into_owned()),
            Some(tag) if tag.is_yaml_core_schema() => resolve(&text),
            Some(tag) => {
                return Err(syntax_error(span, format!("the tag `{tag}` is not known"))
                    .help("put the value in quotes if it is a text"));
            }
            None if style == ScalarStyle::Plain => resolve(&text),
            None => YamlValue::String(text.into_owned()),
        };
        Ok(Yaml { span, value })
    }

    /// From the start of a collection to the end of its last value, or to its closing bracket.
    fn around(&self, start: saphyr_parser::Span, end: saphyr_parser::Span, last: Option<&Span>) -> Span {
        let begin = self.byte(start.start);
        let close = self.bytes(end.start, end.end);
        let text = self.file.text();
        let closing = text.get(close.clone()).is_some_and(|text| matches!(text, "]" | "}"));
        let end = if closing { close.end } else { last.map_or(begin, |last| last.range().end) };
        Span::new(self.file, begin..end.max(begin))
    }

    fn trimmed(&self, range: Range<usize>) -> Span {
        let kept = self.file.text()[range.clone()].trim_end().len();
        Span::new(self.file, range.start..range.start + kept)
    }

    fn span(&self, start: Marker, end: Marker) -> Span {
        Span::new(self.file, self.bytes(start, end))
    }

    fn bytes(&self, start: Marker, end: Marker) -> Range<usize> {
        let start = self.byte(start);
        start..self.byte(end).max(start)
    }

    fn byte(&self, marker: Marker) -> usize {
        let length = self.file.text().len();
        match &self.offsets {
            None => marker.index().min(length),
            Some(offsets) => offsets.get(marker.index()).map_or(length, |at| *at as usize),
        }
    }

    fn scan_error(&self, error: &ScanError) -> Diagnostic {
        let at = self.byte(*error.marker());
        let line_end = self.file.text()[at..].find('\n').map_or(self.file.text().len(), |end| at + end);
        let found = Diagnostic::error(Code::YamlSyntax, "this is not well-formed YAML")
            .at(self.trimmed(at..line_end), error.info().to_owned());
        let line = self.file.text()[..at].rfind('\n').map_or(0, |start| start + 1);
        let before = &self.file.text()[line..line_end];
        if before.contains('\t') {
            return found.help("indent with blanks; YAML does not take tabs");
        }
        if before.contains("{{") || before.contains("{%") {
            return found.help("put quotes around a value that has Jinja in it: \"{{ … }}\"");
        }
        found
    }
}

fn syntax_error(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::YamlSyntax, message).at(span, "")
}

/// The number of values in a tree.
fn count(yaml: &Yaml) -> usize {
    1 + match &yaml.value {
        YamlValue::Sequence(items) => items.iter().map(count).sum(),
        YamlValue::Mapping(entries) => entries.values().map(|entry| count(&entry.value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Style, render};
    use serde_json::json;
    use std::fmt::Write as _;

    fn read(text: &str) -> Yaml {
        parse_text(text, "test.yml").expect("valid YAML")
    }

    fn complaints(text: &str) -> String {
        let file = SourceFile::new("models/schema.yml", text);
        let found = match parse(&file) {
            Ok((_, found)) | Err(found) => found,
        };
        found.iter().map(|found| render(found, Style::Plain)).collect::<Vec<_>>().join("\n\n")
    }

    #[test]
    fn keys_and_values_know_their_places() {
        let tree =
            read("# ü\nmodels:\n  - name: orders  # the orders\n    tags: [a, 'b']\n    text: |\n      x\n      y\n\n");
        let model = &tree.get("models").and_then(Yaml::as_sequence).expect("a list")[0];
        assert_eq!(model.entry("name").expect("a name").key.text(), "name");
        assert_eq!(model.get("name").expect("a name").span.text(), "orders");
        assert_eq!(model.get("tags").expect("tags").span.text(), "[a, 'b']");
        assert_eq!(model.get("tags").and_then(Yaml::as_sequence).expect("a list")[1].span.text(), "'b'");
        assert!(model.span.text().starts_with("name: orders"));
        assert_eq!(tree.to_json(), json!({"models": [{"name": "orders", "tags": ["a", "b"], "text": "x\ny\n"}]}));
    }

    #[test]
    fn anchors_and_merge_keys_follow_pyyaml() {
        let tree = read("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  z: 5\n  <<: [*a, *b]\nd: *a\n");
        assert_eq!(tree.get("c").expect("c").to_json(), json!({"x": 1, "y": 2, "z": 5}));
        assert_eq!(tree.get("d").expect("d").to_json(), json!({"x": 1, "y": 2}));
    }

    #[test]
    fn an_empty_file_is_null() {
        assert!(read("").is_null());
        assert!(read("# only a comment\n").is_null());
        assert!(read("---\n").is_null());
    }

    #[test]
    fn aliases_cannot_fill_the_memory() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(text, "a{level}: &a{level} [{aliases}]").expect("a string");
        }
        assert!(complaints(&text).contains("too many values"));
        assert!(complaints(&"[".repeat(10_000)).starts_with("error"));
        assert!(complaints(&"- ".repeat(300)).contains("nested more than"));
    }

    #[test]
    fn bad_yaml_is_shown_where_it_is_bad() {
        let bad = [
            "models:\n  - name: a\n    name: b\n",
            "models:\n  - name: {{ var('x') }}\n",
            "models:\n\t- name: a\n",
            "models: [a, b\n",
            "a: 1\n---\nb: 2\n",
            "a: !ref orders\n",
            "a: &a [*a]\n",
            "a: *missing\n",
            "a: {<<: 1}\n",
            "a: b: c\n",
        ];
        insta::assert_snapshot!(bad.map(complaints).join("\n\n"));
    }
}
