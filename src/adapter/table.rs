//! Rows as they come back from a warehouse.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

/// Rows with named, typed columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Names and types of the columns, in order.
    pub columns: Vec<(String, ColumnType)>,
    /// The rows; each has one cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number up to 128 bits.
    Integer(i128),
    /// An exact number with a fraction, as its decimal text: `-12.50`.
    Decimal(String),
    /// A binary floating point number.
    Float(f64),
    /// A text; also the printed form of any type that has no variant of its own (lists, structs, intervals).
    Text(String),
    /// A calendar date.
    Date(NaiveDate),
    /// A time of day.
    Time(NaiveTime),
    /// A timestamp without time zone.
    Timestamp(NaiveDateTime),
    /// A point in time, with the offset in which the warehouse shows it.
    TimestampTz(DateTime<FixedOffset>),
    /// Bytes.
    Binary(Vec<u8>),
}

/// The type of a column, as far as strata needs to tell types apart; each dialect has its own word for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// True or false.
    Boolean,
    /// 64-bit whole number.
    BigInt,
    /// Exact number: digits in all, digits after the point.
    Decimal(u8, u8),
    /// 64-bit binary floating point.
    Double,
    /// Text of any length.
    Text,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// A timestamp without time zone.
    Timestamp,
    /// A point in time.
    TimestampTz,
    /// Bytes.
    Binary,
    /// JSON: an object, a list, or a column whose values are of several kinds.
    Json,
    /// Any other type, in the warehouse's own words.
    Other(String),
}

impl Table {
    /// The position of a column, its case not regarded.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| name.eq_ignore_ascii_case(column))
    }

    /// The first cell of the first row.
    pub fn scalar(&self) -> Option<&Cell> {
        self.rows.first()?.first()
    }
}

/// As people read it; NULL is the empty text.
impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Decimal(text) | Self::Text(text) => formatter.write_str(text),
            Self::Float(value) => write!(formatter, "{value}"),
            Self::Date(value) => write!(formatter, "{value}"),
            Self::Time(value) => write!(formatter, "{value}"),
            Self::Timestamp(value) => write!(formatter, "{}", value.format("%Y-%m-%d %H:%M:%S%.f")),
            Self::TimestampTz(value) => write!(formatter, "{}", value.format("%Y-%m-%d %H:%M:%S%.f%:z")),
            Self::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(formatter, "{byte:02x}")),
        }
    }
}
