//! Macros that do nothing but hand their arguments on, as every macro of a package with variants for adapters does:
//!
//! `{% macro m(a, b=1) %}{{ return(adapter.dispatch('m', 'package')(a, b)) }}{% endmacro %}`
//!
//! What such a macro calls is known without running its instructions.

use super::calls::dispatch_of;
use super::context::is_adapter;
use super::patch::is_mutable;
use super::render_context::RenderContext;
use minijinja::machinery::ast;
use minijinja::value::{Kwargs, Value};
use std::ops::Range;

/// What a macro hands on, and to which variants.
#[derive(Debug)]
pub(super) struct Forward {
    name: String,
    namespace: Option<String>,
    positional: Vec<Handed>,
    keywords: Vec<(String, Handed)>,
    /// For each parameter the value that it has where it is not given.
    defaults: Vec<Value>,
    /// The call, from the start of the unit's text.
    pub place: Range<usize>,
}

#[derive(Debug)]
enum Handed {
    Parameter(usize),
    Constant(Value),
}

impl Forward {
    /// What the only macro of a unit's text hands on, if that is all that it does.
    pub fn of(declared: &ast::Macro<'_>, parameters: &[String]) -> Option<Self> {
        let mut written = declared.body.iter().filter(|statement| !matches!(statement, ast::Stmt::EmitRaw(_)));
        let Some(ast::Stmt::EmitExpr(first)) = written.next() else { return None };
        let ast::Expr::Call(call) = only_argument(&first.expr, "return")? else { return None };
        let ast::Expr::Call(dispatch) = &call.expr else { return None };
        let (name, namespace) = dispatch_of(dispatch)?;
        let is_whole = dispatch.args.len() == 1 + usize::from(namespace.is_some());
        if !is_whole || parameters.iter().any(|name| matches!(name.as_str(), "adapter" | "return")) {
            return None;
        }
        let missing = declared.args.len() - declared.defaults.len();
        let defaults = declared.defaults.iter().map(constant).collect::<Option<Vec<_>>>()?;
        let (mut positional, mut keywords) = (vec![], vec![]);
        for argument in &call.args {
            match argument {
                ast::CallArg::Pos(value) => positional.push(handed(value, parameters)?),
                ast::CallArg::Kwarg(name, value) => keywords.push(((*name).to_owned(), handed(value, parameters)?)),
                _ => return None,
            }
        }
        let span = call.span();
        Some(Self {
            name,
            namespace,
            positional,
            keywords,
            defaults: std::iter::repeat_n(Value::UNDEFINED, missing).chain(defaults).collect(),
            place: span.start_offset as usize..span.end_offset as usize,
        })
    }

    /// The variant that is called in a render; none where instructions have to find out.
    pub fn target(&self, context: &RenderContext) -> Option<Value> {
        let adapter = context.find("adapter")?;
        if !is_adapter(&adapter) {
            return None;
        }
        context.engine().registry().find_dispatched(&self.name, self.namespace.as_deref(), context.package())
    }

    /// What it is called with, by what the macro itself was given.
    pub fn arguments(&self, given: &[Option<Value>]) -> Vec<Value> {
        let value = |handed: &Handed| match handed {
            Handed::Parameter(at) => given[*at].clone().unwrap_or_else(|| self.defaults[*at].clone()),
            Handed::Constant(value) => value.clone(),
        };
        let mut arguments: Vec<Value> = self.positional.iter().map(value).collect();
        if !self.keywords.is_empty() {
            let named: Kwargs = self.keywords.iter().map(|(name, handed)| (name.as_str(), value(handed))).collect();
            arguments.push(named.into());
        }
        arguments
    }
}

/// The argument of a call of a function, if it has no other.
fn only_argument<'t, 's>(expression: &'t ast::Expr<'s>, function: &str) -> Option<&'t ast::Expr<'s>> {
    let ast::Expr::Call(call) = expression else { return None };
    let is_it = matches!(&call.expr, ast::Expr::Var(called) if called.id == function);
    match call.args.as_slice() {
        [ast::CallArg::Pos(argument)] if is_it => Some(argument),
        _ => None,
    }
}

fn handed(value: &ast::Expr<'_>, parameters: &[String]) -> Option<Handed> {
    match value {
        ast::Expr::Var(variable) => {
            parameters.iter().position(|parameter| parameter == variable.id).map(Handed::Parameter)
        }
        value => constant(value).map(Handed::Constant),
    }
}

/// A constant of which every call may see the same copy.
fn constant(value: &ast::Expr<'_>) -> Option<Value> {
    match value {
        ast::Expr::Const(constant) if !is_mutable(&constant.value) => Some(constant.value.clone()),
        _ => None,
    }
}
