//! The words in which reporters speak of nodes.

use crate::deps::InstalledPackage;
use crate::manifest::{Manifest, Materialized, Node};
use crate::name::ResourceType;
use crate::run::event::{BatchEnd, CLONE_LABEL, NodeResult, Status};
use std::time::Duration;

/// How a node's end is told.
pub(super) struct Ending {
    /// `OK`, `PASS`, `FAIL`, …: what the eye looks for.
    pub(super) word: &'static str,
    /// `created table model dev.orders`, `unique_orders_id`.
    pub(super) subject: String,
    /// `3 rows in 0.19s`.
    pub(super) detail: String,
}

impl Ending {
    pub(super) fn of(manifest: Option<&Manifest>, label: &str, result: &NodeResult) -> Self {
        let node = node_of(manifest, result);
        let is_clone = label.split(' ').next() == Some(CLONE_LABEL);
        let subject = match (action(node, result.status), node) {
            _ if result.did_nothing() => label.to_owned(),
            (Some(_), _) if is_clone && result.status == Status::Success => format!("created {label}"),
            (Some(_), _) if is_clone => format!("creating {label}"),
            (_, Some(node)) if node.resource_type == ResourceType::Test => node.name.clone(),
            (_, Some(node)) if node.resource_type == ResourceType::UnitTest => label.to_owned(),
            (Some(action), _) => format!("{action} {label}"),
            (None, _) => label.to_owned(),
        };
        let word = match result.status {
            Status::Fail if is_source(manifest, result) => "STALE",
            _ if result.did_nothing() => word(Status::NoOp),
            status => word(status),
        };
        Self { word, subject, detail: detail(manifest, result) }
    }
}

/// The word for a status, as in dbt's lines.
pub(super) fn word(status: Status) -> &'static str {
    match status {
        Status::Success => "OK",
        Status::Pass => "PASS",
        Status::Warn => "WARN",
        Status::Fail => "FAIL",
        Status::Error => "ERROR",
        Status::PartialSuccess => "PART",
        Status::Skipped => "SKIP",
        Status::NoOp => "NO-OP",
    }
}

/// What was done to a node, or was being done when it failed.
fn action(node: Option<&Node>, status: Status) -> Option<&'static str> {
    let (done, doing) = match node {
        Some(node) => match node.resource_type {
            ResourceType::Seed => ("loaded", "loading"),
            ResourceType::Snapshot => ("snapshotted", "snapshotting"),
            ResourceType::Model if node.config.materialized() == Materialized::Extract => ("extracted", "extracting"),
            ResourceType::Model => ("created", "creating"),
            _ => return None,
        },
        None => return None,
    };
    match status {
        Status::Success => Some(done),
        Status::Error | Status::PartialSuccess => Some(doing),
        _ => None,
    }
}

fn detail(manifest: Option<&Manifest>, result: &NodeResult) -> String {
    let time = seconds(result.timing.end.saturating_sub(result.timing.compile_start));
    if is_source(manifest, result) && !matches!(result.status, Status::Error | Status::Skipped) {
        return format!("{}, in {time}", result.message.as_deref().unwrap_or_default());
    }
    let is_unit_test = node_of(manifest, result).is_some_and(|node| node.unit_test.is_some());
    match (result.status, result.failures, result.response.rows_affected) {
        (Status::Skipped | Status::NoOp, _, _) => {
            let message = result.message.as_deref().unwrap_or_default();
            let reason = message.trim_start_matches("skipped ");
            // People know nodes by their names.
            let id = reason.rsplit(' ').next().unwrap_or_default();
            match manifest.and_then(|manifest| manifest.nodes.get(id)) {
                Some(node) => reason.replace(id, &node.name),
                None => reason.to_owned(),
            }
        }
        (Status::Fail, _, _) if is_unit_test => format!("in {time}"),
        (Status::Warn | Status::Fail, Some(failures), _) => format!("{} in {time}", counted(failures, "result")),
        (Status::Success, _, Some(rows)) => format!("{} in {time}", counted(rows, "row")),
        _ => format!("in {time}"),
    }
}

/// The line of a batch that ended: `Batch 2 of 31 OK    batch 2024-01-02 of dev.daily`.
pub(super) fn batch_line(end: &BatchEnd, width: usize) -> String {
    let time = seconds(end.elapsed);
    let detail = match (end.status, end.rows) {
        (Status::Skipped, _) => "skipped".to_owned(),
        (Status::Success, Some(rows)) => format!("{} in {time}", counted(rows, "row")),
        _ => format!("in {time}"),
    };
    let subject = format!("{:<5} {}", word(end.status), end.label);
    let line = dotted(Some(end.index), end.total, &subject, &detail, width.saturating_sub("Batch ".len()));
    format!("Batch {line}")
}

