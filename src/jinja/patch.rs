//! Changes minijinja's instructions, one for one, where dbt's Jinja means something else.
//!
//! | minijinja | becomes | because |
//! |---|---|---|
//! | `CallFunction("return", 1)` | `Return` | `return(x)` ends a macro with a value |
//! | `BuildList`, `BuildMap`, list and dict constants | calls that make new objects | Python's are mutable |
//! | arithmetic, comparisons, `in`, `~` and slices | calls of [`Operator`]s | Python's rules and messages |
//! | `CallMethod("cycle", n)` | a call of [`Operator::Cycle`] | minijinja panics where nothing is given |
//! | `Emit` of a masked `{% do %}` | `DiscardTop` | its value is not printed |
//! | `CallFunction("ref", n)` of a node's text | a call that notes its place | diagnostics point at it |
//! | the closure of a `{% call %}` block | a call that makes a caller | macros run in a state of their own |
//!
//! Nothing moves, so jumps and places stay right. `tests/snapshots` of this module show the shapes that the
//! patches rely on: whoever upgrades minijinja reads there what has changed.

use super::body::{CallBlock, CallSite, NumberedName, numbered};
use super::operators::Operator;
use minijinja::machinery::{Instruction, Instructions, Span, ast};
use minijinja::value::{Value, ValueKind};
use std::sync::Arc;

/// What the patches found out about a body.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub literals: Vec<Value>,
    pub calls: Vec<Arc<CallBlock>>,
    pub uses_caller: bool,
    pub uses_varargs: bool,
    pub uses_kwargs: bool,
    pub sites: Vec<CallSite>,
}

/// Functions that want to know where in a node's text they were called.
const PLACED: [&str; 3] = ["ref", "source", "config"];

/// A macro declared inside of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    /// By `{% call %}`, whose expression stands here.
    ByCall(Span),
    /// By `{% macro %}`, which dbt does not support there.
    ByMacro,
}

/// Visits the declarations of a body in the order in which their instructions stand; not those inside of them.
pub(super) fn each_declaration<'t, 's>(
    statements: &'t [ast::Stmt<'s>],
    visit: &mut dyn FnMut(&'t ast::Spanned<ast::Macro<'s>>, Declared),
) {
    for statement in statements {
        match statement {
            ast::Stmt::Template(inner) => each_declaration(&inner.children, visit),
            ast::Stmt::ForLoop(inner) => {
                each_declaration(&inner.body, visit);
                each_declaration(&inner.else_body, visit);
            }
            ast::Stmt::IfCond(inner) => {
                each_declaration(&inner.true_body, visit);
                each_declaration(&inner.false_body, visit);
            }
            ast::Stmt::WithBlock(inner) => each_declaration(&inner.body, visit),
            ast::Stmt::SetBlock(inner) => each_declaration(&inner.body, visit),
            ast::Stmt::AutoEscape(inner) => each_declaration(&inner.body, visit),
            ast::Stmt::FilterBlock(inner) => each_declaration(&inner.body, visit),
            ast::Stmt::CallBlock(inner) => visit(&inner.macro_decl, Declared::ByCall(inner.call_expr_span)),
            ast::Stmt::Macro(inner) => visit(inner, Declared::ByMacro),
            _ => {}
        }
    }
}

