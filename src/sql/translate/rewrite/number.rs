//! Exact numbers out of text.

use super::super::build::{literal_number, literal_text};
use super::super::data_type::Kind;
use super::super::{Refusal, Translator, cast, format};
use sqlparser::ast::{CastKind, Expr};

/// `to_number(x [, format] [, precision [, scale]])`.
pub(in super::super) fn to_number(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    convert(translator, arguments, CastKind::Cast)
}

/// The same, NULL where the text is no number.
pub(in super::super) fn try_to_number(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    convert(translator, arguments, CastKind::TryCast)
}

fn convert(translator: &mut Translator<'_>, arguments: Vec<Expr>, form: CastKind) -> Result<Expr, Refusal> {
    let mut rest = arguments.into_iter();
    let Some(value) = rest.next() else {
        return Err(Refusal::new("it takes a value, and precision and scale if wanted", ""));
    };
    let mut sizes = Vec::new();
    for argument in rest {
        if literal_text(&argument).is_some_and(|text| format::is_numeric(&text) || sizes.is_empty()) {
            let help = "remove what is no digit first: `to_number(regexp_replace(x, '[^0-9.-]'), 38, 2)`";
            return Err(Refusal::new("a number format is not translated", help));
        }
        let size = literal_number(&argument);
        sizes.push(size.ok_or_else(|| Refusal::new("precision and scale must be written as numbers", ""))?);
    }
    let precision = sizes.first().and_then(|size| u64::try_from(*size).ok()).unwrap_or(38);
    let scale = sizes.get(1).copied().unwrap_or(0);
    let value = translator.text_of_variant(value);
    Ok(cast::cast(value, &Kind::Number(precision, scale), form))
}
