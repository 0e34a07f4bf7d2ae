//! From an input to the event that records what it means. Mutates nothing.

use super::error::Rejection;
use super::input::{Begin, Input, Peer, Start, Word};
use super::state::{NodeState, Phase, State, Undoing};
use crate::event::{Call, Choice, Event, RunStarted};
use crate::failure::{Failure, FailureKind};
use crate::id::{NodeIx, Task};
use crate::info::Travels;
use crate::limits::{MAX_LOG_BYTES, MAX_SIGNALS};
use crate::plan::Plan;
use crate::retry::run_seed;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;

impl State {
    /// What `input` means in this state, as the event that records it.
    ///
    /// # Errors
    /// [`Rejection`] when it does not fit: too late, too early, or not an answer to that task.
    pub fn decide(&self, plan: &Plan, input: Input, now: Timestamp) -> Result<Event, Rejection> {
        let begins = matches!(input, Input::Start(_) | Input::Told { word: Word::Begin(_), .. });
        match self.phase {
            _ if matches!(input, Input::Mail(_)) => {}
            Phase::New if begins => {}
            Phase::New => return Err(Rejection::NotBegun),
            _ if begins => return Err(Rejection::AlreadyBegun),
            Phase::Ended if matches!(input, Input::Told { word: Word::Undo, .. }) => {}
            Phase::Settled | Phase::Ended => return Err(Rejection::Ended(self.status())),
            _ => {}
        }
        match input {
            Input::Start(start) => Ok(began(plan, start)),
            Input::Outcome(outcome) => self.outcome_of_task(plan, outcome, now),
            Input::Timer(task) => self.timer(plan, task),
            Input::NotStarted(task) => self.not_started(plan, task),
            Input::Told { from, word } => self.told(plan, from, word),
            // A step hands on what of it is waited for, word by word.
            Input::Mail(_) => Ok(Event::WordsIgnored),
            Input::Signal { id, name, payload } => {
                self.signalled(&id)?;
                Ok(Event::SignalReceived { id, name, payload })
            }
            Input::Admit if self.phase == Phase::Queued => Ok(Event::Admitted),
            Input::Admit => Err(Rejection::Stale(Task::Admit)),
            Input::Pause { by, why } => self.pause(by, why),
            Input::Resume { by, why } if self.is_paused() => Ok(Event::Resumed { by, why }),
            Input::Resume { .. } => Err(Rejection::NotPaused),
            Input::Cancel { by, why } => self.cancel(by, why),
            Input::Kill { by, why } => Ok(Event::Killed { by, why }),
            Input::Resolve { node, choice, by, why } => self.resolved(node, choice, by, why),
            Input::Said { task, .. } if !self.expects(task) => Err(Rejection::Stale(task)),
            Input::Said { task, said } => {
                Ok(Event::Said { task, said: said.within(MAX_LOG_BYTES.saturating_sub(self.log_bytes)) })
            }
            Input::Quarantine { task, deaths } => self.quarantine(task, deaths),
        }
    }

    fn cancel(&self, by: Box<str>, why: Box<str>) -> Result<Event, Rejection> {
        match self.phase {
            Phase::Going | Phase::Queued => Ok(Event::CancelRequested { by, why }),
            Phase::Hook { .. } | Phase::Undoing if self.stop.is_none() => Err(Rejection::Finishing),
            _ => Err(Rejection::AlreadyStopping),
        }
    }

    fn pause(&self, by: Box<str>, why: Box<str>) -> Result<Event, Rejection> {
        match self.phase {
            Phase::Going | Phase::Queued if self.is_paused() => Err(Rejection::AlreadyPaused),
            Phase::Going | Phase::Queued => Ok(Event::Paused { by, why }),
            _ if self.stop.is_none() => Err(Rejection::Finishing),
            _ => Err(Rejection::AlreadyStopping),
        }
    }

    fn signalled(&self, id: &str) -> Result<(), Rejection> {
        let more = self.more();
        match self.phase {
            _ if more.signal_ids.contains(id) => Err(Rejection::KnownSignal),
            Phase::Going | Phase::Queued if more.signals.len() >= MAX_SIGNALS => Err(Rejection::TooManySignals),
            Phase::Going | Phase::Queued => Ok(()),
            _ if self.stop.is_none() => Err(Rejection::Finishing),
            _ => Err(Rejection::AlreadyStopping),
        }
    }

    fn resolved(&self, node: NodeIx, choice: Choice, by: Box<str>, why: Box<str>) -> Result<Event, Rejection> {
        if !self.waits_for_operator(node) {
            return Err(Rejection::NothingToResolve);
        }
        Ok(Event::Resolved { node, choice, by, why })
    }

