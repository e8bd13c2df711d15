//! One record: its fields as the source wrote them, whether they fit, and the line under which it is staged.

use super::infer::Kind;
use super::position::{WatermarkKind, is_time, read_date};
use crate::adapter::ColumnType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// How deep the values of a record may nest.
const DEEPEST: usize = 100;

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field<'a> {
    /// The name.
    pub name: Cow<'a, str>,
    /// The value as JSON text.
    pub raw: Cow<'a, str>,
    /// What the value is.
    pub kind: Kind,
}

/// The fields of a record in its order; the reason, in words, if it cannot be a row.
pub fn fields(record: &str) -> Result<Vec<Field<'_>>, String> {
    if !record.starts_with('{') {
        if serde_json::from_str::<serde::de::IgnoredAny>(record).is_err() {
            return Err("the record is no JSON".to_owned());
        }
        let what = match Kind::of(record) {
            Kind::Null => "null",
            Kind::Nested => "a list",
            Kind::Text => "a text",
            Kind::Boolean => "a truth value",
            _ => "a number",
        };
        return Err(format!("the record is {what}, not an object"));
    }
    let fields = serde_json::from_str::<Fields>(record).map_err(|cause| format!("the record is broken: {cause}"))?.0;
    if record.contains('\\') && has_lone_surrogate(record) {
        return Err("the record has half of a surrogate pair, which is no text".to_owned());
    }
    match fields.iter().find(|field| field.kind == Kind::Nested && depth(&field.raw) > DEEPEST) {
        Some(field) => Err(format!("`{}` nests deeper than {DEEPEST} levels", field.name)),
        None => Ok(fields),
    }
}

