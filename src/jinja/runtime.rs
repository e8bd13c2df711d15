//! What is there while a body runs: its render, its frame, macros as values.

use super::binding::{Bound, bind};
use super::body::{self, Body, CallBlock, Code, NumberedName, Purpose};
use super::budget::{self, Used};
use super::definition::MacroDefinition;
use super::error::{self, at_site, returned_value};
use super::memo::{self, Key, Watch};
use super::operators::Operator;
use super::render_context::RenderContext;
use super::value::{fresh, invalid, tuple};
use crate::diagnostic::Span;
use minijinja::machinery::{Instructions, eval, make_string_output};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The deepest nesting of macro calls.
const DEEPEST_CALL: usize = 400;
/// After so many nested calls the next ones run on a thread with a stack of its own.
const CALLS_PER_STACK: usize = 40;
/// How many bytes most macros write, and most joined lists have, at most: room for them is made at once.
pub(super) const USUAL_TEXT: usize = 128;
/// The size of such a stack, in bytes.
const STACK_SIZE: usize = 8 << 20;

/// The render that a native function was called from.
pub fn current(state: &State<'_, '_>) -> Result<Arc<RenderContext>, Error> {
    frame(state).map(|frame| Arc::clone(&frame.context))
}

fn frame(state: &State<'_, '_>) -> Result<Arc<Frame>, Error> {
    let found = state.lookup(FRAME).and_then(|value| value.downcast_object::<Frame>());
    found.ok_or_else(|| invalid("this can only be called while a template is rendered"))
}

/// The name under which a frame gives itself; no identifier of a template is like it.
const FRAME: &str = "\u{1}frame";

/// What is visible to one evaluation of a body: the VM asks it for every name that the body did not set itself.
struct Frame {
    body: Arc<Body>,
    arguments: Vec<Option<Value>>,
    varargs: Vec<Value>,
    kwargs: Option<Value>,
    caller: Option<Value>,
    /// For call blocks: names and values taken along from where the block stands.
    captured: Option<(Arc<CallBlock>, Vec<Value>)>,
    context: Arc<RenderContext>,
    /// Whether it is a node's own text, whose macro calls count as the node's.
    is_node_text: bool,
}

impl Frame {
    /// What a name that no identifier is like asks for.
    fn internal(self: &Arc<Self>, name: &str) -> Option<Value> {
        if name == FRAME {
            return Some(Value::from_dyn_object(Arc::clone(self)));
        }
        if let Some(operator) = Operator::named(name) {
            return Some(operator);
        }
        let (kind, number) = NumberedName::read(name)?;
        match kind {
            NumberedName::Literal => self.body.literals.get(number).map(fresh),
            NumberedName::Missing => Some(Value::from(self.arguments.get(number)?.is_none())),
            NumberedName::Site => {
                let site = self.body.sites.get(number)?;
                let function = self.get_value_by_str(site.name);
                let span = self.body.unit.span(site.place.clone());
                let context = Arc::clone(&self.context);
                Some(Value::from_object(PlacedCall { name: site.name, function, span, context }))
            }
        }
    }

    fn special(&self, name: &str) -> Option<Value> {
        match name {
            "varargs" if self.body.uses_varargs => Some(tuple(self.varargs.iter().cloned())),
            "kwargs" if self.body.uses_kwargs => self.kwargs.clone(),
            "caller" if self.body.uses_caller => self.caller.clone(),
            _ => None,
        }
    }
}

impl Object for Frame {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if name.as_bytes().first() == Some(&1) {
            return self.internal(name);
        }
        if let Some(at) = self.body.parameters.iter().position(|parameter| parameter == name) {
            return Some(self.arguments[at].clone().unwrap_or(Value::UNDEFINED));
        }
        if let Some(value) = self.special(name) {
            return Some(value);
        }
        if let Some((block, values)) = &self.captured
            && let Some(at) = block.captures.iter().position(|capture| capture == name)
            && !values[at].is_undefined()
        {
            return Some(values[at].clone());
        }
        if name == "context" {
            memo::depend();
            return Some(Value::from_dyn_object(Arc::clone(&self.context)));
        }
        let found = self.context.find(name);
        if !memo::is_fixed(name, found.as_ref(), &self.context) {
            memo::depend();
        }
        found.or_else(|| self.context.soft_undefined(name))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<frame>")
    }
}

