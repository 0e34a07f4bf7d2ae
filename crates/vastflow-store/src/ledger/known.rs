//! What is known of a run in short, in as little memory as that takes: there may be a million of them, asleep.

use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{RunStarted, RunStatus, Timestamp};

#[derive(Debug)]
pub(super) enum Known {
    /// Nothing is known of its end.
    Open {
        status: RunStatus,
        since: Timestamp,
        started: Arc<RunStarted>,
    },
    Whole(Arc<RunSummary>),
}

impl Known {
    pub(super) fn new(summary: &Arc<RunSummary>) -> Self {
        match &**summary {
            RunSummary { status, started_at, ended_at: None, started, outcome: None, output: None } => {
                Known::Open { status: *status, since: *started_at, started: Arc::clone(started) }
            }
            _ => Known::Whole(Arc::clone(summary)),
        }
    }

    pub(super) fn status(&self) -> RunStatus {
        match self {
            Known::Open { status, .. } => *status,
            Known::Whole(summary) => summary.status,
        }
    }

    pub(super) fn started(&self) -> &RunStarted {
        match self {
            Known::Open { started, .. } => started,
            Known::Whole(summary) => &summary.started,
        }
    }

    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Known::Open { .. } => None,
            Known::Whole(summary) => summary.ended_at,
        }
    }

    pub(super) fn summary(&self) -> RunSummary {
        match self {
            Known::Open { status, since, started } => RunSummary {
                status: *status,
                started_at: *since,
                ended_at: None,
                started: Arc::clone(started),
                outcome: None,
                output: None,
            },
            Known::Whole(summary) => (**summary).clone(),
        }
    }
}
