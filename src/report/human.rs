//! For people: one line a finished node, frames for what went wrong, and at the end what to do about it.

use super::live::Live;
use super::wording::{Ending, Statistics, batch_line, dotted, installation, is_source, node_of, seconds};
use super::{Output, Product, Reporter};
use crate::artifact::relative_output_path;
use crate::diagnostic::{Diagnostics, Severity, Style, render};
use crate::manifest::Manifest;
use crate::name::ResourceType;
use crate::run::event::{BatchEnd, Event, NodeResult, Status};
use anstyle::{AnsiColor, Color};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use super::live::TerminalStream;

/// How much is told, and how it looks.
#[derive(Debug, Clone)]
pub struct HumanOptions {
    /// With colours or without.
    pub style: Style,
    /// Whether the command tells about its work at all: `ls` and `show` only complain.
    pub narrates: bool,
    /// Only errors, the failures at the end and what macros print.
    pub quiet: bool,
    /// Every statement too.
    pub debug: bool,
    /// The terminal on which running nodes are shown; none where lines are only appended.
    pub live: Option<TerminalStream>,
    /// Where the bracket of a progress line begins, in characters.
    pub width: usize,
    /// The target directory as shown to people.
    pub target_path: PathBuf,
}

/// Tells people.
pub struct Human {
    options: HumanOptions,
    progress: Output,
    product: Output,
    live: Option<Live>,
    manifest: OnceLock<Arc<Manifest>>,
    target: OnceLock<String>,
    total: AtomicUsize,
    ended: AtomicUsize,
}

impl Human {
    /// `progress` takes what is told about the work, `product` what the command was asked for.
    pub fn new(options: HumanOptions, progress: Output, product: Output) -> Self {
        Self {
            live: options.live.filter(|_| !options.quiet).map(Live::new),
            options,
            progress,
            product,
            manifest: OnceLock::new(),
            target: OnceLock::new(),
            total: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        }
    }

    fn say(&self, text: &str) {
        match &self.live {
            Some(live) => live.above(|| self.progress.line(text)),
            None => self.progress.line(text),
        }
    }

    /// Says what `--quiet` leaves out.
    fn tell(&self, text: &str) {
        if !self.options.quiet && self.options.narrates {
            self.say(text);
        }
    }

