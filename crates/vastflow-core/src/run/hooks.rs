//! The end of a run: `on_failure`, then `finally`, each a task like any other.

use super::evolve::Fold;
use super::outstanding::Sink;
use super::state::Phase;
use crate::event::RunOutcome;
use crate::failure::{Failure, FailureKind, RunFailure};
use crate::id::{Hook, Task};
use crate::time::Timestamp;
use alloc::boxed::Box;

impl<S: Sink> Fold<'_, S> {
    /// All nodes have ended: the first hook that applies, or the end.
    pub(super) fn first_hook(&mut self) {
        let first = if self.state.stop.is_some() { Hook::OnFailure } else { Hook::Finally };
        self.hook_or_next(first);
    }

    pub(super) fn after_hook(&mut self, hook: Hook) {
        match hook {
            Hook::OnFailure => self.hook_or_next(Hook::Finally),
            Hook::Finally => self.state.phase = Phase::Settled,
        }
    }

    fn hook_or_next(&mut self, hook: Hook) {
        match self.plan.spec().hook(hook) {
            Some(_) => self.call_hook(hook, 1, Timestamp::ZERO),
            None => self.after_hook(hook),
        }
    }

    fn call_hook(&mut self, hook: Hook, attempt: u32, due: Timestamp) {
        self.state.phase = Phase::Hook { hook, attempt, due };
        self.out.queue(Task::Hook { hook, attempt }, due);
    }

    pub(super) fn hook_failed(&mut self, hook: Hook, failure: &Failure, retry_at: Option<Timestamp>) {
        if let (Some(due), Phase::Hook { attempt, .. }) = (retry_at, self.state.phase) {
            return self.call_hook(hook, attempt + 1, due);
        }
        // A run that went well until here is not a success: its last word was never heard.
        if self.state.stop.is_none() {
            let failure = Failure { kind: FailureKind::Hook, ..failure.clone() };
            self.state.stop = Some(Box::new(RunOutcome::Failed(RunFailure { node: None, failure })));
        }
        self.after_hook(hook);
    }
}
