//! What an embedded store needs to fill a ledger at its opening, and to keep it small: what has ended, and what was
//! recorded, may be kept elsewhere.
//!
//! A ledger that has let go of something does not know of it any more. Before anything is said to a run or a scope
//! that it forgot, the store puts it back.

use super::known::Known;
use super::{Append, Blame, Head, Ledger, Run, set_control};
use crate::commit::Message;
use crate::control::{Control, ControlWord};
use crate::error::StoreError;
use crate::prune::{Doomed, Keep, Prune};
use std::sync::Arc;
use vastflow_core::run::{Changes, RunSummary};
use vastflow_core::{RunId, ScopeId, Seq, Task, Timestamp};

/// What a ledger has forgotten. Dropping it takes its time, which need not be that of others who wait for the ledger.
#[derive(Debug)]
pub struct Forgotten(#[expect(dead_code, reason = "held to be dropped")] Kind);

#[derive(Debug)]
#[expect(dead_code, reason = "held to be dropped")]
enum Kind {
    Run(Box<Run>),
    Scope(super::Scope),
    Appends(Vec<Append>),
}

impl Ledger {
    /// Puts back a message that a disk remembers; [`Ledger::requeue`] has it delivered. One that waits already changes
    /// nothing.
    pub fn restore_message(&mut self, from: &ScopeId, message: Message) {
        if let Some(run) = self.runs.get_mut(from.run()) {
            run.inner_or_root(&message.to.clone()).receive(from, message);
        }
    }

    /// Says that the oldest `count` messages of a scope's inbox were delivered.
    pub fn restore_delivered(&mut self, scope: &ScopeId, count: usize) {
        if let Some(run) = self.runs.get_mut(scope.run()) {
            run.inner_or_root(scope).forget_delivered(count);
        }
    }

    /// Changes the control word of a restored run as a commit did.
    pub fn restore_control(&mut self, id: &RunId, control: Control) {
        if let Some(run) = self.runs.get_mut(id) {
            set_control(&ScopeId::root(id.clone()), run, control, &mut self.queue);
        }
    }

    /// Puts back a run that a disk remembers, without tasks; [`Ledger::requeue`] derives those.
    pub fn restore_run(&mut self, id: RunId, key: u64, summary: RunSummary, control: ControlWord) {
        if !self.runs.contains_key(&id) {
            self.insert_run(id, key, Known::new(&Arc::new(summary)), control);
        }
    }

    /// Puts back an append that a disk remembers. One that is there already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not follow what is there.
    pub fn restore_append(&mut self, scope: &ScopeId, append: Append) -> Result<(), StoreError> {
        let Some(run) = self.runs.get_mut(scope.run()) else {
            return Err(StoreError::corrupt(format!("events of {scope}, but no such run")));
        };
        let known = &mut run.inner_or_root(scope).journal;
        if append.first == known.len() {
            known.push(append);
            return Ok(());
        }
        if known.has_op(append.first, append.op) {
            return Ok(());
        }
        let (first, len) = (append.first, known.len());
        Err(StoreError::corrupt(format!("events of {scope} begin at {first}, but its journal has {len}")))
    }

    /// Notes an append that is kept elsewhere, of which only its place and its name are needed here.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not follow what is there.
    pub fn restore_past(&mut self, scope: &ScopeId, head: Head) -> Result<(), StoreError> {
        let known = self.runs.get_mut(scope.run()).map(|run| &mut run.inner_or_root(scope).journal);
        match known.filter(|known| known.len() == head.first && known.kept_from() == head.first) {
            Some(known) => {
                known.push_past(head);
                Ok(())
            }
            None => Err(StoreError::corrupt(format!("events of {scope} begin at {}, out of their place", head.first))),
        }
    }

    /// The same for a scope that may go on: [`Ledger::requeue`] needs to know what its journal folds into.
    ///
    /// # Errors
    /// As [`Ledger::restore_past`]; [`StoreError::Corrupt`] when the run's plan is missing or the events do not fit.
    pub fn fold_past(&mut self, scope: &ScopeId, append: &Append) -> Result<(), StoreError> {
        self.restore_past(scope, append.head())?;
        let Ledger { runs, plans, .. } = self;
        let Some(run) = runs.get_mut(scope.run()) else { return Ok(()) };
        let hash = run.known.started().plan;
        let journal = &mut run.inner_or_root(scope).journal;
        if !journal.has_begun() {
            return Ok(());
        }
        let plan = plans.get(&hash).ok_or_else(|| no_plan(scope.run(), hash))?;
        if scope.is_root() {
            return journal.fold(scope, plan, append);
        }
        journal.fold(scope, &*plan.of_scope(scope).ok_or_else(|| not_in_plan(scope))?, append)
    }

    /// Derives the tasks of all scopes of a restored run from their journals (law 2), and its summary with them; where
    /// messages wait, they are to be delivered.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the run's plan is missing or a journal cannot be folded.
    pub fn requeue(&mut self, id: &RunId) -> Result<(), StoreError> {
        let Ledger { runs, plans, queue, tally, .. } = self;
        let Some(run) = runs.get_mut(id) else { return Ok(()) };
        let hash = run.known.started().plan;
        let plan = plans.get(&hash).ok_or_else(|| no_plan(id, hash))?;
        let place = run.place();
        let root = ScopeId::root(id.clone());
        for (id, scope) in std::iter::once((&root, &mut run.root)).chain(&mut run.inner) {
            if scope.has_mail() {
                scope.insert(id, Task::Deliver, Timestamp::ZERO, &place, queue);
            }
            if !scope.journal.has_begun() {
                continue;
            }
            let body = plan.of_scope(id).ok_or_else(|| not_in_plan(id))?;
            let state = scope.journal.take_state(id, &body)?;
            if let Some(summary) = state.summary(&body).filter(|_| id.is_root()) {
                tally.remove(&run.known);
                run.known = Known::new(&Arc::new(summary));
                tally.add(&run.known);
            }
            let mut changes = Changes::default();
            state.outstanding(&body, &mut changes);
            for (task, due) in changes.queue {
                let lane = run.known.started().info.lane_of(&body, task).cloned();
                scope.insert(id, task, due, &place.in_lane(lane), queue);
            }
        }
        Ok(())
    }

    /// The calls that wait, now or later.
    pub fn queued_calls(&self) -> impl Iterator<Item = (ScopeId, Task)> {
        self.runs.iter().flat_map(|(id, run)| {
            let root = std::iter::once((ScopeId::root(id.clone()), &run.root));
            let scopes = root.chain(run.inner.iter().map(|(id, scope)| (id.clone(), scope)));
            scopes.flat_map(|(id, scope)| scope.queued_calls().map(move |task| (id.clone(), task)))
        })
    }

    /// Puts back what is known against a call that waits; false when there is no such call.
    pub fn blame(&mut self, scope: &ScopeId, task: Task, blame: Blame) -> bool {
        let Some(run) = self.runs.get_mut(scope.run()) else { return false };
        let place = run.place();
        run.scope_mut(scope).is_some_and(|known| known.blame(scope, task, blame, &place, &mut self.queue))
    }

    /// Whether a scope is known here.
    #[must_use]
    pub fn has_scope(&self, scope: &ScopeId) -> bool {
        self.runs.get(scope.run()).is_some_and(|run| run.scope(scope).is_some())
    }

    /// The position from which on the events of a scope are kept here; what comes before was let go of.
    #[must_use]
    pub fn kept_from(&self, scope: &ScopeId) -> Seq {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or(Seq::ZERO, |scope| scope.journal.kept_from())
    }

    /// Lets go of the events of a scope before a position. For stores that keep them elsewhere.
    pub fn trim(&mut self, scope: &ScopeId, upto: Seq) -> Option<Forgotten> {
        let scope = self.runs.get_mut(scope.run())?.scope_mut(scope)?;
        let trimmed = scope.journal.trim(upto);
        (!trimmed.is_empty()).then_some(Forgotten(Kind::Appends(trimmed)))
    }

    /// Forgets an inner scope that has ended and has no tasks, no mail and no events here; none when it is not so.
    pub fn evict_scope(&mut self, scope: &ScopeId) -> Option<Forgotten> {
        let inner = &mut self.runs.get_mut(scope.run())?.inner;
        inner.get(scope).filter(|known| known.is_over() && known.journal.kept_from() == known.journal.len())?;
        inner.remove(scope).map(|forgotten| Forgotten(Kind::Scope(forgotten)))
    }

    /// Forgets a run that is final and has no tasks; none when it is not or has some. For stores that keep finished
    /// runs elsewhere.
    pub fn evict(&mut self, id: &RunId) -> Option<Forgotten> {
        if !self.is_over(id) {
            return None;
        }
        let run = self.runs.remove(id)?;
        self.order.remove(&run.key);
        self.tally.remove(&run.known);
        Some(Forgotten(Kind::Run(run)))
    }

    /// Deletes runs that are over; gives their ids, and whether there are more to delete.
    pub fn prune(&mut self, ask: &Prune) -> (Vec<RunId>, bool) {
        let doomed: Vec<RunId> = match &ask.which {
            Doomed::Runs(ids) => ids.iter().filter(|id| self.is_over(id)).cloned().collect(),
            Doomed::Old(keep) => self.doomed_by(keep),
        };
        let more = doomed.len() > ask.limit;
        let gone = doomed.into_iter().take(ask.limit).filter(|id| self.evict(id).is_some());
        (gone.collect(), more)
    }

    /// Runs that are over and not kept, oldest first.
    fn doomed_by(&self, keep: &Keep) -> Vec<RunId> {
        let covered = |(key, id): (&u64, &RunId)| {
            let run = self.runs.get(id).filter(|run| keep.covers(&run.known.started().flow))?;
            Some((*key, id.clone(), keep.is_too_old(run.known.ended_at())))
        };
        let mut covered: Vec<_> = self.order.iter().filter_map(covered).collect();
        let newest = keep.newest.map_or(0, |newest| covered.len().saturating_sub(newest));
        let mut place = 0;
        covered.retain(|(_, id, is_too_old)| {
            place += 1;
            (*is_too_old || place <= newest) && self.is_over(id)
        });
        covered.into_iter().map(|(_, id, _)| id).collect()
    }

    fn is_over(&self, id: &RunId) -> bool {
        let Some(run) = self.runs.get(id) else { return false };
        run.known.status().is_final() && run.scopes().all(|scope| scope.is_idle())
    }

    /// The next run gets at least this key: one more than the highest that a disk remembers.
    pub fn begin_keys_at(&mut self, key: u64) {
        self.next_key = self.next_key.max(key);
    }
}

fn no_plan(id: &RunId, hash: vastflow_core::PlanHash) -> StoreError {
    StoreError::corrupt(format!("run {id} follows plan {hash}, which is not there"))
}

fn not_in_plan(scope: &ScopeId) -> StoreError {
    StoreError::corrupt(format!("{scope} is not a scope of its plan"))
}
