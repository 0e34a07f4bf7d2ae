//! What can be told to a run.

use crate::context::Writes;
use crate::event::{Choice, Item, Origin, RunStarted, Said, ScopeEnd};
use crate::failure::Failure;
use crate::id::{Name, NodeIx, RunId, Task};
use crate::info::RunInfo;
use crate::payload::Payload;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

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
    /// Another scope of the run says something.
    Told {
        /// Which.
        from: Peer,
        /// What it says.
        word: Word,
    },
    /// Other scopes of the run say several things, in this order. What nobody waits for is passed over.
    Mail(Vec<(Peer, Word)>),
    /// Somebody sends the run a signal.
    Signal {
        /// Which: the same id is the same signal.
        id: Box<str>,
        /// Its name.
        name: Name,
        /// What it carries.
        payload: Payload,
    },
    /// Somebody asks that nothing new start for a while.
    Pause {
        /// Who asks.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// Somebody asks that a paused run go on.
    Resume {
        /// Who asks.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// Somebody asks that the run end without waiting for what runs.
    Kill {
        /// Who asks.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// An operator says how it goes on with a node that waits for one.
    Resolve {
        /// Which node.
        node: NodeIx,
        /// How.
        choice: Choice,
        /// Who says it.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// A call said something while it was under way: its log. Told right before what came of the call.
    Said {
        /// Which call.
        task: Task,
        /// What it said.
        said: Said,
    },
    /// There is room for the run: it need not wait in line any more.
    Admit,
    /// Calling this task ended so many processes that it is not called any more.
    Quarantine {
        /// Which task.
        task: Task,
        /// How many.
        deaths: u32,
    },
}

/// Another scope, as seen from one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// The one that this one was opened in.
    Parent,
    /// One that a node of this one opened.
    Child {
        /// Which node.
        node: NodeIx,
        /// Its key.
        key: Box<str>,
    },
}

/// What one scope says to another.
///
/// The order of the variants and of their fields is part of the durable format, as it is with [`Event`](crate::Event).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// To a child: begin.
    Begin(Box<Begin>),
    /// To a child: stop.
    Cancel {
        /// Who wants it.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// To a child: end without waiting for what runs.
    Kill {
        /// Who wants it.
        by: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// To a child that ended well: take back what was done.
    Undo,
    /// To the parent: it is over.
    Ended(Box<ScopeEnd>),
    /// To the parent: what was done is taken back.
    Undone,
    /// To the parent: whether something waits for an operator.
    Parked {
        /// Whether it does.
        waits: bool,
        /// Which change of that this is, from 1.
        turn: u32,
    },
    /// To the parent: whether somebody waits for a signal of which there is none here.
    Listens {
        /// The signal's name.
        name: Name,
        /// Whether somebody does.
        waits: bool,
        /// Which word of this kind it is, from 1.
        turn: u32,
    },
    /// To a child: a signal, because it said that somebody waits for one.
    Signal {
        /// Which: the same id is the same signal.
        id: Box<str>,
        /// Its name.
        name: Name,
        /// What it carries.
        payload: Payload,
        /// Which signal that is handed on this is, from 1.
        turn: u32,
    },
}

impl Word {
    /// A number that tells apart all that one scope says to another.
    #[must_use]
    pub const fn kind(&self) -> u32 {
        match self {
            Word::Begin(_) => 0,
            Word::Cancel { .. } => 1,
            Word::Kill { .. } => 2,
            Word::Undo => 3,
            Word::Ended(_) => 4,
            Word::Undone => 5,
            Word::Parked { turn, .. } => 7 + *turn,
            Word::Listens { turn, .. } => 1 << 30 | *turn,
            Word::Signal { turn, .. } => 1 << 31 | *turn,
        }
    }
}

/// How an inner scope is to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// What its jitter is made from.
    pub seed: u32,
    /// Its input.
    pub input: Payload,
    /// The context as it stands in the scope around it.
    pub context: Writes,
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
    /// The run that it goes on from, if there is one.
    pub origin: Option<Box<Origin>>,
    /// Whether it waits in line until it is admitted.
    pub queued: bool,
}

impl Start {
    /// A start with no input, an empty context and no labels.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Start {
            run,
            input: Payload::null(),
            context: Vec::new(),
            info: RunInfo::default(),
            origin: None,
            queued: false,
        }
    }

    /// Whether a run that began with `started` is the one that this start asks for.
    #[must_use]
    pub fn is_same_as(&self, started: &RunStarted) -> bool {
        let is_same_origin = match (&self.origin, &started.origin) {
            (Some(origin), Some(known)) => origin.asks_the_same_as(known),
            (None, None) => true,
            _ => false,
        };
        self.input == started.input && self.context == started.context && is_same_origin
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
    /// A branch's chooser: the arms that are taken.
    Chosen {
        /// Their keys.
        keys: Vec<Box<str>>,
        /// What they are fed with, if it is not simply what flowed in.
        input: Option<Payload>,
    },
    /// A foreach's handler: a page of items.
    Items {
        /// The items, in order.
        items: Vec<Item>,
        /// Where the next page begins; none when there is none.
        cursor: Option<Payload>,
    },
    /// A foreach's results were folded into one value.
    Reduced {
        /// How many of those that the call was given.
        count: u32,
        /// What came of it.
        acc: Payload,
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
            Reply::Chosen { .. } => "Chosen",
            Reply::Items { .. } => "Items",
            Reply::Reduced { .. } => "Reduced",
            Reply::Failed { .. } => "Failed",
        }
    }
}
