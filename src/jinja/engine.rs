//! Renders templates and calls macros: the face of the Jinja layer.

use super::body::{self, Body, Purpose, Unit};
use super::definition::MacroDefinition;
use super::environment;
use super::error::{syntax_error, to_diagnostic, word_at};
use super::host::Phase;
use super::marks::{FIRST_MARK, MARK};
use super::memo::Memo;
use super::registry::Registry;
use super::render_context::RenderContext;
use super::runtime::{self, Outcome};
use super::scan::scan;
use super::trace::{self, TracedPart};
use crate::diagnostic::{Code, Diagnostic, SourceFile, Span};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error};
use rustc_hash::FxHashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text to render: a model's body, a hook, a value in YAML, SQL from the command line. It is parsed when it is
/// rendered, and its instructions live only so long: many templates take little memory.
#[derive(Debug, Clone)]
pub struct Template(Arc<Unit>);

impl Template {
    /// Reads the part `range` of a file (the whole of it, or the body of a snapshot block) as far as its tags go; other
    /// mistakes are found when it is rendered.
    pub fn read(file: &Arc<SourceFile>, range: Range<usize>) -> Result<Self, Diagnostic> {
        let scanned = scan(file, &range)?;
        Ok(Self(Arc::new(body::template_unit(file, &range, scanned))))
    }

    /// Reads the whole of a file.
    pub fn whole(file: &Arc<SourceFile>) -> Result<Self, Diagnostic> {
        Self::read(file, 0..file.text().len())
    }
}

/// All that renders share: macros, filters, functions. Threads use one engine at the same time.
pub struct Engine {
    registry: Registry,
    shared: FxHashMap<&'static str, Value>,
    run: OfPhase,
    parse: OfPhase,
}

/// What the renders of one phase share.
struct OfPhase {
    environment: Environment<'static>,
    memo: Memo,
}

impl OfPhase {
    fn new(phase: Phase) -> Self {
        Self { environment: environment::of_phase(phase), memo: Memo::default() }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Engine").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine with these macros and these values in every render.
    pub fn new(registry: Registry, shared: Vec<(&'static str, Value)>) -> Arc<Self> {
        let mut values: FxHashMap<&'static str, Value> = FxHashMap::default();
        values.insert("return", environment::return_function());
        values.extend(shared);
        Arc::new(Self {
            registry,
            shared: values,
            run: OfPhase::new(Phase::Execute),
            parse: OfPhase::new(Phase::Parse),
        })
    }

    /// The macros.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn shared(&self) -> &FxHashMap<&'static str, Value> {
        &self.shared
    }

    fn of_phase(&self, context: &RenderContext) -> &OfPhase {
        match context.host().phase() {
            Phase::Parse => &self.parse,
            Phase::Execute => &self.run,
        }
    }

    /// The results of macros that are kept for the phase of a render.
    pub(super) fn memo(&self, context: &RenderContext) -> &Memo {
        &self.of_phase(context).memo
    }

    fn environment(&self, context: &RenderContext) -> &Environment<'static> {
        &self.of_phase(context).environment
    }

    /// The text of a template. In [`Phase::Execute`] the result knows where each part of the text comes from.
    pub fn render(&self, template: &Template, context: &Arc<RenderContext>) -> Result<Rendered, Diagnostic> {
        let purpose = match context.host().phase() {
            Phase::Parse => Purpose::Text,
            Phase::Execute => Purpose::MarkedText,
        };
        let ((text, returned), body) = self.run(template, purpose, context)?;
        match returned {
            Some(_) => Err(Diagnostic::error(Code::JinjaRender, "`return()` ends a macro, and here is none to end")
                .at(template.0.span(0..template.0.text().len()), "")
                .help("write the value itself: `{{ value }}`")),
            None => Ok(Rendered::from_marked(text, body)),
        }
    }

    /// The parts of a template's text and who wrote each. Both contexts are for this one call: the template is rendered
    /// once as always, and once to see what macros write; what goes from there to the warehouse must be taken through
    /// [`without_marks`](super::without_marks).
    pub fn trace(
        &self,
        template: &Template,
        plain: &Arc<RenderContext>,
        traced: &Arc<RenderContext>,
    ) -> Result<Vec<TracedPart>, Diagnostic> {
        let plain = self.render(template, plain)?;
        let calls = traced.start_trace();
        // Marks misled the template: the parts are told without them.
        let marked = self.run(template, Purpose::MarkedText, traced).ok().map(|((text, _), _)| text);
        Ok(trace::parts(&plain, marked.as_deref(), calls))
    }

