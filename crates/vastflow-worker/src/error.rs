//! What an engine can answer instead of doing what was asked.

use std::fmt;
use std::time::Duration;
use vastflow_core::id::InvalidId;
use vastflow_core::limits::MAX_SIGNALS;
use vastflow_core::run::{Illegal, Rejection};
use vastflow_core::{Name, PlanErrors, RunFailure, RunId, RunStatus, ScopeId};
use vastflow_sdk::{DataError, MissingCode, NameTaken};
use vastflow_store::StoreError;

/// Why an engine did not do what it was asked. [`Error::code`] is stable; the text says what to do.
/// Its `Debug` is the same text, because that is what a `main` that returns it prints.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flow is not valid.
    #[error(transparent)]
    Plan(#[from] PlanErrors),
    /// A name is used twice.
    #[error(transparent)]
    NameTaken(#[from] NameTaken),
    /// An id or a name is not valid.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// A value could not become bytes, or bytes no value.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// This program lacks code that a run needs.
    #[error("{0}; register it, or start a program that has it")]
    MissingCode(#[from] MissingCode),
    /// There is no such flow here.
    #[error("there is no flow {name:?} here; this engine has {}", known_text(known))]
    UnknownFlow {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<Name>,
    },
    /// Nothing says which plan new runs of a flow follow.
    #[error(
        "{plans} plans of flow {flow:?} are stored, and nothing says which of them new runs follow; start a worker that has \
         the flow"
    )]
    NotServed {
        /// The flow.
        flow: String,
        /// How many plans of it are stored.
        plans: usize,
    },
    /// There is no such run.
    #[error("there is no run {id:?} in this store; check the id, or whether it was deleted by retention")]
    UnknownRun {
        /// What was asked for.
        id: RunId,
    },
    /// The id is taken by a run with another flow, another drawing or another input.
    #[error(
        "run {id:?} exists already, of flow {flow:?}, with another flow, drawing or input than asked for; use another id, or \
         the same flow, drawing and input to join it"
    )]
    AlreadyExists {
        /// The id.
        id: RunId,
        /// The flow of the run that has it.
        flow: Name,
    },
    /// The run is over, so it cannot be told anything any more.
    #[error("run {id:?} is over: it {status}; start a new one instead")]
    RunEnded {
        /// The run.
        id: RunId,
        /// How it ended.
        status: RunStatus,
    },
    /// The run has done all its work, so it cannot be stopped any more.
    #[error(
        "run {id:?} has done all its work, and only its last hook is left: it cannot be stopped any more; wait for its end"
    )]
    Finishing {
        /// The run.
        id: RunId,
    },
    /// The run is not over, so there is nothing to begin again.
    #[error("run {id:?} is not over: it is {status}; wait for its end, or stop it first")]
    RunNotEnded {
        /// The run.
        id: RunId,
        /// Where it stands.
        status: RunStatus,
    },
    /// More signals wait in the run than the limit.
    #[error(
        "{MAX_SIGNALS} signals (MAX_SIGNALS) wait in run {id:?} already and no node has asked for them; check the signal's name"
    )]
    TooManySignals {
        /// The run.
        id: RunId,
    },
    /// No node waits for such a signal, there or anywhere.
    #[error(
        "no node of {} waits for signal {name:?}, now or later; there are {}: check the name",
        place_text(id, at),
        signals_text(known)
    )]
    UnknownSignal {
        /// The run.
        id: RunId,
        /// The signal.
        name: Name,
        /// The scope that it was sent to; empty for the run itself.
        at: String,
        /// The signals that nodes there wait for.
        known: Vec<Name>,
    },
    /// A signal carries something that the node which waits for it cannot read.
    #[error("signal {name:?} of run {id:?} carries {takes}, and {given}; nothing was sent: send what it takes")]
    SignalMismatch {
        /// The run.
        id: RunId,
        /// The signal.
        name: Name,
        /// What the node takes.
        takes: String,
        /// What was given, and where it does not fit.
        given: String,
    },
    /// A flow was given something that it cannot read.
    #[error("flow {flow:?} takes {takes}, and {given}; nothing was started: give it what it takes")]
    InputMismatch {
        /// The flow.
        flow: String,
        /// What it takes.
        takes: String,
        /// What was given, and where it does not fit.
        given: String,
    },
    /// A node cannot get, or cannot have given, what was given for it.
    #[error("node {node:?} of run {id:?} {wants}, and {given}; nothing was done: give what fits")]
    ValueMismatch {
        /// The run.
        id: RunId,
        /// The node.
        node: Name,
        /// What it takes, or what it gives.
        wants: String,
        /// What was given, and where it does not fit.
        given: String,
    },
    /// A run cannot be forked inside of one of its nodes.
    #[error(
        "run {id:?} cannot be forked at {at:?}, which is inside of node {outer:?}: fork it at {outer:?}, and all that is \
         inside of that is done again"
    )]
    InnerFork {
        /// The run.
        id: RunId,
        /// What was asked for.
        at: String,
        /// The node of the run itself that has it inside.
        outer: String,
    },
    /// Nothing waits for an operator there.
    #[error("nothing waits for an operator at {at:?} of run {id:?}; `needs attention` names the node")]
    NothingToResolve {
        /// The run.
        id: RunId,
        /// Where.
        at: String,
    },
    /// The run has no such node or scope.
    #[error("run {id:?} has no {at:?}; a node is named as `node`, inside others as `outer[key]/node`")]
    UnknownPlace {
        /// The run.
        id: RunId,
        /// What was asked for.
        at: String,
    },
    /// The run failed, so it has no output.
    #[error("run {id:?} failed: {failure}")]
    RunFailed {
        /// The run.
        id: RunId,
        /// Why.
        failure: RunFailure,
    },
    /// The run was stopped, so it has no output.
    #[error("run {id:?} was stopped by {by}: {why}")]
    RunStopped {
        /// The run.
        id: RunId,
        /// Who asked.
        by: String,
        /// Why.
        why: String,
    },
    /// A journal cannot be folded: a bug, or a damaged store.
    #[error("the journal of run {id} makes no sense: {source}; stop, keep a copy of the store, and report it")]
    Corrupt {
        /// The run.
        id: RunId,
        /// What does not fit.
        source: Illegal,
    },
    /// The engine is shutting down.
    #[error("the engine is shutting down; start another one")]
    ShuttingDown,
    /// The tokio runtime that the engine was started on has ended.
    #[error(
        "the tokio runtime that the engine was started on has ended, and the engine with it; start an engine on the runtime \
         that uses it, in tests one for each #[tokio::test]"
    )]
    RuntimeGone,
    /// A setting cannot be honoured.
    #[error("{0}")]
    Setting(String),
    /// Handlers did not end in time.
    #[error(
        "{calls} handlers did not end within {waited:?}; they were told to stop, and will run again at the next start, except \
         those whose run is being stopped"
    )]
    DrainTimeout {
        /// How many.
        calls: usize,
        /// How long was waited.
        waited: Duration,
    },
}

