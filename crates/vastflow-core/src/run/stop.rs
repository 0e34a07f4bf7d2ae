//! How a run comes to its end: by itself, because something failed, because somebody asked, or because time is up.

use super::evolve::Fold;
use super::input::{Peer, Word};
use super::outstanding::Sink;
use super::state::{NodeState, Phase, Stray, Undoing};
use crate::event::{Event, RunOutcome, ScopeEnd};
use crate::failure::{Failure, FailureKind, RunFailure};
use crate::id::Task;
use crate::limits::MAX_EVENTS;
use alloc::boxed::Box;
use alloc::format;
use core::time::Duration;

impl<S: Sink> Fold<'_, S> {
    /// Begins to stop: what only waits is dropped, what may be running is asked to stop.
    pub(super) fn stop(&mut self, why: RunOutcome) {
        self.begin_to_stop(why);
        for node in (0..self.state.nodes.len()).map(super::evolve::node_ix) {
            let is_atomic = self.plan.at(node).atomic;
            match &self.state.nodes[node.index()] {
                NodeState::Active(_) | NodeState::Open(_) if is_atomic => {}
                NodeState::Active(active) => {
                    let task = active.task(node);
                    if active.due > self.at {
                        self.out.obsolete(task);
                        self.leave(node, NodeState::Dropped);
                    } else {
                        self.out.cancel(task);
                    }
                }
                NodeState::Open(_) | NodeState::Listening { .. } | NodeState::Parked { .. } => {
                    self.leave(node, NodeState::Dropped);
                }
                _ => {}
            }
        }
    }

    fn begin_to_stop(&mut self, why: RunOutcome) {
        self.drop_run_deadline();
        self.drop_grace();
        if self.state.phase == Phase::Queued {
            self.out.obsolete(Task::Admit);
        }
        self.state.phase = Phase::Stopping;
        let doomed = self.state.more.as_mut().and_then(|more| {
            more.paused = None;
            more.doomed.take()
        });
        self.state.stop = Some(Box::new(doomed.map_or(why, RunOutcome::Failed)));
    }

    /// Ends without waiting: whatever runs is fenced off.
    pub(super) fn kill(&mut self, by: &str, why: &str) {
        let outcome = RunOutcome::Stopped { by: by.into(), why: why.into() };
        match self.state.phase {
            Phase::Going | Phase::Queued => self.begin_to_stop(outcome),
            Phase::Undoing => {
                self.state.stop.get_or_insert_with(|| Box::new(outcome));
                self.kill_undo(by, why);
            }
            Phase::Hook { hook, attempt, .. } => {
                let task = Task::Hook { hook, attempt };
                self.out.obsolete(task);
                self.out.cancel(task);
                self.state.stop.get_or_insert_with(|| Box::new(outcome));
                self.after_hook(hook);
            }
            _ => {}
        }
        for node in (0..self.state.nodes.len()).map(super::evolve::node_ix) {
            match &self.state.nodes[node.index()] {
                NodeState::Active(active) => {
                    let task = active.task(node);
                    self.out.obsolete(task);
                    self.out.cancel(task);
                    let lost = Failure::new(FailureKind::Unknown, "killed");
                    self.note_unclear(node, &lost);
                    self.leave(node, NodeState::Dropped);
                }
                NodeState::Open(_) | NodeState::Listening { .. } | NodeState::Parked { .. } => {
                    self.leave(node, NodeState::Dropped);
                }
                _ => {}
            }
        }
        let strays = self.state.more.as_mut().map(|more| core::mem::take(&mut more.strays)).unwrap_or_default();
        let running = strays.into_iter().filter(|(_, stray)| *stray == Stray::Stopping);
        for ((node, key), _) in running {
            let may_be_done = self.plan.body(node, &key).is_some_and(|body| body.has_undo());
            let to = Peer::Child { node, key };
            self.out.send(to.clone(), Word::Kill { by: by.into(), why: why.into() });
            // Should it have ended well meanwhile, it is not heard any more.
            if may_be_done {
                self.out.send(to, Word::Undo);
            }
        }
        if let Some(more) = &mut self.state.more {
            more.paused = None;
            more.parked_children.clear();
        }
    }

    fn kill_undo(&mut self, by: &str, why: &str) {
        let more = self.state.more_mut();
        match (more.to_undo.last().copied(), more.undoing.take()) {
            (Some(node), Some(Undoing::Action { attempt, .. })) => {
                self.out.obsolete(Task::Undo { node, attempt });
                self.out.cancel(Task::Undo { node, attempt });
            }
            (Some(node), Some(Undoing::Scopes(keys))) => {
                for key in keys {
                    self.out.send(Peer::Child { node, key }, Word::Kill { by: by.into(), why: why.into() });
                }
            }
            (_, Some(Undoing::Stuck { .. })) => more.parked -= 1,
            _ => {}
        }
        let more = self.state.more_mut();
        more.to_undo.clear();
        more.undoable.clear();
        self.first_hook();
    }

    /// A scope whose journal has become too long fails, rather than growing for ever.
    pub(super) fn count(&mut self, event: &Event) {
        if !counts(event) {
            return;
        }
        self.state.counted = self.state.counted.saturating_add(1);
        if self.state.phase == Phase::Going && self.state.counted >= MAX_EVENTS && self.state.unfinished > 0 {
            let text = format!(
                "its history has {MAX_EVENTS} events, which is the limit (MAX_EVENTS); divide the work into several runs, \
                 or into the items of a foreach"
            );
            let failure = Failure::new(FailureKind::Engine, text);
            self.stop(RunOutcome::Failed(RunFailure { node: None, failure }));
        }
    }

    /// What follows when nothing of the nodes is left to wait for.
    pub(super) fn after_the_nodes(&mut self) {
        if self.state.phase == Phase::Going && self.state.unfinished == 0 {
            match self.state.more.as_mut().and_then(|more| more.doomed.take()) {
                Some(doomed) => self.stop(RunOutcome::Failed(doomed)),
                None => self.done_but_for_losers(),
            }
        }
        if self.state.phase == Phase::Stopping && self.state.in_hand == 0 && self.state.more().strays.is_empty() {
            self.begin_undo();
        }
    }

    /// All that is needed has ended. What is not is waited for, for a while.
    fn done_but_for_losers(&mut self) {
        let more = self.state.more();
        if more.losers == 0 && more.strays.is_empty() {
            self.drop_run_deadline();
            self.drop_grace();
            return self.undo_lost();
        }
        if !more.lingers {
            self.drop_run_deadline();
            let due = self.at.plus(self.plan.spec().cancel_grace);
            let more = self.state.more_mut();
            more.lingers = true;
            more.grace = Some(due);
            self.out.queue(Task::Grace, due);
        }
    }

    /// Waits no longer for calls that are not needed; scopes end without waiting for theirs.
    pub(super) fn let_go(&mut self) {
        for node in (0..self.state.nodes.len()).map(super::evolve::node_ix) {
            let Some(active) = self.state.active(node) else { continue };
            let task = active.task(node);
            self.out.obsolete(task);
            self.out.cancel(task);
            // It may have done what it was to do.
            self.note_undo(node);
            self.leave(node, NodeState::Skipped);
        }
        let more = self.state.more_mut();
        more.grace = None;
        for ((node, key), _) in more.strays.iter().filter(|(_, stray)| **stray == Stray::Stopping) {
            let word = Word::Kill { by: "vastflow".into(), why: "it is not needed any more".into() };
            self.out.send(Peer::Child { node: *node, key: key.clone() }, word);
        }
    }

    /// Names the limit that was reached: the plan's, or the run's own where that one is earlier.
    pub(super) fn time_is_up(&self) -> RunOutcome {
        let reached = |limit: &Duration| self.state.run_deadline(self.plan) == Some(self.state.started_at.plus(*limit));
        let text = match self.plan.spec().timeout.filter(reached) {
            Some(limit) => format!("the run did not end within {limit:?}"),
            None => "the run did not end by its deadline".into(),
        };
        RunOutcome::Failed(RunFailure { node: None, failure: Failure::new(FailureKind::Timeout, text) })
    }

    fn drop_run_deadline(&mut self) {
        if self.state.is_going() && self.state.run_deadline(self.plan).is_some() {
            self.out.obsolete(Task::RunDeadline);
        }
    }

    fn drop_grace(&mut self) {
        if let Some(more) = &mut self.state.more
            && more.grace.take().is_some()
        {
            self.out.obsolete(Task::Grace);
        }
    }

    /// The scope is over: the one around it is told.
    pub(super) fn end(&mut self) {
        self.state.phase = Phase::Ended;
        self.state.ended_at = self.at;
        if self.plan.is_body() {
            self.tell_parent();
        }
        let (plan, is_good) = (self.plan, self.state.stop.is_none());
        // Nobody undoes a whole run that went well.
        if is_good && (plan.is_body() || !plan.has_undo()) {
            return;
        }
        for (at, node) in self.state.nodes.iter_mut().enumerate() {
            let is_asked_for = || is_good && plan.links(super::evolve::node_ix(at)).is_output;
            match node {
                NodeState::Waiting { .. } => *node = NodeState::Dropped,
                NodeState::Succeeded { output, .. } if !is_asked_for() => *output = None,
                _ => {}
            }
        }
    }

    fn tell_parent(&mut self) {
        if self.state.more().reopened {
            return self.out.send(Peer::Parent, Word::Undone);
        }
        let result = match self.state.stop.as_deref() {
            None | Some(RunOutcome::Succeeded) => Ok(self.state.result(self.plan)),
            Some(RunOutcome::Failed(failure)) => Err(failure.clone()),
            Some(stopped @ RunOutcome::Stopped { .. }) => {
                let failure = Failure::new(FailureKind::Error, format!("{stopped}"));
                Err(RunFailure { node: None, failure })
            }
        };
        let end = ScopeEnd { result, writes: self.written() };
        self.out.send(Peer::Parent, Word::Ended(Box::new(end)));
    }
}

/// Whether an event counts for [`MAX_EVENTS`]. What comes of items does not: a foreach may have millions.
const fn counts(event: &Event) -> bool {
    !matches!(
        event,
        Event::ItemsAdded { .. }
            | Event::ChildEnded { .. }
            | Event::ChildUndone { .. }
            | Event::ChildListens { .. }
            | Event::ChildParked { .. }
            | Event::Clashed { .. }
            | Event::Reduced { .. }
            | Event::Polled { .. }
            | Event::WordsIgnored
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIx;
    use alloc::vec;

    #[test]
    fn what_each_item_may_bring_does_not_count() {
        let node = NodeIx(0);
        assert!(!counts(&Event::Clashed { node, keys: vec!["progress".into()] }));
        assert!(!counts(&Event::ChildParked { node, key: "7".into(), waits: true }));
    }
}
