//! Casts.

use super::build::{in_parentheses, literal_number, literal_text, macro_call, number};
use super::data_type::{Kind, kind};
use super::variant::text;
use super::{Refusal, Translator};
use sqlparser::ast::{CastKind, Expr, Spanned, TypedString};

impl Translator<'_> {
    /// `x::type`, `cast(x as type)` and `try_cast(x as type)`.
    pub(super) fn cast(&mut self, expr: &mut Expr) {
        let place = expr.span();
        let Expr::Cast { kind: form, expr: operand, data_type, .. } = expr else {
            return;
        };
        let Some(wanted) = kind(data_type) else {
            let message = format!("there is no counterpart of the type {data_type}");
            self.refuse(place, "a cast", &Refusal::new(message, "keep the value as text or VARIANT"));
            return;
        };
        let form = form.clone();
        let operand = std::mem::replace(operand.as_mut(), number(0));
        *expr = if form == CastKind::TryCast {
            self.try_cast_to(operand, &wanted)
        } else {
            self.cast_to(operand, &wanted, form)
        };
    }

    /// `date '2024-01-01'`.
    pub(super) fn typed_string(&mut self, typed: &mut TypedString) {
        if let Some(wanted) = kind(&typed.data_type) {
            typed.data_type = wanted.data_type();
        } else {
            let message = format!("there is no counterpart of the type {}", typed.data_type);
            self.refuse(typed.value.span, "a literal", &Refusal::new(message, ""));
        }
    }

    fn cast_to(&self, operand: Expr, wanted: &Kind, form: CastKind) -> Expr {
        let is_literal = literal_text(&operand).is_some() || literal_number(&operand).is_some();
        match wanted {
            Kind::Text(Some(length))
                if !is_literal || literal_text(&operand).is_none_or(|text| text.len() as u64 > *length) =>
            {
                let length = i64::try_from(*length).unwrap_or(i64::MAX);
                macro_call("to_varchar_within", vec![self.text_of_variant(operand), number(length)])
            }
            Kind::Text(_) => {
                let is_number = literal_number(&operand).is_some();
                if is_number { cast(operand, wanted, form) } else { text(operand) }
            }
            Kind::Integer if !is_literal => macro_call("to_integer", vec![self.text_of_variant(operand)]),
            Kind::Boolean if !is_literal => macro_call("to_boolean", vec![operand]),
            Kind::Timestamp if !is_literal => macro_call("to_timestamp_ntz", vec![operand]),
            Kind::ZonedTimestamp => macro_call("to_timestamp_tz", vec![operand]),
            Kind::Binary => macro_call("to_binary", vec![self.text_of_variant(operand)]),
            Kind::Variant => macro_call("to_variant", vec![operand]),
            _ => cast(self.text_of_variant(operand), wanted, form),
        }
    }

    fn try_cast_to(&self, operand: Expr, wanted: &Kind) -> Expr {
        let operand = self.text_of_variant(operand);
        match wanted {
            Kind::Text(Some(length)) => {
                let length = i64::try_from(*length).unwrap_or(i64::MAX);
                macro_call("try_to_varchar_within", vec![operand, number(length)])
            }
            Kind::Boolean => macro_call("try_to_boolean", vec![operand]),
            Kind::Timestamp => macro_call("try_to_timestamp_ntz", vec![operand]),
            Kind::ZonedTimestamp => macro_call("try_to_timestamp_tz", vec![operand]),
            Kind::Variant => macro_call("to_variant", vec![operand]),
            _ => cast(operand, wanted, CastKind::TryCast),
        }
    }
}

/// A cast to the DuckDB type of a kind.
pub(super) fn cast(operand: Expr, wanted: &Kind, form: CastKind) -> Expr {
    let operand = if form == CastKind::DoubleColon { in_parentheses(operand) } else { operand };
    Expr::Cast { kind: form, expr: Box::new(operand), data_type: wanted.data_type(), format: None }
}
