//! Where a row stands in the order of its source: the value of the incremental field, compared as its type.
//!
//! Texts are kept as the source wrote them; only for comparing are they read, and nothing of them is rounded.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::time::Duration;

/// The type as which an incremental field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WatermarkKind {
    /// A point in time with its offset: `2024-02-05T06:00:00.123Z`.
    TimestampTz,
    /// A timestamp without offset: `2024-02-05 06:00:00`.
    Timestamp,
    /// A calendar date: `2024-02-05`.
    Date,
    /// A whole number.
    Integer,
    /// Any text, in the order of its bytes.
    Text,
}

impl WatermarkKind {
    /// Every kind, for "did you mean".
    pub const ALL: [Self; 5] = [Self::TimestampTz, Self::Timestamp, Self::Date, Self::Integer, Self::Text];

    /// The word for it in `incremental: {type: …}` and in the control tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimestampTz => "timestamptz",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::Text => "text",
        }
    }

    /// The kind that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What a text of this kind stands for; none if it is no such thing.
    pub fn read(self, text: &str) -> Option<Position> {
        match self {
            Self::TimestampTz | Self::Timestamp => {
                let stamp = Stamp::read(text)?;
                (stamp.offset.is_some() == (self == Self::TimestampTz)).then(|| stamp.position())
            }
            Self::Date => read_date(text).map(Position::Date),
            Self::Integer => text.parse().ok().map(Position::Integer),
            Self::Text => Some(Position::Text(text.to_owned())),
        }
    }
}

/// A value of an incremental field, ready to be compared with others of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// Seconds since 1970 (in UTC, or in the unknown zone of a plain timestamp), and attoseconds.
    Instant {
        /// Whole seconds.
        seconds: i64,
        /// The fraction, in units of 10⁻¹⁸ seconds.
        attoseconds: u64,
    },
    /// A date.
    Date(NaiveDate),
    /// A number.
    Integer(i128),
    /// A text.
    Text(String),
}

impl Position {
    /// The order of two positions of one kind; of different kinds none comes first.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (
                Self::Instant { seconds, attoseconds },
                Self::Instant { seconds: other_seconds, attoseconds: other_attoseconds },
            ) => (seconds, attoseconds).cmp(&(other_seconds, other_attoseconds)),
            (Self::Date(left), Self::Date(right)) => left.cmp(right),
            (Self::Integer(left), Self::Integer(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => Ordering::Equal,
        }
    }
}

/// How far before the watermark a request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookback {
    /// A span of time, for fields that are timestamps or dates (rounded up to days).
    Time(Duration),
    /// A difference, for fields that are whole numbers.
    Units(u64),
}

impl Lookback {
    /// Reads `10 minutes`, `90s`, `1 day`, or `1000` for whole numbers. None for anything else.
    pub fn read(text: &str) -> Option<Self> {
        match text.trim().parse() {
            Ok(units) => Some(Self::Units(units)),
            Err(_) => read_duration(text).map(Self::Time),
        }
    }
}

