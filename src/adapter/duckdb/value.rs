//! DuckDB's values and types in strata's words.

use crate::adapter::{Cell, ColumnType};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use duckdb::core::{LogicalTypeHandle, LogicalTypeId};
use duckdb::types::{TimeUnit, Value, ValueRef};
use std::fmt::Write as _;

/// The type of a result's column.
pub(super) fn column_type(logical: &LogicalTypeHandle) -> ColumnType {
    match logical.id() {
        LogicalTypeId::Boolean => ColumnType::Boolean,
        LogicalTypeId::Bigint => ColumnType::BigInt,
        LogicalTypeId::Decimal => ColumnType::Decimal(logical.decimal_width(), logical.decimal_scale()),
        LogicalTypeId::Double => ColumnType::Double,
        LogicalTypeId::Varchar if logical.get_alias().as_deref() == Some("JSON") => ColumnType::Json,
        LogicalTypeId::Varchar => ColumnType::Text,
        LogicalTypeId::Date => ColumnType::Date,
        LogicalTypeId::Time => ColumnType::Time,
        LogicalTypeId::Timestamp => ColumnType::Timestamp,
        LogicalTypeId::TimestampTZ => ColumnType::TimestampTz,
        LogicalTypeId::Blob => ColumnType::Binary,
        _ => ColumnType::Other(type_words(logical)),
    }
}

/// The words of a type, or of a part of it, whose values the client cannot hand over; none if it can.
pub(super) fn unreadable(logical: &LogicalTypeHandle) -> Option<String> {
    match logical.id() {
        LogicalTypeId::TimeTZ
        | LogicalTypeId::TimeNs
        | LogicalTypeId::Bignum
        | LogicalTypeId::Variant
        | LogicalTypeId::Unsupported => Some(type_words(logical)),
        _ => (0..logical.num_children()).find_map(|index| unreadable(&logical.child(index))),
    }
}

/// A type as DuckDB writes it: `STRUCT(a INTEGER, b VARCHAR[])`.
fn type_words(logical: &LogicalTypeHandle) -> String {
    let fields = || {
        let field = |index: usize| {
            let name = logical.try_child_name(index).unwrap_or_default();
            format!("{} {}", crate::name::quote_identifier(&name), type_words(&logical.child(index)))
        };
        (0..logical.num_children()).map(field).collect::<Vec<_>>().join(", ")
    };
    match logical.id() {
        LogicalTypeId::Tinyint => "TINYINT".into(),
        LogicalTypeId::Smallint => "SMALLINT".into(),
        LogicalTypeId::Integer => "INTEGER".into(),
        LogicalTypeId::UTinyint => "UTINYINT".into(),
        LogicalTypeId::USmallint => "USMALLINT".into(),
        LogicalTypeId::UInteger => "UINTEGER".into(),
        LogicalTypeId::UBigint => "UBIGINT".into(),
        LogicalTypeId::Hugeint => "HUGEINT".into(),
        LogicalTypeId::UHugeint => "UHUGEINT".into(),
        LogicalTypeId::Float => "FLOAT".into(),
        LogicalTypeId::TimestampS => "TIMESTAMP_S".into(),
        LogicalTypeId::TimestampMs => "TIMESTAMP_MS".into(),
        LogicalTypeId::TimestampNs => "TIMESTAMP_NS".into(),
        LogicalTypeId::TimeTZ => "TIME WITH TIME ZONE".into(),
        LogicalTypeId::TimeNs => "TIME_NS".into(),
        LogicalTypeId::Interval => "INTERVAL".into(),
        LogicalTypeId::Uuid => "UUID".into(),
        LogicalTypeId::Bit => "BIT".into(),
        LogicalTypeId::Enum => "ENUM".into(),
        LogicalTypeId::Bignum => "BIGNUM".into(),
        LogicalTypeId::Geometry => "GEOMETRY".into(),
        LogicalTypeId::SqlNull => "NULL".into(),
        LogicalTypeId::List => format!("{}[]", type_words(&logical.child(0))),
        LogicalTypeId::Array => format!("{}[ARRAY]", type_words(&logical.child(0))),
        LogicalTypeId::Map => format!("MAP({}, {})", type_words(&logical.child(0)), type_words(&logical.child(1))),
        LogicalTypeId::Struct => format!("STRUCT({})", fields()),
        LogicalTypeId::Union => format!("UNION({})", fields()),
        _ => type_name(&column_type_of_simple(logical)),
    }
}

