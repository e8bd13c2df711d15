//! `modules.datetime`.

use super::super::native::{Arguments, native};
use super::super::value::invalid;
use super::format::{date_from_iso, moment_from_iso, strptime};
use super::members;
use super::moment::{Date, Moment, Time, Zone, ZoneValue, date_value, new_date, new_time, zone_of};
use super::span::{self, Span};
use chrono::{DateTime, FixedOffset, NaiveDateTime, NaiveTime, Offset, Utc};
use minijinja::Error;
use minijinja::value::Value;
use std::time::Instant;

/// A clock that goes on from when the invocation started.
#[derive(Clone, Copy)]
struct Clock {
    started: DateTime<Utc>,
    since: Instant,
}

impl Clock {
    /// The moment now, in UTC, in whole microseconds.
    fn now(self) -> NaiveDateTime {
        let now = self.started + self.since.elapsed();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(self.started).naive_utc()
    }
}

/// The module, with a clock that goes on from `started`.
pub(super) fn module(started: DateTime<Utc>) -> Value {
    let clock = Clock { started, since: Instant::now() };
    members(
        "datetime",
        None,
        vec![
            ("datetime", datetime_class(clock)),
            ("date", date_class(clock)),
            ("time", time_class()),
            ("timedelta", span::class()),
            ("timezone", timezone_class()),
            ("MINYEAR", Value::from(1)),
            ("MAXYEAR", Value::from(9999)),
        ],
    )
}

fn date_parts(arguments: &mut Arguments<'_>) -> Result<chrono::NaiveDate, Error> {
    let year = i32::try_from(arguments.integer("year")?).map_err(|_| invalid("year is out of range"))?;
    let month = u32::try_from(arguments.integer("month")?).map_err(|_| invalid("month must be in 1..12"))?;
    let day = u32::try_from(arguments.integer("day")?).map_err(|_| invalid("day is out of range for month"))?;
    new_date(year, month, day)
}

fn zone_argument(arguments: &mut Arguments<'_>, name: &str) -> Result<Option<Zone>, Error> {
    arguments.given(name).map_or(Ok(None), |zone| zone_of(&zone))
}

/// A moment of UTC on the clock of a zone, or without one.
fn in_zone(utc: NaiveDateTime, zone: Option<Zone>) -> Value {
    let zone = zone.map(Zone::localized);
    let naive = zone.map_or(utc, |zone| zone.clock_at(&utc));
    Moment { naive, zone }.value()
}

/// A point in time of seconds since 1970, as Python's timestamps.
fn from_timestamp(arguments: &mut Arguments<'_>) -> Result<NaiveDateTime, Error> {
    let seconds = f64::try_from(arguments.required("timestamp")?)?;
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return Err(invalid("timestamp out of range"));
    }
    let microseconds: i64 = format!("{:.0}", (seconds * 1e6).round_ties_even()).parse().unwrap_or(i64::MAX);
    let moment = DateTime::from_timestamp_micros(microseconds).ok_or_else(|| invalid("timestamp out of range"))?;
    Ok(moment.naive_utc())
}

