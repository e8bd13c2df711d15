//! What the server says of a result's columns.

use crate::adapter::ColumnType;
use serde_json::Value as Json;

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Digits behind the point, or digits of a second's fraction.
    pub(super) scale: u32,
    pub(super) precision: u8,
    /// The server's word, for kinds that have none of their own.
    word: String,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number with a fixed point.
    Fixed,
    /// A binary floating point number.
    Real,
    /// A decimal floating point number.
    DecimalFloat,
    /// A text.
    Text,
    /// True or false.
    Boolean,
    /// A date.
    Date,
    /// A time of day.
    Time,
    /// A timestamp without zone.
    TimestampNtz,
    /// A point in time, shown in the session's zone.
    TimestampLtz,
    /// A point in time with its offset.
    TimestampTz,
    /// Bytes.
    Binary,
    /// JSON as text.
    Semistructured,
    /// Anything else: shown as text.
    Other,
}

impl Column {
    /// Reads one entry of `rowtype`. What is missing there is taken to be usual.
    pub(super) fn read(entry: &Json) -> Self {
        let word = entry["type"].as_str().unwrap_or("text").to_ascii_lowercase();
        let number = |key: &str| entry[key].as_u64().and_then(|number| u32::try_from(number).ok());
        let kind = match word.as_str() {
            "fixed" => Kind::Fixed,
            "real" => Kind::Real,
            "decfloat" => Kind::DecimalFloat,
            "text" => Kind::Text,
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            "time" => Kind::Time,
            "timestamp_ntz" => Kind::TimestampNtz,
            "timestamp_ltz" => Kind::TimestampLtz,
            "timestamp_tz" => Kind::TimestampTz,
            "binary" => Kind::Binary,
            "variant" | "object" | "array" | "map" => Kind::Semistructured,
            _ => Kind::Other,
        };
        let usual_scale = if kind == Kind::Fixed { 0 } else { 9 };
        Self {
            name: entry["name"].as_str().unwrap_or_default().to_owned(),
            kind,
            scale: number("scale").unwrap_or(usual_scale),
            precision: number("precision").and_then(|precision| u8::try_from(precision).ok()).unwrap_or(38),
            word,
        }
    }

    /// The type as callers know it.
    pub(super) fn column_type(&self) -> ColumnType {
        match self.kind {
            Kind::Fixed if self.scale == 0 && self.precision == 38 => ColumnType::BigInt,
            Kind::Fixed => ColumnType::Decimal(self.precision, u8::try_from(self.scale).unwrap_or(u8::MAX)),
            Kind::Real => ColumnType::Double,
            Kind::Text => ColumnType::Text,
            Kind::Boolean => ColumnType::Boolean,
            Kind::Date => ColumnType::Date,
            Kind::Time => ColumnType::Time,
            Kind::TimestampNtz => ColumnType::Timestamp,
            Kind::TimestampTz => ColumnType::TimestampTz,
            Kind::Binary => ColumnType::Binary,
            Kind::Semistructured if self.word == "variant" => ColumnType::Json,
            Kind::TimestampLtz | Kind::DecimalFloat | Kind::Semistructured | Kind::Other => {
                ColumnType::Other(self.word.to_uppercase())
            }
        }
    }
}

/// Snowflake's word for a type, as in `create table`.
pub(super) fn type_word(column_type: &ColumnType) -> String {
    match column_type {
        ColumnType::Boolean => "BOOLEAN".into(),
        // 64 bits hold up to 19 digits; Snowflake's whole numbers have 38 at the same cost.
        ColumnType::BigInt => "NUMBER(38,0)".into(),
        ColumnType::Decimal(precision, scale) => format!("NUMBER({precision},{scale})"),
        ColumnType::Double => "FLOAT".into(),
        ColumnType::Text => "VARCHAR".into(),
        ColumnType::Date => "DATE".into(),
        ColumnType::Time => "TIME".into(),
        ColumnType::Timestamp => "TIMESTAMP_NTZ".into(),
        ColumnType::TimestampTz => "TIMESTAMP_TZ".into(),
        ColumnType::Binary => "BINARY".into(),
        ColumnType::Json => "VARIANT".into(),
        ColumnType::Other(words) => words.clone(),
    }
}
