//! What moves on a terminal: one line a running node, and how far the run is.

use super::wording::grouped;
use crate::name::UniqueId;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often spinners and times move.
const TICK: Duration = Duration::from_millis(120);

/// Lines at the foot of a terminal that are drawn anew while the rest scrolls above them.
pub(super) struct Live {
    area: MultiProgress,
    running: Mutex<BTreeMap<UniqueId, (ProgressBar, String)>>,
    whole: Mutex<Option<ProgressBar>>,
}

/// Which of the two standard streams the terminal is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalStream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

impl Live {
    pub(super) fn new(stream: TerminalStream) -> Self {
        let target = match stream {
            TerminalStream::Output => ProgressDrawTarget::stdout(),
            TerminalStream::Error => ProgressDrawTarget::stderr(),
        };
        Self { area: MultiProgress::with_draw_target(target), running: Mutex::default(), whole: Mutex::default() }
    }

    pub(super) fn started(&self, total: usize) {
        let style = style("{bar:24} {pos} of {len} nodes, {elapsed}").progress_chars("━╸─");
        let bar = self.area.add(ProgressBar::new(total as u64).with_style(style));
        bar.enable_steady_tick(TICK);
        *self.whole.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    pub(super) fn node_started(&self, id: &UniqueId, label: &str) {
        let bar = ProgressBar::new_spinner().with_style(style("{spinner} {elapsed:>4} {wide_msg}"));
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = match whole.as_ref() {
            Some(whole) => self.area.insert_before(whole, bar),
            None => self.area.add(bar),
        };
        bar.set_message(label.to_owned());
        bar.enable_steady_tick(TICK);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id.clone(), (bar, label.to_owned()));
    }

    pub(super) fn node_progress(&self, id: &UniqueId, rows: u64, pages: u64) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, label)) = running.get(id) {
            bar.set_message(format!("{label}: {} rows, {} pages", grouped(rows), grouped(pages)));
        }
    }

    pub(super) fn node_finished(&self, id: &UniqueId) {
        let ended = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some((bar, _)) = ended {
            bar.finish_and_clear();
        }
        if let Some(whole) = self.whole.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            whole.inc(1);
        }
    }

    pub(super) fn finished(&self) {
        for (bar, _) in std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner)).into_values()
        {
            bar.finish_and_clear();
        }
        if let Some(whole) = self.whole.lock().unwrap_or_else(PoisonError::into_inner).take() {
            whole.finish_and_clear();
        }
    }

    /// Lets `print` write lines while nothing is drawn.
    pub(super) fn above(&self, print: impl FnOnce()) {
        self.area.suspend(print);
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are literals of this file; one that is wrong gives the plain default.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
