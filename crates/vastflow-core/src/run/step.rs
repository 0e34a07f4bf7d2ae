//! One step: decide, evolve, and whatever follows from that by itself.

use super::error::StepError;
use super::input::Input;
use super::outstanding::Sink;
use super::state::{Phase, State};
use crate::event::{Event, KeptScope, RunOutcome, ScopeEnd};
use crate::id::NodeIx;
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// The times of a step: waits are counted from `now`; the events carry the time of the commit that records them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// What time it is.
    pub now: Timestamp,
    /// The time that the step's events are recorded with. A task that is due later is taken for one that only waits, so
    /// this must not be before the due time of any that is running.
    pub recorded_at: Timestamp,
}

impl State {
    /// Decides what `input` means, folds it, and settles what follows. Gives the events to record, in order.
    ///
    /// # Errors
    /// [`StepError::Rejected`] when the input does not fit; the state is as before.
    /// [`StepError::Illegal`] is a bug; the state must not be used any more.
    pub fn step(
        &mut self,
        plan: &Plan,
        input: Input,
        now: Timestamp,
        out: &mut impl Sink,
    ) -> Result<Vec<Event>, StepError> {
        let mut events = Vec::with_capacity(2);
        self.step_into(plan, input, Times { now, recorded_at: now }, out, &mut events)?;
        Ok(events)
    }

    /// The same for a step that joins others in one commit, which were recorded a little earlier: its events are added
    /// to theirs.
    ///
    /// # Errors
    /// As [`State::step`].
    pub fn step_into(
        &mut self,
        plan: &Plan,
        input: Input,
        times: Times,
        out: &mut impl Sink,
        events: &mut Vec<Event>,
    ) -> Result<(), StepError> {
        let Input::Mail(words) = input else { return self.step_once(plan, input, times, (events, out)) };
        let before = events.len();
        for (from, word) in words {
            match self.step_once(plan, Input::Told { from, word }, times, (events, out)) {
                Ok(()) | Err(StepError::Rejected(_)) => {}
                illegal => return illegal,
            }
        }
        if events.len() > before {
            return Ok(());
        }
        self.step_once(plan, Input::Mail(Vec::new()), times, (events, out))
    }

    fn step_once(
        &mut self,
        plan: &Plan,
        input: Input,
        times: Times,
        (events, out): (&mut Vec<Event>, &mut impl Sink),
    ) -> Result<(), StepError> {
        let event = self.decide(plan, input, times.now)?;
        self.evolve(plan, &event, times.recorded_at, out)?;
        events.push(event);
        while let Some(fact) = self.settle() {
            self.evolve(plan, &fact, times.recorded_at, out)?;
            events.push(fact);
        }
        Ok(())
    }

    /// What came of an inner scope in the run that this one goes on from, if it need not begin again.
    pub(super) fn kept_scope(&self, node: NodeIx, key: &str) -> Option<&KeptScope> {
        self.started.as_ref()?.origin.as_ref()?.scope(node, key)
    }

    /// The fact that follows from the others without anybody asking: that scopes wrote over each other, what came of a
    /// scope in the run before this one, that the run is over.
    #[must_use]
    pub fn settle(&self) -> Option<Event> {
        if let Some((node, keys)) = &self.more().clash {
            return Some(Event::Clashed { node: *node, keys: keys.clone() });
        }
        if let Some((node, key)) = self.more().taken.front() {
            let kept = self.kept_scope(*node, key)?;
            let end = ScopeEnd { result: Ok(kept.output.clone()), writes: kept.writes.clone() };
            return Some(Event::ChildEnded { node: *node, key: key.clone(), end });
        }
        (self.phase == Phase::Settled)
            .then(|| Event::RunEnded { outcome: self.stop.as_deref().cloned().unwrap_or(RunOutcome::Succeeded) })
    }
}