fn datetime_class(clock: Clock) -> Value {
    let construct = native("datetime", |_, mut arguments| {
        let date = date_parts(&mut arguments)?;
        let time = new_time(&mut arguments)?;
        let zone = zone_argument(&mut arguments, "tzinfo")?.map(Zone::as_tzinfo);
        arguments.finish()?;
        Ok(Moment { naive: NaiveDateTime::new(date, time), zone }.value())
    });
    let now = native("now", move |_, mut arguments| {
        let zone = zone_argument(&mut arguments, "tz")?;
        arguments.finish()?;
        Ok(in_zone(clock.now(), zone))
    });
    let plain_now = move |name| {
        native(name, move |_, arguments: Arguments<'_>| {
            arguments.finish()?;
            Ok(in_zone(clock.now(), None))
        })
    };
    let functions = vec![
        ("now", now),
        ("utcnow", plain_now("utcnow")),
        ("today", plain_now("today")),
        (
            "strptime",
            native("strptime", |_, mut arguments| {
                let (text, pattern) = (arguments.text("date_string")?, arguments.text("format")?);
                arguments.finish()?;
                strptime(&text, &pattern).map(Moment::value)
            }),
        ),
        (
            "fromisoformat",
            native("fromisoformat", |_, mut arguments| {
                let text = arguments.text("date_string")?;
                arguments.finish()?;
                moment_from_iso(&text).map(Moment::value)
            }),
        ),
        (
            "fromtimestamp",
            native("fromtimestamp", |_, mut arguments| {
                let moment = from_timestamp(&mut arguments)?;
                let zone = zone_argument(&mut arguments, "tz")?;
                arguments.finish()?;
                Ok(in_zone(moment, zone))
            }),
        ),
        (
            "utcfromtimestamp",
            native("utcfromtimestamp", |_, mut arguments| {
                let moment = from_timestamp(&mut arguments)?;
                arguments.finish()?;
                Ok(in_zone(moment, None))
            }),
        ),
        (
            "combine",
            native("combine", |_, mut arguments| {
                let (date, time) = (arguments.required("date")?, arguments.required("time")?);
                let date = date.downcast_object_ref::<Date>().map(|date| date.0);
                let time = time.downcast_object_ref::<Time>().map(|time| time.0);
                let zone = zone_argument(&mut arguments, "tzinfo")?.map(Zone::as_tzinfo);
                arguments.finish()?;
                let (Some(date), Some(time)) = (date, time) else {
                    return Err(invalid("combine() takes a date and a time"));
                };
                Ok(Moment { naive: NaiveDateTime::new(date, time), zone }.value())
            }),
        ),
        ("min", extreme(1, 1, 1, NaiveTime::default())),
        ("max", extreme(9999, 12, 31, NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap_or_default())),
    ];
    members("datetime.datetime", Some(construct), functions)
}

fn extreme(year: i32, month: u32, day: u32, time: NaiveTime) -> Value {
    let date = new_date(year, month, day).unwrap_or_default();
    Moment { naive: NaiveDateTime::new(date, time), zone: None }.value()
}

fn date_class(clock: Clock) -> Value {
    let construct = native("date", |_, mut arguments| {
        let date = date_parts(&mut arguments)?;
        arguments.finish()?;
        Ok(date_value(date))
    });
    let functions = vec![
        (
            "today",
            native("today", move |_, arguments: Arguments<'_>| {
                arguments.finish()?;
                Ok(date_value(clock.now().date()))
            }),
        ),
        (
            "fromisoformat",
            native("fromisoformat", |_, mut arguments| {
                let text = arguments.text("date_string")?;
                arguments.finish()?;
                date_from_iso(&text).map(date_value)
            }),
        ),
        (
            "fromordinal",
            native("fromordinal", |_, mut arguments| {
                let days = i32::try_from(arguments.integer("ordinal")?).ok();
                arguments.finish()?;
                let date = days.and_then(chrono::NaiveDate::from_num_days_from_ce_opt);
                date.map(date_value).ok_or_else(|| invalid("ordinal is out of range"))
            }),
        ),
        ("min", date_value(new_date(1, 1, 1).unwrap_or_default())),
        ("max", date_value(new_date(9999, 12, 31).unwrap_or_default())),
    ];
    members("datetime.date", Some(construct), functions)
}

fn time_class() -> Value {
    let construct = native("time", |_, mut arguments| {
        let time = new_time(&mut arguments)?;
        arguments.finish()?;
        Ok(Value::from_object(Time(time)))
    });
    members("datetime.time", Some(construct), vec![])
}

fn timezone_class() -> Value {
    let construct = native("timezone", |_, mut arguments| {
        let offset = arguments.required("offset")?;
        arguments.given("name");
        arguments.finish()?;
        let seconds = Span::of(&offset).and_then(|span| i32::try_from(span.microseconds / 1_000_000).ok());
        let zone = seconds.and_then(FixedOffset::east_opt);
        let zone = zone.ok_or_else(|| invalid("offset must be a timedelta strictly between -24 and 24 hours"))?;
        Ok(Value::from_object(ZoneValue(Zone::Fixed(zone))))
    });
    let utc = Value::from_object(ZoneValue(Zone::Fixed(Utc.fix())));
    members("datetime.timezone", Some(construct), vec![("utc", utc)])
}
