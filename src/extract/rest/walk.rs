//! A walk through all pages of a table, and whether it may be believed.
//!
//! Pages are numbered over a set that others change at the same time. A walk that shows it (a page comes twice, the
//! total moves, a row comes in two versions) may have missed rows, so it is made again; after a few such walks
//! fetching fails rather than load a set that never was.

use super::super::batch::{Build, Manner};
use super::super::config::RestConfig;
use super::super::position::latest_at;
use super::super::recording::ExchangeRecorder;
use super::super::{Fetched, Request, SourcesMode};
use super::client::Server;
use super::pages::{Mark, Pages, SoFar, ahead};
use super::replay::Recording;
use super::send::{Sender, Sent};
use super::transport::{Ask, Transport};
use super::{Page, read_page};
use crate::adapter::ColumnType;
use crate::diagnostic::{Code, Diagnostic, Result};
use chrono::{DateTime, Utc};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How often a walk is made.
const MOST_WALKS: usize = 3;
/// How many empty pages in a row are believed although the server promises more.
const MOST_EMPTY: u32 = 3;

/// Fetches a table.
pub fn fetch(request: &Request<'_>, config: &RestConfig) -> Result<Fetched> {
    let recorder = match &request.mode {
        SourcesMode::Live { record: Some(directory) } => {
            Some(ExchangeRecorder::begin(directory, request.source, request.table, request.scrubber.clone())?)
        }
        SourcesMode::Live { record: None } | SourcesMode::Replay(_) => None,
    };
    let (server, recording);
    let transport: &dyn Transport = match &request.mode {
        SourcesMode::Live { .. } => {
            server = Server::new(request, config)?;
            &server
        }
        SourcesMode::Replay(directory) => {
            recording = Recording::open(directory, request, config)?;
            &recording
        }
    };
    let since = request.since()?;
    let pages = Pages::new(request, config, since.as_ref().map(|since| since.text.as_str()));
    let sender = Sender::new(request, config, transport);
    let build = Build::begin(request, Manner { watch_keys: config.paginate.counts(), ..Manner::default() })?;
    let mut walk = Walk { request, config, pages, sender, recorder, state: State::default(), build };
    walk.run()
}

struct Walk<'a> {
    request: &'a Request<'a>,
    config: &'a RestConfig,
    pages: Pages<'a>,
    sender: Sender<'a>,
    recorder: Option<ExchangeRecorder>,
    build: Build<'a>,
    state: State,
}

/// What a walk knows of the pages behind it.
#[derive(Default)]
struct State {
    pages: u64,
    records: u64,
    total: Option<u64>,
    empty: u32,
    date: Option<DateTime<Utc>>,
    seen_pages: FxHashSet<u64>,
    seen_marks: FxHashSet<Mark>,
}

/// What is journaled of a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    /// Which page it was.
    mark: Mark,
    /// Which comes next; none at the end.
    next: Option<Mark>,
    /// What was on it, as a hash.
    hash: Option<u64>,
    records: u64,
    total: Option<u64>,
    empty: u32,
    date: Option<DateTime<Utc>>,
}

/// Why a walk is not believed.
struct Moved(String);

/// How a page was taken.
enum Taken {
    Next(Mark),
    End,
    Moved(Moved),
}

