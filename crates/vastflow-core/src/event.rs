//! Events: the facts that a journal records. What can be derived from them is not in them.

use crate::context::Writes;
use crate::failure::{Failure, RunFailure};
use crate::id::{Hook, Name, NodeIx, RunId, Seq, Task};
use crate::info::Travels;
use crate::payload::{Fingerprint, Payload};
use crate::plan::PlanHash;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
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
    /// The scope is over.
    RunEnded {
        /// How.
        outcome: RunOutcome,
    },
    /// A branch's chooser named the arms that are taken; each begins as a scope.
    BranchChosen {
        /// Which branch.
        node: NodeIx,
        /// The keys of the arms, each once, in the order they were named.
        keys: Vec<Box<str>>,
        /// What the arms are fed with, if it is not simply what flowed in.
        input: Option<Payload>,
        /// What the call was like.
        call: Call,
    },
    /// A foreach's handler read a page of items.
    ItemsAdded {
        /// Which foreach.
        node: NodeIx,
        /// The items, in order.
        items: Vec<Item>,
        /// Where the next page begins; none when there is none.
        cursor: Option<Payload>,
        /// What the call was like.
        call: Call,
    },
    /// A scope that a node opened is over.
    ChildEnded {
        /// Which node.
        node: NodeIx,
        /// The key of the scope.
        key: Box<str>,
        /// How it ended.
        end: ScopeEnd,
    },
    /// Results of items were folded into one value.
    Reduced {
        /// Which foreach.
        node: NodeIx,
        /// How many of the results that waited.
        count: u32,
        /// What came of it.
        acc: Payload,
        /// What the call was like.
        call: Call,
    },
    /// A call that was to fold results failed and another will follow.
    ReduceFailed {
        /// Which foreach.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// When the next may start.
        retry_at: Timestamp,
        /// What the call was like.
        call: Call,
    },
    /// A signal came. The first node that waits for its name, or will, takes it.
    SignalReceived {
        /// Which: the same id is the same signal.
        id: Box<str>,
        /// Its name.
        name: Name,
        /// What it carries.
        payload: Payload,
    },
    /// A sleeping node's time is over.
    Woke {
        /// Which node.
        node: NodeIx,
    },
    /// Somebody asked that nothing new start for a while.
    Paused {
        /// Who asked.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// Somebody asked that a paused run go on.
    Resumed {
        /// Who asked.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// Somebody asked that the run end without waiting for what runs.
    Killed {
        /// Who asked.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// The end waits no longer for what was not needed any more.
    GraceOver,
    /// A node that failed for good waits for an operator.
    NodeParked {
        /// Which node.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// What the call was like.
        call: Call,
    },
    /// An operator said how it goes on with a node that waited for one.
    Resolved {
        /// Which node.
        node: NodeIx,
        /// How.
        choice: Choice,
        /// Who said it.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// What a scope wrote was merged over what others had written since it began.
    Clashed {
        /// The node that had opened the scope.
        node: NodeIx,
        /// The keys.
        keys: Vec<Box<str>>,
    },
    /// What a node did was taken back.
    Undone {
        /// Which node.
        node: NodeIx,
        /// What the call was like.
        call: Call,
    },
    /// Taking back what a node did failed.
    UndoFailed {
        /// Which node.
        node: NodeIx,
        /// Why.
        failure: Failure,
        /// When it is tried again; none when it waits for an operator.
        retry_at: Option<Timestamp>,
        /// What the call was like.
        call: Call,
    },
    /// The scope around this one asks that what it did be taken back.
    UndoRequested,
    /// A scope has taken back what it did.
    ChildUndone {
        /// The node that had opened the scope.
        node: NodeIx,
        /// The key of the scope.
        key: Box<str>,
    },
    /// Whether something in an inner scope waits for an operator.
    ChildParked {
        /// The node that opened the scope.
        node: NodeIx,
        /// The key of the scope.
        key: Box<str>,
        /// Whether it waits from now on, or no more.
        waits: bool,
    },
    /// Words came from other scopes that nobody waits for any more.
    WordsIgnored,
    /// A run that waited in line may begin its work.
    Admitted,
    /// Whether somebody in an inner scope waits for a signal of which there is none.
    ChildListens {
        /// The node that opened the scope.
        node: NodeIx,
        /// The key of the scope.
        key: Box<str>,
        /// The signal's name.
        name: Name,
        /// Whether somebody waits from now on, or no more.
        waits: bool,
        /// Which word about that it is: what comes again is not news.
        turn: u32,
    },
    /// The scope around handed on a signal, because somebody in here waited for one.
    SignalPassed {
        /// Which: the same id is the same signal.
        id: Box<str>,
        /// Its name.
        name: Name,
        /// What it carries.
        payload: Payload,
    },
    /// A call said something while it was under way. Its answer follows, unless somebody else was quicker.
    Said {
        /// Which call.
        task: Task,
        /// What it said.
        said: Said,
    },
}

/// What a call said while it was under way: its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its last lines, the oldest first.
    pub lines: Vec<SaidLine>,
    /// How many came before these, or did not fit any more.
    pub dropped: u32,
}

/// A line of a call's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidLine {
    /// How long after the call began.
    pub after: Micros,
    /// How much it matters.
    pub level: Level,
    /// The text, at most [`MAX_LINE_BYTES`](crate::limits::MAX_LINE_BYTES).
    pub text: Box<str>,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Something went wrong.
    Error,
    /// Somebody should look at it.
    Warn,
    /// What happens.
    Info,
    /// For those who look for a mistake.
    Debug,
    /// All of it.
    Trace,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

impl Said {
    /// The bytes of its texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(|line| line.text.len()).sum()
    }

    /// Leaves the oldest lines out until the rest has at most so many bytes.
    #[must_use]
    pub fn within(mut self, most: usize) -> Self {
        let (mut bytes, mut out) = (self.bytes(), 0);
        for line in &self.lines {
            if bytes <= most {
                break;
            }
            bytes -= line.text.len();
            out += 1;
        }
        self.lines.drain(..out);
        self.dropped = self.dropped.saturating_add(u32::try_from(out).unwrap_or(u32::MAX));
        self
    }
}

/// An item of a foreach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its key, unique in its foreach: what its scope is named by.
    pub key: Box<str>,
    /// What its scope is fed with.
    pub input: Payload,
}

