//! `datetime.datetime`, `datetime.date` and `datetime.time` as values, and time zones.

use super::super::native::Arguments;
use super::super::value::{invalid, none, tuple};
use super::format;
use super::span::{self, Span};
use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A time zone, with how Python prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// `pytz.utc`.
    PytzUtc,
    /// `datetime.timezone.utc`, or one of a fixed offset.
    Fixed(FixedOffset),
    /// A zone of the tz database.
    Named(chrono_tz::Tz),
    /// A zone of the tz database that was given as `tzinfo` as it is: pytz then keeps the zone's first offset, its
    /// local mean time, whatever the date.
    LocalMean(chrono_tz::Tz),
}

impl Zone {
    /// The zone as the `tzinfo` of a datetime that is made from it without `localize`.
    pub fn as_tzinfo(self) -> Self {
        match self {
            Self::Named(zone) => Self::LocalMean(zone),
            other => other,
        }
    }

    /// The zone with the offsets of each date.
    pub fn localized(self) -> Self {
        match self {
            Self::LocalMean(zone) => Self::Named(zone),
            other => other,
        }
    }

    /// The offset at a moment of this zone's own clock; in the hour that happens twice, the first one.
    pub fn offset_at(self, local: &NaiveDateTime) -> FixedOffset {
        match self {
            Self::PytzUtc => Utc.fix(),
            Self::Fixed(offset) => offset,
            Self::Named(zone) => match zone.offset_from_local_datetime(local) {
                chrono::LocalResult::Single(offset) | chrono::LocalResult::Ambiguous(offset, _) => offset.fix(),
                // In the hour that is skipped, the offset before it holds.
                chrono::LocalResult::None => {
                    zone.offset_from_utc_datetime(&(*local - chrono::TimeDelta::hours(1))).fix()
                }
            },
            Self::LocalMean(zone) => local_mean(zone),
        }
    }

    /// The clock of this zone at a moment of UTC.
    pub fn clock_at(self, moment: &NaiveDateTime) -> NaiveDateTime {
        let offset = match self {
            Self::PytzUtc => Utc.fix(),
            Self::Fixed(offset) => offset,
            Self::Named(zone) => zone.offset_from_utc_datetime(moment).fix(),
            Self::LocalMean(zone) => local_mean(zone),
        };
        *moment + offset
    }

    /// `UTC`, `CET`, `UTC+02:00`.
    pub fn abbreviation(self, local: &NaiveDateTime) -> String {
        match self {
            Self::PytzUtc => "UTC".to_owned(),
            Self::Fixed(offset) if offset.local_minus_utc() == 0 => "UTC".to_owned(),
            Self::Fixed(offset) => format!("UTC{}", format::offset(offset, true)),
            Self::Named(zone) => {
                let at = zone.from_local_datetime(local).earliest();
                at.map_or_else(|| zone.name().to_owned(), |at| at.format("%Z").to_string())
            }
            Self::LocalMean(_) => "LMT".to_owned(),
        }
    }
}

/// The first offset that the tz database has for a zone, to the minute, as pytz rounds it.
fn local_mean(zone: chrono_tz::Tz) -> FixedOffset {
    let offset = zone.offset_from_utc_datetime(&NaiveDateTime::MIN).fix();
    FixedOffset::east_opt((offset.local_minus_utc() + 30).div_euclid(60) * 60).unwrap_or(offset)
}

/// A zone as templates see it.
#[derive(Clone, Copy)]
pub(super) struct ZoneValue(pub Zone);

impl fmt::Display for ZoneValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Zone::Named(zone) | Zone::LocalMean(zone) => formatter.write_str(zone.name()),
            other => formatter.write_str(&other.abbreviation(&NaiveDateTime::default())),
        }
    }
}

impl fmt::Debug for ZoneValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Zone::PytzUtc => formatter.write_str("<UTC>"),
            Zone::Fixed(offset) if offset.local_minus_utc() == 0 => formatter.write_str("datetime.timezone.utc"),
            Zone::Fixed(_) => write!(formatter, "datetime.timezone({self})"),
            Zone::Named(zone) | Zone::LocalMean(zone) => write!(formatter, "<DstTzInfo '{}'>", zone.name()),
        }
    }
}

