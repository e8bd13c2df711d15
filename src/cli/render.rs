//! `strata render`: what the Jinja of a node becomes, and who wrote it.

use super::arguments::{RenderArguments, SelectionArguments};
use super::compile::surroundings;
use super::workspace::{VerbFlags, Workspace};
use super::{Context, Outcome};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Result};
use crate::jinja::{TracedPart, TracedPlace};
use crate::manifest::Node;
use crate::name::{ResourceType, UniqueId};
use crate::report::Product;
use std::fmt;

/// Renders the node, or the nodes, that were named.
pub(super) fn render(context: &Context, arguments: &RenderArguments) -> Result<Outcome> {
    let introspect = !arguments.no_introspect;
    let flags = VerbFlags { introspect, ..VerbFlags::default() };
    let workspace = Workspace::open_deferring(context, "render", flags)?;
    workspace.check_introspection(introspect)?;
    let nodes = chosen(context, &workspace, &arguments.node)?;
    let ids: Vec<UniqueId> = nodes.iter().map(|node| node.unique_id.clone()).collect();
    let compiler = workspace.compiler(ids.clone(), &context.emit());
    let surroundings = surroundings(context, &workspace, introspect, compiler.translates(&ids))?;
    let mut found = Diagnostics::new();
    for node in nodes {
        let text = if arguments.trace {
            compiler.trace(node, &surroundings).map(|parts| annotated(&parts))
        } else {
            compiler.render(node, &surroundings)
        };
        if let Some(sql) = found.keep(text) {
            context.reporter.product(&Product::Compiled { node: Some(node.name.clone()), sql });
        }
    }
    if found.is_empty() {
        return Ok(Outcome::Success);
    }
    context.reporter.found(&found);
    Ok(Outcome::Failure)
}

/// The nodes that have Jinja; tests only where nothing else was named.
fn chosen<'w>(context: &Context, workspace: &'w Workspace, name: &str) -> Result<Vec<&'w Node>> {
    let selection = SelectionArguments { select: vec![name.to_owned()], ..SelectionArguments::default() };
    let has_jinja = |kind| {
        matches!(kind, ResourceType::Model | ResourceType::Test | ResourceType::Snapshot | ResourceType::Analysis)
    };
    let selected = workspace.select(context, &selection, &has_jinja)?;
    let nodes = workspace.ordered(&selected).into_iter();
    let nodes: Vec<&Node> = nodes.filter_map(|id| workspace.manifest.nodes.get(&id)).collect();
    let (tests, others): (Vec<&Node>, Vec<&Node>) =
        nodes.into_iter().partition(|node| node.resource_type == ResourceType::Test);
    let chosen = if others.is_empty() { tests } else { others };
    if chosen.is_empty() {
        return Err(Diagnostic::error(Code::Selector, format!("`{name}` means nothing that has Jinja"))
            .help("`strata ls` lists what there is")
            .into());
    }
    Ok(chosen)
}

/// A line of the text, and who wrote in it.
#[derive(Default)]
struct Line {
    text: String,
    writers: Vec<Writer>,
}

/// Who wrote in a line.
#[derive(Clone, PartialEq)]
struct Writer {
    /// The calls that led there: `models/m.sql:3 > shop.cents`.
    calls: String,
    /// The file of the text that was written, or of the expression that wrote it.
    path: String,
    /// The line in it.
    line: usize,
    /// Whether the text stands there as it is, so that the next line stands below.
    is_verbatim: bool,
    /// What cannot be traced further.
    untraced: String,
}

impl Writer {
    /// Who wrote the first line of a part.
    fn of(part: &TracedPart) -> Self {
        let path = |place: &TracedPlace| place.span.file().path().display().to_string();
        let line = |place: &TracedPlace| place.span.line_and_column().0;
        let mut calls = String::new();
        let mut steps = part.chain.iter().peekable();
        while let Some(place) = steps.next() {
            calls.extend(place.name.iter().map(|name| format!("{name} ")));
            // Where the last one stands is told apart: it moves from line to line.
            calls.extend(steps.peek().map(|_| format!("{}:{} > ", path(place), line(place))));
        }
        let last = part.chain.last();
        let untraced = part.untraced.join(", ");
        Self {
            calls,
            path: last.map(path).unwrap_or_default(),
            line: last.map(line).unwrap_or_default(),
            is_verbatim: part.is_verbatim,
            untraced: if untraced.is_empty() { untraced } else { format!(" > {untraced} (not traced further)") },
        }
    }

    /// Who wrote the line `further` down.
    fn below(&self, further: usize) -> Self {
        let line = if self.is_verbatim { self.line + further } else { self.line };
        Self { line, ..self.clone() }
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}:{}{}", self.calls, self.path, self.line, self.untraced)
    }
}

/// The text with a comment before each line that another place wrote than the lines before. It is still SQL.
fn annotated(parts: &[TracedPart]) -> String {
    let mut lines = vec![Line::default()];
    for part in parts {
        let first = Writer::of(part);
        for (at, text) in part.text.split('\n').enumerate() {
            if at > 0 {
                lines.push(Line::default());
            }
            let Some(line) = lines.last_mut() else { continue };
            line.text.push_str(text);
            let writer = first.below(at);
            if !text.trim().is_empty() && !line.writers.contains(&writer) {
                line.writers.push(writer);
            }
        }
    }
    let mut shown: Vec<String> = Vec::with_capacity(lines.len());
    let mut former: Option<(usize, &[Writer])> = None;
    for (number, line) in lines.iter().enumerate() {
        let goes_on = former.is_some_and(|(since, writers)| {
            let expected: Vec<Writer> = writers.iter().map(|writer| writer.below(number - since)).collect();
            expected == line.writers
        });
        if !line.writers.is_empty() {
            if !goes_on {
                // Text and expressions of one line differ to us, not to people.
                let mut comments: Vec<String> = line.writers.iter().map(|writer| format!("-- {writer}")).collect();
                comments.dedup();
                shown.extend(comments);
            }
            former = Some((number, &line.writers));
        }
        shown.push(line.text.clone());
    }
    shown.join("\n")
}