/// The types that have a variant of their own, inside nested types.
fn column_type_of_simple(logical: &LogicalTypeHandle) -> ColumnType {
    match logical.id() {
        LogicalTypeId::Boolean
        | LogicalTypeId::Bigint
        | LogicalTypeId::Decimal
        | LogicalTypeId::Double
        | LogicalTypeId::Varchar
        | LogicalTypeId::Date
        | LogicalTypeId::Time
        | LogicalTypeId::Timestamp
        | LogicalTypeId::TimestampTZ
        | LogicalTypeId::Blob => column_type(logical),
        other => ColumnType::Other(format!("{other:?}").to_uppercase()),
    }
}

/// DuckDB's word for a type.
pub(super) fn type_name(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::Boolean => "BOOLEAN".into(),
        ColumnType::BigInt => "BIGINT".into(),
        ColumnType::Decimal(width, scale) => format!("DECIMAL({width},{scale})"),
        ColumnType::Double => "DOUBLE".into(),
        ColumnType::Text => "VARCHAR".into(),
        ColumnType::Date => "DATE".into(),
        ColumnType::Time => "TIME".into(),
        ColumnType::Timestamp => "TIMESTAMP".into(),
        ColumnType::TimestampTz => "TIMESTAMP WITH TIME ZONE".into(),
        ColumnType::Binary => "BLOB".into(),
        ColumnType::Json => "JSON".into(),
        ColumnType::Other(words) => words.clone(),
    }
}

/// A value of a result. What has no variant of its own becomes the text that DuckDB's cast to VARCHAR gives.
pub(super) fn cell(value: ValueRef<'_>, logical: &LogicalTypeHandle) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Boolean(value) => Cell::Boolean(value),
        ValueRef::TinyInt(value) => Cell::Integer(value.into()),
        ValueRef::SmallInt(value) => Cell::Integer(value.into()),
        ValueRef::Int(value) => Cell::Integer(value.into()),
        ValueRef::BigInt(value) => Cell::Integer(value.into()),
        ValueRef::HugeInt(value) => Cell::Integer(value),
        ValueRef::UTinyInt(value) => Cell::Integer(value.into()),
        ValueRef::USmallInt(value) => Cell::Integer(value.into()),
        ValueRef::UInt(value) => Cell::Integer(value.into()),
        ValueRef::UBigInt(value) => Cell::Integer(value.into()),
        ValueRef::UHugeInt(value) => {
            i128::try_from(value).map_or_else(|_| Cell::Decimal(value.to_string()), Cell::Integer)
        }
        ValueRef::Float(value) => Cell::Float(value.into()),
        ValueRef::Double(value) => Cell::Float(value),
        ValueRef::Decimal(value) => Cell::Decimal(value.to_string()),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) if logical.id() == LogicalTypeId::Bit => Cell::Text(bits(bytes)),
        ValueRef::Blob(bytes) | ValueRef::Geometry(bytes) => Cell::Binary(bytes.to_vec()),
        ValueRef::Date32(days) => date(days),
        ValueRef::Time64(unit, value) => time(unit, value),
        ValueRef::Timestamp(unit, value) => timestamp(unit, value, logical.id() == LogicalTypeId::TimestampTZ),
        other => Cell::Text(printed(&other.to_owned(), logical)),
    }
}