/// A package that was put into place: `dbt_utils 1.1.1 from dbt-labs/dbt_utils on the hub (newest is 1.3.0)`.
pub(super) fn installation(package: &InstalledPackage) -> String {
    let InstalledPackage { name, version, origin, subdirectory, newest, is_local } = package;
    let version = match version {
        // A commit is known by its first letters.
        Some(version) if newest.is_none() => format!(" at {}", version.get(..7).unwrap_or(version)),
        Some(version) => format!(" {version}"),
        None => String::new(),
    };
    let within = subdirectory.as_ref().map(|path| format!(", directory {path}")).unwrap_or_default();
    let from = if *is_local { "linked to" } else { "from" };
    let newer = match (newest, &package.version) {
        (Some(newest), Some(version)) if newest != version => format!(" (newest is {newest})"),
        (Some(_), _) => " (up to date)".to_owned(),
        (None, _) => String::new(),
    };
    format!("{name}{version} {from} {origin}{within}{newer}")
}

/// `1 row`, `3 rows`, `12,345 rows`.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with a comma between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration for people: `0.19s`, `1m 01s`, `2h 05m`.
pub(super) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0..60 => format!("{:.2}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", whole / 60, whole % 60),
        _ => format!("{}h {:02}m", whole / 3600, whole / 60 % 60),
    }
}

/// Counts of endings, as in the last line of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statistics {
    pub(super) pass: usize,
    pub(super) warn: usize,
    pub(super) error: usize,
    pub(super) skip: usize,
    pub(super) no_op: usize,
}

impl Statistics {
    pub(super) fn of(results: &[NodeResult]) -> Self {
        let mut counts = Self::default();
        for result in results {
            let count = match result.status {
                Status::Success | Status::Pass => &mut counts.pass,
                Status::Warn => &mut counts.warn,
                Status::Fail | Status::Error | Status::PartialSuccess => &mut counts.error,
                Status::Skipped => &mut counts.skip,
                Status::NoOp => &mut counts.no_op,
            };
            *count += 1;
        }
        counts
    }

    pub(super) fn total(self) -> usize {
        self.pass + self.warn + self.error + self.skip + self.no_op
    }

    /// dbt's last line.
    pub(super) fn line(self) -> String {
        format!(
            "Done. PASS={} WARN={} ERROR={} SKIP={} NO-OP={} TOTAL={}",
            self.pass,
            self.warn,
            self.error,
            self.skip,
            self.no_op,
            self.total()
        )
    }
}

/// A line of progress, dotted to `width` before its bracket, as dbt writes them.
/// What is not counted (a hook) has no index.
pub(super) fn dotted(index: Option<usize>, total: usize, text: &str, bracket: &str, width: usize) -> String {
    let places = total.to_string().len();
    let mut line = match index {
        Some(index) => format!("{index:>places$} of {total} {text} "),
        None => format!("{:>indent$} {text} ", "", indent = places * 2 + 4),
    };
    let length = line.chars().count();
    if !bracket.is_empty() {
        line.extend(std::iter::repeat_n('.', width.saturating_sub(length).max(3)));
        line.push_str(" [");
        line.push_str(bracket);
        line.push(']');
    }
    line.trim_end().to_owned()
}

/// The node of a result, and what stands for its name where there is none.
pub(super) fn node_of<'m>(manifest: Option<&'m Manifest>, result: &NodeResult) -> Option<&'m Node> {
    manifest?.nodes.get(&result.unique_id)
}

/// Whether a result is that of a look at a source.
pub(super) fn is_source(manifest: Option<&Manifest>, result: &NodeResult) -> bool {
    manifest.is_some_and(|manifest| manifest.sources.contains_key(&result.unique_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(1_234_567, "row"), "1,234,567 rows");
        assert_eq!(seconds(Duration::from_millis(190)), "0.19s");
        assert_eq!(seconds(Duration::from_secs(61)), "1m 01s");
        assert_eq!(seconds(Duration::from_secs(7500)), "2h 05m");
    }

    #[test]
    fn packages_are_told_with_version_and_origin() {
        let package = |version: Option<&str>, newest: Option<&str>, is_local| InstalledPackage {
            name: "tools".to_owned(),
            version: version.map(str::to_owned),
            origin: "o".to_owned(),
            subdirectory: None,
            newest: newest.map(str::to_owned),
            is_local,
        };
        assert_eq!(installation(&package(Some("1.0.0"), Some("1.2.0"), false)), "tools 1.0.0 from o (newest is 1.2.0)");
        assert_eq!(installation(&package(Some("1.0.0"), Some("1.0.0"), false)), "tools 1.0.0 from o (up to date)");
        assert_eq!(installation(&package(Some("0123456789"), None, false)), "tools at 0123456 from o");
        assert_eq!(installation(&package(None, None, true)), "tools linked to o");
    }

    #[test]
    fn lines_are_dotted_to_one_width() {
        assert_eq!(dotted(Some(4), 13, "OK a", "0.1s", 20), " 4 of 13 OK a ...... [0.1s]");
        assert_eq!(dotted(Some(4), 13, "SKIP a rather long name", "", 20), " 4 of 13 SKIP a rather long name");
    }
}