impl Item {
    /// The key of its scope: its own, or its place among all items.
    #[must_use]
    pub fn scope_key(&self, index: u64) -> Box<str> {
        if self.key.is_empty() { format!("{index}").into() } else { self.key.clone() }
    }
}

/// How an inner scope ended, as the scope around it records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeEnd {
    /// Its result, or why there is none.
    pub result: Result<Payload, RunFailure>,
    /// What it wrote to its copy of the context.
    pub writes: Writes,
}

/// What an operator can choose for a node that waits for one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// Try again, with all its retries; an undo action likewise.
    Retry,
    /// Go on without it: its result is `null`; what it did is not taken back.
    Skip,
    /// It was done by hand: with this result; what it did was taken back.
    MarkDone(Payload),
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
            Event::BranchChosen { .. } => "BranchChosen",
            Event::ItemsAdded { .. } => "ItemsAdded",
            Event::ChildEnded { .. } => "ChildEnded",
            Event::Reduced { .. } => "Reduced",
            Event::ReduceFailed { .. } => "ReduceFailed",
            Event::SignalReceived { .. } => "SignalReceived",
            Event::Woke { .. } => "Woke",
            Event::Paused { .. } => "Paused",
            Event::Resumed { .. } => "Resumed",
            Event::Killed { .. } => "Killed",
            Event::GraceOver => "GraceOver",
            Event::NodeParked { .. } => "NodeParked",
            Event::Resolved { .. } => "Resolved",
            Event::Clashed { .. } => "Clashed",
            Event::Undone { .. } => "Undone",
            Event::UndoFailed { .. } => "UndoFailed",
            Event::UndoRequested => "UndoRequested",
            Event::ChildUndone { .. } => "ChildUndone",
            Event::ChildParked { .. } => "ChildParked",
            Event::WordsIgnored => "WordsIgnored",
            Event::Admitted => "Admitted",
            Event::ChildListens { .. } => "ChildListens",
            Event::SignalPassed { .. } => "SignalPassed",
            Event::Said { .. } => "Said",
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
            | Event::NodeDropped { node }
            | Event::BranchChosen { node, .. }
            | Event::ItemsAdded { node, .. }
            | Event::ChildEnded { node, .. }
            | Event::Reduced { node, .. }
            | Event::ReduceFailed { node, .. }
            | Event::Woke { node }
            | Event::NodeParked { node, .. }
            | Event::Resolved { node, .. }
            | Event::Clashed { node, .. }
            | Event::Undone { node, .. }
            | Event::UndoFailed { node, .. }
            | Event::ChildUndone { node, .. }
            | Event::ChildParked { node, .. }
            | Event::ChildListens { node, .. } => Some(*node),
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
            | Event::HookFailed { call, .. }
            | Event::BranchChosen { call, .. }
            | Event::ItemsAdded { call, .. }
            | Event::Reduced { call, .. }
            | Event::ReduceFailed { call, .. }
            | Event::NodeParked { call, .. }
            | Event::Undone { call, .. }
            | Event::UndoFailed { call, .. } => Some(call),
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
    pub info: Travels,
    /// The run that this one goes on from, if there is one.
    pub origin: Option<Box<Origin>>,
    /// It waits in line until it is admitted.
    pub queued: bool,
}

