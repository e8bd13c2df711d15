//! Snowflake's names of parts of dates and times.

/// The part of a date or time that a word means, as DuckDB's functions call it.
pub(super) fn date_or_time_part(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "year" | "y" | "yy" | "yyy" | "yyyy" | "yr" | "years" | "yrs" => "year",
        "month" | "mm" | "mon" | "mons" | "months" => "month",
        "day" | "d" | "dd" | "days" | "dayofmonth" => "day",
        "week" | "w" | "wk" | "weekofyear" | "woy" | "wy" | "week_iso" | "weekiso" | "weekofyeariso"
        | "weekofyear_iso" => "week",
        "quarter" | "q" | "qtr" | "qtrs" | "quarters" => "quarter",
        "hour" | "h" | "hh" | "hr" | "hours" | "hrs" => "hour",
        "minute" | "m" | "mi" | "min" | "minutes" | "mins" => "minute",
        "second" | "s" | "sec" | "seconds" | "secs" => "second",
        "millisecond" | "ms" | "msec" | "milliseconds" => "millisecond",
        "microsecond" | "us" | "usec" | "microseconds" => "microsecond",
        _ => return None,
    })
}

/// Parts that can only be taken out of a date, with the DuckDB macro that does it.
pub(super) fn extracted_part(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "dayofweek" | "weekday" | "dow" | "dw" => "dayofweek",
        "dayofweekiso" | "weekday_iso" | "dow_iso" | "dw_iso" | "dayofweek_iso" => "dayofweekiso",
        "dayofyear" | "yearday" | "doy" | "dy" => "dayofyear",
        "yearofweek" | "yearofweekiso" => "yearofweekiso",
        "epoch_second" | "epoch" | "epoch_seconds" => "epoch_second",
        "epoch_millisecond" | "epoch_milliseconds" => "epoch_millisecond",
        "epoch_microsecond" | "epoch_microseconds" => "epoch_microsecond",
        "nanosecond" | "ns" | "nsec" | "nanosec" | "nsecond" | "nanoseconds" | "nanosecs" => "nanosecond",
        _ => return None,
    })
}

/// Every name that a message offers when an unknown one was written.
pub(super) const KNOWN: [&str; 10] =
    ["year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_do_not_overlap() {
        assert_eq!(date_or_time_part("MM"), Some("month"));
        assert_eq!(date_or_time_part("mi"), Some("minute"));
        assert_eq!(date_or_time_part("dw"), None);
        assert_eq!(extracted_part("DW"), Some("dayofweek"));
        assert!(KNOWN.iter().all(|part| date_or_time_part(part) == Some(part)));
    }
}
