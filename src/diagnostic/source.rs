//! Source files and places in them.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that people wrote (or that was compiled), with the path under which it is shown.
#[derive(PartialEq, Eq, Hash)]
pub struct SourceFile {
    path: PathBuf,
    text: Arc<str>,
}

impl SourceFile {
    /// A file as shown to people: `path` relative to the project's root, line ends as `\n`.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }

    /// The path under which the file is shown.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Line and column of a byte offset, both from 1, columns in characters.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        (line, before[start..].chars().count() + 1)
    }

    /// The byte offset of a line and column, both from 1; past the end is the end.
    pub fn offset_of(&self, line: usize, column: usize) -> usize {
        let start = match line {
            0 | 1 => 0,
            _ => match self.text.match_indices('\n').nth(line - 2) {
                Some((at, _)) => at + 1,
                None => return self.text.len(),
            },
        };
        let rest = &self.text[start..];
        let end = rest.find('\n').unwrap_or(rest.len());
        start + rest[..end].char_indices().nth(column.saturating_sub(1)).map_or(end, |(at, _)| at)
    }
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SourceFile({}, {} bytes)", self.path.display(), self.text.len())
    }
}

/// A range of bytes in a source file.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Span {
    file: Arc<SourceFile>,
    start: u32,
    end: u32,
}

impl Span {
    /// The bytes `range` of `file`, cut to the file's length and widened to whole characters.
    pub fn new(file: &Arc<SourceFile>, range: Range<usize>) -> Self {
        let text = file.text();
        let mut start = range.start.min(text.len());
        let mut end = range.end.clamp(start, text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { file: Arc::clone(file), start: offset(start), end: offset(end) }
    }

    /// The whole of `file`.
    pub fn whole(file: &Arc<SourceFile>) -> Self {
        Self::new(file, 0..file.text().len())
    }

    /// The file in which the span lies.
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// The bytes of the span.
    pub fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of the span.
    pub fn text(&self) -> &str {
        &self.file.text()[self.range()]
    }

    /// Line and column of the start, both from 1.
    pub fn line_and_column(&self) -> (usize, usize) {
        self.file.line_and_column(self.start as usize)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}..{}", self.file.path().display(), self.start, self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_lines_are_inverse() {
        let file = SourceFile::new("a.sql", "select 1\nfrom ü\n");
        for (offset, place) in [(0, (1, 1)), (9, (2, 1)), (14, (2, 6)), (16, (2, 7)), (17, (3, 1))] {
            assert_eq!(file.line_and_column(offset), place);
            assert_eq!(file.offset_of(place.0, place.1), offset);
        }
        assert_eq!(file.offset_of(9, 1), file.text().len());
    }

    #[test]
    fn a_span_never_cuts_a_character() {
        let file = SourceFile::new("a.sql", "aüb");
        assert_eq!(Span::new(&file, 2..2).text(), "ü");
        assert_eq!(Span::new(&file, 1..99).text(), "üb");
    }
}
