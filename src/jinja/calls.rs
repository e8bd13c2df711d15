//! Which macros a text calls, read from its syntax tree: what dbt lists under `depends_on.macros` of macros.

use minijinja::machinery::ast;

/// The names that an expression calls, as written (`star`, `dbt_utils.star`), each once. A call of
/// `adapter.dispatch('star', 'dbt_utils')` counts as the name that it dispatches.
pub(super) fn called(expression: &ast::Expr<'_>) -> Vec<String> {
    let mut names = Vec::new();
    in_expression(expression, &mut names);
    names
}

/// The names that statements call.
pub(super) fn called_in(statements: &[ast::Stmt<'_>], names: &mut Vec<String>) {
    for statement in statements {
        match statement {
            ast::Stmt::Template(inner) => called_in(&inner.children, names),
            ast::Stmt::EmitExpr(inner) => in_expression(&inner.expr, names),
            ast::Stmt::ForLoop(inner) => {
                in_expression(&inner.iter, names);
                if let Some(condition) = &inner.filter_expr {
                    in_expression(condition, names);
                }
                called_in(&inner.body, names);
                called_in(&inner.else_body, names);
            }
            ast::Stmt::IfCond(inner) => {
                in_expression(&inner.expr, names);
                called_in(&inner.true_body, names);
                called_in(&inner.false_body, names);
            }
            ast::Stmt::WithBlock(inner) => {
                inner.assignments.iter().for_each(|(_, value)| in_expression(value, names));
                called_in(&inner.body, names);
            }
            ast::Stmt::Set(inner) => in_expression(&inner.expr, names),
            ast::Stmt::SetBlock(inner) => called_in(&inner.body, names),
            ast::Stmt::AutoEscape(inner) => called_in(&inner.body, names),
            ast::Stmt::FilterBlock(inner) => {
                in_expression(&inner.filter, names);
                called_in(&inner.body, names);
            }
            ast::Stmt::Macro(inner) => {
                inner.defaults.iter().for_each(|value| in_expression(value, names));
                called_in(&inner.body, names);
            }
            ast::Stmt::CallBlock(inner) => {
                in_call(&inner.call, names);
                called_in(&inner.macro_decl.body, names);
            }
            ast::Stmt::Do(inner) => in_call(&inner.call, names),
            _ => {}
        }
    }
}

fn in_expression(expression: &ast::Expr<'_>, names: &mut Vec<String>) {
    let mut each = |inner: &[&ast::Expr<'_>]| inner.iter().for_each(|inner| in_expression(inner, names));
    match expression {
        ast::Expr::Var(_) | ast::Expr::Const(_) => {}
        ast::Expr::Slice(inner) => {
            let bounds = [&inner.start, &inner.stop, &inner.step];
            each(&[&inner.expr]);
            each(&bounds.into_iter().flatten().collect::<Vec<_>>());
        }
        ast::Expr::UnaryOp(inner) => each(&[&inner.expr]),
        ast::Expr::BinOp(inner) => each(&[&inner.left, &inner.right]),
        ast::Expr::Compare(inner) => {
            each(&[&inner.expr]);
            each(&inner.ops.iter().map(|operand| &operand.expr).collect::<Vec<_>>());
        }
        ast::Expr::IfExpr(inner) => {
            each(&[&inner.test_expr, &inner.true_expr]);
            each(&inner.false_expr.iter().collect::<Vec<_>>());
        }
        ast::Expr::Filter(inner) => {
            each(&inner.expr.iter().collect::<Vec<_>>());
            in_arguments(&inner.args, names);
        }
        ast::Expr::Test(inner) => {
            each(&[&inner.expr]);
            in_arguments(&inner.args, names);
        }
        ast::Expr::GetAttr(inner) => each(&[&inner.expr]),
        ast::Expr::GetItem(inner) => each(&[&inner.expr, &inner.subscript_expr]),
        ast::Expr::Call(inner) => in_call(inner, names),
        ast::Expr::List(inner) => each(&inner.items.iter().collect::<Vec<_>>()),
        ast::Expr::Tuple(inner) => each(&inner.items.iter().collect::<Vec<_>>()),
        ast::Expr::Map(inner) => each(&inner.keys.iter().chain(&inner.values).collect::<Vec<_>>()),
    }
}

fn in_arguments(arguments: &[ast::CallArg<'_>], names: &mut Vec<String>) {
    for argument in arguments {
        match argument {
            ast::CallArg::Pos(value)
            | ast::CallArg::Kwarg(_, value)
            | ast::CallArg::PosSplat(value)
            | ast::CallArg::KwargSplat(value) => in_expression(value, names),
        }
    }
}

fn in_call(call: &ast::Call<'_>, names: &mut Vec<String>) {
    let name = match &call.expr {
        ast::Expr::Var(variable) => Some(variable.id.to_owned()),
        ast::Expr::GetAttr(attribute) => match &attribute.expr {
            ast::Expr::Var(owner) if owner.id == "adapter" && attribute.name == "dispatch" => dispatched(&call.args),
            ast::Expr::Var(owner) => Some(format!("{}.{}", owner.id, attribute.name)),
            other => {
                in_expression(other, names);
                None
            }
        },
        other => {
            in_expression(other, names);
            None
        }
    };
    if let Some(name) = name.filter(|name| !names.contains(name)) {
        names.push(name);
    }
    in_arguments(&call.args, names);
}

/// `name` or `namespace.name` of an `adapter.dispatch(…)` with literal arguments.
fn dispatched(arguments: &[ast::CallArg<'_>]) -> Option<String> {
    let literal = |position: usize, keyword: &str| {
        let mut positional = 0;
        for argument in arguments {
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
    let name = literal(0, "macro_name")?;
    Some(match literal(1, "macro_namespace") {
        Some(namespace) => format!("{namespace}.{name}"),
        None => name,
    })
}
