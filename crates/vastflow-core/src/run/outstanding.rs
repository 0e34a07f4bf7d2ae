//! The queue as a projection of the state (law 2), and who is told about changes to it.

use super::input::{Peer, Word};
use super::state::{NodeState, Phase, Stage, State, Undoing};
use crate::id::{NodeIx, Task};
use crate::plan::Plan;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Is told what becomes ready and what becomes obsolete.
pub trait Sink {
    /// From now on this task must exist, visible from `due` on.
    fn queue(&mut self, task: Task, due: Timestamp);
    /// From now on this task must not exist. Not told of a task whose own outcome ends it.
    fn obsolete(&mut self, task: Task);
    /// If the task's code is running, it should be asked to stop.
    fn cancel(&mut self, task: Task);
    /// Another scope is to be told something.
    fn send(&mut self, to: Peer, word: Word);
}

/// For folds whose tasks are of no interest.
impl Sink for () {
    fn queue(&mut self, _: Task, _: Timestamp) {}
    fn obsolete(&mut self, _: Task) {}
    fn cancel(&mut self, _: Task) {}
    fn send(&mut self, _: Peer, _: Word) {}
}

/// A sink that remembers: the queue part of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tasks that must exist from now on, with the time from which they are visible.
    pub queue: Vec<(Task, Timestamp)>,
    /// Tasks that must not exist any more.
    pub obsolete: Vec<Task>,
    /// Tasks whose running code should be asked to stop.
    pub cancel: Vec<Task>,
    /// What other scopes are to be told, in this order.
    pub words: Vec<(Peer, Word)>,
}

impl Sink for Changes {
    fn queue(&mut self, task: Task, due: Timestamp) {
        self.queue.push((task, due));
    }

    fn obsolete(&mut self, task: Task) {
        let before = self.queue.len();
        self.queue.retain(|(queued, _)| *queued != task);
        if self.queue.len() == before {
            self.obsolete.push(task);
        }
    }

    fn cancel(&mut self, task: Task) {
        self.cancel.push(task);
    }

    fn send(&mut self, to: Peer, word: Word) {
        self.words.push((to, word));
    }
}

impl State {
    /// Names every task and timer that must exist in this state, and no other.
    pub fn outstanding(&self, plan: &Plan, out: &mut impl Sink) {
        for (at, node) in self.nodes.iter().enumerate() {
            let ix = super::evolve::node_ix(at);
            match node {
                NodeState::Active(active) => out.queue(active.task(ix), active.due),
                NodeState::Open(open) => open.tasks(ix).for_each(|(task, due)| out.queue(task, due)),
                NodeState::Listening { .. } => {}
                _ => continue,
            }
            if let Some(due) = self.node_deadline(plan, ix) {
                out.queue(Task::NodeDeadline { node: ix }, due);
            }
        }
        let more = self.more();
        if let (Some(&node), Some(Undoing::Action { attempt, due, .. })) = (more.to_undo.last(), &more.undoing) {
            out.queue(Task::Undo { node, attempt: *attempt }, *due);
        }
        if let (Phase::Going, Some(due)) = (self.phase, more.grace) {
            out.queue(Task::Grace, due);
        }
        if let Phase::Hook { hook, attempt, due } = self.phase {
            out.queue(Task::Hook { hook, attempt }, due);
        }
        if self.phase == Phase::Queued {
            out.queue(Task::Admit, Timestamp::ZERO);
        }
        if let (true, Some(due)) = (self.is_going(), self.run_deadline(plan)) {
            out.queue(Task::RunDeadline, due);
        }
    }

    /// When a task is given up because the time of its node, or of the run, is up; whichever is first. How long one
    /// call may take is known to the one who calls.
    #[must_use]
    pub fn deadline(&self, plan: &Plan, task: Task) -> Option<Timestamp> {
        let node = task.node()?;
        let of_run = self.run_deadline(plan).filter(|_| self.is_going() && !plan.at(node).atomic);
        of_run.into_iter().chain(self.node_deadline(plan, node)).min()
    }

    /// When a node's own time is up, if it is under way, has a limit, and is still needed.
    pub(super) fn node_deadline(&self, plan: &Plan, node: NodeIx) -> Option<Timestamp> {
        let limit = plan.node(node)?.timeout?;
        let is_over = self.active(node).is_some_and(|active| active.loser || matches!(active.stage, Stage::Rescue(_)));
        if is_over { None } else { Some(self.since(node)?.plus(limit)) }
    }

    /// When the run's time is up, if it has a limit: the plan's or its own, whichever is earlier.
    pub(super) fn run_deadline(&self, plan: &Plan) -> Option<Timestamp> {
        // All that was needed has ended in time.
        if self.more().lingers {
            return None;
        }
        let by_plan = plan.spec().timeout.map(|limit| self.started_at.plus(limit));
        let own = self.started.as_ref().and_then(|started| started.info.deadline);
        by_plan.into_iter().chain(own).min()
    }
}
