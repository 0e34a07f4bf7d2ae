//! What lists and screens show of a run.

use super::state::State;
use crate::event::{RunOutcome, RunStarted, RunStatus};
use crate::payload::Payload;
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::sync::Arc;

/// A run in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it began.
    pub started: Arc<RunStarted>,
    /// How it ended, or, while it is stopping, how it will.
    pub outcome: Option<RunOutcome>,
    /// Its result, once it succeeded.
    pub output: Option<Payload>,
}

impl State {
    /// The run in short; none before it began.
    #[must_use]
    pub fn summary(&self, plan: &Plan) -> Option<RunSummary> {
        let status = self.status();
        Some(RunSummary {
            status,
            started_at: self.started_at,
            ended_at: status.is_final().then_some(self.ended_at),
            started: Arc::clone(self.started.as_ref()?),
            outcome: self.outcome(),
            output: self.output(plan),
        })
    }
}
