//! Batches of models with the strategy `microbatch`: spans of event time, each built on its own. Times are UTC.

use super::config::{Materialized, NodeConfig};
use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize, Serializer};

/// How long a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatchSize {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

/// A span of event time: from `start` on, up to and without `end`. As JSON it is a list of both, as in dbt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Batch(DateTime<Utc>, DateTime<Utc>);

/// Which batches of a model were built, and which not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResults {
    /// Those that were built.
    pub successful: Vec<Batch>,
    /// Those that were not.
    pub failed: Vec<Batch>,
}

/// A batch that is being built, and what follows from its place among those of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchStep {
    /// The batch.
    pub batch: Batch,
    /// How long it is.
    pub size: BatchSize,
    /// Whether it is the first one, before which the model's hooks run.
    pub is_first: bool,
    /// Whether it is the last one, after which the model's hooks run.
    pub is_last: bool,
    /// Whether it is added to what is there, whatever the command line says of full refreshes.
    pub is_added: bool,
}

/// The rows of an input that count: those whose event time lies in a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventWindow {
    /// The column or expression that says when something happened.
    pub field: String,
    /// The span.
    pub span: Batch,
}

impl BatchSize {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Month, Self::Year];

    /// The word in configs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The size that a word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.as_str() == word)
    }

    /// When the batch begins in which a time lies.
    pub fn floor(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let date = at.date_naive();
        let (date, hour) = match self {
            Self::Hour => (date, at.time()),
            Self::Day => (date, NaiveTime::MIN),
            Self::Month => (date.with_day(1).unwrap_or(date), NaiveTime::MIN),
            Self::Year => (NaiveDate::from_ymd_opt(date.year(), 1, 1).unwrap_or(date), NaiveTime::MIN),
        };
        let within = TimeDelta::nanoseconds(if self == Self::Hour { nanoseconds_of_hour(hour) } else { 0 });
        (date.and_time(hour) - within).and_utc()
    }

    /// When the batch ends in which a time lies; the time itself where one ends there.
    pub fn ceiling(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let floor = self.floor(at);
        if floor == at { at } else { self.after(floor, 1) }
    }

    /// So many batches later than the beginning of that in which a time lies; at the end of what can be counted, there.
    pub fn after(self, at: DateTime<Utc>, count: u32) -> DateTime<Utc> {
        let floor = self.floor(at);
        let moved = match self {
            Self::Hour => floor.checked_add_signed(TimeDelta::hours(count.into())),
            Self::Day => floor.checked_add_signed(TimeDelta::days(count.into())),
            Self::Month => floor.checked_add_months(Months::new(count)),
            Self::Year => floor.checked_add_months(Months::new(count.saturating_mul(12))),
        };
        moved.unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// So many batches earlier.
    pub fn before(self, at: DateTime<Utc>, count: u32) -> DateTime<Utc> {
        let floor = self.floor(at);
        let moved = match self {
            Self::Hour => floor.checked_sub_signed(TimeDelta::hours(count.into())),
            Self::Day => floor.checked_sub_signed(TimeDelta::days(count.into())),
            Self::Month => floor.checked_sub_months(Months::new(count)),
            Self::Year => floor.checked_sub_months(Months::new(count.saturating_mul(12))),
        };
        moved.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// The batches of a span, of which the last one ends with it; at least one.
    pub fn batches(self, start: DateTime<Utc>, end: DateTime<Utc>) -> Vec<Batch> {
        let mut batches = vec![];
        let mut from = start;
        loop {
            let until = self.after(from, 1);
            if until >= end || until <= from {
                batches.push(Batch(from, end));
                return batches;
            }
            batches.push(Batch(from, until));
            from = until;
        }
    }
}

fn nanoseconds_of_hour(time: NaiveTime) -> i64 {
    let of_day = time.signed_duration_since(NaiveTime::MIN);
    let hours = TimeDelta::hours(of_day.num_hours());
    (of_day - hours).num_nanoseconds().unwrap_or(0)
}

impl Serialize for Batch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.0.to_rfc3339(), self.1.to_rfc3339()].serialize(serializer)
    }
}

