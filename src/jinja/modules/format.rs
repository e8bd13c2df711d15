//! Dates and times as text, and back: `strftime`, `strptime`, `isoformat`, `fromisoformat`.

use super::super::value::invalid;
use super::moment::{Moment, Zone, new_date};
use chrono::{Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use minijinja::Error;
use std::fmt::Write;

/// `+02:00`, or `+0200` without the colon; seconds only where there are some.
pub(super) fn offset(offset: FixedOffset, colon: bool) -> String {
    let seconds = offset.local_minus_utc();
    let sign = if seconds < 0 { '-' } else { '+' };
    let (size, colon) = (seconds.abs(), if colon { ":" } else { "" });
    let mut text = format!("{sign}{:02}{colon}{:02}", size / 3600, size / 60 % 60);
    if size % 60 != 0 {
        // Writing into a String cannot fail.
        let _ = write!(text, "{colon}{:02}", size % 60);
    }
    text
}

/// Python's `strftime`.
pub(super) fn strftime(moment: &NaiveDateTime, zone: Option<Zone>, pattern: &str) -> Result<String, Error> {
    let mut text = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let Some(directive) = letters.next() else {
            text.push('%');
            break;
        };
        match directive {
            '%' => text.push('%'),
            'f' => text.push_str(&moment.format("%6f").to_string()),
            'z' => text.push_str(&zone.map(|zone| offset(zone.offset_at(moment), false)).unwrap_or_default()),
            'Z' => text.push_str(&zone.map(|zone| zone.abbreviation(moment)).unwrap_or_default()),
            'c' => text.push_str(&moment.format("%a %b %e %H:%M:%S %Y").to_string()),
            'x' => text.push_str(&moment.format("%m/%d/%y").to_string()),
            'X' => text.push_str(&moment.format("%H:%M:%S").to_string()),
            's' => text.push_str(&moment.and_utc().timestamp().to_string()),
            // glibc's `%-d`: without padding.
            '-' => match letters.next() {
                Some(inner @ ('d' | 'm' | 'H' | 'I' | 'M' | 'S' | 'j' | 'y')) => {
                    let padded = moment.format(&format!("%{inner}")).to_string();
                    let trimmed = padded.trim_start_matches('0');
                    text.push_str(if trimmed.is_empty() { "0" } else { trimmed });
                }
                _ => return Err(invalid(format!("Invalid format string: '{pattern}'"))),
            },
            'a' | 'A' | 'b' | 'B' | 'd' | 'D' | 'e' | 'F' | 'g' | 'G' | 'h' | 'H' | 'I' | 'j' | 'm' | 'M' | 'n'
            | 'p' | 'R' | 'S' | 't' | 'T' | 'u' | 'U' | 'V' | 'w' | 'W' | 'y' | 'Y' | 'C' | 'k' | 'l' => {
                text.push_str(&moment.format(&format!("%{directive}")).to_string());
            }
            _ => return Err(invalid(format!("Invalid format string: '{pattern}'"))),
        }
    }
    Ok(text)
}

/// `HH:MM:SS[.ffffff]` in Python's precisions.
pub(super) fn time_text(time: NaiveTime, precision: &str) -> Result<String, Error> {
    let microseconds = time.nanosecond() / 1000;
    Ok(match precision {
        "auto" if microseconds == 0 => time.format("%H:%M:%S").to_string(),
        "auto" | "microseconds" => format!("{}.{microseconds:06}", time.format("%H:%M:%S")),
        "milliseconds" => format!("{}.{:03}", time.format("%H:%M:%S"), microseconds / 1000),
        "seconds" => time.format("%H:%M:%S").to_string(),
        "minutes" => time.format("%H:%M").to_string(),
        "hours" => time.format("%H").to_string(),
        _ => return Err(invalid(format!("Unknown timespec value: '{precision}'"))),
    })
}

/// Python's `isoformat`; with a space as separator, `str()`.
pub(super) fn isoformat(
    moment: &NaiveDateTime,
    zone: Option<Zone>,
    separator: &str,
    precision: &str,
) -> Result<String, Error> {
    let zone = zone.map(|zone| offset(zone.offset_at(moment), true)).unwrap_or_default();
    Ok(format!("{}{separator}{}{zone}", moment.format("%Y-%m-%d"), time_text(moment.time(), precision)?))
}

