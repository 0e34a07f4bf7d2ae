//! What becomes of nodes: they start, succeed, fail, are skipped or not needed any more, and close their edges.

use super::evolve::{Ended, Fold};
use super::outstanding::Sink;
use super::state::{Active, NodeState, Phase, Stage};
use crate::event::RunOutcome;
use crate::failure::{Failure, FailureKind, RunFailure};
use crate::id::{NodeIx, Task};
use crate::payload::Payload;
use crate::plan::{Join, NodeKind};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

impl<S: Sink> Fold<'_, S> {
    /// A node begins: all that it waits for is there. One that needs no work ends at once.
    pub(super) fn start(&mut self, node: NodeIx) {
        match &self.plan.at(node).kind {
            NodeKind::Gate => {
                self.leave(node, NodeState::Succeeded { output: None, readers: 0 });
                return self.has_ended(node, true);
            }
            NodeKind::Basin(_) => self.open_basin(node),
            NodeKind::Signal { name } => self.listen(node, name),
            NodeKind::Sleep { duration } => {
                self.activate(node, Active::new(Stage::Sleep, self.at, self.at.plus(*duration)));
            }
            _ => self.activate(node, Active::first(self.at)),
        }
        if let Some(due) = self.state.node_deadline(self.plan, node) {
            self.out.queue(Task::NodeDeadline { node }, due);
        }
    }

    pub(super) fn activate(&mut self, node: NodeIx, active: Active) {
        self.out.queue(active.task(node), active.due);
        self.state.nodes[node.index()] = NodeState::Active(active);
        self.state.in_hand += 1;
    }

    /// The edges out of a node are to be closed; whether it gives what they wait for.
    pub(super) fn has_ended(&mut self, node: NodeIx, came: bool) {
        self.ended.push(Ended { node, came, closed: 0 });
    }

    /// Closes the edges out of all nodes that have ended; what need not wait any more starts, in the order drawn. What
    /// ends by that, a gate or a join that cannot be, closes its own edges before the next one.
    pub(super) fn close_edges(&mut self) {
        let plan = self.plan;
        // The last one is the next, and the first to end is the first to close its edges.
        self.ended.reverse();
        while let Some(last) = self.ended.last_mut() {
            let (node, came) = (last.node, last.came);
            let Some(&(child, carries)) = plan.links(node).children.get(last.closed) else {
                self.ended.pop();
                continue;
            };
            last.closed += 1;
            let before = self.ended.len();
            let is_met = came || plan.can_do_without(child, carries);
            self.close_edge(node, child, came, is_met);
            self.ended[before..].reverse();
        }
    }

    fn close_edge(&mut self, from: NodeIx, child: NodeIx, came: bool, is_met: bool) {
        let NodeState::Waiting { missing } = &mut self.state.nodes[child.index()] else { return };
        *missing -= 1;
        let missing = *missing;
        let join = self.plan.at(child).join;
        match join {
            _ if !is_met => return self.skip(child),
            Join::All | Join::AllSettled if missing > 0 => return,
            Join::All | Join::AllSettled => {}
            Join::Any | Join::NOf(_) => {
                let came_first = self.state.more_mut().joins.entry(child).or_default();
                if came {
                    came_first.push(from);
                }
                let (got, needs) = (came_first.len() as u64, join.needs(0));
                if got < needs && got + u64::from(missing) < needs {
                    return self.fail_join(child, needs);
                }
                if got < needs {
                    return;
                }
            }
        }
        if self.may_begin(child) {
            self.start(child);
            self.drop_unneeded(child);
        }
    }

    /// In a stopping run only atomic nodes begin, and gates, which cost nothing and may lead to one.
    fn may_begin(&self, node: NodeIx) -> bool {
        let spec = self.plan.at(node);
        self.state.phase == Phase::Going || spec.atomic || spec.kind == NodeKind::Gate
    }

    /// A node cannot come to be, because something before it did not.
    fn skip(&mut self, node: NodeIx) {
        self.leave(node, NodeState::Skipped);
        self.has_ended(node, false);
    }

    /// Too few of the nodes that a join waits for can still succeed.
    fn fail_join(&mut self, node: NodeIx, needs: u64) {
        let causes: Vec<String> = self
            .plan
            .links(node)
            .parents
            .iter()
            .filter_map(|(parent, _)| {
                let NodeState::Failed(Some(failure)) = &self.state.nodes[parent.index()] else { return None };
                Some(format!("{}: {failure}", self.plan.at(*parent).name))
            })
            .collect();
        let all = self.plan.links(node).waits_for;
        let text = format!("{needs} of {all} nodes had to succeed, and that is not possible any more");
        self.fail_or_rescue(node, &Failure::new(FailureKind::Error, text).because(causes.join("; ")));
    }

    /// A join has what it needs: what leads only to joins that have theirs is not needed any more.
    fn drop_unneeded(&mut self, join: NodeIx) {
        if matches!(self.plan.at(join).join, Join::Any | Join::NOf(_)) {
            self.drop_above(join);
        }
    }

    /// Gives up what leads only to nodes that do not wait any more, beginning with what is right before `node`.
    pub(super) fn drop_above(&mut self, node: NodeIx) {
        let plan = self.plan;
        let parents = |node: NodeIx| plan.links(node).parents.iter().map(|(parent, _)| *parent);
        let mut above: Vec<NodeIx> = parents(node).collect();
        while let Some(node) = above.pop() {
            if self.is_needed(node) || !self.give_up(node) {
                continue;
            }
            above.extend(parents(node));
        }
    }

    /// Whether something still waits for the node, or for its effect.
    fn is_needed(&self, node: NodeIx) -> bool {
        let links = self.plan.links(node);
        let waits = |(child, _): &(NodeIx, bool)| matches!(self.state.nodes[child.index()], NodeState::Waiting { .. });
        links.is_output || links.children.is_empty() || links.children.iter().any(waits)
    }

    /// A node is not needed any more. False if it has ended.
    fn give_up(&mut self, node: NodeIx) -> bool {
        // What it may have done is taken back even if all goes well.
        let has_ended = self.state.nodes[node.index()].has_ended();
        if !has_ended && (self.forget_undo(node) || self.state.more().undoable.contains_key(&node)) {
            self.state.more_mut().lost.push(node);
        }
        match &mut self.state.nodes[node.index()] {
            NodeState::Active(active) if active.loser => return false,
            NodeState::Active(active) => {
                let (task, waits) = (active.task(node), active.due > self.at);
                if waits {
                    self.out.obsolete(task);
                    self.leave(node, NodeState::Skipped);
                    return true;
                }
                if self.state.node_deadline(self.plan, node).is_some() {
                    self.out.obsolete(Task::NodeDeadline { node });
                }
                self.lose(node, task);
            }
            NodeState::Waiting { .. } | NodeState::Open(_) | NodeState::Listening { .. } | NodeState::Parked { .. } => {
                self.leave(node, NodeState::Skipped);
            }
            _ => return false,
        }
        true
    }

    /// A call is under way that nobody needs: it is asked to stop, and not waited for.
    fn lose(&mut self, node: NodeIx, task: Task) {
        if let NodeState::Active(active) = &mut self.state.nodes[node.index()] {
            active.loser = true;
        }
        self.state.unfinished -= 1;
        self.state.more_mut().losers += 1;
        if !self.plan.at(node).atomic {
            self.out.cancel(task);
        }
    }

    pub(super) fn is_loser(&self, node: NodeIx) -> bool {
        self.state.active(node).is_some_and(|active| active.loser)
    }

    pub(super) fn succeed(&mut self, node: NodeIx, output: &Payload) {
        let is_loser = self.is_loser(node);
        self.note_undo(node);
        let readers = if is_loser { u32::from(self.plan.at(node).undo.is_some()) } else { self.readers(node) };
        let kept = (readers > 0).then(|| output.clone());
        self.leave(node, NodeState::Succeeded { output: kept, readers });
        if !is_loser {
            self.has_ended(node, true);
        }
    }

    /// How many will still ask for what a node gives: what waits for it and has not ended, the run, an undo action.
    pub(super) fn readers(&self, node: NodeIx) -> u32 {
        let links = self.plan.links(node);
        let asks = |(child, carries): &&(NodeIx, bool)| *carries && !self.state.nodes[child.index()].has_ended();
        let children = links.children.iter().filter(asks).map(|_| 1).sum::<u32>();
        children + u32::from(links.is_output) + u32::from(self.plan.at(node).undo.is_some())
    }

    /// The node's next task: another attempt or another poll. In a stopping run there is none, unless it is atomic;
    /// nor is there for one that nobody needs.
    pub(super) fn go_on(&mut self, node: NodeIx, stage: Stage, due: Timestamp, cause: Option<&str>) {
        if let Some(end) = self.end_of_unwanted(node) {
            return self.leave(node, end);
        }
        let active = match &mut self.state.nodes[node.index()] {
            NodeState::Active(active) => active,
            NodeState::Open(open) => match &mut open.reading {
                Some(active) => active,
                None => return,
            },
            _ => return,
        };
        active.stage = stage;
        active.due = due;
        if let Some(cause) = cause {
            active.cause = Some(cause.into());
        }
        self.out.queue(active.task(node), due);
    }

    /// How a node ends that has more to do, if it is not to do it.
    pub(super) fn end_of_unwanted(&self, node: NodeIx) -> Option<NodeState> {
        let stops = self.state.phase == Phase::Stopping && !self.plan.at(node).atomic;
        let end = if stops { NodeState::Dropped } else { NodeState::Skipped };
        (stops || self.is_loser(node)).then_some(end)
    }

    /// A river has submitted its work: should it be tried again from the start, its attempts go on counting from here.
    pub(super) fn attempts_are_over(&mut self, node: NodeIx, number: u32) {
        if let NodeState::Active(active) = &mut self.state.nodes[node.index()] {
            active.base = number;
        }
    }

    /// A call that has failed for good is no more; nor, when the node's time is up, are those that are under way.
    pub(super) fn forget_call(&mut self, node: NodeIx, number: u32) {
        let is_time = number == 0;
        match &mut self.state.nodes[node.index()] {
            NodeState::Active(active) if is_time => {
                let task = active.task(node);
                self.out.obsolete(task);
                self.out.cancel(task);
            }
            NodeState::Open(open) if !is_time => {
                let is_it = |call: &Option<Active>| call.as_ref().is_some_and(|call| call.attempt() == number);
                match (is_it(&open.reading), is_it(&open.reducing)) {
                    (true, false) => open.reading = None,
                    (false, true) => open.reducing = None,
                    // Nobody can tell which of the two it was: both are obsolete.
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// What a node may have done before it failed must be undone as if it had.
    pub(super) fn note_unclear(&mut self, node: NodeIx, failure: &Failure) {
        if failure.kind.is_unclear() {
            self.note_undo(node);
        }
    }

    pub(super) fn fail_or_rescue(&mut self, node: NodeIx, failure: &Failure) {
        if self.state.phase != Phase::Going || !self.plan.at(node).rescue || self.is_loser(node) {
            return self.fail(node, failure);
        }
        if self.state.node_deadline(self.plan, node).is_some() {
            self.out.obsolete(Task::NodeDeadline { node });
        }
        let since = self.state.since(node).unwrap_or(self.at);
        let rescue = Active::new(Stage::Rescue(Box::new(failure.clone())), since, Timestamp::ZERO);
        self.out.queue(rescue.task(node), rescue.due);
        let before = core::mem::replace(&mut self.state.nodes[node.index()], NodeState::Active(rescue));
        match before {
            NodeState::Open(open) => self.close_scopes(node, *open),
            NodeState::Active(_) => {}
            // What waited for a signal had nothing in hand, and a join that became impossible had not begun.
            _ => self.state.in_hand += 1,
        }
        self.listen_no_more(node);
    }

    pub(super) fn fail(&mut self, node: NodeIx, failure: &Failure) {
        let is_loser = self.is_loser(node);
        self.leave(node, NodeState::Failed(Some(Box::new(failure.clone()))));
        if is_loser || self.state.phase != Phase::Going {
            return;
        }
        let spec = self.plan.at(node);
        let why = || RunFailure { node: Some(spec.name.clone()), failure: failure.clone() };
        if self.is_handled(node) {
            self.has_ended(node, false);
        } else if spec.isolated {
            self.state.more_mut().doomed.get_or_insert_with(why);
            self.has_ended(node, false);
        } else {
            self.stop(RunOutcome::Failed(why()));
        }
    }

    /// Whether all that waits for the node can do without it, or says itself that it cannot.
    fn is_handled(&self, node: NodeIx) -> bool {
        let links = self.plan.links(node);
        let copes = |(child, carries): &(NodeIx, bool)| self.plan.can_do_without(*child, *carries);
        !links.is_output && !links.children.is_empty() && links.children.iter().all(copes)
    }

    /// A node that failed for good waits for an operator.
    pub(super) fn park(&mut self, node: NodeIx, failure: &Failure, number: u32) {
        self.note_unclear(node, failure);
        if self.state.node_deadline(self.plan, node).is_some() {
            self.out.obsolete(Task::NodeDeadline { node });
        }
        // After a poll, the whole of it is tried again.
        let attempt = match self.state.active(node).map(|active| &active.stage) {
            Some(Stage::Attempt(_)) => number,
            _ => self.state.active(node).map_or(1, |active| active.base),
        };
        let parked = NodeState::Parked { failure: Box::new(failure.clone()), attempt };
        self.state.nodes[node.index()] = parked;
        self.state.in_hand -= 1;
        self.state.more_mut().parked += 1;
    }

    /// An operator has a parked node tried again.
    pub(super) fn unpark(&mut self, node: NodeIx) {
        let NodeState::Parked { attempt, .. } = self.state.nodes[node.index()] else { return };
        let mut active = Active::new(Stage::Attempt(attempt + 1), self.at, Timestamp::ZERO);
        active.base = attempt;
        self.state.more_mut().parked -= 1;
        self.activate(node, active);
        if let Some(due) = self.state.node_deadline(self.plan, node) {
            self.out.queue(Task::NodeDeadline { node }, due);
        }
    }

    /// A node ends as `end`, and gives back what it held.
    pub(super) fn leave(&mut self, node: NodeIx, end: NodeState) {
        if self.state.node_deadline(self.plan, node).is_some() {
            self.out.obsolete(Task::NodeDeadline { node });
        }
        match core::mem::replace(&mut self.state.nodes[node.index()], end) {
            NodeState::Active(active) => {
                self.state.in_hand -= 1;
                if active.loser {
                    self.state.more_mut().losers -= 1;
                } else {
                    self.state.unfinished -= 1;
                }
            }
            NodeState::Open(open) => {
                self.state.in_hand -= 1;
                self.state.unfinished -= 1;
                self.close_scopes(node, *open);
            }
            NodeState::Listening { .. } => {
                self.state.unfinished -= 1;
                self.listen_no_more(node);
            }
            NodeState::Parked { .. } => {
                self.state.unfinished -= 1;
                self.state.more_mut().parked -= 1;
            }
            NodeState::Waiting { .. } => self.state.unfinished -= 1,
            _ => {}
        }
        if let Some(more) = &mut self.state.more {
            more.joins.remove(&node);
        }
        for (parent, carries) in &self.plan.links(node).parents {
            if let (true, NodeState::Succeeded { output, readers }) = (carries, &mut self.state.nodes[parent.index()]) {
                *readers = readers.saturating_sub(1);
                if *readers == 0 {
                    *output = None;
                }
            }
        }
    }
}