impl Batch {
    /// A span.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self(start, end)
    }

    /// When it begins.
    pub fn start(&self) -> DateTime<Utc> {
        self.0
    }

    /// When it ends: the first moment after it.
    pub fn end(&self) -> DateTime<Utc> {
        self.1
    }

    /// What both spans have in common; empty (its end not after its start) where they do not meet.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.max(other.0), self.1.min(other.1))
    }

    /// How dbt calls a batch of a size: `2024-01-31`, for an hour `2024-01-31T07`.
    pub fn label(&self, size: BatchSize) -> String {
        let format = match size {
            BatchSize::Hour => "%Y-%m-%dT%H",
            BatchSize::Day => "%Y-%m-%d",
            BatchSize::Month => "%Y-%m",
            BatchSize::Year => "%Y",
        };
        self.0.format(format).to_string()
    }
}

impl BatchStep {
    /// The batch's name, as in `2024-01-31`.
    pub fn label(&self) -> String {
        self.batch.label(self.size)
    }

    /// The batch's name where only letters and digits may stand: `20240131`.
    pub fn id(&self) -> String {
        self.label().replace('-', "")
    }
}

impl NodeConfig {
    /// Whether the model is built in batches.
    pub fn is_microbatch(&self) -> bool {
        self.materialized() == Materialized::Incremental && self.text("incremental_strategy") == Some("microbatch")
    }

    /// How long the model's batches are.
    pub fn batch_size(&self) -> Option<BatchSize> {
        self.text("batch_size").and_then(BatchSize::from_word)
    }

    /// When the model's first batch begins.
    pub fn begin(&self) -> Option<DateTime<Utc>> {
        parse_time(self.text("begin")?)
    }

    /// How many former batches are built again with the newest one.
    pub fn lookback(&self) -> u32 {
        self.get("lookback")
            .and_then(serde_json::Value::as_u64)
            .map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// A date, or a date and a time; without a zone they are UTC.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Some(zoned.to_utc());
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|at| at.and_utc())
        .or_else(|| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").ok().map(|at| at.to_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        parse_time(text).expect("a time")
    }

    #[test]
    fn edges_are_those_of_the_calendar() {
        let time = at("2024-09-17 16:06:00");
        let edges = |size: BatchSize| {
            [size.floor(time), size.ceiling(time), size.before(time, 1), size.after(time, 1)]
                .map(|edge| edge.format("%Y-%m-%d %H").to_string())
        };
        assert_eq!(edges(BatchSize::Hour), ["2024-09-17 16", "2024-09-17 17", "2024-09-17 15", "2024-09-17 17"]);
        assert_eq!(edges(BatchSize::Day), ["2024-09-17 00", "2024-09-18 00", "2024-09-16 00", "2024-09-18 00"]);
        assert_eq!(edges(BatchSize::Month), ["2024-09-01 00", "2024-10-01 00", "2024-08-01 00", "2024-10-01 00"]);
        assert_eq!(edges(BatchSize::Year), ["2024-01-01 00", "2025-01-01 00", "2023-01-01 00", "2025-01-01 00"]);
        assert_eq!(BatchSize::Month.ceiling(at("2024-09-01")), at("2024-09-01"));
    }

    #[test]
    fn a_span_that_is_no_span_is_one_batch() {
        let batches = BatchSize::Day.batches(at("2024-01-02"), at("2024-01-01"));
        assert_eq!(batches, [Batch::new(at("2024-01-02"), at("2024-01-01"))]);
    }

    #[test]
    fn batches_are_lists_in_json() {
        let batch = Batch::new(at("2024-01-01"), at("2024-01-02"));
        let text = serde_json::to_string(&batch).expect("JSON");
        assert_eq!(text, r#"["2024-01-01T00:00:00+00:00","2024-01-02T00:00:00+00:00"]"#);
        assert_eq!(serde_json::from_str::<Batch>(&text).expect("a batch"), batch);
    }

    proptest! {
        /// Batches cover a span without gap and overlap, and each but the first and last is a whole one.
        #[test]
        fn batches_cover_a_span(from in 0_i64..2_000_000_000, hours in 1_i64..2_000, size in 0_usize..4) {
            let size = BatchSize::ALL[size];
            let start = size.floor(DateTime::from_timestamp(from, 0).expect("a time"));
            let end = size.ceiling(start + TimeDelta::hours(hours));
            let batches = size.batches(start, end);
            prop_assert_eq!(batches[0].start(), start);
            prop_assert_eq!(batches[batches.len() - 1].end(), end);
            for pair in batches.windows(2) {
                prop_assert_eq!(pair[0].end(), pair[1].start());
            }
            for batch in &batches {
                prop_assert_eq!(size.floor(batch.start()), batch.start());
                prop_assert_eq!(size.after(batch.start(), 1), batch.end());
            }
        }
    }
}