    fn paint(&self, text: &str, colour: AnsiColor) -> String {
        match self.options.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => {
                let style = anstyle::Style::new().bold().fg_color(Some(Color::Ansi(colour)));
                format!("{style}{text}{style:#}")
            }
        }
    }

    /// A line of the difference between rows, in the colour of its marker.
    fn paint_row(&self, line: &str) -> String {
        let marker = line.split([' ', ',']).next().unwrap_or_default();
        match marker {
            "+++" => self.paint(line, AnsiColor::Green),
            "---" => self.paint(line, AnsiColor::Red),
            "→" => self.paint(line, AnsiColor::Yellow),
            _ => line.to_owned(),
        }
    }

    fn manifest(&self) -> Option<&Manifest> {
        self.manifest.get().map(Arc::as_ref)
    }

    fn node_finished(&self, result: &NodeResult, label: &str) {
        if let Some(live) = &self.live {
            live.node_finished(&result.unique_id);
        }
        // Hooks run around the nodes that were selected and counted.
        let is_hook =
            node_of(self.manifest(), result).is_some_and(|node| node.resource_type == ResourceType::Operation);
        let ended = if is_hook { None } else { Some(self.ended.fetch_add(1, Ordering::Relaxed) + 1) };
        if self.options.quiet && !result.status.is_failure() {
            return;
        }
        let ending = Ending::of(self.manifest(), label, result);
        let plain = format!("{:<5} {}", ending.word, ending.subject);
        let total = self.total.load(Ordering::Relaxed);
        let line = dotted(ended, total, &plain, &ending.detail, self.options.width);
        let painted = self.paint(&format!("{:<5}", ending.word), colour(result.status));
        self.say(&line.replacen(&format!("{:<5}", ending.word), &painted, 1));
        if let Some(reason) = brief_reason(result) {
            let places = total.to_string().len() * 2 + 5;
            self.say(&format!("{:places$}{reason}", ""));
        }
    }

    fn batch_finished(&self, end: &BatchEnd) {
        if self.options.quiet && !end.status.is_failure() {
            return;
        }
        let word = format!("{:<5}", super::wording::word(end.status));
        let painted = self.paint(&word, colour(end.status));
        self.say(&batch_line(end, self.options.width).replacen(&word, &painted, 1));
        if let Some(reason) =
            end.message.as_ref().filter(|_| end.status.is_failure()).and_then(|text| text.lines().next())
        {
            let places = end.total.to_string().len() * 2 + "Batch  of  ".len();
            self.say(&format!("{:places$}{reason}", ""));
        }
    }

    fn run_finished(&self, results: &[NodeResult], elapsed: Duration, interrupted: bool) {
        if let Some(live) = &self.live {
            live.finished();
        }
        let told: Vec<&NodeResult> = results
            .iter()
            .filter(|result| result.status.is_failure() || result.status == Status::Warn && !self.options.quiet)
            .collect();
        if !told.is_empty() {
            self.say("");
        }
        for result in &told {
            self.tell_failure(result);
        }
        let statistics = Statistics::of(results);
        if self.options.quiet && !interrupted && statistics.error == 0 {
            return;
        }
        let colour = if statistics.error > 0 || interrupted {
            AnsiColor::Red
        } else if statistics.warn > 0 {
            AnsiColor::Yellow
        } else {
            AnsiColor::Green
        };
        if told.is_empty() {
            self.say("");
        }
        self.say(&format!("{} in {}", self.paint(&statistics.line(), colour), seconds(elapsed)));
        if interrupted {
            self.say("Stopped before the end. `strata retry` does what is left.");
        } else if statistics.error > 0 && !results.iter().any(|result| is_source(self.manifest(), result)) {
            let skipped = if statistics.skip > 0 { " and what was skipped because of it" } else { "" };
            self.say(&format!("When it is mended, `strata retry` runs again what failed{skipped}."));
        }
    }

    /// What went wrong with one node, in full.
    fn tell_failure(&self, result: &NodeResult) {
        if let Some(diagnostic) = &result.diagnostic {
            self.say(&render(diagnostic, self.options.style));
            if let Some(difference) = result.difference() {
                self.say("");
                self.say(&difference.trim().lines().map(|line| self.paint_row(line)).collect::<Vec<_>>().join("\n"));
            }
            self.say("");
            return;
        }
        let node = node_of(self.manifest(), result);
        let name = node.map_or(result.unique_id.as_str(), |node| node.name.as_str());
        let place = node.map(|node| format!(" ({})", node.original_file_path)).unwrap_or_default();
        let word = self.paint(super::wording::word(result.status), colour(result.status));
        self.say(&format!("{word} {name}{place}"));
        if let Some(message) = &result.message {
            self.say(&format!("  {message}"));
        }
        if let (Some(node), Some(_)) = (node, &result.compiled_code) {
            let path = self.options.target_path.join("compiled").join(relative_output_path(node));
            self.say(&format!("  compiled SQL: {}", path.display()));
            self.say(&format!("  the rows:     strata show -s {name}"));
        }
        self.say("");
    }
}

fn colour(status: Status) -> AnsiColor {
    match status {
        Status::Success | Status::Pass => AnsiColor::Green,
        Status::Warn | Status::Skipped | Status::PartialSuccess => AnsiColor::Yellow,
        Status::Fail | Status::Error => AnsiColor::Red,
        Status::NoOp => AnsiColor::Cyan,
    }
}

/// One line below a node's line: why it could not be run. The whole story stands at the end.
fn brief_reason(result: &NodeResult) -> Option<String> {
    let text = match (&result.diagnostic, result.status) {
        (Some(diagnostic), Status::Error) => diagnostic.to_string(),
        (None, Status::Error) => result.message.clone()?,
        _ => return None,
    };
    text.lines().next().map(str::to_owned)
}

impl Reporter for Human {
    fn began(&self, _command: &str) {
        self.tell(&format!("strata {}", env!("CARGO_PKG_VERSION")));
    }

