//! The two ways in which a step can fail: a request that comes too late, and a journal that makes no sense.

use crate::event::RunStatus;
use crate::id::{Seq, Task};
use crate::limits::MAX_SIGNALS;
use alloc::string::String;

/// A request that does not fit where the run stands. A normal answer: tell the caller, or drop a stale outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The run did not begin yet.
    #[error("the run has not begun")]
    NotBegun,
    /// The run began already.
    #[error("the run has begun already")]
    AlreadyBegun,
    /// The run is over.
    #[error("the run is over: it {0}")]
    Ended(RunStatus),
    /// The run is being stopped already; the first reason counts.
    #[error("the run is being stopped already")]
    AlreadyStopping,
    /// All nodes have ended well, and only the last hook is left.
    #[error("the run has done all its work, and only its last hook is left: it cannot be stopped any more")]
    Finishing,
    /// Nothing new starts already.
    #[error("the run is paused already")]
    AlreadyPaused,
    /// It goes on already.
    #[error("the run is not paused")]
    NotPaused,
    /// The same signal came before.
    #[error("a signal with this id came before")]
    KnownSignal,
    /// More signals wait than the limit.
    #[error("{MAX_SIGNALS} signals (MAX_SIGNALS) wait in the run already, and no node has asked for them")]
    TooManySignals,
    /// The node does not wait for an operator.
    #[error("nothing waits for an operator there")]
    NothingToResolve,
    /// Nobody waits for what another scope says.
    #[error("nobody waits for that word any more")]
    NotAwaited,
    /// The run has moved on: it does not wait for this task any more.
    #[error("the run does not wait for {0:?} any more")]
    Stale(Task),
    /// An answer of this kind does not belong to a task of this kind.
    #[error("{reply} is no answer to {task:?}")]
    Misfit {
        /// The task.
        task: Task,
        /// The kind of answer.
        reply: &'static str,
    },
}

/// An event that cannot follow the state it was applied to: a bug, or a damaged journal. The run must not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} ({event}) cannot follow: {state}")]
pub struct Illegal {
    /// The event's position.
    pub seq: Seq,
    /// The event's name.
    pub event: &'static str,
    /// What the state was.
    pub state: String,
}

/// Why a step was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The request does not fit.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// An event did not fit.
    #[error(transparent)]
    Illegal(#[from] Illegal),
}