impl Object for ZoneValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "zone").then(|| Value::from(self.to_string()))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        match method {
            "localize" => {
                let moment = moment_of(&arguments.required("dt")?)?;
                arguments.keyword("is_dst");
                arguments.finish()?;
                if moment.zone.is_some() {
                    return Err(invalid("Not naive datetime (tzinfo is already set)"));
                }
                Ok(Moment { naive: moment.naive, zone: Some(self.0.localized()) }.value())
            }
            "normalize" => {
                let moment = moment_of(&arguments.required("dt")?)?;
                arguments.finish()?;
                Ok(moment.in_zone(self.0.localized()).value())
            }
            "utcoffset" => {
                let moment = moment_of(&arguments.required("dt")?)?;
                span::value(i128::from(self.0.offset_at(&moment.naive).local_minus_utc()) * 1_000_000)
            }
            "tzname" => Ok(Value::from(self.0.abbreviation(&moment_of(&arguments.required("dt")?)?.naive))),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// The zone that a value is; `None` stands for none.
pub(super) fn zone_of(value: &Value) -> Result<Option<Zone>, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(None);
    }
    match value.downcast_object_ref::<ZoneValue>() {
        Some(zone) => Ok(Some(zone.0)),
        None => Err(invalid("tzinfo argument must be None or of a tzinfo subclass")),
    }
}

/// A point on a calendar and a clock, perhaps in a zone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub naive: NaiveDateTime,
    pub zone: Option<Zone>,
}

/// A `datetime` without a zone, for templates.
pub fn datetime_value(moment: NaiveDateTime) -> Value {
    Moment { naive: moment, zone: None }.value()
}

/// A `datetime` with a fixed offset, for templates.
pub fn datetime_with_offset_value(moment: DateTime<FixedOffset>) -> Value {
    Moment { naive: moment.naive_local(), zone: Some(Zone::Fixed(*moment.offset())) }.value()
}

/// A `datetime` in `pytz.utc`, for templates.
pub fn utc_datetime_value(moment: DateTime<Utc>) -> Value {
    Moment { naive: moment.naive_utc(), zone: Some(Zone::PytzUtc) }.value()
}

/// A `date`, for templates.
pub fn date_value(date: NaiveDate) -> Value {
    Value::from_object(Date(date))
}

/// The `datetime` behind a value.
pub(super) fn moment_of(value: &Value) -> Result<Moment, Error> {
    value.downcast_object_ref::<Moment>().copied().ok_or_else(|| invalid("a datetime is expected here"))
}

impl Moment {
    pub fn value(self) -> Value {
        Value::from_object(self)
    }

    fn utc(self) -> NaiveDateTime {
        self.zone.map_or(self.naive, |zone| self.naive - zone.offset_at(&self.naive))
    }

    /// The same point in time on another zone's clock; one without a zone counts as UTC.
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { naive: zone.clock_at(&self.utc()), zone: Some(zone) }
    }

    fn plus(self, span: Span, sign: i128) -> Result<Value, Error> {
        let span = Span { microseconds: span.microseconds * sign };
        let naive = span.duration().and_then(|duration| self.naive.checked_add_signed(duration));
        naive.map(|naive| Self { naive, ..self }.value()).ok_or_else(|| invalid("date value out of range"))
    }

    fn minus(self, other: Self) -> Result<Value, Error> {
        if self.zone.is_some() != other.zone.is_some() {
            return Err(invalid("can't subtract offset-naive and offset-aware datetimes"));
        }
        let apart = self.utc() - other.utc();
        span::value(apart.num_microseconds().map_or(i128::MAX, i128::from))
    }

    fn replaced(self, arguments: &mut Arguments<'_>) -> Result<Value, Error> {
        let naive = self.naive;
        let date = replaced_date(naive.date(), arguments)?;
        let time = replaced_time(naive.time(), arguments)?;
        let zone = match arguments.given("tzinfo") {
            Some(zone) => zone_of(&zone)?.map(Zone::as_tzinfo),
            None => self.zone,
        };
        Ok(Self { naive: NaiveDateTime::new(date, time), zone }.value())
    }

    fn method(self, method: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
        let naive = self.naive;
        let result = match method {
            "strftime" => Value::from(format::strftime(&naive, self.zone, &arguments.text("format")?)?),
            "isoformat" => {
                let separator = arguments.optional_text("sep").unwrap_or_else(|| "T".to_owned());
                let precision = arguments.optional_text("timespec").unwrap_or_else(|| "auto".to_owned());
                Value::from(format::isoformat(&naive, self.zone, &separator, &precision)?)
            }
            "date" => date_value(naive.date()),
            "time" => Value::from_object(Time(naive.time())),
            "timestamp" => Value::from(seconds_since_epoch(&self.utc())),
            "astimezone" => match arguments.optional("tz").map(|zone| zone_of(&zone)).transpose()?.flatten() {
                Some(zone) => self.in_zone(zone.localized()).value(),
                None => self.in_zone(Zone::Fixed(Utc.fix())).value(),
            },
            "replace" => self.replaced(&mut arguments)?,
            "utcoffset" => match self.zone {
                Some(zone) => span::value(i128::from(zone.offset_at(&naive).local_minus_utc()) * 1_000_000)?,
                None => none(),
            },
            "tzname" => self.zone.map_or_else(none, |zone| Value::from(zone.abbreviation(&naive))),
            "ctime" => Value::from(naive.format("%a %b %e %H:%M:%S %Y").to_string()),
            _ => return date_method(naive.date(), method, arguments),
        };
        arguments.finish()?;
        Ok(result)
    }
}