    fn parsed(&self, manifest: &Arc<Manifest>, summary: &str, target: &str) {
        // A second parse within one command (retry) is the same project: the first manifest stays.
        let _ = self.manifest.set(Arc::clone(manifest));
        let _ = self.target.set(target.to_owned());
        self.tell(&format!("Found {summary}"));
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::RunStarted { summary, total, threads } => {
                self.total.store(*total, Ordering::Relaxed);
                let target = match (self.target.get(), self.manifest()) {
                    (Some(name), Some(manifest)) => format!(" on {name} ({})", manifest.adapter_type),
                    _ => String::new(),
                };
                let threads = super::wording::counted(*threads as u64, "thread");
                self.tell(&format!("Running {summary}{target} with {threads}\n"));
                if let Some(live) = &self.live {
                    live.started(*total);
                }
            }
            Event::NodeStarted { unique_id, label, .. } => {
                if let Some(live) = &self.live {
                    live.node_started(unique_id, label);
                } else if self.options.debug {
                    self.tell(&format!("START {label}"));
                }
            }
            Event::NodeProgress { unique_id, rows, pages } => {
                if let Some(live) = &self.live {
                    live.node_progress(unique_id, *rows, *pages);
                }
            }
            Event::NodeFinished { result, label, .. } => self.node_finished(result, label),
            Event::BatchesPlanned { .. }
            | Event::SessionOpened { .. }
            | Event::NodeInterrupted { .. }
            | Event::WarehouseResized { .. } => {}
            Event::BatchStarted { label, .. } => {
                if self.options.debug {
                    self.tell(&format!("START {label}"));
                }
            }
            Event::BatchFinished(end) => self.batch_finished(end),
            Event::Found(diagnostic) => self.found(&diagnostic.clone().into()),
            Event::Message(text) => self.say(text),
            Event::Logged(text) => {
                if self.options.debug {
                    self.tell(text);
                }
            }
            Event::Statement { unique_id, sql, elapsed } => {
                if self.options.debug {
                    let who = unique_id.as_ref().map_or("-", |id| id.as_str());
                    self.tell(&format!("-- {who}, {}\n{}", seconds(*elapsed), sql.trim()));
                }
            }
            Event::RunFinished { results, elapsed, interrupted } => self.run_finished(results, *elapsed, *interrupted),
        }
    }

    fn product(&self, product: &Product) {
        let installed;
        let text = match product {
            Product::Installed(package) => {
                installed = installation(package);
                &installed
            }
            Product::Listed(text) | Product::Text(text) => text,
            Product::Compiled { sql, .. } => sql,
            Product::Previewed { rows, .. } => rows,
        };
        self.product.line(text.trim_end_matches('\n'));
    }

    fn found(&self, diagnostics: &Diagnostics) {
        for diagnostic in diagnostics {
            if diagnostic.severity() == Severity::Error || !self.options.quiet {
                self.say(&format!("{}\n", render(diagnostic, self.options.style)));
            }
        }
    }

    fn ended(&self, _command: &str, _success: bool) {
        if let Some(live) = &self.live {
            live.finished();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, Shared};
    use super::*;

    fn told(style: Style, quiet: bool, debug: bool) -> String {
        let written = Shared::default();
        let options =
            HumanOptions { style, narrates: true, quiet, debug, live: None, width: 60, target_path: "target".into() };
        fixture::tell(&Human::new(options, written.output(), written.output()));
        written.text()
    }

    #[test]
    fn a_whole_build() {
        let text = told(Style::Plain, false, false);
        assert!(!text.contains("hunter22"), "a secret is never shown");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn quiet_leaves_what_failed_and_what_macros_print() {
        insta::assert_snapshot!(told(Style::Plain, true, false));
    }

    #[test]
    fn debug_shows_statements_and_colour_only_adds_colour() {
        assert!(told(Style::Plain, false, true).contains("-- model.shop.stg_orders, 0.00s\nselect\n  1"));
        let coloured = told(Style::Coloured, false, false);
        assert!(
            coloured.contains("\u{1b}[1m\u{1b}[32mOK   \u{1b}[0m created table model dev.stg_orders"),
            "{coloured}"
        );
    }

    #[test]
    fn products_go_their_own_way() {
        let (progress, product) = (Shared::default(), Shared::default());
        let options = HumanOptions {
            style: Style::Plain,
            narrates: false,
            quiet: true,
            debug: false,
            live: None,
            width: 60,
            target_path: "target".into(),
        };
        let human = Human::new(options, progress.output(), product.output());
        human.product(&Product::Listed("shop.orders".into()));
        human.product(&Product::Compiled { node: None, sql: "select 1\n".into() });
        assert_eq!((progress.text(), product.text()), (String::new(), "shop.orders\nselect 1\n".to_owned()));
    }
}
