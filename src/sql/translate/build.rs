//! Building pieces of a syntax tree, most of them from small templates.

use crate::sql::Dialect;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, TableFactor, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::Span;
use std::ops::ControlFlow;

/// The schema in which DuckDB finds the macros of `macros/snowflake_on_duckdb.sql`.
const MACRO_SCHEMA: &str = "snowflake";

/// A DuckDB expression in which `$1`, `$2`, … are `arguments`. `text` is part of this program, so it parses;
/// should it not, the text itself is called, which DuckDB refuses.
pub(super) fn template(text: &str, arguments: &[Expr]) -> Expr {
    let parsed = Parser::new(Dialect::DuckDb.parser())
        .with_options(ParserOptions::new().with_unescape(false))
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr());
    debug_assert!(parsed.is_ok(), "template `{text}`: {parsed:?}");
    let mut expr = parsed.unwrap_or_else(|_| name(text));
    let _ = expr.visit(&mut Filler { arguments });
    expr
}

struct Filler<'a> {
    arguments: &'a [Expr],
}

impl VisitorMut for Filler<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Value(ValueWithSpan { value: Value::Placeholder(mark), .. }) => {
                let position = mark.trim_start_matches('$').parse::<usize>().ok();
                if let Some(argument) = position.and_then(|number| self.arguments.get(number.checked_sub(1)?)) {
                    *expr = in_parentheses(argument.clone());
                }
            }
            // An argument of a function needs no parentheses of its own.
            Expr::Function(Function { args: FunctionArguments::List(list), .. }) => {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(inner)) = argument {
                        strip_parentheses(inner);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn strip_parentheses(expr: &mut Expr) {
    if let Expr::Nested(inner) = expr {
        let inner = std::mem::replace(inner.as_mut(), Expr::value(Value::Null));
        *expr = inner;
    }
}

/// `expr` so that it can stand beside any operator.
pub(super) fn in_parentheses(expr: Expr) -> Expr {
    if is_atom(&expr) { expr } else { Expr::Nested(Box::new(expr)) }
}

/// Whether an expression holds together without parentheses.
fn is_atom(expr: &Expr) -> bool {
    use sqlparser::ast::CastKind;
    match expr {
        Expr::Value(value) => !matches!(&value.value, Value::Number(text, _) if text.starts_with('-')),
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Nested(_)
        | Expr::Function(_)
        | Expr::Subquery(_)
        | Expr::Case { .. }
        | Expr::Tuple(_)
        | Expr::Array(_)
        | Expr::Wildcard(_)
        | Expr::TypedString(_)
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Extract { .. } => true,
        Expr::Cast { kind, .. } => *kind != CastKind::DoubleColon,
        _ => false,
    }
}

/// `snowflake.name(arguments…)`.
pub(super) fn macro_call(name: &str, mut arguments: Vec<Expr>) -> Expr {
    arguments.iter_mut().for_each(strip_parentheses);
    call_of(vec![Ident::new(MACRO_SCHEMA), Ident::new(name)], arguments)
}

/// `name(arguments…)` of DuckDB itself.
pub(super) fn call(name: &str, mut arguments: Vec<Expr>) -> Expr {
    arguments.iter_mut().for_each(strip_parentheses);
    call_of(vec![Ident::new(name)], arguments)
}

fn call_of(name: Vec<Ident>, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: object_name(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over: None,
    })
}

/// A name of several parts.
pub(super) fn object_name(parts: Vec<Ident>) -> ObjectName {
    ObjectName(parts.into_iter().map(ObjectNamePart::Identifier).collect())
}

/// A table function of the macro file: `snowflake.name(arguments…)`, to be aliased by the caller.
pub(super) fn table_macro(name: &str, mut arguments: Vec<Expr>) -> TableFactor {
    arguments.iter_mut().for_each(strip_parentheses);
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    TableFactor::Table {
        name: object_name(vec![Ident::new(MACRO_SCHEMA), Ident::new(name)]),
        alias: None,
        args: Some(sqlparser::ast::TableFunctionArgs { args, settings: None }),
        with_hints: vec![],
        version: None,
        with_ordinality: false,
        partitions: vec![],
        json_path: None,
        sample: None,
        index_hints: vec![],
    }
}

/// An unquoted name.
pub(super) fn name(text: &str) -> Expr {
    Expr::Identifier(Ident::new(text))
}

/// A DuckDB string literal of `text`: with escapes where control characters would break the layout.
pub(super) fn literal(text: &str) -> Value {
    if text.chars().any(char::is_control) {
        Value::EscapedStringLiteral(text.to_owned())
    } else {
        Value::SingleQuotedString(text.replace('\'', "''"))
    }
}

/// The same as an expression, at the place of what it replaces.
pub(super) fn literal_expr(text: &str) -> Expr {
    Expr::Value(ValueWithSpan { value: literal(text), span: Span::empty() })
}

/// A whole number.
pub(super) fn number(value: i64) -> Expr {
    Expr::value(Value::Number(value.to_string(), false))
}

/// The text of a string literal, escapes resolved, where the expression is one (of DuckDB's form).
pub(super) fn literal_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.replace("''", "'")),
            Value::EscapedStringLiteral(text) => Some(text.clone()),
            Value::DollarQuotedString(text) => Some(text.value.clone()),
            _ => None,
        },
        Expr::Nested(inner) => literal_text(inner),
        _ => None,
    }
}

/// The value of a literal whole number, a sign before it included.
pub(super) fn literal_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => text.parse().ok(),
        Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => literal_number(expr).map(|value| -value),
        Expr::Nested(inner) => literal_number(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_keep_arguments_together() {
        let sum = template("a + b", &[]);
        assert_eq!(template("$1 * $2", &[sum.clone(), name("c")]).to_string(), "(a + b) * c");
        assert_eq!(template("f($1, $2)", &[sum, name("c")]).to_string(), "f(a + b, c)");
    }

    #[test]
    fn literals_survive_quotes_and_control_characters() {
        assert_eq!(literal("it's '' \\").to_string(), r"'it''s '''' \'");
        assert_eq!(literal("a\n'b\\").to_string(), r"E'a\n\'b\\'");
        assert_eq!(literal_text(&literal_expr("it's\n")).as_deref(), Some("it's\n"));
    }
}