fn date(days: i32) -> Cell {
    let epoch = NaiveDate::default();
    match days {
        i32::MAX => Cell::Text("infinity".into()),
        days if days == -i32::MAX => Cell::Text("-infinity".into()),
        _ => epoch
            .checked_add_signed(TimeDelta::days(days.into()))
            .map_or_else(|| Cell::Text(format!("{days} days since 1970-01-01")), Cell::Date),
    }
}

fn nanoseconds(unit: TimeUnit, value: i64) -> i128 {
    i128::from(value)
        * match unit {
            TimeUnit::Second => 1_000_000_000,
            TimeUnit::Millisecond => 1_000_000,
            TimeUnit::Microsecond => 1_000,
            TimeUnit::Nanosecond => 1,
        }
}

/// Seconds and the nanoseconds within them, rounded down.
fn seconds(nanoseconds: i128) -> Option<(i64, u32)> {
    let seconds = nanoseconds.div_euclid(1_000_000_000).try_into().ok()?;
    Some((seconds, nanoseconds.rem_euclid(1_000_000_000).try_into().ok()?))
}

fn time(unit: TimeUnit, value: i64) -> Cell {
    let found = seconds(nanoseconds(unit, value))
        .and_then(|(seconds, rest)| NaiveTime::from_num_seconds_from_midnight_opt(u32::try_from(seconds).ok()?, rest));
    // 24:00:00 is a time to DuckDB, not to chrono.
    found.map_or_else(|| Cell::Text(clock(nanoseconds(unit, value))), Cell::Time)
}

fn timestamp(unit: TimeUnit, value: i64, with_zone: bool) -> Cell {
    match value {
        i64::MAX => return Cell::Text("infinity".into()),
        value if value == -i64::MAX => return Cell::Text("-infinity".into()),
        _ => {}
    }
    let found = seconds(nanoseconds(unit, value)).and_then(|(seconds, rest)| DateTime::from_timestamp(seconds, rest));
    match found {
        Some(instant) if with_zone => Cell::TimestampTz(instant.fixed_offset()),
        Some(instant) => Cell::Timestamp(instant.naive_utc()),
        None => Cell::Text(format!("{value} {unit:?}s since 1970-01-01")),
    }
}