impl Error {
    /// What a rejection by a scope of a run of `flow` means to the one who asked. Asking twice for the same thing is no
    /// error.
    pub(crate) fn of_rejection(scope: &ScopeId, flow: &Name, rejection: &Rejection) -> Result<(), Error> {
        let id = scope.run().clone();
        match rejection {
            Rejection::AlreadyStopping
            | Rejection::AlreadyPaused
            | Rejection::NotPaused
            | Rejection::KnownSignal
            | Rejection::NotAwaited => Ok(()),
            Rejection::TooManySignals => Err(Error::TooManySignals { id }),
            Rejection::NothingToResolve => Err(Error::NothingToResolve { id, at: scope.path().to_owned() }),
            Rejection::Ended(status) => Err(Error::RunEnded { id, status: *status }),
            Rejection::Finishing => Err(Error::Finishing { id }),
            Rejection::NotBegun => Err(Error::UnknownRun { id }),
            Rejection::AlreadyBegun => Err(Error::AlreadyExists { id, flow: flow.clone() }),
            other => Err(Error::Store(StoreError::Invalid(other.to_string()))),
        }
    }

    /// A short code that stays the same when the text is improved.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Plan(errors) => errors.list().first().map_or("plan", |error| error.code()),
            Error::NameTaken(_) => "name-taken",
            Error::InvalidId(_) => "invalid-id",
            Error::Data(_) => "data",
            Error::Store(error) => error.code(),
            Error::MissingCode(_) => "missing-code",
            Error::UnknownFlow { .. } => "unknown-flow",
            Error::NotServed { .. } => "flow-not-served",
            Error::UnknownRun { .. } => "unknown-run",
            Error::AlreadyExists { .. } => "already-exists",
            Error::RunEnded { .. } => "run-ended",
            Error::Finishing { .. } => "run-finishing",
            Error::RunNotEnded { .. } => "run-not-ended",
            Error::TooManySignals { .. } => "too-many-signals",
            Error::UnknownSignal { .. } => "unknown-signal",
            Error::SignalMismatch { .. } => "signal-mismatch",
            Error::InputMismatch { .. } => "input-mismatch",
            Error::ValueMismatch { .. } => "value-mismatch",
            Error::InnerFork { .. } => "inner-fork",
            Error::NothingToResolve { .. } => "nothing-to-resolve",
            Error::UnknownPlace { .. } => "unknown-place",
            Error::RunFailed { .. } => "run-failed",
            Error::RunStopped { .. } => "run-stopped",
            Error::Corrupt { .. } => "corrupt",
            Error::ShuttingDown => "shutting-down",
            Error::RuntimeGone => "runtime-gone",
            Error::Setting(_) => "setting",
            Error::DrainTimeout { .. } => "drain-timeout",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}]", self.code())
    }
}

fn place_text(id: &RunId, at: &str) -> String {
    if at.is_empty() { format!("run {id:?}") } else { format!("{at:?} of run {id:?}") }
}

fn signals_text(known: &[Name]) -> String {
    if known.is_empty() { "none".into() } else { quoted(known) }
}

fn quoted(names: &[Name]) -> String {
    names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn known_text(known: &[Name]) -> String {
    match known {
        [] => "none; register one with `.flow(…)`".into(),
        names => quoted(names),
    }
}