/// Patches the instructions of a body that was compiled from `statements`. In a template, calls note their place.
pub(super) fn patch(
    instructions: &mut Instructions<'_>,
    statements: &[ast::Stmt<'_>],
    discards: &[u32],
    is_template: bool,
) -> Found {
    let mut declared = Vec::new();
    each_declaration(statements, &mut |declaration, kind| declared.push((declaration.span(), kind)));
    let mut declared = declared.into_iter();
    let mut found = Found::default();
    let names = if is_template { unassigned(instructions) } else { vec![] };
    let mut places = super::calls::places(statements, &names).into_iter();
    let mut at = 0;
    while let Some(instruction) = instructions.get(at) {
        if let Some(end) = closure_of(instructions, at) {
            match declared.next() {
                Some((block, Declared::ByCall(expression))) => {
                    let captures = patch_caller(instructions, &end, found.calls.len());
                    found.calls.push(Arc::new(CallBlock::new(block, expression, captures)));
                }
                // dbt leaves a macro that is declared inside of a model undefined; so its name stays unknown here.
                _ => {
                    if let Some(place @ Instruction::StoreLocal(_)) = instructions.get_mut(end.build + 1) {
                        *place = Instruction::DiscardTop;
                    }
                }
            }
            at = end.build + 1;
            continue;
        }
        if let Instruction::Lookup(name) | Instruction::CallFunction(name, _) = instruction {
            found.uses_caller |= *name == "caller";
            found.uses_varargs |= *name == "varargs";
            found.uses_kwargs |= *name == "kwargs";
        }
        let discarded = || instructions.get_span(at).is_some_and(|span| discards.contains(&span.start_offset));
        let replacement = match instruction {
            Instruction::Emit if !discards.is_empty() && discarded() => Some(Instruction::DiscardTop),
            Instruction::CallFunction(name, count) if names.contains(name) => {
                places.next().and_then(|(placed, span)| {
                    let name = names.iter().find(|known| *known == name).filter(|known| **known == placed)?;
                    let place = span.start_offset as usize..span.end_offset as usize;
                    found.sites.push(CallSite { name, place });
                    Some(Instruction::CallFunction(numbered(NumberedName::Site, found.sites.len() - 1), *count))
                })
            }
            other => replacement(other, &mut found.literals),
        };
        if let (Some(new), Some(place)) = (replacement, instructions.get_mut(at)) {
            *place = new;
        }
        at += 1;
    }
    found
}

/// The functions with a place that the template gives no other meaning: `{% set ref = … %}`.
fn unassigned(instructions: &Instructions<'_>) -> Vec<&'static str> {
    let mut names = PLACED.to_vec();
    let mut at = 0;
    while let Some(instruction) = instructions.get(at) {
        if let Instruction::StoreLocal(name) = instruction {
            names.retain(|placed| placed != name);
        }
        at += 1;
    }
    names
}

/// The instruction that stands for another one, where it is another one.
fn replacement<'s>(instruction: &Instruction<'s>, literals: &mut Vec<Value>) -> Option<Instruction<'s>> {
    let call = |operator: Operator, arguments: usize| {
        u16::try_from(arguments).ok().map(|count| Instruction::CallFunction(operator.name(), Some(count)))
    };
    match instruction {
        Instruction::CallFunction("return", Some(1)) => Some(Instruction::Return),
        Instruction::BuildList(Some(length)) => call(Operator::List, *length),
        Instruction::BuildMap(length) => call(Operator::Dict, length * 2),
        Instruction::LoadConst(value) if is_mutable(value) => {
            literals.push(value.clone());
            Some(Instruction::Lookup(numbered(NumberedName::Literal, literals.len() - 1)))
        }
        Instruction::Slice => call(Operator::Slice, 4),
        Instruction::CallMethod("cycle", count) => Some(Instruction::CallFunction(Operator::Cycle.name(), *count)),
        Instruction::Add => call(Operator::Add, 2),
        Instruction::Sub => call(Operator::Subtract, 2),
        Instruction::Mul => call(Operator::Multiply, 2),
        Instruction::Div => call(Operator::Divide, 2),
        Instruction::IntDiv => call(Operator::FloorDivide, 2),
        Instruction::Rem => call(Operator::Remainder, 2),
        Instruction::Pow => call(Operator::Power, 2),
        Instruction::StringConcat => call(Operator::Concatenate, 2),
        Instruction::Lt => call(Operator::Less, 2),
        Instruction::Lte => call(Operator::LessOrEqual, 2),
        Instruction::Gt => call(Operator::Greater, 2),
        Instruction::Gte => call(Operator::GreaterOrEqual, 2),
        Instruction::In => call(Operator::Contains, 2),
        Instruction::Neg => call(Operator::Negate, 1),
        _ => None,
    }
}

/// Whether a constant is a list or dict (or a tuple with one inside) that templates could change.
pub(super) fn is_mutable(value: &Value) -> bool {
    if value.is_tuple() {
        return value.try_iter().is_ok_and(|mut items| items.any(|item| is_mutable(&item)));
    }
    !value.is_kwargs() && matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
}

/// Where the instructions are that put a macro declared inside of a body together.
struct Closure {
    /// The first instruction after the declared body.
    start: u32,
    /// `BuildMacro`.
    build: u32,
}

/// The closure of the declared body that starts at `at`: `Jump(start) body… Return`, then at `start`
/// `Enclose* GetClosure LoadConst BuildMacro`.
fn closure_of(instructions: &Instructions<'_>, at: u32) -> Option<Closure> {
    let Some(Instruction::Jump(start)) = instructions.get(at) else { return None };
    let start = *start;
    if start <= at + 1 || !matches!(instructions.get(start - 1), Some(Instruction::Return)) {
        return None;
    }
    let mut build = start;
    loop {
        match instructions.get(build)? {
            Instruction::Enclose(_) | Instruction::GetClosure | Instruction::LoadConst(_) => build += 1,
            Instruction::BuildMacro(_, body, _) if *body == at + 1 => return Some(Closure { start, build }),
            _ => return None,
        }
    }
}

/// `Enclose(n)* GetClosure LoadConst(parameters) BuildMacro` becomes
/// `Lookup(n)* LoadConst(number) LoadConst(parameters) CallFunction(caller)`.
/// Gives the names that the block takes along.
fn patch_caller(instructions: &mut Instructions<'_>, closure: &Closure, number: usize) -> Vec<String> {
    let mut captures = Vec::new();
    for at in closure.start..=closure.build {
        let Some(place) = instructions.get_mut(at) else { break };
        let replacement = match place {
            Instruction::Enclose(name) => {
                captures.push((*name).to_owned());
                Instruction::Lookup(name)
            }
            Instruction::GetClosure => Instruction::LoadConst(Value::from(number)),
            Instruction::BuildMacro(..) => {
                let count = u16::try_from(captures.len() + 2).ok();
                Instruction::CallFunction(Operator::Caller.name(), count)
            }
            _ => continue,
        };
        *place = replacement;
    }
    captures
}