/// The run that another one goes on from, and what that one keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// What was asked for: `retry`, `rerun` or `fork`.
    pub verb: Box<str>,
    /// Who asked.
    pub by: Box<str>,
    /// Why.
    pub why: Box<str>,
    /// Finished results that are kept, so that their nodes do not run again.
    pub kept: Vec<(NodeIx, Payload)>,
    /// A node that gets this instead of what flows into it.
    pub input: Option<(NodeIx, Payload)>,
    /// What came of scopes inside nodes that begin again: the items of a foreach, the arms of a branch that need not be
    /// done again. By node and key.
    pub scopes: Vec<KeptScope>,
}

impl Origin {
    /// Whether the other one asks for the same: who asks, and why, is of no matter to that.
    pub(crate) fn asks_the_same_as(&self, other: &Self) -> bool {
        let is_same_work = self.run == other.run && self.verb == other.verb && self.input == other.input;
        is_same_work && self.kept == other.kept && self.scopes == other.scopes
    }

    /// What came of the scope that `node` opened for `key`, if it is kept.
    pub(crate) fn scope(&self, node: NodeIx, key: &str) -> Option<&KeptScope> {
        let at = self.scopes.binary_search_by(|kept| kept.node.cmp(&node).then_with(|| (*kept.key).cmp(key)));
        self.scopes.get(at.ok()?)
    }
}

/// What came of a scope in the run before: it is not begun again if it would be fed with the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptScope {
    /// The node that opened it.
    pub node: NodeIx,
    /// Its key.
    pub key: Box<str>,
    /// What it was fed with.
    pub fed: Fingerprint,
    /// Its result.
    pub output: Payload,
    /// What it wrote to its copy of the context.
    pub writes: Writes,
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
    /// It waits in line until it is admitted.
    Queued,
    /// It goes on.
    Running,
    /// Somebody asked that nothing new start for a while.
    Paused,
    /// Something failed for good and waits for an operator to say how it goes on.
    NeedsAttention,
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
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Paused,
        Self::NeedsAttention,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
    ];

    /// Whether nothing will happen any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Stopped)
    }

    /// The word, as it stands in tables and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RunStatus::Queued => "queued",
            RunStatus::Running => "running",
            RunStatus::Paused => "paused",
            RunStatus::NeedsAttention => "needs-attention",
            RunStatus::Stopping => "stopping",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "failed",
            RunStatus::Stopped => "stopped",
        }
    }

    /// The status that a word from a table names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
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
