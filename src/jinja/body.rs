//! From text to instructions: the bodies of templates, macros and `{% call %}` blocks.
//!
//! A body's instructions borrow its text. Templates are compiled where they are rendered and dropped after,
//! so that ten thousand models cost nothing while they are not rendered. Macros are kept: see [`interned`].

use super::error::place;
use super::forward::Forward;
use super::marks::{MARK, Mark, collect_marks, markers};
use super::operators::Operator;
use super::patch;
use super::scan::Scan;
use super::statements::{Writing, compile_all};
use crate::diagnostic::{SourceFile, Span};
use minijinja::machinery::{CodeGenerator, Instruction, Instructions, ast, parse};
use minijinja::value::Value;
use rustc_hash::FxHashSet;
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The text of one template or macro as minijinja parses it, and where it stands.
#[derive(Debug)]
pub(super) struct Unit {
    pub file: Arc<SourceFile>,
    /// Where the text starts in the file.
    pub base: usize,
    /// As long as the part of the file that it stands for, dbt's tags rewritten.
    pub text: Text,
    /// See [`Scan::discards`], from the start of the text.
    pub discards: Vec<u32>,
}

/// A unit's text.
#[derive(Debug)]
pub(super) enum Text {
    /// Of a template: lives as long as the unit.
    Shared(Arc<str>),
    /// Of a macro: lives as long as the process, once it was called.
    Kept(Arc<str>, OnceLock<&'static str>),
}

impl Unit {
    pub fn text(&self) -> &str {
        match &self.text {
            Text::Shared(text) | Text::Kept(text, _) => text,
        }
    }

    /// The text of a unit whose instructions are kept; none for templates.
    fn kept_text(&self) -> Option<&'static str> {
        match &self.text {
            Text::Shared(_) => None,
            Text::Kept(text, kept) => Some(*kept.get_or_init(|| interned(text))),
        }
    }

    /// A place in the text as a place in the file.
    pub fn span(&self, place: Range<usize>) -> Span {
        Span::new(&self.file, self.base + place.start..self.base + place.end)
    }
}

/// A text that lives as long as the process, the same one for the same content.
///
/// minijinja's instructions borrow the text that they were compiled from, and objects that templates hold must
/// be `'static`; without `unsafe` no value can own both. A process reads each macro file once and calls its
/// macros until it ends, so their text may as well stay: only macros that are really called come here, each
/// content once, whatever the number of engines.
fn interned(text: &str) -> &'static str {
    static TEXTS: Mutex<Option<FxHashSet<&'static str>>> = Mutex::new(None);
    let mut guard = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let texts = guard.get_or_insert_default();
    if let Some(known) = texts.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    texts.insert(kept);
    kept
}

/// The name under which the part number `index` of a frame is looked up; no identifier of a template is like it.
/// There are as many of them as the largest macro has parameters or literals.
pub(super) fn numbered(kind: NumberedName, index: usize) -> &'static str {
    static NAMES: Mutex<[Vec<&'static str>; 3]> = Mutex::new([Vec::new(), Vec::new(), Vec::new()]);
    let mut guard = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = &mut guard[kind as usize];
    while names.len() <= index {
        names.push(Box::leak(format!("{}{}", kind.prefix(), names.len()).into_boxed_str()));
    }
    names[index]
}

/// What a numbered name asks a frame for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberedName {
    /// Whether the argument of that number was not given.
    Missing = 0,
    /// A fresh copy of the literal of that number.
    Literal = 1,
    /// The function that is called at the call site of that number.
    Site = 2,
}

impl NumberedName {
    /// What stands before the number.
    fn prefix(self) -> &'static str {
        match self {
            Self::Missing => "\u{1}missing",
            Self::Literal => "\u{1}literal",
            Self::Site => "\u{1}site",
        }
    }

    /// The kind and the number of such a name.
    pub fn read(name: &str) -> Option<(Self, usize)> {
        let kind = match name.as_bytes().get(1)? {
            b'm' => Self::Missing,
            b'l' => Self::Literal,
            b's' => Self::Site,
            _ => return None,
        };
        Some((kind, name.strip_prefix(kind.prefix())?.parse().ok()?))
    }
}