impl Walk<'_> {
    fn run(&mut self) -> Result<Fetched> {
        let mut start = self.resume()?;
        for walk in 1.. {
            let moved = match self.walk(start)? {
                Ok(()) => break,
                Err(moved) => moved.0,
            };
            if walk == MOST_WALKS {
                return Err(Diagnostic::error(
                    Code::Extract,
                    format!("`{}` changes while it is read: {moved}", self.request.table),
                )
                .at(self.config.path_place.clone(), "for this path")
                .note(format!("all pages were read {MOST_WALKS} times, and no time they fitted together"))
                .help("order the rows by something that does not change (`params`), or use a cursor if the API has one")
                .into());
            }
            self.build.restart()?;
            self.state = State::default();
            start = Start::Page(self.pages.first());
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.finish()?;
        }
        self.build.finish(self.state.pages, &|_| ColumnType::Text)
    }

    /// Where to begin: at the first page, or where a crashed run stopped, if the page it read last is still the same.
    fn resume(&mut self) -> Result<Start> {
        let first = Start::Page(self.pages.first());
        // A recording must have all pages.
        let lines = if self.recorder.is_some() { None } else { self.build.resume::<Line>()? };
        let Some((last, lines)) = lines.and_then(|lines| Some((lines.last()?.clone(), lines))) else {
            self.build.restart()?;
            return Ok(first);
        };
        let asked = self.pages.ask(&last.mark).map(|ask| self.send(&ask));
        let same = match asked {
            Ok(Sent { result: Ok(page), .. }) => page_hash(&page) == last.hash && self.total(&page) == last.total,
            // A cursor that the server has forgotten, for one; the walk from the start will tell if it is more.
            Ok(Sent { result: Err(_), .. }) | Err(_) => {
                self.request.check_cancelled()?;
                false
            }
        };
        if !same {
            self.build.restart()?;
            return Ok(first);
        }
        self.state = State {
            pages: lines.len() as u64,
            records: last.records,
            total: last.total,
            empty: last.empty,
            date: last.date,
            seen_pages: lines.iter().filter_map(|line| line.hash).collect(),
            seen_marks: lines.into_iter().map(|line| line.mark).collect(),
        };
        self.set_bound();
        Ok(last.next.map_or(Start::Done, Start::Page))
    }

    /// Walks from a page to the end.
    fn walk(&mut self, start: Start) -> Result<Result<(), Moved>> {
        let Start::Page(mut mark) = start else { return Ok(Ok(())) };
        let mut ahead: Vec<(Mark, Sent<Page>)> = Vec::new();
        let mut last_count = 0;
        loop {
            let known = ahead.first().is_some_and(|(known, _)| *known == mark);
            if !known {
                ahead = self.send_wave(&mark, last_count)?;
            }
            let (_, sent) = ahead.remove(0);
            let ask = self.pages.ask(&mark)?;
            if let Some(recorder) = &mut self.recorder {
                recorder.exchanges(&ask, &sent.answers)?;
            }
            let page = sent.result?;
            last_count = page.records.len() as u64;
            match self.take(&mark, &page)? {
                Taken::Next(next) => mark = next,
                Taken::End => return Ok(self.judge_end()),
                Taken::Moved(moved) => return Ok(Err(moved)),
            }
        }
    }

    /// Asks for a page, and at the same time for those that probably follow.
    fn send_wave(&self, mark: &Mark, last_count: u64) -> Result<Vec<(Mark, Sent<Page>)>> {
        let mut marks = vec![mark.clone()];
        let most = match (&self.request.mode, self.state.pages) {
            (SourcesMode::Live { .. }, 1..) if self.config.paginate.counts() => self.config.limits.concurrency - 1,
            _ => 0,
        };
        let missing = self.state.total.map(|total| total.saturating_sub(self.state.records));
        let useful = match missing {
            Some(missing) if last_count > 0 => usize::try_from(missing.div_ceil(last_count)).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        marks.extend(ahead(mark, last_count, most.min(useful.saturating_sub(1))));
        let asks = marks.iter().map(|mark| self.pages.ask(mark)).collect::<Result<Vec<Ask>, Diagnostic>>()?;
        if let [ask] = asks.as_slice() {
            return Ok(vec![(mark.clone(), self.send(ask))]);
        }
        let sent = std::thread::scope(|scope| {
            let threads: Vec<_> = asks.iter().map(|ask| scope.spawn(|| self.send(ask))).collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        let sent = sent.into_iter().map(|sent| sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        Ok(marks.into_iter().zip(sent).collect())
    }

    fn send(&self, ask: &Ask) -> Sent<Page> {
        self.sender.ask(ask, &|answer| read_page(self.request, self.config, answer))
    }

    fn take(&mut self, mark: &Mark, page: &Page) -> Result<Taken> {
        self.request.check_cancelled()?;
        let first = self.state.pages == 0;
        self.state.pages += 1;
        self.state.records += page.records.len() as u64;
        if self.state.pages > self.config.limits.max_pages {
            return Err(Diagnostic::error(
                Code::Extract,
                format!("`{}` has more than {} pages", self.request.table, self.config.limits.max_pages),
            )
            .at(self.config.path_place.clone(), "for this path")
            .help("if that is right, raise `max_pages` in `limits`")
            .into());
        }
        if first {
            self.state.date = page.headers.date();
            self.set_bound();
        }
        let next = self.pages.next(mark, page, SoFar { records: self.state.records, first })?;
        if let Some(moved) = self.judge(mark, page, next.as_ref(), first) {
            return Ok(Taken::Moved(moved));
        }
        for record in page.records() {
            self.build.record(record, self.state.pages)?;
        }
        if self.build.moved() {
            return Ok(Taken::Moved(Moved("a row came twice, in different versions".to_owned())));
        }
        let line = Line {
            mark: mark.clone(),
            next: next.clone(),
            hash: page_hash(page),
            records: self.state.records,
            total: self.state.total,
            empty: self.state.empty,
            date: self.state.date,
        };
        self.build.page_done(line, self.state.pages)?;
        Ok(next.map_or(Taken::End, Taken::Next))
    }

    /// What is wrong with a page after those before it, if anything is.
    fn judge(&mut self, mark: &Mark, page: &Page, next: Option<&Mark>, first: bool) -> Option<Moved> {
        if let Some(hash) = page_hash(page)
            && !self.state.seen_pages.insert(hash)
        {
            return Some(Moved(format!("page {} repeats an earlier one", self.state.pages)));
        }
        self.state.seen_marks.insert(mark.clone());
        if next.is_some_and(|next| !matches!(next, Mark::Offset(_)) && self.state.seen_marks.contains(next)) {
            return Some(Moved(format!("page {} leads back to an earlier one", self.state.pages)));
        }
        self.state.empty = if page.records.is_empty() { self.state.empty + 1 } else { 0 };
        if next.is_some() && self.state.empty > MOST_EMPTY {
            return Some(Moved(format!("{} empty pages in a row, and more are promised", self.state.empty)));
        }
        let total = self.total(page);
        if first {
            // Where nobody named the total, a number that counts only this page is not one.
            let counts_page = next.is_some() && total.is_some_and(|total| total <= page.records.len() as u64);
            self.state.total = total.filter(|_| self.config.total_is_given() || !counts_page);
        } else if let (Some(before), Some(now)) = (self.state.total, total)
            && before != now
        {
            return Some(Moved(format!(
                "the total was {before} on the first page and is {now} on page {}",
                self.state.pages
            )));
        }
        None
    }

    /// Whether all rows came that the server counts.
    fn judge_end(&self) -> Result<(), Moved> {
        match self.state.total.filter(|_| self.config.total_is_given()) {
            Some(total) if total != self.state.records => {
                Err(Moved(format!("{} rows came, and the server counts {total}", self.state.records)))
            }
            _ => Ok(()),
        }
    }

    fn total(&self, page: &Page) -> Option<u64> {
        self.config.total().and_then(|_| page.total())
    }

    /// Rows that are dated after the walk began do not move the watermark: others may have changed in the same
    /// moment on pages that were read already.
    fn set_bound(&mut self) {
        let bound = match (&self.config.incremental, self.state.date) {
            (Some(incremental), Some(date)) => latest_at(incremental.by.kind, date),
            _ => None,
        };
        self.build.set_bound(bound);
    }
}

/// Where a walk begins.
enum Start {
    Page(Mark),
    Done,
}

/// What is on a page, as a hash; none for an empty page, which says nothing.
fn page_hash(page: &Page) -> Option<u64> {
    if page.records.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    page.records().for_each(|record| record.hash(&mut hasher));
    Some(hasher.finish())
}
