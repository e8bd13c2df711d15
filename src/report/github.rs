//! For GitHub Actions: the lines for people, and an annotation at each place where something is wrong.

use super::wording::node_of;
use super::{Human, Output, Product, Reporter};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::manifest::Manifest;
use crate::run::event::{Event, NodeResult, Status};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Tells GitHub Actions, and people who read its log.
pub struct GitHub {
    human: Human,
    output: Output,
    /// The project's directory as seen from the repository's root: annotations name files from there.
    prefix: PathBuf,
    manifest: OnceLock<Arc<Manifest>>,
}

impl GitHub {
    /// Annotations go to `output`; `prefix` is the project's directory within the repository.
    pub fn new(human: Human, output: Output, prefix: PathBuf) -> Self {
        Self { human, output, prefix, manifest: OnceLock::new() }
    }

    fn annotate(&self, severity: Severity, place: Option<(&Path, usize, usize)>, title: &str, message: &str) {
        let word = if severity == Severity::Error { "error" } else { "warning" };
        let place = place.map(|(path, line, column)| {
            let path = self.prefix.join(path);
            format!("file={},line={line},col={column},", property(&path.to_string_lossy()))
        });
        self.output.line(&format!(
            "::{word} {}title={}::{}",
            place.unwrap_or_default(),
            property(title),
            escaped(message)
        ));
    }

    fn diagnostic(&self, diagnostic: &Diagnostic) {
        let place = diagnostic.labels().first().map(|label| {
            let (line, column) = label.span.line_and_column();
            (label.span.file().path(), line, column)
        });
        let mut message = diagnostic.message().to_owned();
        for line in diagnostic.notes().iter().map(String::as_str).chain(diagnostic.advice()) {
            message.push('\n');
            message.push_str(line);
        }
        self.annotate(diagnostic.severity(), place, diagnostic.code().name(), &message);
    }

    fn result(&self, result: &NodeResult) {
        let severity = match result.status {
            Status::Fail | Status::Error | Status::PartialSuccess => Severity::Error,
            Status::Warn => Severity::Warning,
            _ => return,
        };
        if let Some(diagnostic) = &result.diagnostic {
            self.diagnostic(diagnostic);
            return;
        }
        let node = node_of(self.manifest.get().map(Arc::as_ref), result);
        let place = node.map(|node| {
            let (line, column) = node.declared_at.line_and_column();
            (node.declared_at.file().path(), line, column)
        });
        let name = node.map_or(result.unique_id.as_str(), |node| node.name.as_str());
        self.annotate(severity, place, name, result.message.as_deref().unwrap_or(result.status.as_str()));
    }
}

/// Workflow commands end with the line: line breaks are written as escapes.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// In a property, what separates properties is escaped too.
fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

impl Reporter for GitHub {
    fn began(&self, command: &str) {
        self.human.began(command);
    }

    fn parsed(&self, manifest: &Arc<Manifest>, summary: &str, target: &str) {
        // A second parse within one command (retry) is the same project: the first manifest stays.
        let _ = self.manifest.set(Arc::clone(manifest));
        self.human.parsed(manifest, summary, target);
    }

    fn hear(&self, event: &Event) {
        self.human.hear(event);
        match event {
            Event::NodeFinished { result, .. } => self.result(result),
            Event::Found(diagnostic) => self.diagnostic(diagnostic),
            _ => {}
        }
    }

    fn product(&self, product: &Product) {
        self.human.product(product);
    }

    fn found(&self, diagnostics: &Diagnostics) {
        self.human.found(diagnostics);
        diagnostics.iter().for_each(|diagnostic| self.diagnostic(diagnostic));
    }

    fn ended(&self, command: &str, success: bool) {
        self.human.ended(command, success);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Shared};
    use super::super::human::HumanOptions;
    use super::*;
    use crate::diagnostic::Style;

    #[test]
    fn annotations_of_a_whole_build() {
        let (people, annotations) = (Shared::default(), Shared::default());
        let options = HumanOptions {
            style: Style::Plain,
            narrates: true,
            quiet: false,
            debug: false,
            live: None,
            width: 60,
            target_path: "target".into(),
        };
        let human = Human::new(options, people.output(), people.output());
        fixture::tell(&GitHub::new(human, annotations.output(), "warehouse".into()));
        insta::assert_snapshot!(annotations.text());
        assert!(people.text().contains("Done. PASS=3 WARN=1 ERROR=2 SKIP=1 NO-OP=0 TOTAL=7"));
    }
}
