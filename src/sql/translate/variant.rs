//! VARIANTs, which are JSON on DuckDB: which expressions are one, and their text and number.

use super::Translator;
use super::build::{in_parentheses, literal_text, macro_call};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments,
};

/// Functions (of DuckDB and of the macro file) that give text.
const TEXT_FUNCTIONS: [&str; 48] = [
    "array_to_string",
    "base64_decode_string",
    "base64_encode",
    "chr",
    "concat_ws",
    "dayname",
    "hex",
    "initcap",
    "insert",
    "left",
    "listagg",
    "lower",
    "lpad",
    "ltrim",
    "md5",
    "monthname",
    "regexp_extract",
    "regexp_replace",
    "regexp_substr",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "sha1",
    "sha256",
    "space",
    "split_part",
    "strftime",
    "string_agg",
    "strtok",
    "substr",
    "substring",
    "to_json_text",
    "to_varchar",
    "to_varchar_within",
    "translate",
    "trim",
    "typeof",
    "upper",
    "uuid_string",
    "current_database",
    "current_schema",
    "json_extract_string",
    "regexp_substr_group",
    "current_schemas",
    "version",
];

/// Macros that give a VARIANT.
const VARIANT_FUNCTIONS: [&str; 25] = [
    "array_append",
    "array_cat",
    "array_compact",
    "array_construct_compact",
    "array_distinct",
    "array_flatten",
    "array_prepend",
    "array_slice",
    "get",
    "json_array",
    "object_agg",
    "object_construct",
    "object_construct_keep_null",
    "object_delete",
    "object_insert",
    "object_keys",
    "object_pick",
    "parse_json",
    "split",
    "strip_null_value",
    "strtok_to_array",
    "to_array",
    "to_object",
    "to_variant",
    "try_parse_json",
];

impl Translator<'_> {
    /// Whether an expression (already translated) is a VARIANT, as far as the text says.
    pub(super) fn is_variant(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Nested(inner) => self.is_variant(inner),
            Expr::BinaryOp { op: BinaryOperator::Arrow, .. } | Expr::Cast { data_type: DataType::JSON, .. } => true,
            Expr::Identifier(name) => {
                let name = name.value.to_lowercase();
                self.variants.contains(&name)
                    || (!self.flattened.is_empty() && matches!(name.as_str(), "value" | "this"))
            }
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, column] => {
                    let column = column.value.to_lowercase();
                    self.variants.contains(&column)
                        || (self.flattened.contains(&table.value.to_lowercase())
                            && matches!(column.as_str(), "value" | "this"))
                }
                _ => false,
            },
            Expr::Function(function) => {
                is_one_of(function, &VARIANT_FUNCTIONS) || self.first_argument_decides(function)
            }
            _ => false,
        }
    }

    /// Functions that give back one of their arguments.
    fn first_argument_decides(&self, function: &Function) -> bool {
        is_one_of(function, &["coalesce", "any_value", "first_value", "last_value", "lag", "lead", "nth_value"])
            && arguments(function).first().is_some_and(|argument| self.is_variant(argument))
    }

    /// The same, but only where the expression is a VARIANT.
    pub(super) fn text_of_variant(&self, expr: Expr) -> Expr {
        if self.is_variant(&expr) { text(expr) } else { expr }
    }

    /// A VARIANT as a number, anything else as it is.
    pub(super) fn number_of_variant(&self, expr: Expr) -> Expr {
        if self.is_variant(&expr) {
            let text = text(expr);
            Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(text),
                data_type: DataType::Double(ExactNumberInfo::None),
                format: None,
            }
        } else {
            expr
        }
    }
}

/// The expression as text, written as Snowflake writes it: `(v -> '$.a')` as `(v ->> '$.a')`.
pub(super) fn text(expr: Expr) -> Expr {
    match without_parentheses(expr) {
        Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
            in_parentheses(Expr::BinaryOp { left, op: BinaryOperator::LongArrow, right })
        }
        expr if is_text(&expr) => in_parentheses(expr),
        expr => macro_call("to_varchar", vec![expr]),
    }
}

fn without_parentheses(expr: Expr) -> Expr {
    match expr {
        Expr::Nested(inner) => without_parentheses(*inner),
        other => other,
    }
}

/// Whether an expression is certainly text.
pub(super) fn is_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_text(inner),
        Expr::BinaryOp { op: BinaryOperator::LongArrow | BinaryOperator::StringConcat, .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. } => true,
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Varchar(_)),
        Expr::Function(function) => {
            is_one_of(function, &TEXT_FUNCTIONS)
                || (is_one_of(function, &["coalesce", "nullif"]) && arguments(function).into_iter().all(is_text))
        }
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter().all(|branch| is_text(&branch.result)) && else_result.as_deref().is_none_or(is_text)
        }
        other => literal_text(other).is_some(),
    }
}

fn is_one_of(function: &Function, names: &[&str]) -> bool {
    function.name.0.last().and_then(|part| part.as_ident()).is_some_and(|name| {
        let name = name.value.to_lowercase();
        names.contains(&name.as_str())
    })
}

/// The positional arguments of a call.
fn arguments(function: &Function) -> Vec<&Expr> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            })
            .collect(),
        _ => vec![],
    }
}