#[expect(clippy::cast_precision_loss, reason = "Python's timestamp() is a float too")]
fn seconds_since_epoch(utc: &NaiveDateTime) -> f64 {
    utc.and_utc().timestamp_micros() as f64 / 1e6
}

fn part<T: TryFrom<i64>>(arguments: &mut Arguments<'_>, name: &str, current: T) -> Result<T, Error> {
    match arguments.optional(name) {
        None => Ok(current),
        Some(value) => value
            .as_i64()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| invalid(format!("{name} is out of range"))),
    }
}

fn replaced_date(date: NaiveDate, arguments: &mut Arguments<'_>) -> Result<NaiveDate, Error> {
    let year = part(arguments, "year", date.year())?;
    let month = part(arguments, "month", date.month())?;
    let day = part(arguments, "day", date.day())?;
    new_date(year, month, day)
}

/// A date of Python's range.
pub(super) fn new_date(year: i32, month: u32, day: u32) -> Result<NaiveDate, Error> {
    if !(1..=9999).contains(&year) {
        return Err(invalid(format!("year {year} is out of range")));
    }
    if !(1..=12).contains(&month) {
        return Err(invalid("month must be in 1..12"));
    }
    NaiveDate::from_ymd_opt(year, month, day).ok_or_else(|| invalid("day is out of range for month"))
}

fn replaced_time(time: NaiveTime, arguments: &mut Arguments<'_>) -> Result<NaiveTime, Error> {
    let hour = part(arguments, "hour", time.hour())?;
    let minute = part(arguments, "minute", time.minute())?;
    let second = part(arguments, "second", time.second())?;
    let microsecond = part(arguments, "microsecond", time.nanosecond() / 1000)?;
    NaiveTime::from_hms_micro_opt(hour, minute, second, microsecond)
        .ok_or_else(|| invalid("hour, minute, second or microsecond is out of range"))
}

/// Reads the time's parts of a constructor: hour, minute, second, microsecond, each 0 by default.
pub(super) fn new_time(arguments: &mut Arguments<'_>) -> Result<NaiveTime, Error> {
    replaced_time(NaiveTime::default(), arguments)
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format::isoformat(&self.naive, self.zone, " ", "auto").map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.naive.date(), self.naive.time());
        write!(formatter, "datetime.datetime({}, {}, {}", date.year(), date.month(), date.day())?;
        write!(formatter, ", {}", time_parts(time))?;
        match self.zone {
            Some(zone) => write!(formatter, ", tzinfo={:?})", ZoneValue(zone)),
            None => formatter.write_str(")"),
        }
    }
}

fn time_parts(time: NaiveTime) -> String {
    let microsecond = time.nanosecond() / 1000;
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    match (second, microsecond) {
        (0, 0) => format!("{hour}, {minute}"),
        (second, 0) => format!("{hour}, {minute}, {second}"),
        (second, microsecond) => format!("{hour}, {minute}, {second}, {microsecond}"),
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "tzinfo" => Some(self.zone.map_or_else(none, |zone| Value::from_object(ZoneValue(zone)))),
            name => date_part(self.naive.date(), name).or_else(|| time_part(self.naive.time(), name)),
        }
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        (**self).method(method, Arguments::new(method, args))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        // Python refuses to order one with a zone and one without; here the one without counts as UTC.
        Some(self.utc().cmp(&other.utc()).then(self.zone.is_some().cmp(&other.zone.is_some())))
    }
}

/// A calendar date.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Date(pub NaiveDate);

fn date_part(date: NaiveDate, name: &str) -> Option<Value> {
    match name {
        "year" => Some(Value::from(date.year())),
        "month" => Some(Value::from(date.month())),
        "day" => Some(Value::from(date.day())),
        _ => None,
    }
}

