//! Reading lists of runs.

use crate::control::ControlWord;
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{Name, Payload, RunId, RunStarted, RunStatus, Seq};

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// Only runs of this flow.
    pub flow: Option<Name>,
    /// Only runs with this status.
    pub status: Option<RunStatus>,
    /// Only runs with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Only runs older than this key: where the page before ended.
    pub before: Option<u64>,
    /// The most rows; 0 means 100. A page may also be full by [`PAGE_BYTES`].
    pub limit: usize,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its place in the order of starts.
    pub key: u64,
    /// Its id.
    pub id: RunId,
    /// How long its root journal is.
    pub len: Seq,
    /// What may go on in it.
    pub control: ControlWord,
    /// The run in short.
    pub summary: RunSummary,
}

impl RunRow {
    /// How many bytes the payloads in it have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let started = &self.summary.started;
        let context = started.context.iter().flat_map(|(_, value)| value).map(Payload::len);
        let kept = started.origin.iter().flat_map(|origin| &origin.kept).map(|(_, value)| value.len());
        let output = self.summary.output.iter().map(Payload::len);
        started.input.len() + context.chain(kept).chain(output).sum::<usize>()
    }

    /// The same without its payloads: for lists that are kept for a while.
    #[must_use]
    pub fn without_payloads(mut self) -> Self {
        let mut started = RunStarted::clone(&self.summary.started);
        started.input = Payload::null();
        started.context = Vec::new();
        if let Some(origin) = &mut started.origin {
            (origin.kept, origin.input, origin.scopes) = (Vec::new(), None, Vec::new());
        }
        self.summary.started = Arc::new(started);
        self.summary.output = None;
        self
    }
}

/// Once its payloads have about so many bytes, a page of runs is full: lists of runs that each carry a megabyte must not
/// fill the memory of whoever reads them.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// A page of runs, newest first. It may hold fewer than were asked for, and still not be the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunPage {
    /// The rows.
    pub rows: Vec<RunRow>,
    /// The `before` of the next page; none when this was the last.
    pub next: Option<u64>,
}

/// How many runs there are of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting in line.
    pub queued: u64,
    /// Running.
    pub running: u64,
    /// Paused.
    pub paused: u64,
    /// Waiting for an operator.
    pub needs_attention: u64,
    /// Stopping.
    pub stopping: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Stopped.
    pub stopped: u64,
}

impl Counts {
    /// The counter of a status.
    #[must_use]
    pub fn of(&mut self, status: RunStatus) -> &mut u64 {
        match status {
            RunStatus::Queued => &mut self.queued,
            RunStatus::Paused => &mut self.paused,
            RunStatus::NeedsAttention => &mut self.needs_attention,
            RunStatus::Stopping => &mut self.stopping,
            RunStatus::Succeeded => &mut self.succeeded,
            RunStatus::Failed => &mut self.failed,
            RunStatus::Stopped => &mut self.stopped,
            _ => &mut self.running,
        }
    }

    /// Runs that have not ended.
    #[must_use]
    pub const fn unfinished(&self) -> u64 {
        self.queued + self.running + self.paused + self.needs_attention + self.stopping
    }
}

impl RunQuery {
    /// Whether a run is asked for, apart from the page.
    #[must_use]
    pub fn matches(&self, started: &RunStarted, status: RunStatus) -> bool {
        let labels = &started.info.labels;
        let has = |(key, value): &(String, String)| labels.iter().any(|(k, v)| **k == **key && **v == **value);
        self.flow.as_ref().is_none_or(|flow| *flow == started.flow)
            && self.status.is_none_or(|only| only == status)
            && self.labels.iter().all(has)
    }

    /// The number of rows of a page.
    #[must_use]
    pub const fn page_size(&self) -> usize {
        if self.limit == 0 { 100 } else { self.limit }
    }
}

/// A page of runs that is being filled, by stores.
#[derive(Debug)]
pub struct Filling {
    page: RunPage,
    size: usize,
    bytes: usize,
}

impl Filling {
    /// A page for so many rows.
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Filling { page: RunPage { rows: Vec::new(), next: None }, size, bytes: 0 }
    }

    /// Whether there is no room for another row.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.page.rows.len() >= self.size || self.bytes >= PAGE_BYTES
    }

    /// Takes the next row. One that comes when the page is full says just that there is more, and is the last to be taken.
    pub fn take(&mut self, row: RunRow) {
        let bytes = row.bytes();
        self.take_of(row, bytes);
    }

    /// The same of a row that counts for so many bytes.
    pub fn take_of(&mut self, row: RunRow, bytes: usize) {
        if self.is_full() {
            return self.end_here();
        }
        self.bytes += bytes;
        self.page.rows.push(row);
    }

    /// There is more, for other pages.
    pub fn end_here(&mut self) {
        self.page.next = self.page.rows.last().map(|row| row.key);
    }

    /// Whether it needs to see no more rows.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.page.next.is_some()
    }

    /// The page.
    #[must_use]
    pub fn page(self) -> RunPage {
        self.page
    }
}
