//! What an engine counts while it works: one place for all series, atomics only.
//!
//! Runs, attempts and retries are counted when the store has acknowledged them, so that what all engines of a store counted
//! is what stands in it. Labels are bounded: flows and lanes beyond the first [`MOST`] are `other`.

mod kinds;
mod measured;
mod page;
mod show;

pub use page::MetricsPage;

pub(crate) use kinds::{Counter, Histogram};
pub(crate) use measured::Measured;

use kinds::Measure;
use measured::Op;
use std::sync::OnceLock;
use std::time::Duration;
use vastflow_core::run::RunSummary;
use vastflow_core::{Event, Name, RunStatus};

/// The most flows, and lanes, that have lines of their own.
pub(crate) const MOST: usize = 100;
/// What the others are called.
pub(crate) const OTHER: &str = "other";

/// All that an engine counts, besides [`Stats`](crate::Stats).
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Filled from the front, in the order in which flows were met.
    flows: Box<[OnceLock<(Name, OfFlow)>]>,
    others: OfFlow,
    pub(crate) queue_wait: Histogram,
    pub(crate) timer_lag: Histogram,
    pub(crate) batch: Histogram,
    pub(crate) hints: Counter,
    pub(crate) polls: Counter,
    pub(crate) violations: Counter,
    ops: [OfOp; Op::ALL.len()],
}

/// What is counted of one flow.
#[derive(Debug)]
struct OfFlow {
    started: Counter,
    succeeded: Counter,
    failed: Counter,
    stopped: Counter,
    took: Histogram,
    calls: Counter,
    failed_calls: Counter,
    retries: Counter,
    looks: Counter,
    call_took: Histogram,
}

/// What is counted of one thing that is asked of the store.
#[derive(Debug)]
struct OfOp {
    took: Histogram,
    errors: Counter,
}

/// What the events of one commit tell of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    succeeded: u32,
    failed: u32,
    retries: u32,
    looks: u32,
}

impl Tally {
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut tally = Tally::default();
        events.iter().for_each(|event| tally.add(event));
        tally
    }

    fn add(&mut self, event: &Event) {
        // Number 0: a timer spoke, and nothing was called.
        let Some(1..) = event.call().map(|call| call.number) else { return };
        let again = match event {
            Event::Polled { .. } => return self.looks += 1,
            Event::AttemptFailed { .. } | Event::ReduceFailed { .. } => true,
            Event::HookFailed { retry_at, .. } | Event::UndoFailed { retry_at, .. } => retry_at.is_some(),
            Event::NodeFailed { .. } | Event::RescueFailed { .. } | Event::NodeParked { .. } => false,
            _ => return self.succeeded += 1,
        };
        self.failed += 1;
        self.retries += u32::from(again);
    }
}

impl OfFlow {
    fn new() -> Self {
        OfFlow {
            started: Counter::default(),
            succeeded: Counter::default(),
            failed: Counter::default(),
            stopped: Counter::default(),
            took: Histogram::new(Measure::Time),
            calls: Counter::default(),
            failed_calls: Counter::default(),
            retries: Counter::default(),
            looks: Counter::default(),
            call_took: Histogram::new(Measure::Time),
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let time = || Histogram::new(Measure::Time);
        Metrics {
            flows: (0..MOST).map(|_| OnceLock::new()).collect(),
            others: OfFlow::new(),
            queue_wait: time(),
            timer_lag: time(),
            batch: Histogram::new(Measure::Count),
            hints: Counter::default(),
            polls: Counter::default(),
            violations: Counter::default(),
            ops: std::array::from_fn(|_| OfOp { took: time(), errors: Counter::default() }),
        }
    }

    /// What is counted of a flow. It is found by its name among a few, without a lock.
    fn of(&self, flow: &Name) -> &OfFlow {
        for place in &self.flows {
            let (known, own) = place.get_or_init(|| (flow.clone(), OfFlow::new()));
            if known == flow {
                return own;
            }
        }
        &self.others
    }

    /// A commit is durable.
    pub(crate) fn recorded(&self, flow: &Name, starts: bool, tally: Tally, end: Option<&RunSummary>) {
        if !starts && tally == Tally::default() && end.is_none() {
            return;
        }
        let own = self.of(flow);
        own.started.add(u64::from(starts));
        own.calls.add(tally.succeeded.into());
        own.failed_calls.add(tally.failed.into());
        own.retries.add(tally.retries.into());
        own.looks.add(tally.looks.into());
        let Some(end) = end else { return };
        match end.status {
            RunStatus::Failed => own.failed.add(1),
            RunStatus::Stopped => own.stopped.add(1),
            _ => own.succeeded.add(1),
        }
        own.took.took(end.ended_at.unwrap_or(end.started_at).since(end.started_at));
    }

    /// A call has ended here, whatever becomes of its answer.
    pub(crate) fn called(&self, flow: &Name, took: Duration) {
        self.of(flow).call_took.took(took);
    }

    /// The store has answered.
    fn asked(&self, op: Op, took: Duration, errors: u64) {
        if let Some(own) = self.ops.get(op as usize) {
            own.took.took(took);
            own.errors.add(errors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_core::event::{Call, Micros};
    use vastflow_core::{Failure, FailureKind, NodeIx, Payload, Timestamp};

    #[test]
    fn calls_are_counted_by_what_came_of_them() {
        let call = |number| Call { number, took: Micros(1), writes: Vec::new() };
        let (node, failure) = (NodeIx(0), || Failure::new(FailureKind::Error, "boom"));
        let events = [
            Event::NodeSucceeded { node, output: Payload::null(), call: call(1) },
            Event::NodeSucceeded { node, output: Payload::null(), call: call(0) },
            Event::AttemptFailed { node, failure: failure(), retry_at: Timestamp::ZERO, call: call(1) },
            Event::NodeFailed { node, failure: failure(), call: call(2) },
            Event::Polled { node, cause: "".into(), next_at: Timestamp::ZERO, call: call(1) },
            Event::UndoFailed { node, failure: failure(), retry_at: None, call: call(1) },
            Event::RunTimedOut,
        ];
        assert_eq!(Tally::of(&events), Tally { succeeded: 1, failed: 3, retries: 1, looks: 1 });
    }

    #[test]
    fn flows_beyond_the_first_are_others() {
        let metrics = Metrics::new();
        for at in 0..MOST + 7 {
            metrics.recorded(&Name::new(format!("f{at}")).unwrap(), true, Tally::default(), None);
        }
        assert_eq!(metrics.of(&Name::new("f99").unwrap()).started.get(), 1);
        assert_eq!(metrics.others.started.get(), 7);
    }
}
