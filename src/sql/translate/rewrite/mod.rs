//! Functions whose arguments decide what is written, by what they are about.

pub(super) mod aggregate;
pub(super) mod conditional;
pub(super) mod date;
pub(super) mod number;
pub(super) mod regexp;
pub(super) mod text;
pub(super) mod variant;
pub(super) mod window;

use super::Refusal;
use sqlparser::ast::Expr;

/// As many arguments as `names` says (the last `optional` may be missing), each with its place; an error that
/// names them otherwise.
fn expect<const COUNT: usize>(
    arguments: Vec<Expr>,
    names: [&str; COUNT],
    optional: usize,
) -> Result<[Option<Expr>; COUNT], Refusal> {
    let given = arguments.len();
    if given > COUNT || given < COUNT - optional {
        let message = format!("it takes {}, and was given {given}", names.join(", "));
        return Err(Refusal::new(message, ""));
    }
    let mut arguments = arguments.into_iter();
    Ok(std::array::from_fn(|_| arguments.next()))
}

/// An argument that [`expect`] found to be there.
fn required(argument: &mut Option<Expr>) -> Result<Expr, Refusal> {
    argument.take().ok_or_else(|| Refusal::new("an argument is missing", ""))
}