/// A function that is called from a place in a node's text, which it can ask for.
struct PlacedCall {
    name: &'static str,
    function: Option<Value>,
    span: Span,
    context: Arc<RenderContext>,
}

impl fmt::Debug for PlacedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<function {}>", self.name)
    }
}

impl Object for PlacedCall {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let Some(function) = &self.function else {
            return Err(Error::new(ErrorKind::UnknownFunction, format!("{} is unknown", self.name)));
        };
        let outer = self.context.set_call_site(Some(self.span.clone()));
        let result = function.call(state, args);
        self.context.set_call_site(outer);
        result
    }
}

/// What an unknown name is while templates are only read for what they depend on: false, empty, callable, and
/// every attribute of it is the same.
struct SoftUndefined;

/// Whether a value stands for an unknown name of the parse phase.
pub(super) fn is_soft_undefined(value: &Value) -> bool {
    value.downcast_object_ref::<SoftUndefined>().is_some()
}

pub(super) fn soft_undefined() -> Value {
    Value::from_object(SoftUndefined)
}

impl fmt::Debug for SoftUndefined {
    fn fmt(&self, _formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl Object for SoftUndefined {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from_dyn_object(Arc::clone(self)))
    }

    fn call(self: &Arc<Self>, _state: &mut State, _args: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_dyn_object(Arc::clone(self)))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, _method: &str, _args: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_dyn_object(Arc::clone(self)))
    }

    fn render(self: &Arc<Self>, _formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// A macro as templates see it: a callable value, one for all renders.
pub(super) struct MacroValue(pub Arc<MacroDefinition>);

impl fmt::Debug for MacroValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<macro {}.{}>", self.0.package, self.0.name)
    }
}

impl Object for MacroValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let frame = frame(state)?;
        if frame.is_node_text {
            frame.context.host().macro_called(&self.0.unique_id);
        }
        call_macro(state.env(), &self.0, &frame.context, args)
    }
}

/// Calls a macro: the one place through which every macro call goes.
pub(super) fn call_macro(
    environment: &Environment<'_>,
    definition: &Arc<MacroDefinition>,
    context: &Arc<RenderContext>,
    args: &[Value],
) -> Result<Value, Error> {
    let code = if context.trace().is_some() { definition.marked_code()? } else { definition.code()? };
    let bound = bind(&code.body, &definition.name, args)?;
    let may_be_kept = definition.worth.is_kept() && context.is_plain() && bound.is_named_only();
    let Some(key) = may_be_kept.then(|| Key::of(definition, context, &bound.arguments)).flatten() else {
        return evaluate(environment, definition, code, context, args, bound);
    };
    let memo = context.engine().memo(context);
    if let Some(known) = memo.get(&key) {
        definition.worth.found();
        budget::call()?;
        budget::write(known.as_str().map_or(0, str::len))?;
        return Ok(known);
    }
    let watch = Watch::start();
    let result = evaluate(environment, definition, code, context, args, bound);
    let is_fixed = watch.end();
    definition.worth.missed(is_fixed);
    if let Ok(value) = &result
        && is_fixed
    {
        memo.keep(key, value);
    }
    result
}

