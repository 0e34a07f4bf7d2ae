//! The commit: what must become true together.

use crate::control::{Control, ControlWord};
use crate::error::StoreError;
use crate::work::WorkerId;
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{Event, Name, Payload, ScopeId, Seq, Task, Timestamp};

/// Names one commit for ever, so that repeating it after a lost answer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub u128);

/// The right to report on a task: one higher each time the task is claimed, issued by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimToken(pub u32);

impl ClaimToken {
    /// The token of the first claim, which is also the one of a task that was kept when it was queued.
    pub const FIRST: ClaimToken = ClaimToken(1);
}

/// One atomic step of one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// Its own name.
    pub op: OpId,
    /// Whose journal it appends to.
    pub scope: ScopeId,
    /// It takes effect only if the journal is exactly this long.
    pub expected: Seq,
    /// The time its events are recorded with.
    pub at: Timestamp,
    /// Who commits; the holder of the tasks it keeps.
    pub worker: WorkerId,
    /// The tasks of this scope answered by it, each with the token it was claimed with. They cease to exist.
    pub settle: Vec<(Task, ClaimToken)>,
    /// What is appended; at least one event.
    pub events: Vec<Event>,
    /// Tasks of this scope that exist from now on.
    pub queue: Vec<NewTask>,
    /// Tasks of this scope that exist no more, whoever holds them. Naming one that does not exist is no error.
    pub obsolete: Vec<Task>,
    /// Messages to other scopes of the run.
    pub messages: Vec<Message>,
    /// A new control word for the run; only from its root scope.
    pub control: Option<Control>,
    /// What lists show of the run from now on; only from its root scope, and always with its first commit.
    pub summary: Option<Arc<RunSummary>>,
}

impl Commit {
    /// Checks what can be seen of it without a store.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it is not well formed.
    pub fn check(&self) -> Result<(), StoreError> {
        let wrong = |what: &str| Err(StoreError::Invalid(what.into()));
        if self.events.is_empty() {
            return wrong("it has no event");
        }
        if !self.scope.is_root() && (self.control.is_some() || self.summary.is_some()) {
            return wrong("only a root scope changes the control word or the summary");
        }
        if self.messages.iter().any(|message| message.to.run() != self.scope.run()) {
            return wrong("a message goes to a scope of another run");
        }
        Ok(())
    }
}

/// A task to queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Which.
    pub task: Task,
    /// From when on it is visible; [`Timestamp::ZERO`] for at once.
    pub due: Timestamp,
    /// The committing worker goes on with it at once: it is claimed by that worker, with [`ClaimToken::FIRST`],
    /// unless the run is held or killed.
    pub keep: bool,
    /// The committing worker calls it already: it is claimed by that worker, with [`ClaimToken::FIRST`], whatever the
    /// control word says.
    pub is_under_way: bool,
    /// The lane that it queues in: only workers that have room in it are given it. None: the common one.
    pub lane: Option<Name>,
}

impl NewTask {
    /// A task in the common lane, for any worker.
    #[must_use]
    pub const fn new(task: Task, due: Timestamp) -> Self {
        NewTask { task, due, keep: false, is_under_way: false, lane: None }
    }
}

/// Something for another scope of the same run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for.
    pub to: ScopeId,
    /// What kind it is. While a message waits, further ones of its kind from the same scope are dropped; one that comes
    /// after it was delivered is delivered too, and the receiver sees that it is not news.
    pub kind: u32,
    /// What it says.
    pub body: Payload,
}

/// The answer to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It took effect.
    Done {
        /// The control word that held in the same step.
        control: ControlWord,
    },
    /// It had taken effect before: this is a repetition.
    Duplicate {
        /// The control word now.
        control: ControlWord,
    },
    /// Somebody else appended first; nothing changed.
    Conflict {
        /// How long the journal is.
        len: Seq,
    },
    /// A task it settles is not the caller's any more; nothing changed.
    Fenced,
}