/// Everything about a body but its instructions: what frames need, free of borrowed text.
#[derive(Debug)]
pub(super) struct Body {
    pub unit: Arc<Unit>,
    /// The names of the parameters, in order.
    pub parameters: Vec<String>,
    /// List and dict literals; every evaluation gets a fresh copy.
    pub literals: Vec<Value>,
    /// The `{% call %}` blocks, in the order of their instructions.
    pub calls: Vec<Arc<CallBlock>>,
    pub uses_caller: bool,
    pub uses_varargs: bool,
    pub uses_kwargs: bool,
    /// For templates: the calls whose place is noted.
    pub sites: Vec<CallSite>,
    /// For rendered templates and traced macros: what each marker in the output stands for.
    pub marks: Vec<Mark>,
}

/// A call in a node's own text of a function that wants to know where it was called: `ref`, `source`, `config`.
#[derive(Debug)]
pub(super) struct CallSite {
    pub name: &'static str,
    /// From the start of the unit's text.
    pub place: Range<usize>,
}

impl Body {
    /// Where in the file an error says it is.
    pub fn span(&self, error: &minijinja::Error) -> Span {
        if error.range().is_some() {
            return self.unit.span(place(error, self.unit.text()));
        }
        // Calls over several lines, and calls that a block is given to, know only the last line of an argument or of
        // the block.
        let line = error.line().unwrap_or_default();
        let block = self.calls.iter().filter(|block| block.lines.contains(&line));
        if let Some(block) = block.min_by_key(|block| block.lines.end() - block.lines.start()) {
            return self.unit.span(block.expression.clone());
        }
        let call =
            parse_unit(self.unit.text()).ok().and_then(|tree| super::calls::call_over_line(statements(&tree), line));
        match call {
            Some(call) => self.unit.span(call.start_offset as usize..call.end_offset as usize),
            None => self.unit.span(place(error, self.unit.text())),
        }
    }
}

/// A body with its instructions.
pub(super) struct Code<'s> {
    pub instructions: Instructions<'s>,
    pub body: Arc<Body>,
    /// Of a macro that only hands its arguments on.
    pub forward: Option<Forward>,
}

impl std::fmt::Debug for Code<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.body.fmt(formatter)
    }
}

/// The body of a `{% call %}` block: it is run by another macro, so it is compiled on its own.
#[derive(Debug)]
pub(super) struct CallBlock {
    /// Where the block's declaration starts in its unit's text.
    pub offset: u32,
    /// The lines of the block, from its tag to its end tag.
    pub lines: RangeInclusive<usize>,
    /// The call that the block is given to, from the start of the unit's text.
    pub expression: Range<usize>,
    /// Names that the block uses and its surroundings have; their values are taken along.
    pub captures: Vec<String>,
    kept: OnceLock<Code<'static>>,
}

impl CallBlock {
    pub fn new(
        block: minijinja::machinery::Span,
        expression: minijinja::machinery::Span,
        captures: Vec<String>,
    ) -> Self {
        Self {
            offset: block.start_offset,
            lines: usize::from(block.start_line)..=usize::from(block.end_line),
            expression: expression.start_offset as usize..expression.end_offset as usize,
            captures,
            kept: OnceLock::new(),
        }
    }
}

/// Parses the text of a unit.
pub(super) fn parse_unit(text: &str) -> Result<ast::Stmt<'_>, minijinja::Error> {
    parse(text, "", minijinja::syntax::SyntaxConfig::default())
}

/// The statements of a parsed text.
pub(super) fn statements<'t, 's>(tree: &'t ast::Stmt<'s>) -> &'t [ast::Stmt<'s>] {
    match tree {
        ast::Stmt::Template(template) => &template.children,
        _ => &[],
    }
}

/// Compiles the only macro of a unit's text; the text is kept from then on. With `marked`, what it writes is marked as
/// in a template.
pub(super) fn compile_macro(unit: &Arc<Unit>, marked: bool) -> Result<Code<'static>, minijinja::Error> {
    let Some(text) = unit.kept_text() else {
        return Err(super::value::invalid("a template was called like a macro"));
    };
    let tree = parse_unit(text)?;
    let declared = statements(&tree).iter().find_map(|statement| match statement {
        ast::Stmt::Macro(declared) => Some(declared),
        _ => None,
    });
    let Some(declared) = declared else {
        return Err(super::value::invalid("the text of the macro declares none"));
    };
    let mut marks = vec![];
    if marked && !text.contains(MARK) {
        collect_marks(&declared.body, text, &mut marks);
    }
    let code = compile_declaration(unit, text, declared, marks);
    let forward = Forward::of(declared, &code.body.parameters);
    Ok(Code { forward, ..code })
}

