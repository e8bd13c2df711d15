//! Dates and times.

use super::super::build::{call, literal_expr, literal_number, literal_text, macro_call, number};
use super::super::data_type::Kind;
use super::super::expression::plain_cast;
use super::super::format::{self, Use};
use super::super::variant::text;
use super::super::{Refusal, Translator, date_part as parts};
use super::{expect, required};
use crate::diagnostic::nearest;
use sqlparser::ast::Expr;

/// The refusal of a word that is no part of a date.
pub(in super::super) fn unknown_part(word: &str) -> Refusal {
    let help = match nearest(word, parts::KNOWN) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("use one of {}", parts::KNOWN.join(", ")),
    };
    Refusal::new(format!("`{word}` is no part of a date that can be used here"), help)
}

/// The word of a date part: a bare name or a text.
fn word(expr: &Expr) -> Result<String, Refusal> {
    match expr {
        Expr::Identifier(name) => Ok(name.value.clone()),
        other => literal_text(other)
            .ok_or_else(|| Refusal::new("the part must be written as a word or text", "for example `'day'`")),
    }
}

fn part(expr: &Expr) -> Result<&'static str, Refusal> {
    let word = word(expr)?;
    parts::date_or_time_part(&word).ok_or_else(|| unknown_part(&word))
}

/// An argument that is a moment: a text becomes a timestamp, as Snowflake does.
pub(in super::super) fn moment(expr: Expr) -> Expr {
    if literal_text(&expr).is_some() { plain_cast(expr, &Kind::Timestamp) } else { expr }
}

/// `dateadd(part, count, moment)`: a date stays a date where whole days are added.
pub(in super::super) fn dateadd(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut unit, mut count, mut start] = expect(arguments, ["a part", "a count", "a date or time"], 0)?;
    let unit = part(&required(&mut unit)?)?;
    let count = translator.number_of_variant(required(&mut count)?);
    Ok(macro_call(&format!("dateadd_{unit}"), vec![count, moment(required(&mut start)?)]))
}

/// `datediff(part, from, to)`: how many borders of the part lie between.
pub(in super::super) fn datediff(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut unit, mut from, mut to] = expect(arguments, ["a part", "a start", "an end"], 0)?;
    let unit = part(&required(&mut unit)?)?;
    let (from, to) = (moment(required(&mut from)?), moment(required(&mut to)?));
    if unit == "week" {
        return Ok(macro_call("datediff_week", vec![from, to]));
    }
    Ok(macro_call("datediff", vec![literal_expr(unit), from, to]))
}

/// `date_trunc(part, moment)`: the type stays.
pub(in super::super) fn date_trunc(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut unit, mut value] = expect(arguments, ["a part", "a date or time"], 0)?;
    let unit = part(&required(&mut unit)?)?;
    Ok(macro_call("date_trunc", vec![literal_expr(unit), moment(required(&mut value)?)]))
}

/// `trunc(number [, scale])` or `trunc(date, part)`.
pub(in super::super) fn trunc(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, scale] = expect(arguments, ["a number or date", "a scale or part"], 1)?;
    let value = required(&mut value)?;
    match scale {
        Some(unit) if literal_text(&unit).is_some() => {
            Ok(macro_call("date_trunc", vec![literal_expr(part(&unit)?), moment(value)]))
        }
        scale => {
            let value = translator.number_of_variant(value);
            Ok(call("trunc", [Some(value), scale].into_iter().flatten().collect()))
        }
    }
}

/// `date_part(part, moment)`.
pub(in super::super) fn date_part(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut unit, mut value] = expect(arguments, ["a part", "a date or time"], 0)?;
    let word = word(&required(&mut unit)?)?;
    let known = parts::date_or_time_part(&word).or_else(|| parts::extracted_part(&word));
    let known = known.ok_or_else(|| unknown_part(&word))?;
    Ok(macro_call(known, vec![moment(required(&mut value)?)]))
}

/// `last_day(date [, part])`.
pub(in super::super) fn last_day(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, unit] = expect(arguments, ["a date", "a part"], 1)?;
    let value = moment(required(&mut value)?);
    match unit.as_ref().map(part).transpose()?.unwrap_or("month") {
        unit @ ("week" | "month" | "quarter" | "year") => Ok(macro_call(&format!("last_day_{unit}"), vec![value])),
        other => Err(Refusal::new(format!("a {other} has no last day"), "use week, month, quarter or year")),
    }
}