/// Reads a span of time: a whole number and a unit, from `500ms` and `30s` to `2 weeks`.
pub fn read_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_start = text.find(|letter: char| !letter.is_ascii_digit())?;
    let number: u64 = text[..unit_start].parse().ok()?;
    let milliseconds = match text[unit_start..].trim().to_ascii_lowercase().as_str() {
        "ms" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 604_800_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// The text of `kind` that lies `lookback` before `text`, written in the shape of `text`. None if `text` is not
/// of the kind, if the lookback does not fit it, or if the calendar ends.
pub fn before(kind: WatermarkKind, text: &str, lookback: Option<Lookback>) -> Option<String> {
    let Some(lookback) = lookback else { return Some(text.to_owned()) };
    match (kind, lookback) {
        (_, Lookback::Units(0)) => Some(text.to_owned()),
        (WatermarkKind::Integer, Lookback::Units(units)) => {
            Some(text.parse::<i128>().ok()?.checked_sub(i128::from(units))?.to_string())
        }
        (WatermarkKind::Date, Lookback::Time(time)) => {
            let days = time.as_secs().div_ceil(86_400) + u64::from(time.as_secs() == 0 && !time.is_zero());
            Some(read_date(text)?.checked_sub_days(Days::new(days))?.to_string())
        }
        (WatermarkKind::TimestampTz | WatermarkKind::Timestamp, Lookback::Time(time)) => {
            Stamp::read(text)?.minus(time).map(|stamp| stamp.to_string())
        }
        _ => None,
    }
}

/// The moment in UTC that a text of `kind` means, for parameters with a format of their own; a plain timestamp or
/// date counts as UTC.
pub fn moment(kind: WatermarkKind, text: &str) -> Option<DateTime<Utc>> {
    match kind.read(text)? {
        Position::Instant { seconds, attoseconds } => {
            DateTime::from_timestamp(seconds, u32::try_from(attoseconds / 1_000_000_000).ok()?)
        }
        Position::Date(date) => Some(date.and_time(NaiveTime::MIN).and_utc()),
        Position::Integer(_) | Position::Text(_) => None,
    }
}

/// The largest position that a server can mean by "now" when its clock shows `date`: headers have whole seconds
/// only, and a plain timestamp or date may be of the easternmost zone. No bound for numbers and texts.
pub fn latest_at(kind: WatermarkKind, date: DateTime<Utc>) -> Option<Position> {
    let easternmost = TimeDelta::hours(14);
    match kind {
        WatermarkKind::TimestampTz => Some(Position::Instant { seconds: date.timestamp() + 1, attoseconds: 0 }),
        WatermarkKind::Timestamp => {
            Some(Position::Instant { seconds: (date + easternmost).timestamp() + 1, attoseconds: 0 })
        }
        WatermarkKind::Date => Some(Position::Date((date + easternmost).date_naive())),
        WatermarkKind::Integer | WatermarkKind::Text => None,
    }
}

/// A timestamp in the shape in which it was written.
struct Stamp {
    clock: NaiveDateTime,
    attoseconds: u64,
    fraction_digits: usize,
    separator: char,
    has_seconds: bool,
    /// East of UTC in seconds, and as written.
    offset: Option<(i32, String)>,
}

const ATTOSECONDS: u64 = 1_000_000_000_000_000_000;

impl Stamp {
    /// `2024-02-05T06:07`, `2024-02-05 06:07:08.9`, each with `Z`, `+01:00`, `+0100` or `+01` or without.
    fn read(text: &str) -> Option<Self> {
        let date = read_date(text.get(..10)?)?;
        let separator = char::from(*text.as_bytes().get(10)?);
        if !matches!(separator, 'T' | 't' | ' ') {
            return None;
        }
        let rest = &text[11..];
        let clock_end = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
        let (clock, offset) = rest.split_at(clock_end);
        let (clock, fraction) = match clock.split_once('.') {
            Some((clock, fraction)) if !fraction.is_empty() => (clock, fraction),
            Some(_) => return None,
            None => (clock, ""),
        };
        let has_seconds = match clock.len() {
            5 if fraction.is_empty() => false,
            8 => true,
            _ => return None,
        };
        let seconds = if has_seconds { two_digits(clock, 6, b':')? } else { 0 };
        let time = NaiveTime::from_hms_opt(two_digits(clock, 0, b'-')?, two_digits(clock, 3, b':')?, seconds)?;
        Some(Self {
            clock: date.and_time(time),
            attoseconds: read_fraction(fraction)?,
            fraction_digits: fraction.len(),
            separator,
            has_seconds,
            offset: if offset.is_empty() { None } else { Some((read_offset(offset.trim_start())?, offset.to_owned())) },
        })
    }

    fn position(&self) -> Position {
        let east = self.offset.as_ref().map_or(0, |(seconds, _)| i64::from(*seconds));
        Position::Instant { seconds: self.clock.and_utc().timestamp() - east, attoseconds: self.attoseconds }
    }

    /// Earlier by `time`; a fraction finer than what is written is rounded down, which asks for more, never less.
    fn minus(mut self, time: Duration) -> Option<Self> {
        let attoseconds = u64::from(time.subsec_nanos()) * 1_000_000_000;
        let mut seconds = i64::try_from(time.as_secs()).ok()?;
        if self.attoseconds < attoseconds {
            seconds += 1;
            self.attoseconds += ATTOSECONDS;
        }
        self.attoseconds -= attoseconds;
        self.clock = self.clock.checked_sub_signed(TimeDelta::try_seconds(seconds)?)?;
        Some(self)
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}{}", self.clock.format("%Y-%m-%d"), self.separator)?;
        write!(formatter, "{}", self.clock.format(if self.has_seconds { "%H:%M:%S" } else { "%H:%M" }))?;
        if self.fraction_digits > 0 {
            let digits = format!("{:018}", self.attoseconds);
            write!(formatter, ".{}", &digits[..self.fraction_digits])?;
        }
        self.offset.iter().try_for_each(|(_, written)| formatter.write_str(written))
    }
}

/// Exactly `YYYY-MM-DD`.
pub(super) fn read_date(text: &str) -> Option<NaiveDate> {
    if text.len() != 10 || !text.is_ascii() {
        return None;
    }
    let year = number(text.get(..4)?)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, two_digits(text, 5, b'-')?, two_digits(text, 8, b'-')?)
}

/// Exactly `HH:MM:SS`, perhaps with a fraction.
pub(super) fn is_time(text: &str) -> bool {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let read = || {
        NaiveTime::from_hms_opt(two_digits(clock, 0, b'-')?, two_digits(clock, 3, b':')?, two_digits(clock, 6, b':')?)
    };
    clock.len() == 8 && read().is_some() && !fraction.is_empty() && read_fraction(fraction).is_some()
}

/// The two digits at `start`, where `before` must stand just before them (unless they are the first).
fn two_digits(text: &str, start: usize, before: u8) -> Option<u32> {
    if start > 0 && *text.as_bytes().get(start - 1)? != before {
        return None;
    }
    number(text.get(start..start + 2)?)
}

