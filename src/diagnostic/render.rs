//! Draws a diagnostic as a frame (annotate-snippets behind one function).

use super::{Diagnostic, Severity, Span, TraceStep};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// How frames are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours, for a terminal.
    Coloured,
    /// Without, for files, pipes and snapshots.
    Plain,
}

/// The frame of one diagnostic, without a newline at its end.
pub fn render(diagnostic: &Diagnostic, style: Style) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut main =
        level.primary_title(diagnostic.message()).id(diagnostic.code().name()).elements(snippets(diagnostic));
    for note in diagnostic.notes() {
        main = main.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(advice) = diagnostic.advice() {
        main = main.element(Level::HELP.message(advice));
    }
    let mut groups = vec![main];
    groups.extend(diagnostic.trace().iter().map(step));
    let renderer = match style {
        Style::Coloured => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    renderer.render(&groups)
}

/// The labelled places, one snippet a file, the primary's file first.
fn snippets(diagnostic: &Diagnostic) -> Vec<Snippet<'_, annotate_snippets::Annotation<'_>>> {
    let mut files: Vec<&std::sync::Arc<super::SourceFile>> = Vec::new();
    for label in diagnostic.labels() {
        if !files.contains(&label.span.file()) {
            files.push(label.span.file());
        }
    }
    let mut drawn = Vec::new();
    for file in files {
        let mut snippet = Snippet::source(file.text().as_ref()).path(file.path().to_string_lossy().into_owned());
        for (index, label) in diagnostic.labels().iter().enumerate().filter(|(_, label)| label.span.file() == file) {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            snippet = snippet.annotation(
                kind.span(visible(&label.span)).label(Some(label.text.as_str()).filter(|text| !text.is_empty())),
            );
        }
        drawn.push(snippet);
    }
    drawn
}

/// Where the paths of embedded files begin.
const EMBEDDED: &str = "<strata>";

/// One step of the chain: the place of the call, or only words where it stands in no file.
fn step(step: &TraceStep) -> Group<'_> {
    let title = Level::NOTE.secondary_title(step.what.as_str());
    match &step.span {
        None => Group::with_title(title),
        // A place in strata's own macros is named, not shown: people look for what they wrote.
        Some(span) if span.text().is_empty() || span.file().path().starts_with(EMBEDDED) => {
            let (line, column) = span.line_and_column();
            title
                .element(Origin::path(span.file().path().to_string_lossy().into_owned()).line(line).char_column(column))
        }
        Some(span) => title.element(
            Snippet::source(span.file().text().as_ref())
                .path(span.file().path().to_string_lossy().into_owned())
                .annotation(AnnotationKind::Primary.span(visible(span))),
        ),
    }
}

/// The range to underline: a span over many lines is cut to its first, so that a frame stays small.
fn visible(span: &Span) -> std::ops::Range<usize> {
    let range = span.range();
    let first_line = span.text().find('\n').map_or(range.end, |at| range.start + at);
    range.start..first_line.max(range.start)
}

#[cfg(test)]
mod tests {
    use super::super::{Code, SourceFile};
    use super::*;

    #[test]
    fn a_frame_shows_place_chain_and_advice() {
        let model = SourceFile::new("models/orders.sql", "select *\nfrom {{ ref('stg_order') }}\n");
        let found = Diagnostic::error(Code::UnknownRef, "model `orders` refers to `stg_order`, which does not exist")
            .at(Span::new(&model, 17..33), "no model, seed or snapshot has this name")
            .note("searched in the packages `shop` and `dbt_utils`")
            .help("did you mean `stg_orders`?")
            .within("in macro `latest`", Some(Span::new(&model, 0..8)))
            .within("in model `orders`", None);
        insta::assert_snapshot!(render(&found, Style::Plain));
    }
}
