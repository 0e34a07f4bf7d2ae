//! Reading a ledger, and what an embedded store needs to fill it at its opening and to keep it small.

use super::{Append, Ledger, QueuedTask, Run, set_control};
use crate::commit::Message;
use crate::control::{Control, ControlWord};
use crate::error::StoreError;
use crate::query::{Counts, RunPage, RunQuery, RunRow};
use std::sync::Arc;
use vastflow_core::run::{Changes, RunSummary};
use vastflow_core::{Plan, PlanHash, Recorded, RunId, RunStatus, ScopeId, Seq, Task, Timestamp};

impl Ledger {
    /// Events of a scope from position `after` on.
    #[must_use]
    pub fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Vec<Recorded> {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or_else(Vec::new, |scope| scope.history(after, limit))
    }

    /// The appends of a scope, oldest first.
    #[must_use]
    pub fn appends(&self, scope: &ScopeId) -> &[Append] {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or(&[], |scope| scope.appends())
    }

    /// The plan with this hash.
    #[must_use]
    pub fn plan(&self, hash: PlanHash) -> Option<Arc<Plan>> {
        self.plans.get(&hash).cloned()
    }

    /// All plans, ordered by hash.
    #[must_use]
    pub fn plans(&self) -> Vec<Arc<Plan>> {
        self.plans.values().cloned().collect()
    }

    /// One run in short.
    #[must_use]
    pub fn run(&self, id: &RunId) -> Option<RunRow> {
        self.runs.get(id).map(|run| run.row(id.clone()))
    }

    /// Runs in short, newest first.
    #[must_use]
    pub fn runs(&self, query: &RunQuery) -> RunPage {
        let size = query.page_size();
        let older = self.order.range(..query.before.unwrap_or(u64::MAX)).rev();
        let found = older.filter_map(|(_, id)| Some((id, self.runs.get(id)?)));
        let mut rows: Vec<RunRow> = found
            .filter(|(_, run)| query.matches(&run.summary))
            .take(size.saturating_add(1))
            .map(|(id, run)| run.row(id.clone()))
            .collect();
        let has_more = rows.len() > size;
        rows.truncate(size);
        RunPage { next: rows.last().filter(|_| has_more).map(|row| row.key), rows }
    }

    /// How many runs there are of each status.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.tally.counts
    }

    /// The tasks that exist in a scope.
    #[must_use]
    pub fn tasks(&self, scope: &ScopeId) -> Vec<QueuedTask> {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or_else(Vec::new, |scope| scope.tasks())
    }

    /// The key of a run, which is its place in the order of starts, and its status.
    #[must_use]
    pub fn standing(&self, id: &RunId) -> Option<(u64, RunStatus)> {
        self.runs.get(id).map(|run| (run.key, run.summary.status))
    }

    /// The run with this key.
    #[must_use]
    pub fn run_with_key(&self, key: u64) -> Option<&RunId> {
        self.order.get(&key)
    }

    /// The key that the next run to begin will get.
    #[must_use]
    pub const fn next_key(&self) -> u64 {
        self.next_key
    }

    /// How many messages a commit that settles the scope's [`Task::Deliver`] now would take out of its inbox.
    #[must_use]
    pub fn handed_over(&self, scope: &ScopeId) -> usize {
        let run = self.runs.get(scope.run());
        run.and_then(|run| run.scope(scope)).map_or(0, |scope| scope.handed_over())
    }

    /// Puts back a message that a disk remembers; [`Ledger::requeue`] has it delivered. One that came before changes
    /// nothing.
    pub fn restore_message(&mut self, from: &ScopeId, message: Message) {
        if let Some(run) = self.runs.get_mut(from.run()) {
            run.inner_or_root(&message.to.clone()).receive(from, message);
        }
    }

    /// Says that the oldest `count` messages of a scope's inbox were delivered. They are known and will not come again.
    pub fn restore_delivered(&mut self, scope: &ScopeId, count: usize) {
        if let Some(run) = self.runs.get_mut(scope.run()) {
            run.inner_or_root(scope).forget_delivered(count);
        }
    }

    /// Changes the control word of a restored run as a commit did.
    pub fn restore_control(&mut self, id: &RunId, control: Control) {
        if let Some(run) = self.runs.get_mut(id) {
            set_control(run, control, &mut self.queue);
        }
    }

    /// Puts back a run that a disk remembers, without tasks; [`Ledger::requeue`] derives those.
    pub fn restore_run(&mut self, id: RunId, key: u64, summary: RunSummary, control: ControlWord) {
        if !self.runs.contains_key(&id) {
            self.insert_run(id, key, Arc::new(summary), control);
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
        let known = run.inner_or_root(scope);
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

    /// Derives the tasks of all scopes of a restored run from their journals (law 2), and its summary with them; where
    /// messages wait, they are to be delivered.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the run's plan is missing or a journal cannot be folded.
    pub fn requeue(&mut self, id: &RunId) -> Result<(), StoreError> {
        let Ledger { runs, plans, queue, tally, .. } = self;
        let Some(run) = runs.get_mut(id) else { return Ok(()) };
        let hash = run.summary.started.plan;
        let missing = || StoreError::corrupt(format!("run {id} follows plan {hash}, which is not there"));
        let plan = plans.get(&hash).ok_or_else(missing)?;
        let place = run.place();
        for (id, scope) in std::iter::once((&run.id, &mut run.root)).chain(&mut run.inner) {
            if scope.has_mail() {
                scope.insert(id, Task::Deliver, Timestamp::ZERO, &place, queue);
            }
            if !scope.has_begun() {
                continue;
            }
            let unknown = || StoreError::corrupt(format!("{id} is not a scope of its plan"));
            let body = plan.of_scope(id).ok_or_else(unknown)?;
            let state = scope.state(id, &body)?;
            if let Some(summary) = state.summary(&body).filter(|_| id.is_root()) {
                tally.remove(&run.summary);
                tally.add(&summary);
                run.summary = Arc::new(summary);
            }
            let mut changes = Changes::default();
            state.outstanding(&body, &mut changes);
            for (task, due) in changes.queue {
                let lane = body.lane(task).cloned();
                scope.insert(id, task, due, &place.in_lane(lane), queue);
            }
        }
        Ok(())
    }

    /// The ids of all runs, in no order.
    pub fn run_ids(&self) -> impl Iterator<Item = &RunId> {
        self.runs.keys()
    }

    /// Forgets a run that is final and has no tasks; none when it is not or has some. For stores that keep finished
    /// runs elsewhere.
    pub fn evict(&mut self, id: &RunId) -> Option<Evicted> {
        let over = |run: &Run| run.summary.status.is_final() && run.scopes().all(|scope| scope.is_idle());
        if !self.runs.get(id).is_some_and(over) {
            return None;
        }
        let run = self.runs.remove(id)?;
        self.order.remove(&run.key);
        self.tally.remove(&run.summary);
        Some(Evicted(run))
    }

    /// The next run gets at least this key: one more than the highest that a disk remembers.
    pub fn begin_keys_at(&mut self, key: u64) {
        self.next_key = self.next_key.max(key);
    }
}

/// A run that a ledger has forgotten. Dropping it takes its time, which need not be that of others who wait for the
/// ledger.
#[derive(Debug)]
pub struct Evicted(#[expect(dead_code, reason = "held to be dropped")] Run);

impl Run {
    fn row(&self, id: RunId) -> RunRow {
        RunRow { key: self.key, id, len: self.root.len(), control: self.control, summary: (*self.summary).clone() }
    }
}
