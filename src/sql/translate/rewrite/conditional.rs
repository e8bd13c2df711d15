//! Conditions, extremes, and numbers out of nothing.

use super::super::build::{call, literal_number, macro_call, template};
use super::super::{Refusal, Translator};
use super::{expect, required};
use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{CaseWhen, Expr};

/// `decode(x, a, b, …, default)`: compares NULL with NULL as equal.
pub(in super::super) fn decode(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let mut rest = arguments.into_iter();
    let (Some(operand), true) = (rest.next(), rest.len() >= 2) else {
        return Err(Refusal::new("it takes a value, then pairs of a search and a result", ""));
    };
    let mut conditions = Vec::new();
    let mut otherwise = None;
    while let Some(search) = rest.next() {
        match rest.next() {
            Some(result) => {
                let condition = template("$1 is not distinct from $2", &[operand.clone(), search]);
                conditions.push(CaseWhen { condition, result });
            }
            None => otherwise = Some(Box::new(search)),
        }
    }
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions,
        else_result: otherwise,
    })
}

/// NULL where any value is.
pub(in super::super) fn greatest(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    extreme("greatest", arguments)
}

/// NULL where any value is.
pub(in super::super) fn least(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    extreme("least", arguments)
}

/// DuckDB skips NULLs, Snowflake does not.
fn extreme(function: &str, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let nulls = arguments.iter().map(|argument| template("$1 is null", std::slice::from_ref(argument)));
    let any_null = nulls.reduce(|left, right| template("$1 or $2", &[left, right]).without_inner_parentheses());
    let Some(any_null) = any_null else {
        return Err(Refusal::new("it takes at least one value", ""));
    };
    let value = call(function, arguments);
    Ok(template("case when $1 then null else $2 end", &[any_null, value]))
}

/// Chains of `or` read better without parentheses around each part.
trait WithoutInnerParentheses {
    fn without_inner_parentheses(self) -> Self;
}

impl WithoutInnerParentheses for Expr {
    fn without_inner_parentheses(self) -> Self {
        let strip = |side: Box<Expr>| match *side {
            Expr::Nested(inner) => inner,
            other => Box::new(other),
        };
        match self {
            Expr::BinaryOp { left, op, right } => Expr::BinaryOp { left: strip(left), op, right: strip(right) },
            other => other,
        }
    }
}

/// A whole number of 64 bits; a seed would have to give Snowflake's numbers.
pub(in super::super) fn random(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    if arguments.is_empty() {
        Ok(macro_call("random", vec![]))
    } else {
        Err(Refusal::new("a seed gives other numbers here", "use `random()`, or data made once as a seed file"))
    }
}

/// `seq4()` and its kind: 0, 1, 2, … without gaps.
pub(in super::super) fn sequence(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    if arguments.iter().all(|argument| literal_number(argument) == Some(0)) {
        Ok(template("row_number() over () - 1", &[]))
    } else {
        Err(Refusal::new("a sequence that wraps around is not translated", "use `row_number() over (order by …)`"))
    }
}

/// `round(x, scale)`; the third argument chooses another rule for ties.
pub(in super::super) fn round(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, scale, mode] = expect(arguments, ["a number", "a scale", "a rounding mode"], 2)?;
    if mode.is_some() {
        return Err(Refusal::new("another rounding mode is not translated", "round half away from zero, the default"));
    }
    Ok(call("round", [Some(required(&mut value)?), scale].into_iter().flatten().collect()))
}
