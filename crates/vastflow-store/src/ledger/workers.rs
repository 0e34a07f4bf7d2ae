//! Who is alive, and what they have in hand.

use super::queue::Class;
use super::scope::TaskState;
use super::{Ledger, place_of};
use crate::error::StoreError;
use crate::work::{
    Claim, Claimed, Fleet, Heartbeat, Lease, Pulse, QueueRow, Swept, Turn, WorkerId, WorkerInfo, WorkerRow,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow_core::{Name, PlanHash, ScopeId, Task, Timestamp};

/// A worker that counts as alive.
#[derive(Debug, Default)]
pub(super) struct Worker {
    until: Timestamp,
    about: Arc<WorkerInfo>,
    /// It said that it goes, so nothing that it had in hand has killed it.
    said_goodbye: bool,
    /// The number of its last claim.
    turn: u64,
    /// What its claims gave of which it has not said that it heard the answer, with their numbers.
    given: Vec<(u64, Lease)>,
}

impl Ledger {
    /// A worker lives.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when another worker of its name lives.
    pub fn heartbeat(&mut self, beat: &Heartbeat) -> Result<Pulse, StoreError> {
        self.queue.hear_time(beat.now);
        if let Some(name) = &beat.about.name {
            let is_other = |(id, worker): &(&WorkerId, &Worker)| {
                **id != beat.worker && worker.until > beat.now && worker.about.name.as_ref() == Some(name)
            };
            if let Some((_, other)) = self.workers.iter().find(is_other) {
                return Err(other.about.refuses(name));
            }
        }
        let was_lost = !self.workers.contains_key(&beat.worker);
        let worker = self.workers.entry(beat.worker).or_default();
        worker.until = beat.now.plus(beat.lease);
        worker.about = Arc::clone(&beat.about);
        worker.said_goodbye = beat.lease.is_zero();
        Ok(Pulse { now: beat.now, was_lost, has_others: self.workers.len() > 1 })
    }

    /// A worker lives, and claims. What was given by claims whose answers it did not hear goes back into the queue.
    ///
    /// # Errors
    /// [`Turn::is_over`]: its next claim came before this one.
    pub(super) fn take_turn(&mut self, ask: &Claim) -> Result<(), StoreError> {
        let worker = self.workers.entry(ask.worker).or_default();
        let mut unheard = Vec::new();
        if let Some(Turn { number, heard }) = ask.turn {
            if number <= worker.turn {
                return Err(Turn::is_over());
            }
            worker.turn = number;
            unheard = std::mem::take(&mut worker.given);
            unheard.retain(|(turn, _)| *turn > heard);
        }
        worker.until = ask.now.plus(ask.lease);
        worker.said_goodbye = false;
        self.queue.ripen(ask.now, place_of(&self.runs));
        let leases: Vec<Lease> = unheard.into_iter().map(|(_, lease)| lease).collect();
        self.release(&leases);
        Ok(())
    }

    /// Notes what a claim gives, until its worker says that it heard the answer.
    pub(super) fn note_given(&mut self, ask: &Claim, tasks: &[Claimed]) {
        let Some((turn, worker)) = ask.turn.zip(self.workers.get_mut(&ask.worker)) else { return };
        let lease = |one: &Claimed| Lease { scope: one.scope.clone(), task: one.task, token: one.token };
        worker.given.extend(tasks.iter().map(|one| (turn.number, lease(one))));
    }

    /// Gives up at most `limit` workers whose lease has ended; their tasks become claimable, in the order in which
    /// their runs began. A worker that was given up, did not notice and kept tasks since then is given up again.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) -> Swept {
        self.queue.hear_time(now);
        let Ledger { workers, strangers, .. } = self;
        strangers.retain(|worker| !workers.contains_key(worker));
        let dead = workers.iter().filter(|(_, worker)| worker.until <= now).map(|(id, _)| *id);
        let dead: Vec<WorkerId> = dead.chain(strangers.iter().copied()).take(limit).collect();
        if dead.is_empty() {
            return Swept::default();
        }
        let lost = self.in_the_hands_of(&dead);
        let mut calls: FxHashMap<WorkerId, usize> = FxHashMap::default();
        lost.iter().filter(|(_, _, task)| task.takes_slot()).for_each(|(by, ..)| *calls.entry(*by).or_default() += 1);
        for (by, id, task) in &lost {
            let Some(run) = self.runs.get_mut(id.run()) else { continue };
            let place = run.place();
            let Some(scope) = run.scope_mut(id) else { continue };
            if self.workers.get(by).is_none_or(|worker| !worker.said_goodbye) {
                scope.suspect(*task, calls.get(by) == Some(&1));
            }
            scope.give_back(id, *task, &place, &mut self.queue);
        }
        self.workers.retain(|worker, _| !dead.contains(worker));
        self.strangers.retain(|worker| !dead.contains(worker));
        self.taken_over += lost.len() as u64;
        Swept { workers: dead.len(), tasks: lost.len() }
    }

    /// The tasks that these workers have in hand, in the order in which their runs began.
    fn in_the_hands_of(&self, workers: &[WorkerId]) -> Vec<(WorkerId, ScopeId, Task)> {
        let mut found = Vec::new();
        for (id, run) in self.order.values().filter_map(|id| self.runs.get_key_value(id)) {
            let root = ScopeId::root(id.clone());
            for (id, scope) in std::iter::once((&root, &run.root)).chain(&run.inner) {
                found.extend(
                    scope.claimed().filter(|(_, by)| workers.contains(by)).map(|(task, by)| (by, id.clone(), task)),
                );
            }
        }
        found
    }

    /// Who is alive, and what became of those who were not.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        let mut calls: FxHashMap<WorkerId, usize> = FxHashMap::default();
        let scopes = self.runs.values().flat_map(|run| run.scopes());
        for (task, by) in scopes.flat_map(|scope| scope.claimed()) {
            *calls.entry(by).or_default() += usize::from(Class::of(task) == Class::Call);
        }
        let row = |(id, worker): (&WorkerId, &Worker)| WorkerRow {
            id: *id,
            about: Arc::clone(&worker.about),
            until: worker.until,
            in_hand: calls.get(id).copied().unwrap_or(0),
        };
        let mut rows: Vec<WorkerRow> = self.workers.iter().map(row).collect();
        rows.sort_unstable_by_key(|row| row.id);
        Fleet { now: self.queue.clock(), workers: rows, taken_over: self.taken_over, fenced: self.fenced }
    }

    /// The calls that exist, by plan and lane, in that order.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueRow> {
        let mut rows: BTreeMap<(PlanHash, Option<Name>), QueueRow> = BTreeMap::new();
        for run in self.runs.values() {
            let (plan, goes_on) = (run.known.started().plan, run.control.control.hands_out());
            for (lane, state) in run.scopes().flat_map(|scope| scope.calls()) {
                let row = row_of(&mut rows, plan, lane);
                match state {
                    TaskState::Claimed { .. } => row.in_hand += 1,
                    TaskState::Queued { .. } if goes_on => {}
                    TaskState::Queued { .. } | TaskState::Held => row.held += 1,
                }
            }
        }
        let goes_on = |scope: &ScopeId| self.runs.get(scope.run()).is_some_and(|run| run.control.control.hands_out());
        for (kind, _, since) in self.queue.calls(place_of(&self.runs)).filter(|(_, scope, _)| goes_on(scope)) {
            let row = row_of(&mut rows, kind.plan, &kind.lane);
            let Some(since) = since else {
                row.later += 1;
                continue;
            };
            row.ready += 1;
            row.alone += usize::from(kind.alone);
            row.since = Some(row.since.map_or(since, |oldest| oldest.min(since)));
        }
        rows.into_values().collect()
    }
}

fn row_of<'a>(
    rows: &'a mut BTreeMap<(PlanHash, Option<Name>), QueueRow>,
    plan: PlanHash,
    lane: &Option<Name>,
) -> &'a mut QueueRow {
    rows.entry((plan, lane.clone())).or_insert_with(|| QueueRow::empty(plan, lane.clone()))
}
