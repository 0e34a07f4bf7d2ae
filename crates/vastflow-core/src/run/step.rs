//! One step: decide, evolve, and whatever follows from that by itself.

use super::error::StepError;
use super::input::Input;
use super::outstanding::Sink;
use super::state::{Phase, State};
use crate::event::{Event, RunOutcome};
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
        let event = self.decide(plan, input, times.now)?;
        self.evolve(plan, &event, times.recorded_at, out)?;
        events.push(event);
        if let Some(end) = self.settle() {
            self.evolve(plan, &end, times.recorded_at, out)?;
            events.push(end);
        }
        Ok(())
    }

    /// The fact that follows from the others without anybody asking: that the run is over.
    #[must_use]
    pub fn settle(&self) -> Option<Event> {
        (self.phase == Phase::Settled)
            .then(|| Event::RunEnded { outcome: self.stop.as_deref().cloned().unwrap_or(RunOutcome::Succeeded) })
    }
}
