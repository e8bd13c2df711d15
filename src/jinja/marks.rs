//! Marks in rendered text: which part of it was written by which part of the template.
//!
//! Before everything that a template writes directly, the compiler puts a marker of two characters into the output.
//! After rendering the markers are taken out again, and tell where each part of the text comes from.

use minijinja::machinery::ast;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// What a marker in the output of a template stands for.
#[derive(Debug)]
pub(super) struct Mark {
    /// From the start of the unit's text.
    pub place: Range<usize>,
    /// Whether the text stands in the output as it stands in the file.
    pub verbatim: bool,
    /// The macros that an expression calls, as written.
    pub macros: Vec<String>,
}

/// Starts a marker in the output. A Unicode noncharacter, so no text that is meant to be exchanged has it.
pub(super) const MARK: char = '\u{fdd0}';
/// The second character of a marker is this one plus the marker's number.
pub(super) const FIRST_MARK: u32 = 0xf_0000;
/// As many private-use characters follow each other from [`FIRST_MARK`] on.
const MOST_MARKS: usize = 0xfffd;

/// The markers of so many marks. They are kept: there are as many as the largest template or traced macro has marks.
pub(super) fn markers(count: usize) -> Vec<&'static str> {
    static MARKERS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut markers = MARKERS.lock().unwrap_or_else(PoisonError::into_inner);
    while markers.len() < count {
        let offset = u32::try_from(markers.len()).unwrap_or(0);
        let marker: String = [Some(MARK), char::from_u32(FIRST_MARK + offset)].into_iter().flatten().collect();
        markers.push(Box::leak(marker.into_boxed_str()));
    }
    markers[..count].to_vec()
}

/// Every statement that writes to the output directly gets a mark. What is captured first (`{% set %}` blocks,
/// filters, macros) gets none inside: templates may measure, trim or compare it.
pub(super) fn collect_marks(statements: &[ast::Stmt<'_>], text: &str, marks: &mut Vec<Mark>) {
    for statement in statements {
        if let Some(children) = uncaptured_children(statement) {
            for child in children {
                collect_marks(child, text, marks);
            }
        } else if let Some(mark) = mark_of(statement, text)
            && marks.len() < MOST_MARKS
        {
            marks.push(mark);
        }
    }
}

fn mark_of(statement: &ast::Stmt<'_>, text: &str) -> Option<Mark> {
    let place = |span: minijinja::machinery::Span| span.start_offset as usize..span.end_offset as usize;
    let (place, macros) = match statement {
        ast::Stmt::EmitRaw(raw) => {
            // The tokenizer's span may include whitespace that was trimmed away: the slice itself is exact.
            let start = (raw.raw.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
            return Some(Mark { place: start..start + raw.raw.len(), verbatim: true, macros: vec![] });
        }
        ast::Stmt::EmitExpr(emit) => (place(emit.span()), super::calls::called(&emit.expr)),
        ast::Stmt::FilterBlock(filter) => (place(filter.span()), vec![]),
        ast::Stmt::CallBlock(call) => (place(call.call_expr_span), super::calls::called(&call.call.expr)),
        _ => return None,
    };
    Some(Mark { place, verbatim: false, macros })
}

/// The statements inside of a statement that write to the same output.
fn uncaptured_children<'t, 's>(statement: &'t ast::Stmt<'s>) -> Option<Vec<&'t [ast::Stmt<'s>]>> {
    match statement {
        ast::Stmt::ForLoop(inner) => Some(vec![&inner.body, &inner.else_body]),
        ast::Stmt::IfCond(inner) => Some(vec![&inner.true_body, &inner.false_body]),
        ast::Stmt::WithBlock(inner) => Some(vec![&inner.body]),
        ast::Stmt::Block(inner) => Some(vec![&inner.body]),
        _ => None,
    }
}