fn time_part(time: NaiveTime, name: &str) -> Option<Value> {
    match name {
        "hour" => Some(Value::from(time.hour())),
        "minute" => Some(Value::from(time.minute())),
        "second" => Some(Value::from(time.second())),
        "microsecond" => Some(Value::from(time.nanosecond() / 1000)),
        _ => None,
    }
}

/// The methods that a date has, and a `datetime` too.
fn date_method(date: NaiveDate, method: &str, mut arguments: Arguments<'_>) -> Result<Value, Error> {
    let midnight = NaiveDateTime::new(date, NaiveTime::default());
    let result = match method {
        "strftime" => Value::from(format::strftime(&midnight, None, &arguments.text("format")?)?),
        "isoformat" => Value::from(date.format("%Y-%m-%d").to_string()),
        "weekday" => Value::from(date.weekday().num_days_from_monday()),
        "isoweekday" => Value::from(date.weekday().number_from_monday()),
        "toordinal" => Value::from(date.num_days_from_ce()),
        "isocalendar" => {
            let week = date.iso_week();
            let weekday = date.weekday().number_from_monday();
            tuple([Value::from(week.year()), Value::from(week.week()), Value::from(weekday)])
        }
        "replace" => date_value(replaced_date(date, &mut arguments)?),
        "ctime" => Value::from(midnight.format("%a %b %e %H:%M:%S %Y").to_string()),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    arguments.finish()?;
    Ok(result)
}

impl fmt::Debug for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "datetime.date({}, {}, {})", self.0.year(), self.0.month(), self.0.day())
    }
}

impl Object for Date {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        date_part(self.0, key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        date_method(self.0, method, Arguments::new(method, args))
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%d"))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }
}

/// A time of day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Time(pub NaiveTime);

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "datetime.time({})", time_parts(self.0))
    }
}

impl Object for Time {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        time_part(self.0, key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        let mut arguments = Arguments::new(method, args);
        let first_day = NaiveDateTime::new(NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default(), self.0);
        let result = match method {
            "strftime" => Value::from(format::strftime(&first_day, None, &arguments.text("format")?)?),
            "isoformat" => {
                let precision = arguments.optional_text("timespec").unwrap_or_else(|| "auto".to_owned());
                Value::from(format::time_text(self.0, &precision)?)
            }
            "replace" => Value::from_object(Self(replaced_time(self.0, &mut arguments)?)),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        arguments.finish()?;
        Ok(result)
    }

    fn render(self: &Arc<Self>, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&format::time_text(self.0, "auto").map_err(|_| fmt::Error)?)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }
}

/// Arithmetic with a date or a `datetime`.
pub(super) fn arithmetic(method: &str, this: &Value, other: &Value) -> Option<Result<Value, Error>> {
    let span = Span::of(other);
    if let Some(this) = this.downcast_object_ref::<Moment>() {
        return match (method, span) {
            ("__add__" | "__radd__", Some(span)) => Some(this.plus(span, 1)),
            ("__sub__", Some(span)) => Some(this.plus(span, -1)),
            ("__sub__", None) => other.downcast_object_ref::<Moment>().map(|other| this.minus(*other)),
            _ => None,
        };
    }
    let date = this.downcast_object_ref::<Date>()?.0;
    let days = |span: Span, sign: i128| {
        let days = i64::try_from(sign * span.microseconds.div_euclid(86_400_000_000)).ok();
        let moved = days.and_then(chrono::TimeDelta::try_days).and_then(|days| date.checked_add_signed(days));
        moved.map(date_value).ok_or_else(|| invalid("date value out of range"))
    };
    match (method, span) {
        ("__add__" | "__radd__", Some(span)) => Some(days(span, 1)),
        ("__sub__", Some(span)) => Some(days(span, -1)),
        ("__sub__", None) => {
            let other = other.downcast_object_ref::<Date>()?.0;
            Some(span::value(i128::from((date - other).num_days()) * 86_400_000_000))
        }
        _ => None,
    }
}

/// A date, a time or a moment as `strftime` writes it; none if the value is none of them.
pub(super) fn formatted(value: &Value, pattern: &str) -> Option<Result<String, Error>> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(format::strftime(&moment.naive, moment.zone, pattern));
    }
    if let Some(date) = value.downcast_object_ref::<Date>() {
        return Some(format::strftime(&NaiveDateTime::new(date.0, NaiveTime::default()), None, pattern));
    }
    let time = value.downcast_object_ref::<Time>()?;
    let first_day = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default();
    Some(format::strftime(&NaiveDateTime::new(first_day, time.0), None, pattern))
}
