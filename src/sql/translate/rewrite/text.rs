//! Text.

use super::super::build::{call, in_parentheses, literal_number};
use super::super::variant::text;
use super::super::{Refusal, Translator};
use super::{expect, required};
use sqlparser::ast::{BinaryOperator, Expr};

/// NULL where any part is NULL, unlike DuckDB's.
pub(in super::super) fn concat(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    joined(arguments.into_iter().map(text).collect())
}

/// NULL where any part or the separator is NULL, unlike DuckDB's.
pub(in super::super) fn concat_ws(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let mut texts = arguments.into_iter().map(text);
    let Some(separator) = texts.next() else {
        return Err(Refusal::new("it takes a separator and values", ""));
    };
    let mut parts = Vec::new();
    for text in texts {
        if !parts.is_empty() {
            parts.push(separator.clone());
        }
        parts.push(text);
    }
    joined(parts)
}

fn joined(parts: Vec<Expr>) -> Result<Expr, Refusal> {
    let each = parts.into_iter().map(in_parentheses);
    let all = each.reduce(|left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::StringConcat,
        right: Box::new(right),
    });
    all.ok_or_else(|| Refusal::new("it takes at least one value", ""))
}

/// SHA-256 is the only length that DuckDB has.
pub(in super::super) fn sha2(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut text, length] = expect(arguments, ["a text", "a length of 256"], 1)?;
    match length.as_ref().map(literal_number) {
        None | Some(Some(256 | 0)) => Ok(call("sha256", vec![required(&mut text)?])),
        _ => Err(Refusal::new("only 256 bits can be had", "use `sha2(…, 256)`")),
    }
}
