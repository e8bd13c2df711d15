//! The verbs that run nodes, as they are typed.
#![expect(clippy::doc_markdown, reason = "these comments are help texts, shown on terminals as they are")]

use super::selection::{ResourceTypeArguments, SelectionArguments};
use crate::manifest::parse_time;
use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::BoolishValueParser;

/// `--full-refresh`.
#[derive(Debug, Clone, Default, Args)]
pub struct FullRefresh {
    /// Build incremental models, extracts, seeds and clones anew instead of keeping what is there
    #[arg(short, long, env = "DBT_FULL_REFRESH", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Run")]
    pub full_refresh: Option<bool>,
    /// Add to what is there (the default)
    #[arg(long, hide = true, overrides_with = "full_refresh")]
    pub no_full_refresh: bool,
}

/// `--event-time-start` and `--event-time-end`.
#[derive(Debug, Clone, Default, Args)]
pub struct EventTimes {
    /// Build models of the strategy microbatch from this time on (a date, or a date and a time; UTC)
    #[arg(long, env = "DBT_EVENT_TIME_START", value_name = "TIME", help_heading = "Run", value_parser = event_time, requires = "event_time_end")]
    pub event_time_start: Option<DateTime<Utc>>,
    /// … and up to this time, which is not part of it any more
    #[arg(long, env = "DBT_EVENT_TIME_END", value_name = "TIME", help_heading = "Run", value_parser = event_time, requires = "event_time_start")]
    pub event_time_end: Option<DateTime<Utc>>,
}

fn event_time(text: &str) -> Result<DateTime<Utc>, String> {
    parse_time(text)
        .ok_or_else(|| "expected a date (2024-01-31), or a date and a time (2024-01-31T12:00:00)".to_owned())
}

/// `--store-failures`.
#[derive(Debug, Clone, Default, Args)]
pub struct StoreFailures {
    /// Keep the rows that fail a test in tables of the schema …_dbt_test__audit
    #[arg(long, env = "DBT_STORE_FAILURES", num_args = 0, default_missing_value = "true", value_parser = BoolishValueParser::new(), help_heading = "Run")]
    pub store_failures: Option<bool>,
}

/// `run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Whether everything is built anew.
    #[command(flatten)]
    pub full_refresh: FullRefresh,
    /// Which batches.
    #[command(flatten)]
    pub event_times: EventTimes,
}

/// `seed`.
#[derive(Debug, Clone, Default, Args)]
pub struct SeedArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Whether everything is built anew.
    #[command(flatten)]
    pub full_refresh: FullRefresh,
}

/// `snapshot`.
#[derive(Debug, Clone, Default, Args)]
pub struct SnapshotArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
}

/// `test`.
#[derive(Debug, Clone, Default, Args)]
pub struct TestArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of which kinds.
    #[command(flatten)]
    pub kinds: ResourceTypeArguments,
    /// Whether failing rows are kept.
    #[command(flatten)]
    pub store_failures: StoreFailures,
}

/// `build`.
#[derive(Debug, Clone, Default, Args)]
pub struct BuildArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of which kinds.
    #[command(flatten)]
    pub kinds: ResourceTypeArguments,
    /// Whether everything is built anew.
    #[command(flatten)]
    pub full_refresh: FullRefresh,
    /// Which batches.
    #[command(flatten)]
    pub event_times: EventTimes,
    /// Whether failing rows are kept.
    #[command(flatten)]
    pub store_failures: StoreFailures,
}

/// `clone`.
#[derive(Debug, Clone, Default, Args)]
pub struct CloneArguments {
    /// Which nodes.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of which kinds.
    #[command(flatten)]
    pub kinds: ResourceTypeArguments,
    /// Whether what is there is replaced.
    #[command(flatten)]
    pub full_refresh: FullRefresh,
}