fn compile_declaration<'s>(unit: &Arc<Unit>, text: &'s str, declared: &ast::Macro<'s>, marks: Vec<Mark>) -> Code<'s> {
    let markers = markers(marks.len());
    let mut generator = CodeGenerator::new("", text);
    default_values(&mut generator, declared);
    compile_all(&mut generator, &declared.body, &mut Writing::with(&markers));
    finish(generator, unit, Some(parameter_names(declared)), &declared.body, marks)
}

pub(super) fn parameter_names(declared: &ast::Macro<'_>) -> Vec<String> {
    let name = |parameter: &ast::Expr<'_>| match parameter {
        ast::Expr::Var(variable) => variable.id.to_owned(),
        _ => String::new(),
    };
    declared.args.iter().map(name).collect()
}

/// `{% macro m(a, b=a) %}`: defaults are evaluated at the call, left to right, for arguments that were not given.
/// An argument that was given but is undefined keeps its value, as in Jinja2.
fn default_values<'s>(generator: &mut CodeGenerator<'s>, declared: &ast::Macro<'s>) {
    let first = declared.args.len() - declared.defaults.len();
    for (at, default) in declared.defaults.iter().enumerate() {
        generator.set_line_from_span(default.span());
        generator.add(Instruction::Lookup(numbered(NumberedName::Missing, first + at)));
        generator.start_if();
        generator.compile_expr(default);
        generator.compile_assignment(&declared.args[first + at]);
        generator.end_if();
    }
}

/// Patches what was compiled. Macros and call blocks have parameters, be it none; templates have not.
fn finish<'s>(
    mut generator: CodeGenerator<'s>,
    unit: &Arc<Unit>,
    parameters: Option<Vec<String>>,
    statements: &[ast::Stmt<'s>],
    marks: Vec<Mark>,
) -> Code<'s> {
    let is_called = parameters.is_some();
    // What lies on the stack at the end tells whether the body ran through or returned a value.
    generator.add(Instruction::LoadConst(super::runtime::fell_through()));
    let (mut instructions, _) = generator.finish();
    let found = patch::patch(&mut instructions, statements, &unit.discards, !is_called);
    let body = Body {
        unit: Arc::clone(unit),
        parameters: parameters.unwrap_or_default(),
        literals: found.literals,
        calls: found.calls,
        // Only what is called has these names.
        uses_caller: found.uses_caller && is_called,
        uses_varargs: found.uses_varargs && is_called,
        uses_kwargs: found.uses_kwargs && is_called,
        sites: found.sites,
        marks,
    };
    Code { instructions, body: Arc::new(body), forward: None }
}

/// Gives a call block's code to `run`: the kept one of a macro, or one compiled for this call in a template.
pub(super) fn with_call_block<T>(
    unit: &Arc<Unit>,
    block: &CallBlock,
    run: impl FnOnce(&Code<'_>) -> Result<T, minijinja::Error>,
) -> Result<T, minijinja::Error> {
    if let Some(code) = block.kept.get() {
        return run(code);
    }
    if let Some(text) = unit.kept_text() {
        let code = compile_call_block(unit, text, block)?;
        return run(block.kept.get_or_init(|| code));
    }
    run(&compile_call_block(unit, unit.text(), block)?)
}

fn compile_call_block<'s>(unit: &Arc<Unit>, text: &'s str, block: &CallBlock) -> Result<Code<'s>, minijinja::Error> {
    let tree = parse_unit(text)?;
    let declared = find_declaration(std::slice::from_ref(&tree), block.offset);
    let declared = declared.ok_or_else(|| super::value::invalid("a call block was not found in its own text"))?;
    Ok(compile_declaration(unit, text, declared, vec![]))
}

