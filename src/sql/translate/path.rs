//! Snowflake's paths into VARIANTs as DuckDB's.

use super::build::{in_parentheses, literal_expr, literal_number, literal_text, macro_call};
use sqlparser::ast::{AccessExpr, BinaryOperator, Expr, JsonPath, JsonPathElem, Subscript};
use std::fmt::Write;

/// One step into a VARIANT.
enum Step {
    Key(String),
    Index(i64),
    /// A key or index that is only known when the query runs.
    Dynamic(Box<Expr>),
}

/// `value:a.b[0]` as `(value -> '$.a.b[0]')`.
pub(super) fn json_access(value: Expr, path: JsonPath) -> Expr {
    let steps = path.path.into_iter().map(|element| match element {
        JsonPathElem::Dot { key, quoted } => Step::Key(if quoted { key.replace("\"\"", "\"") } else { key }),
        JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } => bracket(key),
    });
    walk(value, steps)
}

/// `value['a'][0]` the same way; `None` where a step is none of Snowflake's (a slice).
pub(super) fn field_access(root: Expr, chain: Vec<AccessExpr>) -> Option<Expr> {
    let steps: Option<Vec<Step>> = chain
        .into_iter()
        .map(|access| match access {
            AccessExpr::Dot(Expr::Identifier(name)) => Some(Step::Key(name.value)),
            AccessExpr::Subscript(Subscript::Index { index }) => Some(bracket(index)),
            _ => None,
        })
        .collect();
    steps.map(|steps| walk(root, steps.into_iter()))
}

/// The path of `get_path(value, 'a.b[0]')`.
pub(super) fn text_path(value: Expr, path: &str) -> Expr {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']').unwrap_or((inner, ""));
            let plain = key.trim_matches(['\'', '"']);
            steps.push(match key.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Key(plain.to_owned()),
            });
            rest = after;
        } else if let Some(after) = rest.strip_prefix('.') {
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('"') {
            let (key, after) = inner.split_once('"').unwrap_or((inner, ""));
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    walk(value, steps.into_iter())
}

fn bracket(key: Expr) -> Step {
    if let Some(text) = literal_text(&key) {
        Step::Key(text)
    } else if let Some(index) = literal_number(&key) {
        Step::Index(index)
    } else {
        Step::Dynamic(Box::new(key))
    }
}

/// Known steps are gathered into one path each; a dynamic one is a call of the macro `get`.
fn walk(root: Expr, steps: impl Iterator<Item = Step>) -> Expr {
    let (mut value, mut path) = take_path(root);
    for step in steps {
        match step {
            Step::Key(key) => path.push_str(&key_step(&key)),
            Step::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
            Step::Dynamic(key) => {
                value = macro_call("get", vec![with_path(value, &path), *key]);
                path.clear();
            }
        }
    }
    with_path(value, &path)
}

/// A value that is a path already is walked on: `(v -> '$.a')[0]` becomes `(v -> '$.a[0]')`.
fn take_path(root: Expr) -> (Expr, String) {
    match root {
        Expr::Nested(inner) => match *inner {
            Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
                let path = literal_text(&right).and_then(|text| text.strip_prefix('$').map(str::to_owned));
                match path {
                    Some(path) => (*left, path),
                    None => (
                        Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Arrow, right })),
                        String::new(),
                    ),
                }
            }
            other => (Expr::Nested(Box::new(other)), String::new()),
        },
        other => (other, String::new()),
    }
}

fn with_path(value: Expr, path: &str) -> Expr {
    if path.is_empty() {
        return value;
    }
    in_parentheses(Expr::BinaryOp {
        left: Box::new(in_parentheses(value)),
        op: BinaryOperator::Arrow,
        right: Box::new(literal_expr(&format!("${path}"))),
    })
}

fn key_step(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if plain { format!(".{key}") } else { format!(".\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\"")) }
}