/// A nested value as DuckDB's cast to VARCHAR writes it.
fn printed(value: &Value, logical: &LogicalTypeHandle) -> String {
    match value {
        Value::Interval { months, days, nanos } => interval(*months, *days, *nanos),
        Value::Enum(text) => text.clone(),
        Value::List(items) | Value::Array(items) => {
            let child = logical.child(0);
            let items: Vec<String> = items.iter().map(|item| element(item, &child)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Struct(fields) => {
            let named = |(index, (name, value)): (usize, &(String, Value))| {
                let value = element(value, &logical.child(index));
                if name.is_empty() { value } else { format!("{}: {value}", quoted(name)) }
            };
            let unnamed = fields.keys().all(String::is_empty);
            let fields: Vec<String> = fields.iter().enumerate().map(named).collect();
            if unnamed { format!("({})", fields.join(", ")) } else { format!("{{{}}}", fields.join(", ")) }
        }
        Value::Map(entries) => {
            let (key_type, value_type) = (logical.child(0), logical.child(1));
            let entry =
                |(key, value): &(Value, Value)| format!("{}={}", element(key, &key_type), element(value, &value_type));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        // The client does not say which member a union holds, so its value is printed by its own kind.
        Value::Union(inner) => plain(inner, None).unwrap_or_default(),
        other => plain(other, Some(logical)).unwrap_or_else(|| "NULL".into()),
    }
}

/// A value inside a list, struct or map.
fn element(value: &Value, logical: &LogicalTypeHandle) -> String {
    match value {
        Value::List(_) | Value::Array(_) | Value::Struct(_) | Value::Map(_) => printed(value, logical),
        Value::Interval { .. } | Value::Enum(_) | Value::Union(_) => quote_if_needed(&printed(value, logical)),
        other => plain(other, Some(logical)).map_or_else(|| "NULL".into(), |text| quote_if_needed(&text)),
    }
}

/// A value that is not nested, as text; none for NULL.
fn plain(value: &Value, logical: Option<&LogicalTypeHandle>) -> Option<String> {
    let is_tz = logical.is_some_and(|logical| logical.id() == LogicalTypeId::TimestampTZ);
    Some(match value {
        Value::Boolean(value) => value.to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::HugeInt(value) => value.to_string(),
        Value::UHugeInt(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Float(value) => float(f64::from(*value), &value.to_string()),
        Value::Double(value) => float(*value, &value.to_string()),
        Value::Decimal(value) => value.to_string(),
        Value::Text(text) | Value::Enum(text) => text.clone(),
        Value::Blob(bytes) if logical.is_some_and(|logical| logical.id() == LogicalTypeId::Bit) => bits(bytes),
        Value::Blob(bytes) | Value::Geometry(bytes) => blob(bytes),
        Value::Date32(days) => date(*days).to_string(),
        Value::Time64(unit, value) => clock(nanoseconds(*unit, *value)),
        Value::Timestamp(unit, value) => instant(&timestamp(*unit, *value, is_tz)),
        Value::Interval { months, days, nanos } => interval(*months, *days, *nanos),
        // NULL; nested values are printed part by part.
        _ => return None,
    })
}

/// A timestamp without trailing zeros in its fraction, and with the short offset of UTC.
fn instant(cell: &Cell) -> String {
    let trim = |text: String| if text.contains('.') { text.trim_end_matches('0').to_owned() } else { text };
    match cell {
        Cell::Timestamp(value) => trim(value.format("%Y-%m-%d %H:%M:%S%.f").to_string()),
        Cell::TimestampTz(value) => format!("{}+00", trim(value.format("%Y-%m-%d %H:%M:%S%.f").to_string())),
        other => other.to_string(),
    }
}

/// `digits` is the shortest text that reads back as the number.
fn float(value: f64, digits: &str) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    if value != 0.0 && !(1e-4..1e16).contains(&value.abs()) {
        let shortest = format!("{value:e}");
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{mantissa}e{sign}{exponent:0>2}");
    }
    if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") }
}

/// A bit string: the first byte says how many bits of the second are padding.
fn bits(bytes: &[u8]) -> String {
    let Some((padding, bytes)) = bytes.split_first() else { return String::new() };
    let bit = |position: usize| if bytes[position / 8] >> (7 - position % 8) & 1 == 1 { '1' } else { '0' };
    (usize::from(*padding)..bytes.len() * 8).map(bit).collect()
}

/// Bytes as text, those that are no plain characters as `\xAA`.
fn blob(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut text, byte| {
        match byte {
            b'\\' | b'\'' | b'"' | ..b' ' | 0x7f.. => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\x{byte:02X}");
            }
            plain => text.push(char::from(*plain)),
        }
        text
    })
}

/// Hours, minutes and seconds, with as many digits of the fraction as are not zero.
fn clock(nanoseconds: i128) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let (seconds, rest) = (total / 1_000_000_000, total % 1_000_000_000);
    let whole = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { whole } else { format!("{whole}.{}", format!("{rest:09}").trim_end_matches('0')) }
}

fn interval(months: i32, days: i32, nanos: i64) -> String {
    let mut parts = Vec::new();
    for (count, unit) in [(months / 12, "year"), (months % 12, "month"), (days, "day")] {
        if count != 0 {
            parts.push(format!("{count} {unit}{}", if count.abs() == 1 { "" } else { "s" }));
        }
    }
    if nanos != 0 || parts.is_empty() {
        parts.push(clock(nanos.into()));
    }
    parts.join(" ")
}

/// DuckDB quotes a text inside a nested value only where it could be misread.
fn quote_if_needed(text: &str) -> String {
    let is_special = |character: char| "(){}[]\"',=:;".contains(character);
    let misread = text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || text.chars().any(is_special);
    if misread { quoted(text) } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
