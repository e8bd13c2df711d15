//! Aggregates whose form or treatment of NULLs differs.

use super::super::build::{call, in_parentheses, macro_call, object_name, template};
use super::super::variant::text;
use super::super::{Refusal, Translator};
use super::{expect, required};
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    OrderByExpr,
};

/// The arguments of an aggregate call; `distinct` and the clauses stay with the function.
fn take_arguments(function: &mut Function) -> Result<Vec<Expr>, Refusal> {
    let FunctionArguments::List(list) = &mut function.args else {
        return Ok(vec![]);
    };
    let arguments = list.args.drain(..).map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        other => Err(Refusal::new(format!("the argument `{other}` is not translated"), "name each value")),
    });
    arguments.collect()
}

/// The same call of DuckDB's function `name` with other arguments.
fn renamed(mut function: Function, name: &str, arguments: Vec<Expr>) -> Function {
    function.name = object_name(vec![Ident::new(name)]);
    if let FunctionArguments::List(list) = &mut function.args {
        list.args =
            arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    }
    function
}

/// `within group (order by …)` as `f(… order by …)`.
fn order_inside(function: &mut Function) {
    let order: Vec<OrderByExpr> = std::mem::take(&mut function.within_group);
    if let (false, FunctionArguments::List(list)) = (order.is_empty(), &mut function.args) {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list)
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

fn keep_rows_where(function: &mut Function, condition: Expr) {
    let condition = match function.filter.take() {
        Some(filter) => template("$1 and $2", &[*filter, condition]),
        None => condition,
    };
    function.filter = Some(Box::new(condition));
}

/// Text joined; '' for no row.
pub(in super::super) fn listagg(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let [mut value, separator] = expect(take_arguments(&mut function)?, ["a value", "a separator"], 1)?;
    let value = required(&mut value)?;
    let text = text(value.clone());
    if is_distinct(&function) {
        // DuckDB orders a distinct aggregate by its own argument only.
        for order in function.within_group.iter_mut().filter(|order| order.expr == value) {
            order.expr = text.clone();
        }
    }
    let separator = separator.unwrap_or_else(|| super::super::build::literal_expr(""));
    let mut function = renamed(function, "string_agg", vec![text, separator]);
    order_inside(&mut function);
    Ok(template("coalesce($1, '')", &[Expr::Function(function)]))
}

/// An array of the values that are not NULL; empty for no row.
pub(in super::super) fn array_agg(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let [mut value] = expect(take_arguments(&mut function)?, ["a value"], 0)?;
    Ok(array_of(function, required(&mut value)?))
}

/// The same of distinct values.
pub(in super::super) fn array_unique_agg(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let [mut value] = expect(take_arguments(&mut function)?, ["a value"], 0)?;
    if let FunctionArguments::List(list) = &mut function.args {
        list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
    }
    Ok(array_of(function, required(&mut value)?))
}

fn array_of(function: Function, value: Expr) -> Expr {
    let not_null = template("$1 is not null", std::slice::from_ref(&value));
    let mut function = renamed(function, "list", vec![value]);
    order_inside(&mut function);
    keep_rows_where(&mut function, not_null);
    template("to_json(coalesce($1, []))", &[Expr::Function(function)])
}

/// An object of keys and values; pairs with a NULL are left out.
pub(in super::super) fn object_agg(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let [mut key, mut value] = expect(take_arguments(&mut function)?, ["a key", "a value"], 0)?;
    let (key, value) = (text(required(&mut key)?), required(&mut value)?);
    let not_null = template("$1 is not null and $2 is not null", &[key.clone(), value.clone()]);
    let entry = template("{'k': $1, 'v': $2}", &[key, macro_call("to_variant", vec![value])]);
    let mut function = renamed(function, "list", vec![entry]);
    keep_rows_where(&mut function, not_null);
    Ok(template("coalesce(to_json(map_from_entries($1)), cast('{}' as json))", &[Expr::Function(function)]))
}

/// `count(distinct a, b)` counts rows in which none is NULL.
pub(in super::super) fn count(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    match &function.args {
        FunctionArguments::List(list) if list.args.len() > 1 => {}
        FunctionArguments::List(list)
            if matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(_))]) =>
        {
            return Err(Refusal::new("`count(t.*)` is not translated", "count a column that is never NULL"));
        }
        _ => return Ok(Expr::Function(function)),
    }
    let arguments = take_arguments(&mut function)?;
    let present = arguments.iter().map(|argument| template("$1 is not null", std::slice::from_ref(argument)));
    let all_present = present.reduce(|left, right| template("$1 and $2", &[left, right]));
    let row = call("row", arguments);
    if let Some(condition) = all_present {
        keep_rows_where(&mut function, condition);
    }
    Ok(Expr::Function(renamed(function, "count", vec![row])))
}

/// `percentile_cont(0.5) within group (order by x)`: DuckDB has it so too, NULLs never count.
#[expect(clippy::unnecessary_wraps, reason = "all rules have one signature")]
pub(in super::super) fn percentile(translator: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    for order in &mut function.within_group {
        order.options.nulls_first = None;
        let value = std::mem::replace(&mut order.expr, super::super::build::name("x"));
        order.expr = translator.number_of_variant(value);
    }
    Ok(Expr::Function(function))
}

/// Both are approximations, by different methods.
pub(in super::super) fn approx_percentile(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let arguments = take_arguments(&mut function)?;
    Ok(Expr::Function(renamed(function, "approx_quantile", arguments)))
}

/// `max_by(a, b)`; with a count it would give an array.
pub(in super::super) fn max_by(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    by_other(&mut function, "max_by")
}

/// `min_by(a, b)`; with a count it would give an array.
pub(in super::super) fn min_by(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    by_other(&mut function, "min_by")
}

fn by_other(function: &mut Function, name: &str) -> Result<Expr, Refusal> {
    let arguments = take_arguments(function)?;
    if arguments.len() != 2 {
        return Err(Refusal::new("it takes two values; a count is not translated", "use `array_agg` over ranked rows"));
    }
    Ok(in_parentheses(Expr::Function(renamed(function.clone(), name, arguments))))
}
