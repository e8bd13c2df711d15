//! Python's two ways of formatting text, with the conversions that minijinja's have not: `%r` and `{!r}`.

use super::value::{dict, pairs, repr, text};
use minijinja::Error;
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, Value};

/// `pattern % args`.
pub(super) fn printf(pattern: &str, args: &Value) -> Result<String, Error> {
    let mut positional: Vec<Value> = if args.is_tuple() { args.try_iter()?.collect() } else { vec![args.clone()] };
    if !pattern.contains('r') {
        return format(FormatStyle::Printf, pattern, &positional);
    }
    let mut named = pairs(args).unwrap_or_default();
    let mut rewritten = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut number = 0;
    while let Some(at) = rest.find('%') {
        rewritten.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let name = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')).map(|(name, _)| name);
        let after_name = name.map_or(0, |name| name.len() + 2);
        let flags = rest[after_name..].bytes().take_while(|byte| b"-+ #0123456789.".contains(byte)).count();
        let conversion = rest[after_name + flags..].chars().next();
        if conversion != Some('r') {
            number += usize::from(conversion != Some('%'));
            let taken = (after_name + flags + conversion.map_or(0, char::len_utf8)).min(rest.len());
            rewritten.push_str(&rest[..taken]);
            rest = &rest[taken..];
            continue;
        }
        match name {
            Some(name) => {
                let shown = format!("{name}!r");
                let value = named.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| repr(value));
                named.extend(value.map(|value| (Value::from(shown.as_str()), Value::from(value))));
                rewritten.extend(["(", shown.as_str(), ")"]);
            }
            None => {
                if let Some(value) = positional.get_mut(number) {
                    *value = Value::from(repr(value));
                }
            }
        }
        number += 1;
        rewritten.push_str(&rest[after_name..after_name + flags]);
        rewritten.push('s');
        rest = &rest[after_name + flags + 1..];
    }
    rewritten.push_str(rest);
    let args = if named.is_empty() { positional } else { vec![dict(named)] };
    format(FormatStyle::Printf, &rewritten, &args)
}

/// `'…'.format(…)`: fields with a conversion become fields of their own that hold the converted text.
pub(super) fn braces(template: &str, positional: &[Value], keywords: Vec<(String, Value)>) -> Result<String, Error> {
    let mut keywords = keywords;
    let mut rewritten = String::with_capacity(template.len());
    let mut rest = template;
    let mut number = 0;
    while let Some(at) = rest.find('{') {
        rewritten.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{") {
            rewritten.push_str("{{");
            rest = after;
            continue;
        }
        let end = rest.find('}').unwrap_or(rest.len());
        let (field, spec) =
            rest[1..end].split_once(':').map_or((&rest[1..end], None), |(field, spec)| (field, Some(spec)));
        let Some((name, conversion)) =
            field.split_once('!').filter(|(_, conversion)| matches!(*conversion, "r" | "s" | "a"))
        else {
            // Numbered here, since a field that is rewritten would change the count.
            let is_automatic = field.is_empty() || field.starts_with(['.', '[']);
            rewritten.push('{');
            if is_automatic {
                rewritten.push_str(&number.to_string());
                number += 1;
            }
            rewritten.push_str(&rest[1..end]);
            rest = &rest[end..];
            continue;
        };
        let value = match name.parse::<usize>() {
            Ok(position) => positional.get(position),
            Err(_) if name.is_empty() => {
                number += 1;
                positional.get(number - 1)
            }
            Err(_) => keywords.iter().find(|(keyword, _)| keyword == name).map(|(_, value)| value),
        };
        let converted = value.map(|value| if conversion == "s" { text(value) } else { repr(value) });
        let key = format!("converted_{}", keywords.len());
        rewritten.extend(["{", key.as_str()]);
        rewritten.extend(spec.map(|spec| format!(":{spec}")));
        keywords.extend(converted.map(|converted| (key, Value::from(converted))));
        rest = &rest[end..];
    }
    rewritten.push_str(rest);
    let mut args = positional.to_vec();
    if !keywords.is_empty() {
        args.push(Value::from(keywords.into_iter().collect::<Kwargs>()));
    }
    format(FormatStyle::StrFormat, &rewritten, &args)
}