/// Reads numbers and words off a text.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    /// A number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if length < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        digits.parse().ok()
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The position of the word among `words` that comes next, its case not regarded; longer words come first.
    fn word(&mut self, words: &[&str]) -> Option<usize> {
        let at = words
            .iter()
            .position(|word| self.rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
        self.rest = &self.rest[words[at].len()..];
        Some(at)
    }

    /// One to six digits as microseconds.
    fn fraction(&mut self) -> Option<u32> {
        let before = self.rest.len();
        let number = self.number(1, 6)?;
        let digits = u32::try_from(before - self.rest.len()).ok()?;
        // Python cuts what is finer than microseconds.
        self.rest = self.rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        Some(number * 10u32.pow(6 - digits))
    }

    /// `Z`, `+02:00`, `+0200`, `+02`.
    fn offset(&mut self) -> Option<FixedOffset> {
        if self.take("Z") {
            return FixedOffset::east_opt(0);
        }
        let sign = if self.take("+") {
            1
        } else if self.take("-") {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let colon = self.take(":");
        let minutes = self.number(2, 2).or_else(|| (!colon).then_some(0))?;
        let seconds = if self.take(":") { self.number(2, 2)? } else { 0 };
        FixedOffset::east_opt(sign * i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?)
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What `strptime` has read so far.
#[derive(Default)]
struct Parts {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    is_afternoon: Option<bool>,
    minute: u32,
    second: u32,
    microsecond: u32,
    zone: Option<Zone>,
}

/// Python's `strptime`.
pub(super) fn strptime(text: &str, pattern: &str) -> Result<Moment, Error> {
    let mismatch = || invalid(format!("time data '{text}' does not match format '{pattern}'"));
    let mut reader = Reader { rest: text };
    let mut parts = Parts::default();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            reader.rest = reader.rest.trim_start();
        } else if letter != '%' {
            if !reader.take(letter.encode_utf8(&mut [0; 4])) {
                return Err(mismatch());
            }
        } else {
            let directive = letters.next().ok_or_else(|| invalid(format!("stray % in format '{pattern}'")))?;
            let known = parts.read(directive, &mut reader).ok_or_else(mismatch)?;
            if !known {
                return Err(invalid(format!("'{directive}' is a bad directive in format '{pattern}'")));
            }
        }
    }
    if !reader.rest.is_empty() {
        return Err(invalid(format!("unconverted data remains: {}", reader.rest)));
    }
    parts.moment().ok_or_else(mismatch)
}

impl Parts {
    /// Reads one directive: none if the text does not fit, false if there is no such directive.
    fn read(&mut self, directive: char, reader: &mut Reader<'_>) -> Option<bool> {
        match directive {
            'Y' => self.year = Some(reader.number(4, 4)?),
            'y' => {
                let short = reader.number(2, 2)?;
                self.year = Some(if short < 69 { 2000 + short } else { 1900 + short });
            }
            'm' => self.month = Some(reader.number(1, 2)?),
            'd' | 'e' => self.day = Some(reader.number(1, 2)?),
            'j' => self.day_of_year = Some(reader.number(1, 3)?),
            'H' | 'I' => self.hour = reader.number(1, 2)?,
            'M' => self.minute = reader.number(1, 2)?,
            'S' => self.second = reader.number(1, 2)?,
            'f' => self.microsecond = reader.fraction()?,
            'p' => self.is_afternoon = Some(reader.word(&["AM", "PM"])? == 1),
            'B' | 'b' | 'h' => self.month = Some(u32::try_from(name(reader, &MONTHS, directive == 'B')?).ok()? + 1),
            'A' | 'a' => {
                name(reader, &DAYS, directive == 'A')?;
            }
            'z' => self.zone = Some(Zone::Fixed(reader.offset()?)),
            'Z' => {
                reader.word(&["UTC", "GMT"])?;
            }
            'T' => {
                for part in "H:M:S".chars() {
                    if part == ':' { reader.take(":").then_some(())? } else { self.read(part, reader).map(|_| ())? }
                }
            }
            '%' => reader.take("%").then_some(())?,
            _ => return Some(false),
        }
        Some(true)
    }

    fn moment(self) -> Option<Moment> {
        let year = i32::try_from(self.year.unwrap_or(1900)).ok()?;
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match self.is_afternoon {
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let time = NaiveTime::from_hms_micro_opt(hour, self.minute, self.second, self.microsecond)?;
        Some(Moment { naive: NaiveDateTime::new(date, time), zone: self.zone })
    }
}

/// The position of a name, written out or by its first three letters.
fn name(reader: &mut Reader<'_>, names: &[&str], is_long: bool) -> Option<usize> {
    if is_long {
        return reader.word(names);
    }
    let short: Vec<&str> = names.iter().map(|name| &name[..3]).collect();
    reader.word(&short)
}

/// Python's `date.fromisoformat`.
pub(super) fn date_from_iso(text: &str) -> Result<NaiveDate, Error> {
    let mut reader = Reader { rest: text };
    let date = read_date(&mut reader).filter(|_| reader.rest.is_empty());
    date.ok_or_else(|| invalid(format!("Invalid isoformat string: '{text}'")))
}

/// Python's `datetime.fromisoformat`.
pub(super) fn moment_from_iso(text: &str) -> Result<Moment, Error> {
    let wrong = || invalid(format!("Invalid isoformat string: '{text}'"));
    let mut reader = Reader { rest: text };
    let date = read_date(&mut reader).ok_or_else(wrong)?;
    let mut moment = Moment { naive: NaiveDateTime::new(date, NaiveTime::default()), zone: None };
    if reader.rest.is_empty() {
        return Ok(moment);
    }
    // Python takes any one character between date and time.
    reader.rest = reader.rest.split_at(reader.rest.chars().next().map_or(0, char::len_utf8)).1;
    let time = read_time(&mut reader).ok_or_else(wrong)?;
    moment.naive = NaiveDateTime::new(date, time);
    if !reader.rest.is_empty() {
        moment.zone = Some(Zone::Fixed(reader.offset().filter(|_| reader.rest.is_empty()).ok_or_else(wrong)?));
    }
    Ok(moment)
}

fn read_date(reader: &mut Reader<'_>) -> Option<NaiveDate> {
    let year = i32::try_from(reader.number(4, 4)?).ok()?;
    let dashed = reader.take("-");
    let month = reader.number(2, 2)?;
    if dashed && !reader.take("-") {
        return None;
    }
    new_date(year, month, reader.number(2, 2)?).ok().filter(|date| date.year() == year)
}

fn read_time(reader: &mut Reader<'_>) -> Option<NaiveTime> {
    let hour = reader.number(2, 2)?;
    let colon = reader.take(":");
    let minute = reader.number(2, 2).or_else(|| (!colon).then_some(0))?;
    let second = if !colon || reader.take(":") { reader.number(2, 2).or_else(|| (!colon).then_some(0))? } else { 0 };
    let microsecond = if reader.take(".") || reader.take(",") { reader.fraction()? } else { 0 };
    NaiveTime::from_hms_micro_opt(hour, minute, second, microsecond)
}