fn number(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Up to 18 digits behind the point, as attoseconds.
fn read_fraction(digits: &str) -> Option<u64> {
    if digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut padded = String::with_capacity(18);
    write!(padded, "{digits:0<18}").ok()?;
    padded.parse().ok()
}

/// `Z`, `+01:00`, `+0100` or `+01`, in seconds east of UTC.
fn read_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &text[1..];
    let (hours, minutes) = match digits.len() {
        2 => (number(digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        5 => (number(digits.get(..2)?)?, two_digits(digits, 3, b':')?),
        _ => return None,
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    i32::try_from(hours * 3600 + minutes * 60).ok().map(|seconds| sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tz(text: &str) -> Position {
        WatermarkKind::TimestampTz.read(text).expect("a timestamp with offset")
    }

    #[test]
    fn timestamps_compare_as_points_in_time_and_nothing_is_rounded() {
        assert_eq!(tz("2024-02-05T06:00:00Z").compare(&tz("2024-02-05 07:00:00+01:00")), Ordering::Equal);
        assert_eq!(tz("2024-02-05T06:00:00.1Z").compare(&tz("2024-02-05T06:00:00.100Z")), Ordering::Equal);
        assert_eq!(
            tz("2024-02-05T06:00:00.123456789012Z").compare(&tz("2024-02-05T06:00:00.123456789011Z")),
            Ordering::Greater
        );
        assert_eq!(tz("2024-02-05T06:00Z").compare(&tz("2024-02-05T06:00:00-0000")), Ordering::Equal);
    }

    #[test]
    fn what_is_of_another_kind_is_refused() {
        for (kind, text) in [
            (WatermarkKind::TimestampTz, "2024-02-05T06:00:00"),
            (WatermarkKind::TimestampTz, "yesterday"),
            (WatermarkKind::TimestampTz, "2024-02-30T06:00:00Z"),
            (WatermarkKind::TimestampTz, "2024-02-05T06:00:00.Z"),
            (WatermarkKind::TimestampTz, "2024-02-05T06:00:00é"),
            (WatermarkKind::Timestamp, "2024-02-05T06:00:00Z"),
            (WatermarkKind::Timestamp, "2024-02-05"),
            (WatermarkKind::Date, "2024-02-05T06:00:00"),
            (WatermarkKind::Date, "05.02.2024"),
            (WatermarkKind::Integer, "1.5"),
        ] {
            assert_eq!(kind.read(text), None, "{kind:?} {text}");
        }
    }

    #[test]
    fn a_lookback_keeps_the_shape_of_the_text() {
        let minutes = Lookback::read("10 minutes");
        for (text, earlier) in [
            ("2024-03-01T00:05:00Z", "2024-02-29T23:55:00Z"),
            ("2024-03-01 00:05:00.120+01:00", "2024-02-29 23:55:00.120+01:00"),
            ("2024-03-01T00:05+0100", "2024-02-29T23:55+0100"),
        ] {
            assert_eq!(before(WatermarkKind::TimestampTz, text, minutes).as_deref(), Some(earlier));
        }
        assert_eq!(before(WatermarkKind::Date, "2024-03-01", minutes).as_deref(), Some("2024-02-29"));
        assert_eq!(before(WatermarkKind::Integer, "100", Lookback::read("25")).as_deref(), Some("75"));
        assert_eq!(before(WatermarkKind::Integer, "100", minutes), None);
        assert_eq!(
            before(WatermarkKind::Timestamp, "2024-03-01 00:00:00.1", Lookback::read("200ms")).as_deref(),
            Some("2024-02-29 23:59:59.9")
        );
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(read_duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(read_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(read_duration("1 day"), Some(Duration::from_secs(86_400)));
        for wrong in ["", "30", "s", "1.5h", "3 moons", "99999999999999999999s"] {
            assert_eq!(read_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_bound_of_a_server_clock_allows_for_its_zone() {
        let noon = DateTime::from_timestamp(1_707_134_400, 0).expect("a date");
        assert_eq!(latest_at(WatermarkKind::TimestampTz, noon), Some(tz("2024-02-05T12:00:01Z")));
        assert_eq!(latest_at(WatermarkKind::Date, noon), WatermarkKind::Date.read("2024-02-06"));
        assert_eq!(latest_at(WatermarkKind::Integer, noon), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_writing_gives_back(text in "\\PC{0,40}", seconds in 0i64..4_000_000_000, digits in 0usize..10) {
            for kind in WatermarkKind::ALL {
                let _ = kind.read(&text);
                let _ = before(kind, &text, Lookback::read("1 day"));
            }
            let _ = read_duration(&text);
            let _ = is_time(&text);
            let clock = DateTime::from_timestamp(seconds, 0).expect("in range").format("%Y-%m-%dT%H:%M:%S");
            let fraction = if digits == 0 { String::new() } else { format!(".{}", "7".repeat(digits)) };
            let written = format!("{clock}{fraction}+02:00");
            let nothing = Some(Lookback::Time(Duration::ZERO));
            prop_assert_eq!(before(WatermarkKind::TimestampTz, &written, nothing), Some(written));
        }
    }
}
