//! From an event to the next state: the only place where state changes, live and at recovery.

use super::error::Illegal;
use super::outstanding::Sink;
use super::signals::Signal;
use super::state::{NodeState, NodeStatus, Phase, Stage, State, Stray, Undoing};
use crate::context::Writes;
use crate::event::{Choice, Event, KeptScope, RunOutcome, RunStarted};
use crate::id::{Name, NodeIx, Task};
use crate::payload::Payload;
use crate::plan::{NodeKind, Plan};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

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
        let mut fold = Fold { state: self, plan, at, out, ended: Vec::new() };
        if let Some(call) = event.call().filter(|_| !event.node().is_some_and(|node| fold.is_loser(node))) {
            fold.write(&call.writes);
        }
        fold.apply(event);
        fold.close_edges();
        fold.count(event);
        fold.after_the_nodes();
        fold.tell_what_waits();
        fold.tell_who_listens();
        self.len = self.len.after(1);
        Ok(())
    }

    /// Whether `event` can follow this state.
    fn fits(&self, plan: &Plan, event: &Event) -> bool {
        // A fact that follows from the others comes before anything else.
        if let Some(fact) = self.settle() {
            return fact == *event;
        }
        let number = event.call().map_or(0, |call| call.number);
        let attempt = |node| self.expects(Task::Attempt { node, attempt: number });
        let poll = |node| self.expects(Task::Poll { node, tick: number });
        let reduce = |node| self.expects(Task::Reduce { node, attempt: number });
        let is = |node: NodeIx, fits: fn(&NodeKind) -> bool| plan.node(node).is_some_and(|spec| fits(&spec.kind));
        match *event {
            Event::RunStarted(ref started) => {
                let mut kept = started.origin.iter().flat_map(|origin| &origin.kept).map(|(node, _)| *node);
                let mut seen = BTreeSet::new();
                let are_known = kept.all(|node| plan.node(node).is_some() && seen.insert(node));
                let scopes = started.origin.as_ref().map_or(&[][..], |origin| &origin.scopes);
                self.phase == Phase::New && started.plan == plan.hash() && are_known && can_be_taken_over(plan, scopes)
            }
            Event::NodeSucceeded { node, .. } => {
                let gives = is(node, |kind| matches!(kind, NodeKind::Task | NodeKind::River { .. }));
                gives && (attempt(node) || poll(node)) || self.expects(Task::Rescue { node })
            }
            Event::AttemptFailed { node, .. } => attempt(node),
            Event::Submitted { node, .. } => attempt(node) && is(node, |kind| matches!(kind, NodeKind::River { .. })),
            Event::Polled { node, .. } => poll(node),
            Event::NodeFailed { node, .. } if number == 0 => self.node_deadline(plan, node).is_some(),
            Event::NodeFailed { node, .. } => attempt(node) || poll(node) || reduce(node),
            Event::NodeParked { node, .. } => self.can_wait_for_operator(node) && (attempt(node) || poll(node)),
            Event::RescueFailed { node, .. } => self.expects(Task::Rescue { node }),
            Event::NodeDropped { node } => {
                self.active(node).is_some_and(|active| !self.may_start(plan, active.task(node)))
            }
            Event::BranchChosen { node, .. } => attempt(node) && is(node, |kind| matches!(kind, NodeKind::Branch(_))),
            Event::ItemsAdded { node, .. } => attempt(node) && is(node, |kind| matches!(kind, NodeKind::ForEach(_))),
            Event::Reduced { node, count, .. } => reduce(node) && self.can_fold(plan, node, count),
            Event::ReduceFailed { node, .. } => reduce(node),
            Event::ChildEnded { node, ref key, .. } => self.has_child(node, key),
            Event::ChildUndone { node, ref key } => self.undoes_child(node, key),
            Event::ChildParked { node, ref key, waits } => self.may_park(node, key, waits),
            Event::SignalReceived { ref id, .. } => self.is_going() && !self.more().signal_ids.contains(id),
            Event::ChildListens { node, ref key, ref name, waits, turn } => {
                self.may_listen(node, key, (name, waits), turn)
            }
            Event::SignalPassed { ref id, .. } => self.may_take(plan, id),
            Event::WordsIgnored => true,
            Event::Woke { node } => self.expects(Task::Wake { node }),
            Event::Paused { .. } => self.is_going() && !self.is_paused(),
            Event::Resumed { .. } => self.is_paused() && self.phase != Phase::Ended,
            Event::CancelRequested { .. } => self.is_going(),
            Event::Admitted => self.phase == Phase::Queued,
            Event::Killed { .. } => !matches!(self.phase, Phase::New | Phase::Settled | Phase::Ended),
            Event::RunTimedOut => self.is_going() && self.run_deadline(plan).is_some(),
            Event::GraceOver => self.expects(Task::Grace),
            Event::Resolved { node, .. } => self.waits_for_operator(node),
            Event::Undone { node, .. } | Event::UndoFailed { node, .. } => {
                self.expects(Task::Undo { node, attempt: number })
            }
            Event::UndoRequested => self.can_be_undone(plan),
            Event::HookDone { hook, .. } | Event::HookFailed { hook, .. } => {
                self.expects(Task::Hook { hook, attempt: number })
            }
            Event::Clashed { .. } | Event::RunEnded { .. } => false,
        }
    }

    /// Whether a scope that a node opened is still under way.
    pub(super) fn has_child(&self, node: NodeIx, key: &str) -> bool {
        let runs = self.open(node).is_some_and(|open| open.running.contains_key(key));
        runs || self.stray(node, key) == Some(Stray::Stopping)
    }

    /// What a scope was told whose node has ended without it.
    pub(super) fn stray(&self, node: NodeIx, key: &str) -> Option<Stray> {
        let strays = &self.more().strays;
        if strays.is_empty() { None } else { strays.get(&(node, key.into())).copied() }
    }

    /// Whether a scope that a node opened is taking back what it did.
    pub(super) fn undoes_child(&self, node: NodeIx, key: &str) -> bool {
        let more = self.more();
        let asked = matches!(&more.undoing, Some(Undoing::Scopes(keys)) if keys.contains(key));
        asked && more.to_undo.last() == Some(&node) || self.stray(node, key) == Some(Stray::Undoing)
    }

    /// Whether it is news that something in an inner scope waits for an operator, or no more.
    pub(super) fn may_park(&self, node: NodeIx, key: &str, waits: bool) -> bool {
        let is_there = self.has_child(node, key) || self.undoes_child(node, key);
        is_there && self.more().parked_children.contains(&(node, key.into())) != waits
    }

    /// Whether there is time to ask an operator about a node: it is at work, needed, and nothing stops it.
    pub(super) fn can_wait_for_operator(&self, node: NodeIx) -> bool {
        self.phase == Phase::Going && self.active(node).is_some_and(|active| !active.loser)
    }

    /// Whether an operator may say how it goes on with a node.
    pub(super) fn waits_for_operator(&self, node: NodeIx) -> bool {
        let more = self.more();
        let stuck = matches!(more.undoing, Some(Undoing::Stuck { .. })) && more.to_undo.last() == Some(&node);
        stuck || self.parked_for(node).is_some()
    }

    /// Whether the scope around may ask that what this one did be taken back.
    pub(super) fn can_be_undone(&self, plan: &Plan) -> bool {
        plan.is_body() && self.phase == Phase::Ended && self.stop.is_none()
    }

    fn illegal(&self, plan: &Plan, event: &Event) -> Illegal {
        let state = match (event.node(), event) {
            (Some(node), _) => {
                // Its status: what it holds may be large, and is nobody's business.
                let status = self.node_status(node).map_or("unknown", NodeStatus::as_str);
                format!("the run is {:?} and node {} is {status}", self.phase, node.0)
            }
            (None, Event::RunStarted(started)) if started.plan != plan.hash() => {
                format!("the run is {:?} and follows plan {}, not {}", self.phase, started.plan, plan.hash())
            }
            (None, _) => format!("the run is {:?}", self.phase),
        };
        Illegal { seq: self.len, event: event.name(), state }
    }
}

