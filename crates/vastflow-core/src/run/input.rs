//! What can be told to a run.

use crate::context::Writes;
use crate::event::{RunInfo, RunStarted};
use crate::failure::Failure;
use crate::id::{RunId, Task};
use crate::payload::Payload;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// Something that happened outside, told to [`State::decide`](super::State::decide).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// Begin the run.
    Start(Start),
    /// A worker called the code of a task, and this is what came of it.
    Outcome(TaskOutcome),
    /// A timer is due.
    Timer(Task),
    /// Somebody asks that the run stop.
    Cancel {
        /// Who asks.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// A worker found a queued task of a stopping run and did not start it.
    NotStarted(Task),
}

/// How a run is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The run's id; it seeds the jitter of its retries.
    pub run: RunId,
    /// Its input.
    pub input: Payload,
    /// The context it starts with.
    pub context: Writes,
    /// What travels with it.
    pub info: RunInfo,
}

impl Start {
    /// A start with no input, an empty context and no labels.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Start { run, input: Payload::null(), context: Vec::new(), info: RunInfo::default() }
    }

    /// Whether a run that began with `started` is the one that this start asks for.
    #[must_use]
    pub fn is_same_as(&self, started: &RunStarted) -> bool {
        self.input == started.input && self.context == started.context
    }
}

/// What came of calling the code of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskOutcome {
    /// Which task.
    pub task: Task,
    /// What the code answered.
    pub reply: Reply,
    /// What it wrote to the context, also when it failed.
    pub writes: Writes,
    /// How long the call took.
    pub took: Duration,
}

/// What the code of a task answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// Done, with this result. A poll and a hook have nothing to say: [`Payload::null`].
    Done(Payload),
    /// A river's `flow`: the work was submitted.
    Submitted,
    /// A river's `cycle`: not finished yet.
    Continue {
        /// What it waits for.
        cause: Box<str>,
    },
    /// A river's `flow` asks to be called again.
    Retry {
        /// Why.
        cause: Box<str>,
    },
    /// It failed.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the node's retry policy may try again: false when the handler, or its retry predicate, said no.
        retryable: bool,
    },
}

impl Reply {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Reply::Done(_) => "Done",
            Reply::Submitted => "Submitted",
            Reply::Continue { .. } => "Continue",
            Reply::Retry { .. } => "Retry",
            Reply::Failed { .. } => "Failed",
        }
    }
}
