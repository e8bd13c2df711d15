//! Which functions a text calls, and where, read from its syntax tree.

use minijinja::machinery::{Span, ast};

/// What to do with bodies that a text declares (`{% macro %}`, `{% call %}`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Visit,
    Skip,
}

type Visit<'v, 't, 's> = &'v mut dyn FnMut(&'t ast::Spanned<ast::Call<'s>>);

/// The names that an expression calls, as written (`star`, `dbt_utils.star`), each once. A call of
/// `adapter.dispatch('star', 'dbt_utils')` counts as the name that it dispatches.
pub(super) fn called(expression: &ast::Expr<'_>) -> Vec<String> {
    let mut names = Vec::new();
    in_expression(expression, &mut |call| add_name(call, &mut names));
    names
}

/// The names that statements call, also in what they declare: what dbt lists under `depends_on.macros` of macros.
pub(super) fn called_in(statements: &[ast::Stmt<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    in_statements(statements, Declared::Visit, &mut |call| add_name(call, &mut names));
    names
}

/// The calls of the functions `names` with their places, in the order in which their instructions stand; what the
/// statements declare is compiled apart.
pub(super) fn places<'s>(statements: &[ast::Stmt<'s>], names: &[&str]) -> Vec<(&'s str, Span)> {
    let mut places = Vec::new();
    in_statements(statements, Declared::Skip, &mut |call| {
        if let ast::Expr::Var(function) = &call.expr
            && names.contains(&function.id)
        {
            places.push((function.id, call.span()));
        }
    });
    places
}

/// The smallest call over several lines that covers `line`: the instruction of such a call knows only the line of
/// its last argument.
pub(super) fn call_over_line(statements: &[ast::Stmt<'_>], line: usize) -> Option<Span> {
    let mut smallest: Option<Span> = None;
    in_statements(statements, Declared::Visit, &mut |call| {
        let span = call.span();
        let (first, last) = (usize::from(span.start_line), usize::from(span.end_line));
        let length = |span: Span| span.end_offset - span.start_offset;
        if first < last && (first..=last).contains(&line) && smallest.is_none_or(|known| length(span) < length(known)) {
            smallest = Some(span);
        }
    });
    smallest
}

fn in_statements<'t, 's>(statements: &'t [ast::Stmt<'s>], declared: Declared, visit: Visit<'_, 't, 's>) {
    for statement in statements {
        match statement {
            ast::Stmt::Template(inner) => in_statements(&inner.children, declared, visit),
            ast::Stmt::EmitExpr(inner) => in_expression(&inner.expr, visit),
            ast::Stmt::ForLoop(inner) => {
                in_expression(&inner.iter, visit);
                inner.filter_expr.iter().for_each(|condition| in_expression(condition, visit));
                in_statements(&inner.body, declared, visit);
                in_statements(&inner.else_body, declared, visit);
            }
            ast::Stmt::IfCond(inner) => {
                in_expression(&inner.expr, visit);
                in_statements(&inner.true_body, declared, visit);
                in_statements(&inner.false_body, declared, visit);
            }
            ast::Stmt::WithBlock(inner) => {
                inner.assignments.iter().for_each(|(_, value)| in_expression(value, visit));
                in_statements(&inner.body, declared, visit);
            }
            ast::Stmt::Set(inner) => in_expression(&inner.expr, visit),
            ast::Stmt::SetBlock(inner) => {
                in_statements(&inner.body, declared, visit);
                inner.filter.iter().for_each(|filter| in_expression(filter, visit));
            }
            ast::Stmt::AutoEscape(inner) => in_statements(&inner.body, declared, visit),
            ast::Stmt::FilterBlock(inner) => {
                in_statements(&inner.body, declared, visit);
                in_expression(&inner.filter, visit);
            }
            ast::Stmt::Macro(inner) => in_declared(inner, declared, visit),
            ast::Stmt::CallBlock(inner) => {
                in_call(&inner.call, visit);
                in_declared(&inner.macro_decl, declared, visit);
            }
            ast::Stmt::Do(inner) => in_call(&inner.call, visit),
            _ => {}
        }
    }
}

fn in_declared<'t, 's>(inner: &'t ast::Macro<'s>, declared: Declared, visit: Visit<'_, 't, 's>) {
    if declared == Declared::Visit {
        inner.defaults.iter().for_each(|value| in_expression(value, visit));
        in_statements(&inner.body, declared, visit);
    }
}

