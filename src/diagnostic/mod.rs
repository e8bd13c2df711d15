//! What is wrong, where, in what context, and what to do about it.
//!
//! Every stage collects [`Diagnostic`]s and goes on as long as it can, so that one run shows all that
//! is wrong with a stage. A diagnostic owns what it needs to be drawn (its spans hold their source
//! file), so it can travel between threads and be rendered without any table beside it.

mod code;
mod render;
mod source;

pub use code::Code;
pub use render::{Style, render};
pub use source::{SourceFile, Span};

use std::fmt;

/// How much a diagnostic weighs: an error fails its stage, a warning does not (unless asked to).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the command goes on.
    Warning,
    /// The stage cannot give a result that is right.
    Error,
}

/// A place in a source file with a few words about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text that is underlined.
    pub span: Span,
    /// The words beside the underline; may be empty.
    pub text: String,
}

/// One step of the chain that led to a diagnostic, innermost first: "macro `a` called here".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceStep {
    /// What was being done: ``in macro `dbt_utils.star` ``, ``in model `stg_orders` ``.
    pub what: String,
    /// Where it was called, if it stands in a file.
    pub span: Option<Span>,
}

/// One thing that is wrong (or doubtful), ready to be drawn.
///
/// ```
/// use strata::diagnostic::{Code, Diagnostic, SourceFile, Span};
/// let file = SourceFile::new("models/orders.sql", "select * from {{ ref('stg_order') }}");
/// let found = Diagnostic::error(Code::UnknownRef, "model `orders` depends on `stg_order`, which does not exist")
///     .at(Span::new(&file, 17..33), "no node of this name")
///     .help("did you mean `stg_orders`?");
/// assert_eq!(found.code(), Code::UnknownRef);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic(Box<Content>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Content {
    code: Code,
    severity: Severity,
    message: String,
    labels: Vec<Label>,
    trace: Vec<TraceStep>,
    notes: Vec<String>,
    help: Option<String>,
}

impl Diagnostic {
    /// An error with a message that says what is wrong, in one sentence without a full stop.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, message.into())
    }

    /// A warning with a message that says what is doubtful, in one sentence without a full stop.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message.into())
    }

    fn new(code: Code, severity: Severity, message: String) -> Self {
        Self(Box::new(Content { code, severity, message, labels: vec![], trace: vec![], notes: vec![], help: None }))
    }

    /// Adds a place. The first one is the primary: its file and line stand in the frame's head.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.0.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a place that is more to the point than those that are there: it becomes the primary.
    #[must_use]
    pub fn first_at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.0.labels.insert(0, Label { span, text: text.into() });
        self
    }

    /// Adds a place where there is one to add.
    #[must_use]
    pub fn at_if_known(self, span: Option<Span>, text: impl Into<String>) -> Self {
        match span {
            Some(span) => self.at(span, text),
            None => self,
        }
    }

    /// Adds one step outwards of the chain that led here.
    #[must_use]
    pub fn within(mut self, what: impl Into<String>, span: Option<Span>) -> Self {
        self.0.trace.push(TraceStep { what: what.into(), span });
        self
    }

    /// Adds a fact that helps to understand; a note may have several lines.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.0.notes.push(text.into());
        self
    }

    /// Says what to do. The last call wins.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.0.help = Some(text.into());
        self
    }

    /// The same finding as an error (a warning that was asked to count).
    #[must_use]
    pub fn into_error(mut self) -> Self {
        self.0.severity = Severity::Error;
        self
    }

    /// The stable name of this kind of finding.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Whether it fails its stage.
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// The sentence that says what is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The places, primary first.
    pub fn labels(&self) -> &[Label] {
        &self.0.labels
    }

    /// The chain that led here, innermost first.
    pub fn trace(&self) -> &[TraceStep] {
        &self.0.trace
    }

    /// The notes, in the order in which they were added.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What to do, if there is advice.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

/// The message alone, for logs; [`render`] draws the whole frame.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(label) = self.0.labels.first() {
            let (line, column) = label.span.line_and_column();
            write!(formatter, "{}:{line}:{column}: ", label.span.file().path().display())?;
        }
        formatter.write_str(&self.0.message)
    }
}

impl std::error::Error for Diagnostic {}

/// A value, or everything that kept a stage from giving one.
pub type Result<T, E = Diagnostics> = std::result::Result<T, E>;

/// All findings of a stage, in the order in which they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No finding yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all findings of another stage or part.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        self.0.extend(others);
    }

    /// Keeps the value of a part that worked; takes over the findings of one that did not.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(found) => {
                self.extend(found);
                None
            }
        }
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|found| found.severity() == Severity::Error)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `Ok(value)` with the warnings left here for the caller, or all findings if one is an error.
    pub fn into_result<T>(self, value: T) -> Result<(T, Diagnostics)> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(found: I) -> Self {
        Self(found.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The words of the cause at the end of the chain, which say most: what stands before it names layers of libraries.
pub fn root_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// The name among `known` that was probably meant by `given`, for "did you mean".
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = given.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != given)
        .map(|name| (strsim::damerau_levenshtein(&folded, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1.max(name.len().min(given.len()) / 3))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_takes_the_closest_and_refuses_the_far() {
        assert_eq!(nearest("stg_custmers", ["stg_customers", "stg_orders"]), Some("stg_customers"));
        assert_eq!(nearest("Materialised", ["materialized", "meta"]), Some("materialized"));
        assert_eq!(nearest("xyz", ["stg_customers"]), None);
    }

    #[test]
    fn warnings_alone_let_a_stage_through() {
        let mut found = Diagnostics::new();
        found.push(Diagnostic::warning(Code::UnusedConfigPath, "doubtful"));
        let (value, warnings) = found.clone().into_result(7).expect("warnings do not fail");
        assert_eq!((value, warnings.len()), (7, 1));
        found.push(Diagnostic::error(Code::UnknownRef, "wrong"));
        assert!(found.into_result(7).is_err());
    }
}
