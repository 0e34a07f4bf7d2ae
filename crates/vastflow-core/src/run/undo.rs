//! Taking back what was done, the last first: each undo action a task like any other, inner scopes by a word to them.

use super::evolve::Fold;
use super::input::{Peer, Word};
use super::outstanding::Sink;
use super::state::{NodeState, Phase, State, Undoing};
use crate::event::{Choice, RunOutcome};
use crate::id::{NodeIx, Task};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl State {
    /// What is taken back next.
    fn next_to_undo(&self) -> Option<NodeIx> {
        let more = self.more();
        more.to_undo.get(more.stays_done..)?.last().copied()
    }
}

impl<S: Sink> Fold<'_, S> {
    /// Notes that there is something to take back of a node, as of now: it did its work, or nobody knows whether it
    /// did, or scopes that it opened did theirs.
    pub(super) fn note_undo(&mut self, node: NodeIx) {
        if self.plan.at(node).undo.is_none() && !self.state.more().undoable.contains_key(&node) {
            return;
        }
        let is_loser = self.is_loser(node);
        self.forget_undo(node);
        let more = self.state.more_mut();
        let list = if is_loser { &mut more.lost } else { &mut more.to_undo };
        list.push(node);
    }

    /// Forgets that there is something to take back of a node. Whether there was.
    pub(super) fn forget_undo(&mut self, node: NodeIx) -> bool {
        let Some(more) = &mut self.state.more else { return false };
        let before = more.to_undo.len() + more.lost.len();
        more.to_undo.retain(|other| *other != node);
        more.lost.retain(|other| *other != node);
        more.to_undo.len() + more.lost.len() < before
    }

    /// Nothing runs any more: what was done is taken back, then the hooks run.
    pub(super) fn begin_undo(&mut self) {
        self.state.phase = Phase::Undoing;
        if let Some(more) = &mut self.state.more {
            more.stays_done = 0;
            let lost = core::mem::take(&mut more.lost);
            more.to_undo.extend(lost);
            // Scopes whose node has not ended well come last of all, so they are undone first.
            let known: Vec<NodeIx> =
                more.undoable.keys().copied().filter(|node| !more.to_undo.contains(node)).collect();
            more.to_undo.extend(known);
        }
        self.next_undo();
    }

    /// The run went well; what nobody needed in the end is taken back all the same.
    pub(super) fn undo_lost(&mut self) {
        let lost = self.state.more.as_mut().map(|more| core::mem::take(&mut more.lost)).unwrap_or_default();
        if lost.is_empty() {
            return self.first_hook();
        }
        self.state.phase = Phase::Undoing;
        let more = self.state.more_mut();
        more.stays_done = more.to_undo.len();
        more.to_undo.extend(lost);
        self.next_undo();
    }

    fn next_undo(&mut self) {
        while let Some(node) = self.state.next_to_undo() {
            if self.plan.at(node).undo.is_some() {
                return self.call_undo(node, 1, 0, Timestamp::ZERO);
            }
            let keys = self.state.more_mut().undoable.remove(&node).unwrap_or_default();
            if !keys.is_empty() {
                for key in &keys {
                    self.out.send(Peer::Child { node, key: key.clone() }, Word::Undo);
                }
                self.state.more_mut().undoing = Some(Undoing::Scopes(keys.into_iter().collect()));
                return;
            }
            self.state.more_mut().to_undo.pop();
        }
        self.first_hook();
    }

    fn call_undo(&mut self, node: NodeIx, attempt: u32, base: u32, due: Timestamp) {
        self.state.more_mut().undoing = Some(Undoing::Action { attempt, base, due });
        self.out.queue(Task::Undo { node, attempt }, due);
    }

    pub(super) fn undone(&mut self, node: NodeIx) {
        self.state.nodes[node.index()] = NodeState::Undone;
        self.pass_on_undo();
    }

    fn pass_on_undo(&mut self) {
        let more = self.state.more_mut();
        more.undoing = None;
        more.to_undo.pop();
        self.next_undo();
    }

    pub(super) fn undo_failed(&mut self, number: u32, retry_at: Option<Timestamp>) {
        let more = self.state.more_mut();
        let (Some(&node), Some(Undoing::Action { base, .. })) = (more.to_undo.last(), &more.undoing) else { return };
        let base = *base;
        match retry_at {
            Some(due) => self.call_undo(node, number + 1, base, due),
            None => {
                more.undoing = Some(Undoing::Stuck { attempt: number });
                more.parked += 1;
            }
        }
    }

    pub(super) fn resolve_undo(&mut self, node: NodeIx, choice: &Choice) {
        let more = self.state.more_mut();
        let Some(Undoing::Stuck { attempt }) = more.undoing else { return };
        more.parked -= 1;
        match choice {
            Choice::Retry => self.call_undo(node, attempt + 1, attempt, Timestamp::ZERO),
            Choice::Skip => self.pass_on_undo(),
            Choice::MarkDone(_) => self.undone(node),
        }
    }

    /// A scope that ended well takes back what it did.
    pub(super) fn reopen(&mut self) {
        let (by, why) = ("vastflow", "what it did is taken back");
        self.state.stop = Some(Box::new(RunOutcome::Stopped { by: by.into(), why: why.into() }));
        self.state.more_mut().reopened = true;
        self.begin_undo();
    }

    pub(super) fn child_undone(&mut self, node: NodeIx, key: &str) {
        let more = self.state.more_mut();
        more.parked_children.remove(&(node, key.into()));
        if more.strays.remove(&(node, key.into())).is_some() {
            return;
        }
        let Some(Undoing::Scopes(keys)) = &mut more.undoing else { return };
        keys.remove(key);
        if keys.is_empty() {
            self.undone(node);
        }
    }
}
