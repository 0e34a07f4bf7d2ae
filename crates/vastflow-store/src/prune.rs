//! Deleting runs that are over.

use vastflow_core::{Name, RunId, Timestamp};

/// Which runs to delete. A run that is not final, or in which something is left to do, always stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Which.
    pub which: Doomed,
    /// The most runs that one call deletes.
    pub limit: usize,
}

/// Runs to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doomed {
    /// These.
    Runs(Vec<RunId>),
    /// Those that nobody keeps any more.
    Old(Keep),
}

/// What is kept of the runs of a flow, or of all flows. A run goes when it is too old, and also when there are too many
/// newer ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Only runs of this flow are looked at.
    pub flow: Option<Name>,
    /// Runs of these flows are not looked at.
    pub except: Vec<Name>,
    /// Runs that ended before this go.
    pub ended_since: Option<Timestamp>,
    /// So many runs stay, those that were started last; older ones go.
    pub newest: Option<usize>,
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// So many runs are gone: their ids are free again.
    pub runs: usize,
    /// Whether there may be more to delete, so that one should ask again.
    pub more: bool,
}

impl Keep {
    /// Whether a run is looked at.
    #[must_use]
    pub fn covers(&self, flow: &Name) -> bool {
        self.flow.as_ref().is_none_or(|only| only == flow) && !self.except.contains(flow)
    }

    /// Whether a run ended too long ago.
    #[must_use]
    pub fn is_too_old(&self, ended_at: Option<Timestamp>) -> bool {
        self.ended_since.zip(ended_at).is_some_and(|(since, ended)| ended < since)
    }
}