/// Runs a macro with arguments that are in their places; `args` are those that were given.
fn evaluate(
    environment: &Environment<'_>,
    definition: &Arc<MacroDefinition>,
    code: &Code<'_>,
    context: &Arc<RenderContext>,
    args: &[Value],
    bound: Bound,
) -> Result<Value, Error> {
    let body = &code.body;
    let failed_at = |failed: Error, span: Span| {
        let absent = absent_argument(body, args, &failed, &span);
        let absent = absent.map(|name| format!(" without its argument `{name}`")).unwrap_or_default();
        at_site(failed, format!("macro `{}.{}`{absent}", definition.package, definition.name), span)
    };
    if let Some(forward) = &code.forward
        && let Some(target) = forward.target(context)
        && let Some(target) = target.downcast_object_ref::<MacroValue>()
    {
        let called = nested(|| call_macro(environment, &target.0, context, &forward.arguments(&bound.arguments)));
        return called.map_err(|failed| failed_at(failed, body.unit.span(forward.place.clone())));
    }
    let frame = Frame {
        body: Arc::clone(body),
        arguments: bound.arguments,
        varargs: bound.varargs,
        kwargs: bound.kwargs,
        caller: bound.caller,
        captured: None,
        context: Arc::clone(context),
        is_node_text: false,
    };
    match run(environment, code, frame) {
        Ok((_, Some(value))) => Ok(value),
        Ok((text, None)) => Ok(Value::from(match context.trace() {
            Some(calls) => calls.bracketed(&format!("{}.{}", definition.package, definition.name), body, &text),
            None => text,
        })),
        Err(failed) => returned_value(&failed).ok_or_else(|| {
            let span = body.span(&failed);
            failed_at(failed, span)
        }),
    }
}

/// The parameter that was not given and stands where something undefined was used.
fn absent_argument(body: &Body, args: &[Value], failed: &Error, place: &Span) -> Option<String> {
    if failed.kind() != ErrorKind::UndefinedError {
        return None;
    }
    let bound = bind(body, "", args).ok()?;
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    let used: Vec<&str> = place.text().split(|letter| !is_letter(letter)).collect();
    let absent = body.parameters.iter().zip(&bound.arguments).filter(|(_, given)| given.is_none());
    absent.map(|(name, _)| name).find(|name| used.contains(&name.as_str())).cloned()
}

/// The body of a `{% call %}` block as the called macro sees it: a callable that gives the block's text.
struct Caller {
    declared_in: Arc<Body>,
    block: Arc<CallBlock>,
    captured: Vec<Value>,
    context: Arc<RenderContext>,
}

/// Makes a caller: captured values, the block's number, and the names of its parameters (which its code knows).
pub(super) fn make_caller(state: &State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
    let frame = frame(state)?;
    let [captured @ .., number, _parameters] = args else { return Err(invalid("a call block has no number")) };
    let block = number.as_usize().and_then(|number| frame.body.calls.get(number));
    let block = block.ok_or_else(|| invalid("a call block has a wrong number"))?;
    Ok(Value::from_object(Caller {
        declared_in: Arc::clone(&frame.body),
        block: Arc::clone(block),
        captured: captured.to_vec(),
        context: Arc::clone(&frame.context),
    }))
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<caller>")
    }
}

impl Object for Caller {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let unit = &self.declared_in.unit;
        let outcome = body::with_call_block(unit, &self.block, |code| {
            let body = &code.body;
            let bound = bind(body, "caller", args)?;
            let frame = Frame {
                body: Arc::clone(&code.body),
                arguments: bound.arguments,
                varargs: bound.varargs,
                kwargs: bound.kwargs,
                caller: bound.caller,
                captured: Some((Arc::clone(&self.block), self.captured.clone())),
                context: Arc::clone(&self.context),
                is_node_text: false,
            };
            run(state.env(), code, frame).map_err(|failed| {
                if returned_value(&failed).is_some() {
                    return failed;
                }
                let span = body.span(&failed);
                at_site(failed, "the body of a `{% call %}` block".to_owned(), span)
            })
        });
        match outcome? {
            (text, None) => Ok(Value::from(text)),
            // `return` in a call block leaves the macro that called the block.
            (_, Some(value)) => Err(error::returned(value)),
        }
    }
}

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The text that a body wrote, and the value that it returned, if it did not run through.
pub(super) type Outcome = (String, Option<Value>);

