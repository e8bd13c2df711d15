//! Values from their parts: what Arrow and JSON answers have in common.

use crate::adapter::Cell;
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta};

/// Offsets are counted from a day before UTC, in minutes.
const OFFSET_ZERO: i32 = 1440;
/// The digits of a nanosecond.
const NANOSECOND_DIGITS: u32 = 9;

/// A point in time as seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
}

impl Instant {
    /// From a count of the units of a scale: 3 means milliseconds. None if it is out of reach.
    pub(super) fn scaled(value: i128, scale: u32) -> Option<Self> {
        let units = 10_i128.checked_pow(scale.min(NANOSECOND_DIGITS))?;
        let fraction = value.rem_euclid(units) * 10_i128.pow(NANOSECOND_DIGITS - scale.min(NANOSECOND_DIGITS));
        Some(Self { seconds: value.div_euclid(units).try_into().ok()?, nanoseconds: fraction.try_into().ok()? })
    }

    fn utc(self) -> Option<DateTime<chrono::Utc>> {
        DateTime::from_timestamp(self.seconds, self.nanoseconds)
    }

    /// A timestamp without zone.
    pub(super) fn without_zone(self) -> Option<Cell> {
        Some(Cell::Timestamp(self.utc()?.naive_utc()))
    }

    /// A point in time; `minutes` is the offset as the server counts it.
    pub(super) fn with_offset(self, minutes: i32) -> Option<Cell> {
        let offset = FixedOffset::east_opt(minutes.checked_sub(OFFSET_ZERO)?.checked_mul(60)?)?;
        Some(Cell::TimestampTz(self.utc()?.with_timezone(&offset)))
    }

    /// A point in time whose offset is the session's, which no answer tells: shown in UTC.
    pub(super) fn in_session_zone(self) -> Option<Cell> {
        self.with_offset(OFFSET_ZERO)
    }

    /// A time of day, counted from midnight.
    pub(super) fn time_of_day(self) -> Option<Cell> {
        let seconds = u32::try_from(self.seconds).ok()?;
        NaiveTime::from_num_seconds_from_midnight_opt(seconds, self.nanoseconds).map(Cell::Time)
    }
}

/// A date from the days since 1970.
pub(super) fn date(days: i64) -> Option<Cell> {
    NaiveDate::default().checked_add_signed(TimeDelta::try_days(days)?).map(Cell::Date)
}

/// A number of which the last `scale` digits stand behind the point.
pub(super) fn fixed(value: i128, scale: u32) -> Cell {
    if scale == 0 {
        return Cell::Integer(value);
    }
    let scale = scale as usize;
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    Cell::Decimal(format!("{}{whole}.{fraction}", if value < 0 { "-" } else { "" }))
}

/// A decimal floating point number: a whole number and the power of ten that it is multiplied with.
pub(super) fn decimal_float(significand: i128, exponent: i32) -> Cell {
    /// As many zeros as are written out; beyond, an exponent is shorter.
    const WRITTEN: i32 = 76;
    match exponent {
        0 => Cell::Decimal(significand.to_string()),
        1..=WRITTEN => Cell::Decimal(format!("{significand}{}", "0".repeat(exponent.unsigned_abs() as usize))),
        _ if (-WRITTEN..0).contains(&exponent) => fixed(significand, exponent.unsigned_abs()),
        _ => Cell::Decimal(format!("{significand}e{exponent}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_move_to_their_place() {
        assert_eq!(fixed(-5, 2), Cell::Decimal("-0.05".into()));
        assert_eq!(fixed(12_345, 2), Cell::Decimal("123.45".into()));
        assert_eq!(fixed(7, 0), Cell::Integer(7));
        assert_eq!(decimal_float(15, -1), Cell::Decimal("1.5".into()));
        assert_eq!(decimal_float(15, 2), Cell::Decimal("1500".into()));
        assert_eq!(decimal_float(-1, 16_000), Cell::Decimal("-1e16000".into()));
    }

    #[test]
    fn instants_before_1970_have_positive_fractions() {
        let instant = Instant::scaled(-1, 3).expect("in reach");
        assert_eq!(instant, Instant { seconds: -1, nanoseconds: 999_000_000 });
        let shown = instant.with_offset(1440 + 90).map(|cell| cell.to_string());
        assert_eq!(shown.as_deref(), Some("1970-01-01 01:29:59.999+01:30"));
        assert_eq!(Instant::scaled(i128::MAX, 0), None);
        assert_eq!(date(-1).map(|cell| cell.to_string()).as_deref(), Some("1969-12-31"));
    }
}