fn signal(id: &str, name: &Name, payload: &Payload) -> Signal {
    Signal { id: id.into(), name: name.clone(), payload: payload.clone() }
}

/// Whether scopes of a run before are in order, and of nodes that open such. One that can be undone is not taken over:
/// nobody in it would hear that it should be.
fn can_be_taken_over(plan: &Plan, scopes: &[KeptScope]) -> bool {
    let is_fine = |kept: &KeptScope| plan.body(kept.node, &kept.key).is_some_and(|body| !body.has_undo());
    scopes.iter().all(is_fine) && scopes.is_sorted_by(|a, b| (a.node, &a.key) < (b.node, &b.key))
}

/// One event being folded into a state.
pub(super) struct Fold<'a, S> {
    pub(super) state: &'a mut State,
    pub(super) plan: &'a Plan,
    pub(super) at: Timestamp,
    pub(super) out: &'a mut S,
    /// Nodes that have ended and whose edges are not all closed yet.
    pub(super) ended: Vec<Ended>,
}

/// A node that has ended.
pub(super) struct Ended {
    pub(super) node: NodeIx,
    /// Whether it gives what its edges wait for.
    pub(super) came: bool,
    /// How many of its edges are closed.
    pub(super) closed: usize,
}

impl<S: Sink> Fold<'_, S> {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted(started) => self.begin(started),
            Event::NodeSucceeded { node, output, .. } => self.succeed(*node, output),
            Event::AttemptFailed { node, failure, retry_at, call } => {
                self.note_unclear(*node, failure);
                self.go_on(*node, Stage::Attempt(call.number + 1), *retry_at, Some(&failure.message));
            }
            Event::Submitted { node, next_at, call } => {
                self.attempts_are_over(*node, call.number);
                self.note_undo(*node);
                self.go_on(*node, Stage::Poll(1), *next_at, None);
            }
            Event::Polled { node, cause, next_at, call } => {
                self.go_on(*node, Stage::Poll(call.number + 1), *next_at, Some(cause));
            }
            Event::NodeFailed { node, failure, call } => {
                self.forget_call(*node, call.number);
                self.note_unclear(*node, failure);
                self.fail_or_rescue(*node, failure);
            }
            Event::NodeParked { node, failure, call } => self.park(*node, failure, call.number),
            Event::RescueFailed { node, failure, .. } => self.fail(*node, failure),
            Event::NodeDropped { node } => {
                let end = self.end_of_unwanted(*node).unwrap_or(NodeState::Dropped);
                self.leave(*node, end);
            }
            Event::BranchChosen { node, keys, input, .. } => self.choose(*node, keys, input.as_ref()),
            Event::ItemsAdded { node, items, cursor, call } => {
                self.add_items(*node, items, cursor.as_ref(), call.number);
            }
            Event::Reduced { node, count, acc, .. } => self.reduced(*node, *count, acc),
            Event::ReduceFailed { node, retry_at, .. } => self.reduce_again(*node, *retry_at),
            Event::ChildEnded { node, key, end } => self.child_ended(*node, key, end),
            Event::ChildUndone { node, key } => self.child_undone(*node, key),
            Event::ChildParked { node, key, waits } => self.child_parked(*node, key, *waits),
            Event::ChildListens { node, key, name, waits, turn } => {
                self.child_listens(*node, key, (name, *waits), *turn);
            }
            Event::SignalReceived { id, name, payload } => self.signal(signal(id, name, payload)),
            Event::SignalPassed { id, name, payload } => self.take(signal(id, name, payload)),
            Event::Woke { node } => {
                let through = self.state.scope_input(self.plan, *node);
                self.succeed(*node, &through);
            }
            Event::WordsIgnored => {}
            Event::Admitted => self.begin_work(),
            Event::Paused { by, .. } => self.state.more_mut().paused = Some(by.clone()),
            Event::Resumed { .. } => self.state.more_mut().paused = None,
            Event::CancelRequested { by, why } => {
                self.stop(RunOutcome::Stopped { by: by.clone(), why: why.clone() });
            }
            Event::Killed { by, why } => self.kill(by, why),
            Event::RunTimedOut => self.stop(self.time_is_up()),
            Event::GraceOver => self.let_go(),
            Event::Resolved { node, choice, .. } => self.resolve(*node, choice),
            Event::Clashed { .. } => self.state.more_mut().clash = None,
            Event::Undone { node, .. } => self.undone(*node),
            Event::UndoFailed { retry_at, call, .. } => self.undo_failed(call.number, *retry_at),
            Event::UndoRequested => self.reopen(),
            Event::HookDone { hook, .. } => self.after_hook(*hook),
            Event::HookFailed { hook, failure, retry_at, .. } => self.hook_failed(*hook, failure, *retry_at),
            Event::RunEnded { .. } => self.end(),
        }
    }

    fn begin(&mut self, started: &Arc<RunStarted>) {
        let plan = self.plan;
        if !started.context.is_empty() {
            Arc::make_mut(&mut self.state.context).apply(&started.context);
        }
        let waiting = |n| NodeState::Waiting { missing: plan.links(node_ix(n)).waits_for };
        self.state.phase = Phase::Going; // or in line for it: the time limit counts in either case
        self.state.started = Some(Arc::clone(started));
        self.state.started_at = self.at;
        self.state.nodes = (0..plan.len()).map(waiting).collect();
        self.state.unfinished = node_ix(plan.len()).0;
        if let Some(due) = self.state.run_deadline(plan) {
            self.out.queue(Task::RunDeadline, due);
        }
        if started.queued {
            self.state.phase = Phase::Queued;
            return self.out.queue(Task::Admit, Timestamp::ZERO);
        }
        self.begin_work();
    }

    /// The nodes begin that wait for no other.
    fn begin_work(&mut self) {
        let plan = self.plan;
        self.state.phase = Phase::Going;
        let origin = self.state.started.clone().and_then(|started| started.origin.clone());
        if let Some(origin) = &origin {
            self.take_over(&origin.kept);
            origin.kept.iter().for_each(|(node, _)| self.drop_above(*node));
        }
        for &node in plan.starts() {
            if matches!(self.state.nodes[node.index()], NodeState::Waiting { .. }) {
                self.start(node);
            }
        }
    }

    /// Results that another run had: their nodes have ended before this run begins.
    fn take_over(&mut self, kept: &[(NodeIx, Payload)]) {
        for (node, output) in kept {
            let readers = self.readers(*node);
            let output = (readers > 0).then(|| output.clone());
            self.leave(*node, NodeState::Succeeded { output, readers });
            self.note_undo(*node);
            self.has_ended(*node, true);
        }
    }

    /// What a call wrote becomes part of the context.
    pub(super) fn write(&mut self, writes: &Writes) {
        if writes.is_empty() {
            return;
        }
        Arc::make_mut(&mut self.state.context).apply(writes);
        if self.plan.is_body() || self.plan.has_bodies() {
            let len = self.state.len;
            self.state.more_mut().written.extend(writes.iter().map(|(key, _)| (key.clone(), len)));
        }
    }

    fn resolve(&mut self, node: NodeIx, choice: &Choice) {
        if self.state.parked_for(node).is_none() {
            return self.resolve_undo(node, choice);
        }
        match choice {
            Choice::Retry => self.unpark(node),
            Choice::Skip => {
                self.succeed(node, &Payload::null());
                self.forget_undo(node);
            }
            Choice::MarkDone(output) => self.succeed(node, output),
        }
    }

    /// Tells the scope around whether something in here waits for an operator, when that has changed.
    fn tell_what_waits(&mut self) {
        let waits = self.state.needs_attention();
        if !self.plan.is_body() || waits == self.state.more().says_parked {
            return;
        }
        let more = self.state.more_mut();
        more.says_parked = waits;
        more.park_turns += 1;
        let word = super::input::Word::Parked { waits, turn: more.park_turns };
        self.out.send(super::input::Peer::Parent, word);
    }
}
