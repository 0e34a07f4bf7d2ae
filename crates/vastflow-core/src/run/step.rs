//! One step: decide, evolve, and whatever follows from that by itself.

use super::error::StepError;
use super::input::Input;
use super::outstanding::Sink;
use super::state::{Phase, State};
use crate::event::{Event, RunOutcome};
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::vec::Vec;

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
        events.push(self.decide(plan, input, now)?);
        self.evolve(plan, &events[0], now, out)?;
        if let Some(end) = self.settle() {
            self.evolve(plan, &end, now, out)?;
            events.push(end);
        }
        Ok(events)
    }

    /// The fact that follows from the others without anybody asking: that the run is over.
    #[must_use]
    pub fn settle(&self) -> Option<Event> {
        (self.phase == Phase::Settled)
            .then(|| Event::RunEnded { outcome: self.stop.as_deref().cloned().unwrap_or(RunOutcome::Succeeded) })
    }
}