fn in_expression<'t, 's>(expression: &'t ast::Expr<'s>, visit: Visit<'_, 't, 's>) {
    let mut each =
        |inner: &mut dyn Iterator<Item = &'t ast::Expr<'s>>| inner.for_each(|inner| in_expression(inner, visit));
    match expression {
        ast::Expr::Var(_) | ast::Expr::Const(_) => {}
        ast::Expr::Slice(inner) => {
            let bounds = [&inner.start, &inner.stop, &inner.step];
            each(&mut [&inner.expr].into_iter().chain(bounds.into_iter().flatten()));
        }
        ast::Expr::UnaryOp(inner) => each(&mut [&inner.expr].into_iter()),
        ast::Expr::BinOp(inner) => each(&mut [&inner.left, &inner.right].into_iter()),
        ast::Expr::Compare(inner) => {
            each(&mut [&inner.expr].into_iter().chain(inner.ops.iter().map(|operand| &operand.expr)));
        }
        ast::Expr::IfExpr(inner) => {
            each(&mut [&inner.test_expr, &inner.true_expr].into_iter().chain(&inner.false_expr));
        }
        ast::Expr::Filter(inner) => {
            each(&mut inner.expr.iter());
            in_arguments(&inner.args, visit);
        }
        ast::Expr::Test(inner) => {
            each(&mut [&inner.expr].into_iter());
            in_arguments(&inner.args, visit);
        }
        ast::Expr::GetAttr(inner) => each(&mut [&inner.expr].into_iter()),
        ast::Expr::GetItem(inner) => each(&mut [&inner.expr, &inner.subscript_expr].into_iter()),
        ast::Expr::Call(inner) => in_call(inner, visit),
        ast::Expr::List(inner) => each(&mut inner.items.iter()),
        ast::Expr::Tuple(inner) => each(&mut inner.items.iter()),
        ast::Expr::Map(inner) => each(&mut inner.keys.iter().zip(&inner.values).flat_map(|(key, value)| [key, value])),
    }
}

/// Positional arguments are compiled before keyword arguments, wherever they stand.
fn in_arguments<'t, 's>(arguments: &'t [ast::CallArg<'s>], visit: Visit<'_, 't, 's>) {
    for argument in arguments {
        if let ast::CallArg::Pos(value) | ast::CallArg::PosSplat(value) = argument {
            in_expression(value, visit);
        }
    }
    for argument in arguments {
        if let ast::CallArg::Kwarg(_, value) | ast::CallArg::KwargSplat(value) = argument {
            in_expression(value, visit);
        }
    }
}

fn in_call<'t, 's>(call: &'t ast::Spanned<ast::Call<'s>>, visit: Visit<'_, 't, 's>) {
    in_expression(&call.expr, visit);
    in_arguments(&call.args, visit);
    visit(call);
}

fn add_name(call: &ast::Call<'_>, names: &mut Vec<String>) {
    let name = match &call.expr {
        ast::Expr::Var(variable) => Some(variable.id.to_owned()),
        ast::Expr::GetAttr(attribute) => match &attribute.expr {
            ast::Expr::Var(owner) => match dispatch_of(call) {
                Some((name, Some(namespace))) => Some(format!("{namespace}.{name}")),
                Some((name, None)) => Some(name),
                None => Some(format!("{}.{}", owner.id, attribute.name)),
            },
            _ => None,
        },
        _ => None,
    };
    names.extend(name.filter(|name| !names.contains(name)));
}

/// The name and the namespace of an `adapter.dispatch(…)` with literal arguments.
pub(super) fn dispatch_of(call: &ast::Call<'_>) -> Option<(String, Option<String>)> {
    let ast::Expr::GetAttr(method) = &call.expr else { return None };
    if !matches!(&method.expr, ast::Expr::Var(owner) if owner.id == "adapter" && method.name == "dispatch") {
        return None;
    }
    let literal = |position: usize, keyword: &str| {
        let mut positional = 0;
        for argument in &call.args {
            let value = match argument {
                ast::CallArg::Pos(value) => {
                    positional += 1;
                    (positional == position + 1).then_some(value)
                }
                ast::CallArg::Kwarg(name, value) => (*name == keyword).then_some(value),
                _ => None,
            };
            if let Some(ast::Expr::Const(constant)) = value {
                return constant.value.as_str().map(str::to_owned);
            }
        }
        None
    };
    Some((literal(0, "macro_name")?, literal(1, "macro_namespace")))
}