/// The declaration that starts at an offset: in these statements or in what they declare.
fn find_declaration<'t, 's>(statements: &'t [ast::Stmt<'s>], offset: u32) -> Option<&'t ast::Macro<'s>> {
    let mut all = vec![];
    patch::each_declaration(statements, &mut |declared, _| all.push(declared));
    let found = all.iter().find(|declared| declared.span().start_offset == offset);
    match found {
        Some(declared) => Some(declared),
        None => all.into_iter().find_map(|declared| find_declaration(&declared.body, offset)),
    }
}

/// How a template is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its text is wanted.
    Text,
    /// Its text is wanted, and where each part of it comes from.
    MarkedText,
    /// A template that is one expression gives that expression's value.
    Native,
}

/// A template's text and what was parsed from it.
#[derive(Clone, Copy)]
pub(super) struct Parsed<'a> {
    pub unit: &'a Arc<Unit>,
    pub tree: &'a ast::Stmt<'a>,
}

/// Compiles a template.
pub(super) fn compile_template(parsed: Parsed<'_>, purpose: Purpose) -> Code<'_> {
    let Parsed { unit, tree } = parsed;
    let (text, statements) = (unit.text(), statements(tree));
    if purpose == Purpose::Native
        && let Some((before, only)) = only_expression(statements)
    {
        let mut generator = CodeGenerator::new("", text);
        compile_all(&mut generator, before, &mut Writing::with(&[]));
        generator.compile_expr(&only.expr);
        if let Some(name) = conversion(&only.expr) {
            generator.add(Instruction::LoadConst(Value::from(name)));
            generator.add(Instruction::CallFunction(Operator::Convert.name(), Some(2)));
        }
        generator.add(Instruction::Return);
        return finish(generator, unit, None, statements, vec![]);
    }
    let mut marks = vec![];
    if purpose == Purpose::MarkedText && !text.contains(MARK) {
        collect_marks(statements, text, &mut marks);
    }
    let markers = markers(marks.len());
    let mut generator = CodeGenerator::new("", text);
    compile_all(&mut generator, statements, &mut Writing::with(&markers));
    finish(generator, unit, None, statements, marks)
}

/// The expression of a template that writes nothing else, and the statements before it. What a constant expression
/// writes counts as text, as in dbt, unless a filter promises a type.
fn only_expression<'t, 's>(
    statements: &'t [ast::Stmt<'s>],
) -> Option<(&'t [ast::Stmt<'s>], &'t ast::Spanned<ast::EmitExpr<'s>>)> {
    let (ast::Stmt::EmitExpr(only), before) = statements.split_last()? else { return None };
    let is_silent =
        |statement: &ast::Stmt<'_>| matches!(statement, ast::Stmt::Set(_) | ast::Stmt::SetBlock(_) | ast::Stmt::Do(_));
    let is_text = only.expr.as_const().is_some() && conversion(&only.expr).is_none();
    (before.iter().all(is_silent) && !is_text).then_some((before, only))
}

/// `{{ x | as_bool }}` as a whole template: the filter says what to read the printed value as.
fn conversion<'s>(expression: &ast::Expr<'s>) -> Option<&'s str> {
    match expression {
        ast::Expr::Filter(filter) => {
            Some(filter.name).filter(|name| matches!(*name, "as_bool" | "as_number" | "as_native" | "as_text"))
        }
        _ => None,
    }
}

/// A unit over a part of a file that was scanned.
pub(super) fn template_unit(file: &Arc<SourceFile>, range: &Range<usize>, scan: Scan) -> Unit {
    let text: Arc<str> = match scan.masked {
        Some(masked) => masked.into(),
        None if *range == (0..file.text().len()) => Arc::clone(file.text()),
        None => file.text()[range.clone()].into(),
    };
    Unit { file: Arc::clone(file), base: range.start, text: Text::Shared(text), discards: scan.discards }
}

/// A unit over one block of a macro file that was scanned.
pub(super) fn macro_unit(file: &Arc<SourceFile>, scanned: &str, block: &Range<usize>, discards: &[u32]) -> Unit {
    let inside = |at: &&u32| block.contains(&(**at as usize));
    let moved = |at: &u32| at - u32::try_from(block.start).unwrap_or(0);
    Unit {
        file: Arc::clone(file),
        base: block.start,
        text: Text::Kept(scanned[block.clone()].into(), OnceLock::new()),
        discards: discards.iter().filter(inside).map(moved).collect(),
    }
}
