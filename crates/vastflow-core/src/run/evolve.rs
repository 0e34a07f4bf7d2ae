//! From an event to the next state: the only place where state changes, live and at recovery.

use super::error::Illegal;
use super::outstanding::Sink;
use super::state::{Active, NodeState, Phase, Stage, State};
use crate::context::Writes;
use crate::event::{Event, RunOutcome, RunStarted};
use crate::failure::{Failure, FailureKind, RunFailure};
use crate::id::{NodeIx, Task};
use crate::payload::Payload;
use crate::plan::{NodeKind, NodeSpec, Plan};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

#[expect(clippy::cast_possible_truncation, reason = "a plan holds at most MAX_NODES nodes")]
pub(crate) const fn node_ix(at: usize) -> NodeIx {
    NodeIx(at as u32)
}

impl State {
    /// Folds one event, recorded at `at`, and tells `out` what became ready and what became obsolete.
    ///
    /// # Errors
    /// [`Illegal`] when the event cannot follow this state; the state is then as it was.
    pub fn evolve(&mut self, plan: &Plan, event: &Event, at: Timestamp, out: &mut impl Sink) -> Result<(), Illegal> {
        if !self.fits(plan, event) {
            return Err(self.illegal(plan, event));
        }
        let mut fold = Fold { state: self, plan, at, out };
        if let Some(call) = event.call() {
            fold.write(&call.writes);
        }
        fold.apply(event);
        fold.after_the_nodes();
        self.len = self.len.after(1);
        Ok(())
    }

    /// Whether `event` can follow this state.
    fn fits(&self, plan: &Plan, event: &Event) -> bool {
        let number = event.call().map_or(0, |call| call.number);
        let attempt = |node| self.expects(Task::Attempt { node, attempt: number });
        let poll = |node| self.expects(Task::Poll { node, tick: number });
        match *event {
            Event::RunStarted(ref started) => self.phase == Phase::New && started.plan == plan.hash(),
            Event::NodeSucceeded { node, .. } => attempt(node) || poll(node) || self.expects(Task::Rescue { node }),
            Event::AttemptFailed { node, .. } => attempt(node),
            Event::Submitted { node, .. } => attempt(node) && plan.node(node).is_some_and(NodeSpec::is_river),
            Event::Polled { node, .. } => poll(node),
            Event::NodeFailed { node, .. } if number == 0 => self.node_deadline(plan, node).is_some(),
            Event::NodeFailed { node, .. } => attempt(node) || poll(node),
            Event::RescueFailed { node, .. } => self.expects(Task::Rescue { node }),
            Event::NodeDropped { node } => {
                self.phase == Phase::Stopping && self.active(node).is_some() && !plan.at(node).atomic
            }
            Event::CancelRequested { .. } => self.phase == Phase::Going,
            Event::RunTimedOut => self.phase == Phase::Going && self.run_deadline(plan).is_some(),
            Event::HookDone { hook, .. } | Event::HookFailed { hook, .. } => {
                self.expects(Task::Hook { hook, attempt: number })
            }
            Event::RunEnded { .. } => self.settle().as_ref() == Some(event),
        }
    }

    fn illegal(&self, plan: &Plan, event: &Event) -> Illegal {
        let node = event.node().map(|node| (node, self.nodes.get(node.index())));
        let state = match (node, event) {
            (Some((ix, node)), _) => format!("the run is {:?} and node {} is {node:?}", self.phase, ix.0),
            (None, Event::RunStarted(started)) if started.plan != plan.hash() => {
                format!("the run is {:?} and follows plan {}, not {}", self.phase, started.plan, plan.hash())
            }
            (None, _) => format!("the run is {:?}", self.phase),
        };
        Illegal { seq: self.len, event: event.name(), state }
    }
}

/// One event being folded into a state.
pub(super) struct Fold<'a, S> {
    pub(super) state: &'a mut State,
    pub(super) plan: &'a Plan,
    pub(super) at: Timestamp,
    pub(super) out: &'a mut S,
}

