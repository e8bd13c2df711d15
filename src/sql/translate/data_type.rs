//! Snowflake's types as DuckDB's.

use sqlparser::ast::{CharacterLength, DataType, ExactNumberInfo, ObjectName, TimezoneInfo};

/// What a Snowflake type is on DuckDB.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Text, with the greatest length where one is given.
    Text(Option<u64>),
    /// A whole number: BIGINT.
    Integer,
    /// An exact number: DECIMAL.
    Number(u64, i64),
    /// DOUBLE.
    Double,
    /// BOOLEAN.
    Boolean,
    /// DATE.
    Date,
    /// TIME.
    Time,
    /// A timestamp without a zone: TIMESTAMP.
    Timestamp,
    /// A timestamp with a zone or in the session's: TIMESTAMP in UTC.
    ZonedTimestamp,
    /// BLOB.
    Binary,
    /// VARIANT, OBJECT, ARRAY: JSON.
    Variant,
}

impl Kind {
    /// The DuckDB type.
    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Text(_) => DataType::Varchar(None),
            Self::Integer => DataType::BigInt(None),
            Self::Number(precision, scale) => DataType::Decimal(ExactNumberInfo::PrecisionAndScale(*precision, *scale)),
            Self::Double => DataType::Double(ExactNumberInfo::None),
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date,
            Self::Time => DataType::Time(None, TimezoneInfo::None),
            Self::Timestamp | Self::ZonedTimestamp => DataType::Timestamp(None, TimezoneInfo::None),
            Self::Binary => DataType::Blob(None),
            Self::Variant => DataType::JSON,
        }
    }
}

/// The kind of a Snowflake type; `None` for one that DuckDB has not (GEOGRAPHY, VECTOR, MAP, structured types).
pub(super) fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Character(length) | DataType::Char(length) => Kind::Text(Some(length_of(*length).unwrap_or(1))),
        DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Varchar(length)
        | DataType::Nvarchar(length) => Kind::Text(length_of(*length)),
        DataType::Text | DataType::TinyText | DataType::MediumText | DataType::LongText => Kind::Text(None),
        DataType::String(length) => Kind::Text(*length),
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => number(*info),
        DataType::TinyInt(_)
        | DataType::SmallInt(_)
        | DataType::Int(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::MediumInt(_) => Kind::Integer,
        DataType::Float(_)
        | DataType::Float4
        | DataType::Float8
        | DataType::Real
        | DataType::Double(_)
        | DataType::DoublePrecision => Kind::Double,
        DataType::Boolean | DataType::Bool => Kind::Boolean,
        DataType::Date => Kind::Date,
        DataType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Kind::Time,
        DataType::Datetime(_)
        | DataType::TimestampNtz(_)
        | DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Kind::Timestamp,
        DataType::Timestamp(..) => Kind::ZonedTimestamp,
        DataType::Binary(_) | DataType::Varbinary(_) => Kind::Binary,
        DataType::JSON | DataType::Array(sqlparser::ast::ArrayElemTypeDef::None) => Kind::Variant,
        DataType::Custom(name, arguments) => custom(name, arguments)?,
        _ => return None,
    })
}

/// Types that sqlparser knows by name only.
fn custom(name: &ObjectName, arguments: &[String]) -> Option<Kind> {
    Some(match name.to_string().to_ascii_uppercase().as_str() {
        "NUMBER" => {
            let precision = arguments.first().map_or(Ok(38), |text| text.trim().parse()).ok()?;
            let scale = arguments.get(1).map_or(Ok(0), |text| text.trim().parse()).ok()?;
            Kind::Number(precision, scale)
        }
        "BYTEINT" => Kind::Integer,
        "TIMESTAMP_NTZ" | "TIMESTAMPNTZ" | "DATETIME" => Kind::Timestamp,
        "TIMESTAMP_LTZ" | "TIMESTAMPLTZ" | "TIMESTAMP_TZ" | "TIMESTAMPTZ" => Kind::ZonedTimestamp,
        "VARIANT" | "OBJECT" | "ARRAY" => Kind::Variant,
        "NCHAR" | "NVARCHAR2" | "CHAR VARYING" | "NCHAR VARYING" => {
            Kind::Text(arguments.first().and_then(|text| text.trim().parse().ok()))
        }
        _ => return None,
    })
}

fn length_of(length: Option<CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(length),
        _ => None,
    }
}

fn number(info: ExactNumberInfo) -> Kind {
    match info {
        ExactNumberInfo::None => Kind::Number(38, 0),
        ExactNumberInfo::Precision(precision) => Kind::Number(precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => Kind::Number(precision, scale),
    }
}
