//! Reading lists of runs.

use crate::control::ControlWord;
use vastflow_core::run::RunSummary;
use vastflow_core::{Name, RunId, RunStarted, RunStatus, Seq};

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
    /// The most rows; 0 means 100.
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

/// A page of runs, newest first.
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
