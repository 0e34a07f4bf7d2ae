//! Events: the facts that a journal records. What can be derived from them is not in them.

use crate::context::Writes;
use crate::failure::{Failure, RunFailure};
use crate::id::{Hook, Name, NodeIx, Seq};
use crate::payload::Payload;
use crate::plan::PlanHash;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// One fact about a run. Readiness, counters, "running" and "waiting" follow from these and are never written.
///
/// The order of the variants and of their fields is part of the durable format; see [`codec`](crate::codec).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// The run began.
    RunStarted(Arc<RunStarted>),
    /// A node has its result: its handler returned, its last poll was done, or its own `on_failure` gave a value.
    NodeSucceeded {
        /// Which node.
        node: NodeIx,
        /// Its result.
        output: Payload,
        /// What the call was like.
        call: Call,
    },
    /// An attempt failed and another will follow.
    AttemptFailed {
        /// Which node.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// When the next attempt may start.
        retry_at: Timestamp,
        /// What the call was like.
        call: Call,
    },
    /// A node failed and will not be tried again, unless its own `on_failure` has something to say.
    NodeFailed {
        /// Which node.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// What the call was like.
        call: Call,
    },
    /// A node's own `on_failure` did not help.
    RescueFailed {
        /// Which node.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// What the call was like.
        call: Call,
    },
    /// A river submitted its work; polls follow.
    Submitted {
        /// Which river.
        node: NodeIx,
        /// When the first poll is due.
        next_at: Timestamp,
        /// What the call was like.
        call: Call,
    },
    /// A poll found the work unfinished; another will follow.
    Polled {
        /// Which river.
        node: NodeIx,
        /// What it said it waits for.
        cause: Box<str>,
        /// When the next poll is due.
        next_at: Timestamp,
        /// What the call was like.
        call: Call,
    },
    /// A node that was queued when the run began to stop was not started any more.
    NodeDropped {
        /// Which node.
        node: NodeIx,
    },
    /// Somebody asked that the run stop.
    CancelRequested {
        /// Who asked.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// The run's time limit passed.
    RunTimedOut,
    /// A hook is done.
    HookDone {
        /// Which hook.
        hook: Hook,
        /// What the call was like.
        call: Call,
    },
    /// A hook failed.
    HookFailed {
        /// Which hook.
        hook: Hook,
        /// Why.
        failure: Failure,
        /// When it is tried again; none when it is not.
        retry_at: Option<Timestamp>,
        /// What the call was like.
        call: Call,
    },
    /// The run is over.
    RunEnded {
        /// How.
        outcome: RunOutcome,
    },
}

impl Event {
    /// The variant's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Event::RunStarted(_) => "RunStarted",
            Event::NodeSucceeded { .. } => "NodeSucceeded",
            Event::AttemptFailed { .. } => "AttemptFailed",
            Event::NodeFailed { .. } => "NodeFailed",
            Event::RescueFailed { .. } => "RescueFailed",
            Event::Submitted { .. } => "Submitted",
            Event::Polled { .. } => "Polled",
            Event::NodeDropped { .. } => "NodeDropped",
            Event::CancelRequested { .. } => "CancelRequested",
            Event::RunTimedOut => "RunTimedOut",
            Event::HookDone { .. } => "HookDone",
            Event::HookFailed { .. } => "HookFailed",
            Event::RunEnded { .. } => "RunEnded",
        }
    }

    /// The node that the event is about, if it is about one.
    #[must_use]
    pub const fn node(&self) -> Option<NodeIx> {
        match self {
            Event::NodeSucceeded { node, .. }
            | Event::AttemptFailed { node, .. }
            | Event::NodeFailed { node, .. }
            | Event::RescueFailed { node, .. }
            | Event::Submitted { node, .. }
            | Event::Polled { node, .. }
            | Event::NodeDropped { node } => Some(*node),
            _ => None,
        }
    }

    /// What the call was like that the event tells of, if it tells of one.
    #[must_use]
    pub const fn call(&self) -> Option<&Call> {
        match self {
            Event::NodeSucceeded { call, .. }
            | Event::AttemptFailed { call, .. }
            | Event::NodeFailed { call, .. }
            | Event::RescueFailed { call, .. }
            | Event::Submitted { call, .. }
            | Event::Polled { call, .. }
            | Event::HookDone { call, .. }
            | Event::HookFailed { call, .. } => Some(call),
            _ => None,
        }
    }
}

/// What is recorded of a call of user code, whatever came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Which attempt, tick or try it was, from 1; 0 when no call was made (a timer spoke).
    pub number: u32,
    /// How long it took.
    pub took: Micros,
    /// What it wrote to the context.
    pub writes: Writes,
}

/// A duration in microseconds, as recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub u64);

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Duration::from_micros(micros.0)
    }
}

/// How a run began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The flow's name.
    pub flow: Name,
    /// The plan that the run follows to its end.
    pub plan: PlanHash,
    /// What its jitter is made from: a hash of the run's id.
    pub seed: u32,
    /// The run's input.
    pub input: Payload,
    /// The context it starts with.
    pub context: Writes,
    /// What travels with it.
    pub info: RunInfo,
}

/// What travels with a run besides its input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Searchable labels; a river's colour, action, object and project among them.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Headers of the request that started it.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The raw query of the request that started it.
    pub query: Box<str>,
    /// W3C trace context, as `traceparent` has it.
    pub trace: Option<Box<str>>,
    /// Higher goes first; 0 is the default.
    pub priority: i8,
    /// The moment by which it must have ended, besides what the plan says.
    pub deadline: Option<Timestamp>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// All that had to be done is done.
    Succeeded,
    /// Something failed that nobody handled, or time ran out, or the last hook failed.
    Failed(RunFailure),
    /// Somebody asked it to stop.
    Stopped {
        /// Who asked.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
}

impl RunOutcome {
    /// The status that a run with this outcome has.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        match self {
            RunOutcome::Succeeded => RunStatus::Succeeded,
            RunOutcome::Failed(_) => RunStatus::Failed,
            RunOutcome::Stopped { .. } => RunStatus::Stopped,
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunOutcome::Succeeded => f.write_str("succeeded"),
            RunOutcome::Failed(failure) => write!(f, "failed: {failure}"),
            RunOutcome::Stopped { by, why } => write!(f, "stopped by {by}: {why}"),
        }
    }
}

/// Where a run stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// Something failed or somebody asked it to stop: what runs is waited for, then the hooks run.
    Stopping,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped.
    Stopped,
}

impl RunStatus {
    /// Whether nothing will happen any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Stopped)
    }

    /// The word, as it stands in tables and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Stopping => "stopping",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "failed",
            RunStatus::Stopped => "stopped",
        }
    }

    /// The status that a word from a table names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Stopping, Self::Succeeded, Self::Failed, Self::Stopped]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An event with its place and time in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// How many events come before it.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}
