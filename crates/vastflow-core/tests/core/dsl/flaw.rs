//! What can be wrong with the world around a run: bugs planted on purpose, to see that the checks find them.

use vastflow_core::run::{Changes, Word};
use vastflow_core::{Plan, Task};

/// A bug that an engine or a store could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The first attempt of a node behind several others is not queued.
    LosesAJoin,
    /// An answer is acknowledged, and what it meant is not recorded.
    AcksBeforeCommit,
    /// A further attempt is not queued.
    DropsARetry,
    /// An answer to a claim that is over is taken for one to the present claim.
    SkipsTheTokenCheck,
    /// A scope inside is not told to stop, to end or to take back what it did.
    ForgetsTheControlWord,
}

impl Bug {
    pub(crate) const ALL: [Bug; 5] =
        [Bug::LosesAJoin, Bug::AcksBeforeCommit, Bug::DropsARetry, Bug::SkipsTheTokenCheck, Bug::ForgetsTheControlWord];
}

/// A bug that shows up now and then, or none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flaw {
    bug: Option<Bug>,
    chances: u32,
}

impl Flaw {
    pub(crate) const fn of(bug: Option<Bug>) -> Self {
        Flaw { bug, chances: 0 }
    }

    pub(crate) fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Every third chance is taken.
    fn strikes(&mut self) -> bool {
        self.chances += 1;
        self.chances.is_multiple_of(3)
    }

    /// Leaves out what the bug leaves out.
    pub(super) fn spoil(&mut self, plan: &Plan, changes: &mut Changes) {
        let is_join = |task: &Task| match task {
            Task::Attempt { node, attempt: 1 } => plan.node(*node).is_some_and(|node| node.inputs.len() > 1),
            _ => false,
        };
        let is_retry = |task: &Task| matches!(task, Task::Attempt { attempt: 2.., .. });
        let is_control = |word: &Word| matches!(word, Word::Cancel { .. } | Word::Kill { .. } | Word::Undo);
        match self.bug {
            Some(Bug::LosesAJoin) => changes.queue.retain(|(task, _)| !is_join(task) || !self.strikes()),
            Some(Bug::DropsARetry) => changes.queue.retain(|(task, _)| !is_retry(task) || !self.strikes()),
            Some(Bug::ForgetsTheControlWord) => changes.words.retain(|(_, word)| !is_control(word) || !self.strikes()),
            _ => {}
        }
    }

    pub(super) fn forgets_the_commit(&mut self) -> bool {
        self.is(Bug::AcksBeforeCommit) && self.strikes()
    }
}
