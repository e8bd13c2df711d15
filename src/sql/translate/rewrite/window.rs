//! Window functions whose default frame or form differs.

use super::super::build::{call, macro_call};
use super::super::expression::move_null_treatment;
use super::super::{Refusal, Translator};
use super::{expect, required};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowType,
};

/// `first_value`, `last_value`, `nth_value`: Snowflake looks at the whole partition unless a frame is given.
pub(in super::super) fn whole_frame(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    move_null_treatment(&mut function);
    match &mut function.over {
        Some(WindowType::WindowSpec(window)) => {
            if window.window_frame.is_none() && !window.order_by.is_empty() {
                window.window_frame = Some(WindowFrame {
                    units: WindowFrameUnits::Rows,
                    start_bound: WindowFrameBound::Preceding(None),
                    end_bound: Some(WindowFrameBound::Following(None)),
                });
            }
            Ok(Expr::Function(function))
        }
        Some(WindowType::NamedWindow(_)) => {
            Err(Refusal::new("its default frame cannot be said with a named window", "write the window in `over (…)`"))
        }
        None => Err(Refusal::new("it needs `over (…)`", "")),
    }
}

/// The share in the sum of the partition; NULL where the sum is 0.
pub(in super::super) fn ratio_to_report(_: &mut Translator<'_>, mut function: Function) -> Result<Expr, Refusal> {
    let Some(over) = function.over.take() else {
        return Err(Refusal::new("it needs `over (…)`", ""));
    };
    let FunctionArguments::List(list) = &mut function.args else {
        return Err(Refusal::new("it takes a number", ""));
    };
    let arguments = list.args.drain(..).filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let [mut value] = expect(arguments.collect(), ["a number"], 0)?;
    let value = required(&mut value)?;
    let mut sum = call("sum", vec![value.clone()]);
    if let Expr::Function(sum) = &mut sum {
        sum.over = Some(over);
    }
    Ok(macro_call("divide_or_null", vec![value, sum]))
}
