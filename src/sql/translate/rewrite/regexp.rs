//! Regular expressions. Both engines share the syntax that Snowflake documents; what differs is what a call means.

use super::super::build::{call, literal_expr, literal_number, literal_text, macro_call, number, template};
use super::super::{Refusal, Translator};
use super::{expect, required};
use sqlparser::ast::Expr;

/// The whole text must match.
pub(in super::super) fn like(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut text, mut pattern, flags] = expect(arguments, ["a text", "a pattern", "parameters"], 1)?;
    let (pattern, _) = with_flags(required(&mut pattern)?, flags.as_ref())?;
    Ok(call("regexp_full_match", vec![required(&mut text)?, pattern]))
}

/// All occurrences are replaced, by nothing if nothing is given.
pub(in super::super) fn replace(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let names = ["a text", "a pattern", "a replacement", "a position", "an occurrence", "parameters"];
    let [mut text, mut pattern, replacement, position, occurrence, flags] = expect(arguments, names, 4)?;
    let text = required(&mut text)?;
    let (pattern, _) = with_flags(required(&mut pattern)?, flags.as_ref())?;
    let replacement = replacement.unwrap_or_else(|| literal_expr(""));
    if occurrence.as_ref().is_some_and(|value| literal_number(value) != Some(0)) {
        return Err(Refusal::new("replacing one occurrence only is not translated", "use 0, which replaces all"));
    }
    let every = |text| call("regexp_replace", vec![text, pattern, replacement, literal_expr("g")]);
    match position {
        Some(position) if literal_number(&position) != Some(1) => {
            let tail = every(template("substr($1, $2)", &[text.clone(), position.clone()]));
            Ok(template("left($1, $2 - 1) || $3", &[text, position, tail]))
        }
        _ => Ok(every(text)),
    }
}

/// The match, or a group of it; NULL where there is none.
pub(in super::super) fn substr(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let names = ["a text", "a pattern", "a position", "an occurrence", "parameters", "a group"];
    let [mut text, mut pattern, position, occurrence, flags, group] = expect(arguments, names, 4)?;
    let (pattern, extracts) = with_flags(required(&mut pattern)?, flags.as_ref())?;
    let group = group.unwrap_or_else(|| number(i64::from(extracts)));
    let text = from_position(required(&mut text)?, position);
    Ok(macro_call("regexp_substr", vec![text, pattern, occurrence.unwrap_or_else(|| number(1)), group]))
}

/// How often the pattern matches.
pub(in super::super) fn count(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut text, mut pattern, position, flags] =
        expect(arguments, ["a text", "a pattern", "a position", "parameters"], 2)?;
    let (pattern, _) = with_flags(required(&mut pattern)?, flags.as_ref())?;
    Ok(macro_call("regexp_count", vec![from_position(required(&mut text)?, position), pattern]))
}

/// Where the first match begins; 0 where there is none.
pub(in super::super) fn instr(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let names = ["a text", "a pattern", "a position", "an occurrence"];
    let [mut text, mut pattern, position, occurrence] = expect(arguments, names, 2)?;
    let is_first = |value: &Option<Expr>| value.as_ref().is_none_or(|value| literal_number(value) == Some(1));
    if !is_first(&position) || !is_first(&occurrence) {
        return Err(Refusal::new("only the first occurrence from the start can be had", ""));
    }
    Ok(macro_call("regexp_instr", vec![required(&mut text)?, required(&mut pattern)?]))
}

fn from_position(text: Expr, position: Option<Expr>) -> Expr {
    match position {
        Some(position) if literal_number(&position) != Some(1) => template("substr($1, $2)", &[text, position]),
        _ => text,
    }
}

/// The pattern with the parameters as inline flags, and whether a group is wanted (`e`).
fn with_flags(pattern: Expr, flags: Option<&Expr>) -> Result<(Expr, bool), Refusal> {
    let Some(flags) = flags else { return Ok((pattern, false)) };
    let Some(flags) = literal_text(flags) else {
        return Err(Refusal::new("the parameters must be written as a text", "for example 'i'"));
    };
    let mut inline = String::new();
    // The last of `c` and `i` wins.
    let ignores_case = flags.chars().rev().find(|flag| matches!(flag, 'c' | 'i')) == Some('i');
    if ignores_case {
        inline.push('i');
    }
    for flag in flags.chars() {
        match flag {
            'm' | 's' if !inline.contains(flag) => inline.push(flag),
            'c' | 'i' | 'e' | 'm' | 's' => {}
            other => return Err(Refusal::new(format!("the parameter `{other}` does not exist"), "use c, i, m, e, s")),
        }
    }
    let extracts = flags.contains('e');
    if inline.is_empty() {
        return Ok((pattern, extracts));
    }
    let prefix = format!("(?{inline})");
    let pattern = match literal_text(&pattern) {
        Some(text) => literal_expr(&format!("{prefix}{text}")),
        None => template("$1 || $2", &[literal_expr(&prefix), pattern]),
    };
    Ok((pattern, extracts))
}
