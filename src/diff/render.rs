//! A comparison as text for a terminal and as Markdown for a pull request.

use super::{Comparison, ConfigChange, Difference, Kind};
use crate::name::UniqueId;
use anstyle::{AnsiColor, Style as Paint};
use serde_json::Value;
use std::fmt::Write;

/// How many downstream nodes are named before the rest is counted.
const NAMED: usize = 10;

/// Whether a text has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With ANSI colours.
    Coloured,
    /// Without.
    Plain,
}

impl Style {
    fn paint(self, text: &str, paint: Paint) -> String {
        match self {
            Self::Coloured => format!("{paint}{text}{paint:#}"),
            Self::Plain => text.to_owned(),
        }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
        Kind::Layout => "layout",
    }
}

fn colour(kind: Kind) -> Paint {
    let colour = match kind {
        Kind::Added => AnsiColor::Green,
        Kind::Removed => AnsiColor::Red,
        Kind::Changed => AnsiColor::Yellow,
        Kind::Layout => AnsiColor::BrightBlack,
    };
    colour.on_default().bold()
}

/// The comparison for people: each node with its unified diff (not where only the layout differs) and what lies
/// downstream, then one line that counts.
pub fn text(comparison: &Comparison, style: Style) -> String {
    let mut output = String::new();
    for difference in &comparison.differences {
        let head = style.paint(&format!("{:<8}", word(difference.kind)), colour(difference.kind));
        let _ = writeln!(output, "{head} {}  {}", difference.unique_id, difference.path);
        for change in &difference.config {
            let _ = writeln!(output, "  {}", config_line(change));
        }
        if difference.kind != Kind::Layout {
            hunks(&mut output, difference, style);
        }
        if !difference.downstream.is_empty() {
            let _ = writeln!(output, "  downstream: {}", named(&difference.downstream));
        }
        output.push('\n');
    }
    output.push_str(&summary(comparison));
    output.push('\n');
    output
}

fn hunks(output: &mut String, difference: &Difference, style: Style) {
    for hunk in &difference.hunks {
        let _ = writeln!(output, "  {}", style.paint(&hunk.header, AnsiColor::Cyan.on_default()));
        for line in &hunk.lines {
            let paint = match line.sign {
                '+' => AnsiColor::Green.on_default(),
                '-' => AnsiColor::Red.on_default(),
                _ => Paint::new(),
            };
            let _ = writeln!(output, "  {}", style.paint(format!("{}{}", line.sign, line.text).trim_end(), paint));
        }
    }
}

/// The comparison as a comment of a pull request: one line that counts, then a folded section a node.
pub fn markdown(comparison: &Comparison) -> String {
    let mut output = format!("### strata diff\n\n{}\n", summary(comparison));
    for difference in comparison.differences.iter().filter(|difference| difference.kind != Kind::Layout) {
        let name = difference.unique_id.as_str();
        let reach = match difference.downstream.len() {
            0 => String::new(),
            1 => ", 1 node downstream".to_owned(),
            count => format!(", {count} nodes downstream"),
        };
        let _ = write!(
            output,
            "\n<details>\n<summary><b>{}</b> <code>{}</code>{reach}</summary>\n\n`{}`\n",
            word(difference.kind),
            escaped(name),
            difference.path
        );
        for change in &difference.config {
            let _ = write!(output, "\n- `{}`\n", config_line(change).replace('`', "'"));
        }
        if !difference.hunks.is_empty() {
            let body = diff_block(difference);
            // A fence longer than any run of backticks inside cannot be closed by the SQL.
            let fence = "`".repeat(3.max(longest_run(&body, '`') + 1));
            let _ = write!(output, "\n{fence}diff\n{body}{fence}\n");
        }
        if !difference.downstream.is_empty() {
            let _ = write!(output, "\nDownstream: {}\n", named(&difference.downstream));
        }
        output.push_str("\n</details>\n");
    }
    let layout: Vec<&UniqueId> = comparison
        .differences
        .iter()
        .filter(|difference| difference.kind == Kind::Layout)
        .map(|difference| &difference.unique_id)
        .collect();
    if !layout.is_empty() {
        let names: Vec<String> = layout.iter().map(|id| format!("`{id}`")).collect();
        let _ = write!(output, "\nLayout only: {}\n", names.join(", "));
    }
    output
}

fn diff_block(difference: &Difference) -> String {
    let mut body = String::new();
    for hunk in &difference.hunks {
        let _ = writeln!(body, "{}", hunk.header);
        for line in &hunk.lines {
            let _ = writeln!(body, "{}{}", line.sign, line.text);
        }
    }
    body
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|character| character != wanted).map(str::len).max().unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn config_line(change: &ConfigChange) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "not set".to_owned(), Value::to_string);
    format!("{}: {} → {}", change.key, value(&change.before), value(&change.after))
}

fn named(ids: &[UniqueId]) -> String {
    let mut names: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    if ids.len() > NAMED {
        names.push(format!("and {} more", ids.len() - NAMED));
    }
    names.join(", ")
}

/// `2 changed, 1 added, 0 removed, 3 layout only, 40 unchanged; 5 nodes downstream`.
fn summary(comparison: &Comparison) -> String {
    let downstream = comparison.downstream().len();
    let nodes = if downstream == 1 { "node" } else { "nodes" };
    format!(
        "{} changed, {} added, {} removed, {} layout only, {} unchanged; {downstream} {nodes} downstream",
        comparison.count(Kind::Changed),
        comparison.count(Kind::Added),
        comparison.count(Kind::Removed),
        comparison.count(Kind::Layout),
        comparison.unchanged
    )
}
