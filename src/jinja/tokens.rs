//! What the tokens of one tag say.

use minijinja::machinery::Token;
use std::ops::Range;

/// The tokens of a tag without its delimiters, and where they stand.
pub(super) type Tag<'a> = [(Token<'a>, Range<usize>)];

pub(super) fn is_test(keyword: &str) -> bool {
    matches!(keyword, "test" | "data_test")
}

pub(super) fn string(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Str(text) => Some((*text).to_owned()),
        Token::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// `{% set x | replace(a=1) %}` has an `=`, but only inside brackets: it is a block.
pub(super) fn is_set_block(tag: &Tag<'_>) -> bool {
    let mut depth = 0;
    !tag.iter().any(|(token, _)| {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            _ => {}
        }
        depth == 0 && matches!(token, Token::Assign)
    })
}

/// Whether `{% import … %}` ends with a name for what is imported; minijinja's parser takes any expression there.
pub(super) fn names_import(tag: &Tag<'_>) -> bool {
    let mut words: Vec<_> = tag.iter().map(|(token, _)| token).collect();
    words.pop_if(|token| matches!(token, Token::Colon));
    if let [.., Token::Ident("with" | "without"), Token::Ident("context")] = words.as_slice() {
        words.truncate(words.len() - 2);
    }
    let reserved = ["true", "True", "false", "False", "none", "None"];
    matches!(words.as_slice(), [.., Token::Ident("as"), Token::Ident(name)] if !reserved.contains(name))
}

/// The index after a parameter's type that starts at `from`.
pub(super) fn end_of_type(tag: &Tag<'_>, from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < tag.len() {
        match tag[at].0 {
            Token::BracketOpen => depth += 1,
            Token::BracketClose => depth -= 1,
            Token::Comma | Token::Assign | Token::ParenClose if depth == 0 => break,
            _ => {}
        }
        at += 1;
    }
    at
}

pub(super) fn ends_operand(token: &Token<'_>) -> bool {
    match token {
        Token::Ident(word) => !matches!(*word, "in" | "and" | "or" | "not" | "is" | "if" | "else"),
        Token::BracketClose | Token::ParenClose => true,
        _ => false,
    }
}

pub(super) fn is_constant(token: &Token<'_>) -> bool {
    matches!(
        token,
        Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) | Token::BraceClose
    )
}

/// Whether the tokens are one call, `a.b[0].c(…)`: all that minijinja takes in `{% do %}`.
pub(super) fn is_call(tag: &Tag<'_>) -> bool {
    let mut depth = 0;
    for (at, (token, _)) in tag.iter().enumerate() {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => depth += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => depth -= 1,
            _ if depth > 0 => {}
            Token::Ident("and" | "or" | "not" | "in" | "is" | "if" | "else") => return false,
            Token::Ident(_) | Token::Dot => {}
            Token::Str(_) | Token::String(_) if at == 0 => {}
            _ => return false,
        }
    }
    matches!(tag.last(), Some((Token::ParenClose, _)))
}

/// Where more than `most` operators, filters, attributes or subscripts follow each other. Items of lists and arguments
/// count on their own.
pub(super) fn too_long_chain<'t>(tag: &'t Tag<'_>, most: usize) -> Option<&'t Range<usize>> {
    let mut counts = vec![0];
    for (token, place) in tag {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                let outer = counts.last().copied().unwrap_or(0);
                counts.push(outer + 1);
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                counts.pop();
                *counts.last_mut()? += 1;
            }
            Token::Comma => {
                let outer = counts.iter().rev().nth(1).copied().unwrap_or(0);
                *counts.last_mut()? = outer + 1;
            }
            // Names and constants do not make it deeper, what stands between them does.
            Token::Ident("and" | "or" | "not" | "in" | "is" | "if" | "else") => *counts.last_mut()? += 1,
            Token::Ident(_) => {}
            token if is_constant(token) => {}
            _ => *counts.last_mut()? += 1,
        }
        if counts.last().is_some_and(|count| *count > most) {
            return Some(place);
        }
    }
    None
}