impl<S: Sink> Fold<'_, S> {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted(started) => self.begin(started),
            Event::NodeSucceeded { node, output, .. } => self.succeed(*node, output),
            Event::AttemptFailed { node, failure, retry_at, call } => {
                self.go_on(*node, Stage::Attempt(call.number + 1), *retry_at, Some(&failure.message));
            }
            Event::Submitted { node, next_at, .. } => self.go_on(*node, Stage::Poll(1), *next_at, None),
            Event::Polled { node, cause, next_at, call } => {
                self.go_on(*node, Stage::Poll(call.number + 1), *next_at, Some(cause));
            }
            Event::NodeFailed { node, failure, call } => {
                if call.number == 0 {
                    self.interrupt(*node);
                }
                self.fail_or_rescue(*node, failure);
            }
            Event::RescueFailed { node, failure, .. } => self.fail(*node, failure),
            Event::NodeDropped { node } => self.leave(*node, NodeState::Dropped),
            Event::CancelRequested { by, why } => {
                self.stop(RunOutcome::Stopped { by: by.clone(), why: why.clone() });
            }
            Event::RunTimedOut => self.stop(self.time_is_up()),
            Event::HookDone { hook, .. } => self.after_hook(*hook),
            Event::HookFailed { hook, failure, retry_at, .. } => self.hook_failed(*hook, failure, *retry_at),
            Event::RunEnded { .. } => self.end(),
        }
    }

    fn begin(&mut self, started: &Arc<RunStarted>) {
        let plan = self.plan;
        self.write(&started.context);
        let waiting = |n| NodeState::Waiting { missing: plan.links(node_ix(n)).waits_for };
        self.state.phase = Phase::Going;
        self.state.started = Some(Arc::clone(started));
        self.state.started_at = self.at;
        self.state.nodes = (0..plan.len()).map(waiting).collect();
        self.state.unfinished = node_ix(plan.len()).0;
        if let Some(due) = self.state.run_deadline(plan) {
            self.out.queue(Task::RunDeadline, due);
        }
        self.start_all(plan.starts().iter().rev().copied().collect());
    }

    fn write(&mut self, writes: &Writes) {
        if !writes.is_empty() {
            Arc::make_mut(&mut self.state.context).apply(writes);
        }
    }

    /// Starts nodes whose last edge has closed, the last of the list first. A gate ends at once, which may start others.
    fn start_all(&mut self, mut ready: Vec<NodeIx>) {
        while let Some(node) = ready.pop() {
            if self.plan.at(node).kind == NodeKind::Gate {
                let readers = self.plan.links(node).readers;
                self.state.nodes[node.index()] = NodeState::Succeeded { output: None, readers };
                self.state.unfinished -= 1;
                self.close_edges(node, &mut ready);
            } else {
                self.start(node);
            }
        }
    }

    fn start(&mut self, node: NodeIx) {
        let active = Active::first(self.at);
        self.out.queue(active.task(node), active.due);
        self.state.nodes[node.index()] = NodeState::Active(active);
        self.state.in_hand += 1;
        if let Some(due) = self.state.node_deadline(self.plan, node) {
            self.out.queue(Task::NodeDeadline { node }, due);
        }
    }

    /// Closes the edges out of an ended node; those that may start go to `ready`, the first drawn last.
    fn close_edges(&mut self, node: NodeIx, ready: &mut Vec<NodeIx>) {
        for &child in self.plan.links(node).children.iter().rev() {
            let NodeState::Waiting { missing } = &mut self.state.nodes[child.index()] else { continue };
            *missing -= 1;
            if *missing == 0 && self.may_begin(child) {
                ready.push(child);
            }
        }
    }

    /// In a stopping run only atomic nodes begin, and gates, which cost nothing and may lead to one.
    fn may_begin(&self, node: NodeIx) -> bool {
        let spec = self.plan.at(node);
        self.state.phase == Phase::Going || spec.atomic || spec.kind == NodeKind::Gate
    }

    fn succeed(&mut self, node: NodeIx, output: &Payload) {
        let readers = self.plan.links(node).readers;
        let kept = (readers > 0).then(|| output.clone());
        self.leave(node, NodeState::Succeeded { output: kept, readers });
        let mut ready = Vec::new();
        self.close_edges(node, &mut ready);
        self.start_all(ready);
    }

    /// The node's next task: another attempt or another poll. In a stopping run there is none, unless it is atomic.
    fn go_on(&mut self, node: NodeIx, stage: Stage, due: Timestamp, cause: Option<&str>) {
        if self.state.phase == Phase::Stopping && !self.plan.at(node).atomic {
            return self.leave(node, NodeState::Dropped);
        }
        if let NodeState::Active(active) = &mut self.state.nodes[node.index()] {
            active.stage = stage;
            active.due = due;
            if let Some(cause) = cause {
                active.cause = Some(cause.into());
            }
            self.out.queue(active.task(node), due);
        }
    }

    /// The node's time is up while a task of it is queued or running.
    fn interrupt(&mut self, node: NodeIx) {
        if let Some(task) = self.state.active(node).map(|active| active.task(node)) {
            self.out.obsolete(task);
            self.out.cancel(task);
        }
    }

    fn fail_or_rescue(&mut self, node: NodeIx, failure: &Failure) {
        if self.state.phase != Phase::Going || !self.plan.at(node).rescue {
            return self.fail(node, failure);
        }
        if self.plan.at(node).timeout.is_some() {
            self.out.obsolete(Task::NodeDeadline { node });
        }
        if let NodeState::Active(active) = &mut self.state.nodes[node.index()] {
            active.stage = Stage::Rescue(Box::new(failure.clone()));
            active.due = Timestamp::ZERO;
            self.out.queue(active.task(node), active.due);
        }
    }

    fn fail(&mut self, node: NodeIx, failure: &Failure) {
        self.leave(node, NodeState::Failed);
        if self.state.phase == Phase::Going {
            let node = Some(self.plan.at(node).name.clone());
            self.stop(RunOutcome::Failed(RunFailure { node, failure: failure.clone() }));
        }
    }

    /// An active node ends as `end`, and gives back what it held.
    fn leave(&mut self, node: NodeIx, end: NodeState) {
        if self.state.node_deadline(self.plan, node).is_some() {
            self.out.obsolete(Task::NodeDeadline { node });
        }
        self.state.nodes[node.index()] = end;
        self.state.in_hand -= 1;
        self.state.unfinished -= 1;
        for (parent, carries) in &self.plan.links(node).parents {
            if let (true, NodeState::Succeeded { output, readers }) = (carries, &mut self.state.nodes[parent.index()]) {
                *readers -= 1;
                if *readers == 0 {
                    *output = None;
                }
            }
        }
    }

    /// Begins to stop: what only waits is dropped, what may be running is asked to stop.
    fn stop(&mut self, why: RunOutcome) {
        self.drop_run_deadline();
        self.state.phase = Phase::Stopping;
        self.state.stop = Some(Box::new(why));
        for node in (0..self.state.nodes.len()).map(node_ix) {
            let Some(active) = self.state.active(node).filter(|_| !self.plan.at(node).atomic) else { continue };
            let task = active.task(node);
            if active.due > self.at {
                self.out.obsolete(task);
                self.leave(node, NodeState::Dropped);
            } else {
                self.out.cancel(task);
            }
        }
    }

    /// When the last node has ended, the hooks follow.
    fn after_the_nodes(&mut self) {
        match self.state.phase {
            Phase::Going if self.state.unfinished == 0 => {
                self.drop_run_deadline();
                self.first_hook();
            }
            Phase::Stopping if self.state.in_hand == 0 => self.first_hook(),
            _ => {}
        }
    }

    /// Names the limit that was reached: the plan's, or the run's own where that one is earlier.
    fn time_is_up(&self) -> RunOutcome {
        let reached = |limit: &Duration| self.state.run_deadline(self.plan) == Some(self.state.started_at.plus(*limit));
        let text = match self.plan.spec().timeout.filter(reached) {
            Some(limit) => format!("the run did not end within {limit:?}"),
            None => "the run did not end by its deadline".into(),
        };
        RunOutcome::Failed(RunFailure { node: None, failure: Failure::new(FailureKind::Timeout, text) })
    }

    fn drop_run_deadline(&mut self) {
        if self.state.run_deadline(self.plan).is_some() {
            self.out.obsolete(Task::RunDeadline);
        }
    }

    fn end(&mut self) {
        self.state.phase = Phase::Ended;
        self.state.ended_at = self.at;
        if self.state.stop.is_none() {
            return;
        }
        for node in &mut self.state.nodes {
            match node {
                NodeState::Waiting { .. } => *node = NodeState::Dropped,
                NodeState::Succeeded { output, .. } => *output = None,
                _ => {}
            }
        }
    }
}