    /// The value of a template: of one expression its value with its type, of anything else the text.
    pub fn evaluate(&self, template: &Template, context: &Arc<RenderContext>) -> Result<Value, Diagnostic> {
        let ((text, returned), _) = self.run(template, Purpose::Native, context)?;
        Ok(returned.unwrap_or_else(|| Value::from(text)))
    }

    fn run(
        &self,
        template: &Template,
        purpose: Purpose,
        context: &Arc<RenderContext>,
    ) -> Result<(Outcome, Arc<Body>), Diagnostic> {
        let unit = &template.0;
        let tree = body::parse_unit(unit.text());
        let tree = tree.map_err(|error| syntax_error(&unit.file, unit.base, unit.text(), &error))?;
        let parsed = body::Parsed { unit, tree: &tree };
        runtime::run_template(self.environment(context), parsed, purpose, context)
            .map_err(|(error, span)| self.diagnostic(error, Some(span), context))
    }

    /// Calls a macro with these arguments.
    pub fn call_macro(
        &self,
        definition: &Arc<MacroDefinition>,
        args: &[Value],
        kwargs: &[(&str, Value)],
        context: &Arc<RenderContext>,
    ) -> Result<Value, Diagnostic> {
        self.try_call_macro(definition, args, kwargs, context).map_err(|error| self.diagnostic(error, None, context))
    }

    /// Calls a macro from within a function that a template called: the error keeps its chain, and the template
    /// around adds its own place.
    pub fn try_call_macro(
        &self,
        definition: &Arc<MacroDefinition>,
        args: &[Value],
        kwargs: &[(&str, Value)],
        context: &Arc<RenderContext>,
    ) -> Result<Value, Error> {
        let mut all = args.to_vec();
        if !kwargs.is_empty() {
            let pairs = kwargs.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            all.push(Value::from(pairs.collect::<Kwargs>()));
        }
        runtime::call_macro(self.environment(context), definition, context, &all)
    }

    fn diagnostic(&self, error: Error, outermost: Option<Span>, context: &RenderContext) -> Diagnostic {
        to_diagnostic(error, outermost, &self.registry, &context.names())
    }
}

/// A rendered text, and where it comes from.
#[derive(Debug)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where each part of it comes from; empty in the parse phase.
    pub map: RenderMap,
}

/// Says where a part of a rendered text comes from.
#[derive(Debug)]
pub struct RenderMap {
    pub(super) body: Arc<Body>,
    /// Where in the text the part of a mark starts, in order.
    segments: Vec<(usize, usize)>,
}

impl Rendered {
    /// The parts of the text with the numbers of their marks.
    pub(super) fn segments(&self) -> impl Iterator<Item = (usize, &str)> {
        let segments = &self.map.segments;
        let ends = segments.iter().skip(1).map(|(start, _)| *start).chain([self.text.len()]);
        segments.iter().zip(ends).map(|((start, number), end)| (*number, &self.text[*start..end]))
    }

    /// Takes the markers out of a text.
    fn from_marked(marked: String, body: Arc<Body>) -> Self {
        let mut segments = Vec::new();
        if body.marks.is_empty() {
            return Self { text: marked, map: RenderMap { body, segments } };
        }
        let mut text = String::with_capacity(marked.len());
        let mut parts = marked.split(MARK);
        text.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let mut letters = part.chars();
            let number = letters.next().and_then(|letter| (letter as u32).checked_sub(FIRST_MARK));
            if let Some(number) = number.map(|number| number as usize).filter(|number| *number < body.marks.len()) {
                segments.push((text.len(), number));
                text.push_str(letters.as_str());
            } else {
                // Not a marker of ours: the character came with a value.
                text.push(MARK);
                text.push_str(part);
            }
        }
        Self { text, map: RenderMap { body, segments } }
    }
}

impl RenderMap {
    /// Where the byte `offset` of the rendered text comes from: the word in the file, or the expression that wrote
    /// it together with the macros that the expression calls, as written.
    pub fn locate(&self, offset: usize) -> Option<(Span, Vec<String>)> {
        let after = self.segments.partition_point(|(start, _)| *start <= offset);
        let (start, number) = *self.segments.get(after.checked_sub(1)?)?;
        let (mark, unit) = (&self.body.marks[number], &self.body.unit);
        if !mark.verbatim {
            return Some((unit.span(mark.place.clone()), mark.macros.clone()));
        }
        let at = (mark.place.start + (offset - start)).min(mark.place.end);
        let word = word_at(unit.text(), at);
        Some((unit.span(word.start..word.end.min(mark.place.end.max(word.start))), vec![]))
    }
}