    fn told(&self, plan: &Plan, from: Peer, word: Word) -> Result<Event, Rejection> {
        match (from, word) {
            (Peer::Parent, Word::Begin(begin)) => Ok(scope_began(plan, *begin)),
            (Peer::Parent, Word::Cancel { by, why }) => self.cancel(by, why),
            // What it takes back by itself it takes back to the end, whatever the scope around waits for.
            (Peer::Parent, Word::Kill { by, why }) if self.phase != Phase::Undoing || self.more().reopened => {
                Ok(Event::Killed { by, why })
            }
            (Peer::Parent, Word::Undo) if self.can_be_undone(plan) => Ok(Event::UndoRequested),
            (Peer::Child { node, key }, Word::Ended(end)) if self.has_child(node, &key) => {
                Ok(Event::ChildEnded { node, key, end: *end })
            }
            (Peer::Child { node, key }, Word::Undone) if self.undoes_child(node, &key) => {
                Ok(Event::ChildUndone { node, key })
            }
            (Peer::Child { node, key }, Word::Parked { waits, .. }) if self.may_park(node, &key, waits) => {
                Ok(Event::ChildParked { node, key, waits })
            }
            (Peer::Child { node, key }, Word::Listens { name, waits, turn })
                if self.may_listen(node, &key, (&name, waits), turn) =>
            {
                Ok(Event::ChildListens { node, key, name, waits, turn })
            }
            (Peer::Parent, Word::Signal { id, name, payload, .. }) if self.may_take(plan, &id) => {
                Ok(Event::SignalPassed { id, name, payload })
            }
            _ => Err(Rejection::NotAwaited),
        }
    }

    fn timer(&self, plan: &Plan, task: Task) -> Result<Event, Rejection> {
        match task {
            Task::RunDeadline if self.is_going() && self.run_deadline(plan).is_some() => Ok(Event::RunTimedOut),
            Task::NodeDeadline { node } if self.node_deadline(plan, node).is_some() => {
                let limit = plan.at(node).timeout.unwrap_or_default();
                let failure = Failure::new(FailureKind::Timeout, format!("not done within {limit:?}"));
                Ok(Event::NodeFailed { node, failure, call: Call::default() })
            }
            Task::Wake { node } if self.expects(task) => Ok(Event::Woke { node }),
            Task::Grace if self.expects(task) => Ok(Event::GraceOver),
            task => Err(Rejection::Stale(task)),
        }
    }

    fn not_started(&self, plan: &Plan, task: Task) -> Result<Event, Rejection> {
        match task.node() {
            Some(node) if self.active(node).is_some() && self.expects(task) && !self.may_start(plan, task) => {
                Ok(Event::NodeDropped { node })
            }
            _ => Err(Rejection::Stale(task)),
        }
    }

    /// A task that ends the process that calls it is not called any more; somebody has to look into it.
    fn quarantine(&self, task: Task, deaths: u32) -> Result<Event, Rejection> {
        if !self.expects(task) || task.is_timer() {
            return Err(Rejection::Stale(task));
        }
        let text = format!(
            "calling it ended {deaths} processes, one after the other; that they were killed from outside meanwhile looks the same"
        );
        let failure = Failure::new(FailureKind::Quarantined, text);
        let call = |number| Call { number, ..Call::default() };
        Ok(match task {
            Task::Attempt { node, attempt: number } | Task::Poll { node, tick: number } => {
                match self.can_wait_for_operator(node) {
                    true => Event::NodeParked { node, failure, call: call(number) },
                    false => Event::NodeFailed { node, failure, call: call(number) },
                }
            }
            Task::Reduce { node, attempt } => Event::NodeFailed { node, failure, call: call(attempt) },
            Task::Rescue { node } => Event::RescueFailed { node, failure, call: call(1) },
            Task::Hook { hook, attempt } => Event::HookFailed { hook, failure, retry_at: None, call: call(attempt) },
            Task::Undo { node, attempt } => Event::UndoFailed { node, failure, retry_at: None, call: call(attempt) },
            task => return Err(Rejection::Stale(task)),
        })
    }

    /// How many attempts do not count for the retries of a task.
    pub(super) fn base_of(&self, task: Task) -> u32 {
        match task {
            Task::Attempt { node, .. } => self.called(node).map_or(0, |active| active.base),
            Task::Reduce { node, .. } => match self.nodes.get(node.index()) {
                Some(NodeState::Open(open)) => open.reducing.as_ref().map_or(0, |call| call.base),
                _ => 0,
            },
            Task::Undo { .. } => match self.more().undoing {
                Some(Undoing::Action { base, .. }) => base,
                _ => 0,
            },
            _ => 0,
        }
    }
}

fn began(plan: &Plan, start: Start) -> Event {
    let Start { run, input, context, info, origin, queued } = start;
    let (flow, seed, info) = (plan.flow().clone(), run_seed(&run), info.into());
    Event::RunStarted(Arc::new(RunStarted { flow, plan: plan.hash(), seed, input, context, info, origin, queued }))
}

/// An inner scope begins like a run; what travels with the run stands in the journal of the root only.
fn scope_began(plan: &Plan, begin: Begin) -> Event {
    let Begin { seed, input, context } = begin;
    let (flow, hash) = (plan.flow().clone(), plan.hash());
    Event::RunStarted(Arc::new(RunStarted {
        flow,
        plan: hash,
        seed,
        input,
        context,
        info: Travels::default(),
        origin: None,
        queued: false,
    }))
}