/// `time_slice(moment, length, part [, 'start' | 'end'])`.
pub(in super::super) fn time_slice(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, mut length, mut unit, edge] =
        expect(arguments, ["a date or time", "a length", "a part", "'start' or 'end'"], 1)?;
    let unit = part(&required(&mut unit)?)?;
    if unit == "week" {
        return Err(Refusal::new("slices of weeks are not translated", "use `date_trunc('week', …)`"));
    }
    let length = literal_number(&required(&mut length)?);
    let length = length.ok_or_else(|| Refusal::new("the length must be written as a number", ""))?;
    let value = moment(required(&mut value)?);
    let width = literal_expr(&format!("{length} {unit}"));
    let start = macro_call("time_slice", vec![value, width]);
    match edge.as_ref().map(literal_text) {
        None => Ok(start),
        Some(Some(edge)) if edge.eq_ignore_ascii_case("start") => Ok(start),
        Some(Some(edge)) if edge.eq_ignore_ascii_case("end") => {
            Ok(macro_call(&format!("dateadd_{unit}"), vec![number(length), start]))
        }
        _ => Err(Refusal::new("the edge is 'start' or 'end'", "")),
    }
}

/// `to_varchar(value [, format])`.
pub(in super::super) fn to_varchar(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let [mut value, pattern] = expect(arguments, ["a value", "a format"], 1)?;
    let value = required(&mut value)?;
    match pattern {
        None => Ok(text(value)),
        Some(pattern) => {
            let pattern = translated_format(&pattern, Use::Write)?;
            let value = plain_cast(translator.text_of_variant(value), &Kind::Timestamp);
            Ok(call("strftime", vec![value, literal_expr(&pattern)]))
        }
    }
}

fn translated_format(pattern: &Expr, purpose: Use) -> Result<String, Refusal> {
    let Some(text) = literal_text(pattern) else {
        return Err(Refusal::new("the format must be written as a text", ""));
    };
    if format::is_numeric(&text) {
        return Err(Refusal::new("a number format is not translated", "use `round`, `lpad` and `to_varchar(x)`"));
    }
    format::strftime(&text, purpose)
        .map_err(|element| Refusal::new(format!("the format element `{element}` cannot be had"), ""))
}

/// A text read by a format with `strptime` or `try_strptime`; without a format by `plain`.
fn read(arguments: Vec<Expr>, reader: &str, plain: impl Fn(Expr) -> Expr) -> Result<Expr, Refusal> {
    let [mut value, pattern] = expect(arguments, ["a value", "a format"], 1)?;
    let value = required(&mut value)?;
    let automatic = pattern.as_ref().and_then(literal_text).is_some_and(|text| text.eq_ignore_ascii_case("auto"));
    match pattern {
        Some(pattern) if !automatic => {
            let pattern = translated_format(&pattern, Use::Read)?;
            Ok(call(reader, vec![text(value), literal_expr(&pattern)]))
        }
        _ => Ok(plain(value)),
    }
}

/// `to_date(value [, format])`, `date(…)`.
pub(in super::super) fn to_date(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let has_format = arguments.len() > 1;
    let read = read(arguments, "strptime", |value| macro_call("to_date", vec![value]))?;
    Ok(if has_format { plain_cast(read, &Kind::Date) } else { read })
}

/// NULL where the text is no date.
pub(in super::super) fn try_to_date(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let has_format = arguments.len() > 1;
    let read = read(arguments, "try_strptime", |value| macro_call("try_to_date", vec![value]))?;
    Ok(if has_format { plain_cast(read, &Kind::Date) } else { read })
}

/// `to_time(value [, format])`, `time(…)`.
pub(in super::super) fn to_time(translator: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let read = read(arguments, "strptime", |value| translator.text_of_variant(value))?;
    Ok(plain_cast(read, &Kind::Time))
}

/// NULL where the text is no time.
pub(in super::super) fn try_to_time(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    let has_format = arguments.len() > 1;
    let read = read(arguments, "try_strptime", |value| macro_call("try_to_time", vec![value]))?;
    Ok(if has_format { plain_cast(read, &Kind::Time) } else { read })
}

/// `to_timestamp(text [, format])` or `to_timestamp(number [, scale])`.
pub(in super::super) fn to_timestamp(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    timestamp(arguments, "to_timestamp_ntz")
}

/// A timestamp with a zone is one in UTC here.
pub(in super::super) fn to_timestamp_tz(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    timestamp(arguments, "to_timestamp_tz")
}

fn timestamp(arguments: Vec<Expr>, plain: &str) -> Result<Expr, Refusal> {
    if let [value, scale] = arguments.as_slice()
        && literal_number(scale).is_some()
    {
        return Ok(macro_call("to_timestamp_of_scale", vec![value.clone(), scale.clone()]));
    }
    read(arguments, "strptime", |value| macro_call(plain, vec![value]))
}

/// NULL where the text is no timestamp.
pub(in super::super) fn try_to_timestamp(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    read(arguments, "try_strptime", |value| macro_call("try_to_timestamp_ntz", vec![value]))
}

/// NULL where the text is no timestamp.
pub(in super::super) fn try_to_timestamp_tz(_: &mut Translator<'_>, arguments: Vec<Expr>) -> Result<Expr, Refusal> {
    read(arguments, "try_strptime", |value| macro_call("try_to_timestamp_tz", vec![value]))
}