/// Runs a body.
fn run(environment: &Environment<'_>, code: &Code<'_>, frame: Frame) -> Result<Outcome, Error> {
    nested(move || run_here(environment, code, frame))
}

/// Runs what a call runs. Deep nesting goes on another thread's stack, so that no template can overflow one.
fn nested<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let depth = DEPTH.get();
    if depth == 0 {
        budget::go_on(Used::default());
    }
    budget::call()?;
    if depth >= DEEPEST_CALL {
        return Err(invalid(format!("macros call each other more than {DEEPEST_CALL} levels deep")));
    }
    if depth == 0 || !depth.is_multiple_of(CALLS_PER_STACK) {
        DEPTH.set(depth + 1);
        let outcome = work();
        DEPTH.set(depth);
        return outcome;
    }
    let used = budget::used();
    let (outcome, used) = std::thread::scope(|scope| {
        let deeper = move || {
            DEPTH.set(depth + 1);
            budget::go_on(used);
            (work(), budget::used())
        };
        let thread = std::thread::Builder::new().stack_size(STACK_SIZE).spawn_scoped(scope, deeper);
        let thread = thread.map_err(|error| invalid(format!("no thread for a deep macro call: {error}")))?;
        Ok::<_, Error>(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    budget::go_on(used);
    // What the other thread asked for is not known here.
    memo::depend();
    outcome
}

fn run_here(environment: &Environment<'_>, code: &Code<'_>, frame: Frame) -> Result<Outcome, Error> {
    let mut text = String::with_capacity(USUAL_TEXT);
    let value = {
        let mut output = make_string_output(&mut text);
        let (instructions, blocks) = (shorter(&code.instructions), no_blocks());
        let root = Value::from_object(frame);
        eval(environment, instructions, root, blocks, &mut output, AutoEscape::None)?.0
    };
    let value = value.filter(|value| value.downcast_object_ref::<FellThrough>().is_none());
    budget::write(text.len())?;
    Ok((text, value))
}

/// Instructions live longer than the call; the VM wants one lifetime for them and the environment.
fn shorter<'a>(instructions: &'a Instructions<'_>) -> &'a Instructions<'a> {
    instructions
}

fn no_blocks<'a>() -> &'a BTreeMap<&'a str, Instructions<'a>> {
    static NONE: OnceLock<BTreeMap<&'static str, Instructions<'static>>> = OnceLock::new();
    NONE.get_or_init(BTreeMap::new)
}

/// Lies on the stack at the end of a body that ran through.
#[derive(Debug)]
struct FellThrough;

impl Object for FellThrough {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// What a body leaves on the stack when it runs through: everything else there was returned.
pub(super) fn fell_through() -> Value {
    static VALUE: OnceLock<Value> = OnceLock::new();
    VALUE.get_or_init(|| Value::from_object(FellThrough)).clone()
}

/// Renders a template: its text (with markers, if asked for) or its value, and its code's body. An error comes with its
/// place in the template.
pub(super) fn run_template(
    environment: &Environment<'_>,
    parsed: body::Parsed<'_>,
    purpose: Purpose,
    context: &Arc<RenderContext>,
) -> Result<(Outcome, Arc<Body>), (Error, Span)> {
    let code = body::compile_template(parsed, purpose);
    let body = Arc::clone(&code.body);
    let frame = Frame {
        body: Arc::clone(&body),
        arguments: vec![],
        varargs: vec![],
        kwargs: None,
        caller: None,
        captured: None,
        context: Arc::clone(context),
        is_node_text: true,
    };
    match run(environment, &code, frame) {
        Ok(outcome) => Ok((outcome, body)),
        Err(failed) => {
            if let Some(value) = returned_value(&failed) {
                return Ok(((String::new(), Some(value)), body));
            }
            let span = body.span(&failed);
            Err((failed, span))
        }
    }
}