struct Fields<'a>(Vec<Field<'a>>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(Name(name)) = map.next_key()? {
                    let raw = map.next_value::<&'de RawValue>()?.get();
                    fields.push(Field { name, raw: Cow::Borrowed(raw), kind: Kind::of(raw) });
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A name that is borrowed unless it has escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Name<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Whether a `\ud83d` stands without its other half: JSON allows to write it, no warehouse can store it.
fn has_lone_surrogate(raw: &str) -> bool {
    let bytes = raw.as_bytes();
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match unit(at) {
            Some(0xD800..=0xDBFF) => {
                if !matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) {
                    return true;
                }
                at += 12;
            }
            Some(0xDC00..=0xDFFF) => return true,
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    false
}

fn depth(raw: &str) -> usize {
    if raw.len() <= DEEPEST {
        return 0;
    }
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in raw.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Makes a field fit a declared type, rewriting the value where the source spells it otherwise (`"5"` for 5,
/// 1 for true). False if it does not fit; nothing is rounded or cut to make it fit.
pub fn fit(field: &mut Field<'_>, declared: &ColumnType) -> bool {
    if field.kind == Kind::Null {
        return true;
    }
    let Some(text) = super::document::scalar(&field.raw) else {
        return matches!(declared, ColumnType::Json | ColumnType::Text);
    };
    let given = field.kind;
    let mut spell = |raw: String, kind: Kind| {
        // What is spelled so already stays borrowed: the whole record may then be copied as it is.
        if field.raw != raw.as_str() {
            field.raw = Cow::Owned(raw);
        }
        field.kind = kind;
        true
    };
    match declared {
        ColumnType::Boolean => match text.as_str() {
            "true" | "1" => spell("true".to_owned(), Kind::Boolean),
            "false" | "0" => spell("false".to_owned(), Kind::Boolean),
            _ => false,
        },
        ColumnType::BigInt => match text.parse::<i64>() {
            Ok(number) => spell(number.to_string(), Kind::Integer),
            Err(_) => false,
        },
        ColumnType::Decimal(precision, scale) => fits_decimal(&text, *precision, *scale) && spell(text, Kind::Fraction),
        ColumnType::Double => {
            text.parse().is_ok_and(f64::is_finite) && {
                let plain = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
                plain && if given == Kind::Text { true } else { spell(text, Kind::Double) }
            }
        }
        ColumnType::Date => read_date(&text).is_some(),
        ColumnType::Time => is_time(&text),
        ColumnType::Timestamp => {
            WatermarkKind::Timestamp.read(&text).or_else(|| WatermarkKind::TimestampTz.read(&text)).is_some()
        }
        ColumnType::TimestampTz => WatermarkKind::TimestampTz.read(&text).is_some(),
        ColumnType::Binary => field.kind == Kind::Text && STANDARD.decode(&text).is_ok(),
        ColumnType::Text | ColumnType::Json | ColumnType::Other(_) => true,
    }
}

/// Whether a decimal text has room in `DECIMAL(precision, scale)` without being rounded.
fn fits_decimal(text: &str, precision: u8, scale: u8) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole)
        && all_digits(fraction)
        && whole.trim_start_matches('0').len() <= usize::from(precision.saturating_sub(scale))
        && fraction.trim_end_matches('0').len() <= usize::from(scale)
}

/// Appends a record as one line of JSON. Values whose exactness a reader of JSON would spoil are put in quotes;
/// everything else is the source's own text. The last of two fields of one name counts.
pub fn write_line(record: &str, fields: &[Field<'_>], repeated_names: bool, line: &mut Vec<u8>) {
    let verbatim = !repeated_names
        && fields.iter().all(|field| matches!(field.raw, Cow::Borrowed(_)) && !field.kind.needs_quotes());
    if verbatim && !record.contains(['\n', '\r']) {
        line.extend_from_slice(record.as_bytes());
        line.push(b'\n');
        return;
    }
    write_fields(fields, repeated_names, line);
}

/// Appends fields as one line of JSON, as [`write_line`] does where a record cannot be copied as it is.
pub fn write_fields(fields: &[Field<'_>], repeated_names: bool, line: &mut Vec<u8>) {
    line.push(b'{');
    let mut first = true;
    for (index, field) in fields.iter().enumerate() {
        if repeated_names && fields[index + 1..].iter().any(|later| later.name == field.name) {
            continue;
        }
        if !first {
            line.push(b',');
        }
        first = false;
        line.extend_from_slice(serde_json::Value::from(field.name.as_ref()).to_string().as_bytes());
        line.push(b':');
        let quotes = field.kind.needs_quotes();
        if quotes {
            line.push(b'"');
        }
        // A line end in well-formed JSON can only stand between tokens.
        line.extend(field.raw.bytes().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        if quotes {
            line.push(b'"');
        }
    }
    line.extend_from_slice(b"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(record: &str, repeated: bool) -> String {
        let mut line = Vec::new();
        write_line(record, &fields(record).expect("an object"), repeated, &mut line);
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn a_line_keeps_the_text_of_the_source_and_protects_numbers() {
        assert_eq!(line(r#"{"a": 1, "b":"x"}"#, false), "{\"a\": 1, \"b\":\"x\"}\n");
        assert_eq!(
            line("{\"a\": 1.10,\n \"b\": {\"c\":\n 2.5}, \"d\": 12345678901234567890, \"e\": 1e5}", false),
            "{\"a\":\"1.10\",\"b\":{\"c\":  2.5},\"d\":\"12345678901234567890\",\"e\":1e5}\n"
        );
        assert_eq!(line(r#"{"a": 1, "b": 2, "a": 3}"#, true), "{\"b\":2,\"a\":3}\n");
    }

    #[test]
    fn what_cannot_be_a_row_says_why() {
        for record in ["null", "[1]", "\"x\"", "7", "true", r#"{"a": "\ud83d"}"#, r#"{"a": "\ude00"}"#] {
            assert!(fields(record).is_err(), "{record}");
        }
        assert!(fields(r#"{"a": "\ud83d\ude00 \\ud83d"}"#).is_ok());
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200));
        assert_eq!(fields(&deep).expect_err("too deep"), "`a` nests deeper than 100 levels");
    }

    #[test]
    fn declared_types_take_only_what_fits_exactly() {
        use ColumnType::{BigInt, Binary, Boolean, Date, Decimal, Double, Json, Text, Time, Timestamp, TimestampTz};
        let fits = |declared: &ColumnType, raw: &str| {
            let mut field = Field { name: "f".into(), raw: raw.into(), kind: Kind::of(raw) };
            fit(&mut field, declared).then(|| field.raw.into_owned())
        };
        for (declared, raw, expected) in [
            (Boolean, "1", Some("true")),
            (Boolean, "\"no\"", None),
            (BigInt, "\"0042\"", Some("42")),
            (BigInt, "1.0", None),
            (BigInt, "9223372036854775808", None),
            (Decimal(4, 2), "12.500", Some("12.500")),
            (Decimal(4, 2), "12.505", None),
            (Decimal(4, 2), "123", None),
            (Decimal(4, 2), "\"7\"", Some("7")),
            (Double, "\"1e3\"", Some("\"1e3\"")),
            (Double, "\"inf\"", None),
            (Date, "\"2024-02-29\"", Some("\"2024-02-29\"")),
            (Date, "\"2023-02-29\"", None),
            (Time, "\"23:59:59.5\"", Some("\"23:59:59.5\"")),
            (Timestamp, "\"2024-02-05 06:00:00\"", Some("\"2024-02-05 06:00:00\"")),
            (TimestampTz, "\"2024-02-05 06:00:00\"", None),
            (Binary, "\"aGk=\"", Some("\"aGk=\"")),
            (Binary, "\"?\"", None),
            (Text, "{\"a\": 1}", Some("{\"a\": 1}")),
            (Json, "1.5", Some("1.5")),
            (BigInt, "[1]", None),
            (BigInt, "null", Some("null")),
        ] {
            assert_eq!(fits(&declared, raw).as_deref(), expected, "{declared:?} {raw}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_record_or_a_reason(text in "\\PC{0,60}") {
            if let Ok(fields) = fields(&text) {
                let mut line = Vec::new();
                write_line(&text, &fields, false, &mut line);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
            }
        }
    }
}
