//! The rules of a store as a plain data structure: no I/O, no locks, no clock.

mod claim;
mod journal;
mod known;
mod past;
mod queue;
mod read;
mod room;
mod scope;
mod tasks;
mod workers;

pub use journal::{Append, Head};
pub use past::Forgotten;
pub use scope::{Blame, QueuedTask, TaskState};

use crate::commit::{Commit, Committed};
use crate::control::ControlWord;
use crate::error::StoreError;
use crate::query::Counts;
use crate::work::{Lease, WorkerId};
use known::Known;
use queue::{Place, Queue};
use room::Bucket;
use rustc_hash::{FxHashMap, FxHashSet};
use scope::Scope;
use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use vastflow_core::{Name, Plan, PlanHash, RunId, RunStarted, ScopeId, Seq, Task, Timestamp};
use workers::Worker;

/// Everything a store knows about its runs.
///
/// A store that keeps one in memory gets all of its behaviour from here: [`MemoryStore`](crate::MemoryStore) adds a
/// mutex, an embedded store adds a disk.
#[derive(Debug, Default)]
pub struct Ledger {
    runs: Runs,
    /// Runs by key, which is the order of their starts.
    order: BTreeMap<u64, RunId>,
    next_key: u64,
    plans: BTreeMap<PlanHash, Arc<Plan>>,
    queue: Queue,
    workers: FxHashMap<WorkerId, Worker>,
    /// Workers that kept a task while they did not count as alive.
    strangers: FxHashSet<WorkerId>,
    tally: Tally,
    taken_over: u64,
    fenced: u64,
    /// Of each lane with a rate, when its bucket is full again.
    buckets: FxHashMap<Name, Bucket>,
    /// Runs that wait in line and are held there: they stand in no queue.
    held_in_line: FxHashSet<RunId>,
}

type Runs = FxHashMap<RunId, Box<Run>>;

/// Where in the queue a task stands; none when it is there no more.
fn place_of(runs: &Runs) -> impl Fn(&ScopeId, Task) -> Option<Place> {
    |scope, task| runs.get(scope.run())?.place_of(scope, task)
}

/// How many runs there are, by status and by flow.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: Counts,
    /// Runs that have not ended.
    open: usize,
    /// The same by crowd.
    unfinished: FxHashMap<Crowd, usize>,
}

impl Tally {
    fn add(&mut self, run: &Known) {
        *self.counts.of(run.status()) += 1;
        if !run.status().is_final() {
            self.open += 1;
            let RunStarted { flow, info, .. } = run.started();
            crowds(flow, info.key.as_ref()).for_each(|crowd| *self.unfinished.entry(crowd).or_default() += 1);
        }
    }

    fn remove(&mut self, run: &Known) {
        *self.counts.of(run.status()) -= 1;
        if run.status().is_final() {
            return;
        }
        self.open -= 1;
        let RunStarted { flow, info, .. } = run.started();
        for crowd in crowds(flow, info.key.as_ref()) {
            if let Entry::Occupied(mut count) = self.unfinished.entry(crowd) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// The runs of a flow; with a key, those of them that have it.
pub(super) type Crowd = (Name, Option<Name>);

/// What a run is counted with.
pub(super) fn crowds(flow: &Name, key: Option<&Name>) -> impl Iterator<Item = Crowd> {
    std::iter::once((flow.clone(), None)).chain(key.map(|key| (flow.clone(), Some(key.clone()))))
}

/// One run: its word, what lists show of it, and its scopes.
#[derive(Debug)]
pub(super) struct Run {
    key: u64,
    known: Known,
    control: ControlWord,
    root: Scope,
    inner: BTreeMap<ScopeId, Scope>,
}

impl Run {
    fn scope(&self, id: &ScopeId) -> Option<&Scope> {
        if id.is_root() { Some(&self.root) } else { self.inner.get(id) }
    }

    fn scope_mut(&mut self, id: &ScopeId) -> Option<&mut Scope> {
        if id.is_root() { Some(&mut self.root) } else { self.inner.get_mut(id) }
    }

    fn place(&self) -> Place {
        let started = self.known.started();
        Place { plan: started.plan, priority: started.info.priority, lane: None, alone: false }
    }

    /// Where in the queue a task of it stands.
    fn place_of(&self, scope: &ScopeId, task: Task) -> Option<Place> {
        self.scope(scope)?.place_of(task, &self.place())
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::once(&self.root).chain(self.inner.values())
    }
}

impl Ledger {
    /// Makes all of a commit true, or nothing of it. When it is [`Committed::Done`] its events have moved into the
    /// journal and the commit holds none any more.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the commit is not well formed.
    pub fn apply(&mut self, commit: &mut Commit) -> Result<Committed, StoreError> {
        commit.check()?;
        if let Some(answer) = self.refuse(commit) {
            self.fenced += u64::from(answer == Committed::Fenced);
            return Ok(answer);
        }
        self.queue.hear_time(commit.at);
        self.admit(commit)?;
        let Ledger { runs, queue, tally, workers, strangers, .. } = self;
        let Some(run) = runs.get_mut(commit.scope.run()) else {
            return Err(StoreError::Invalid("its run was not admitted".into()));
        };
        if let Some(summary) = &commit.summary {
            tally.remove(&run.known);
            run.known = Known::new(summary);
            tally.add(&run.known);
            if summary.status.is_final() {
                queue.tell_the_line();
            }
        }
        if let Some(control) = commit.control {
            set_control(&ScopeId::root(commit.scope.run().clone()), run, control, queue);
        }
        let (place, control) = (run.place(), run.control);
        for message in std::mem::take(&mut commit.messages) {
            let to = message.to.clone();
            let scope = run.inner_or_root(&to);
            if scope.receive(&commit.scope, message) {
                scope.insert(&to, Task::Deliver, Timestamp::ZERO, &place, queue);
            }
        }
        let scope = run.inner_or_root(&commit.scope);
        scope.append(commit);
        for (task, _) in &commit.settle {
            scope.settle(&commit.scope, *task, &place, queue);
        }
        for task in &commit.obsolete {
            scope.remove(*task, &place, queue);
        }
        for new in &commit.queue {
            if new.is_under_way || new.keep && control.control.hands_out() {
                scope.keep(new, commit.worker, queue);
                if !workers.contains_key(&commit.worker) {
                    strangers.insert(commit.worker);
                }
            } else {
                let place = place.in_lane(new.lane.clone());
                scope.insert(&commit.scope, new.task, new.due, &place, queue);
            }
        }
        Ok(Committed::Done { control })
    }

    /// The answer to a commit that must not take effect; none when it may.
    fn refuse(&self, commit: &Commit) -> Option<Committed> {
        let run = self.runs.get(commit.scope.run());
        let scope = run.and_then(|run| run.scope(&commit.scope));
        let len = scope.map_or(Seq::ZERO, |scope| scope.journal.len());
        let control = run.map_or_else(ControlWord::default, |run| run.control);
        if scope.is_some_and(|scope| scope.journal.has_op(commit.expected, commit.op)) {
            return Some(Committed::Duplicate { control });
        }
        let holds = |(task, token)| scope.is_some_and(|scope: &Scope| scope.holds(task, token));
        if !commit.settle.iter().copied().all(holds) {
            return Some(Committed::Fenced);
        }
        (len != commit.expected).then_some(Committed::Conflict { len })
    }

    /// Makes a place for the run that a first commit begins.
    fn admit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let id = commit.scope.run();
        if self.runs.contains_key(id) {
            return Ok(());
        }
        let Some(summary) = commit.summary.clone().filter(|_| commit.scope.is_root()) else {
            return Err(StoreError::Invalid(format!("it belongs to run {id}, which has not begun")));
        };
        let plan = summary.started.plan;
        if !self.plans.contains_key(&plan) {
            return Err(StoreError::Invalid(format!(
                "its run follows plan {plan}, which was never put into the store"
            )));
        }
        self.insert_run(id.clone(), self.next_key, Known::new(&summary), ControlWord::default());
        Ok(())
    }

    fn insert_run(&mut self, id: RunId, key: u64, known: Known, control: ControlWord) {
        self.tally.add(&known);
        self.next_key = self.next_key.max(key + 1);
        self.order.insert(key, id.clone());
        let run = Run { key, known, control, root: Scope::default(), inner: BTreeMap::new() };
        self.runs.insert(id, Box::new(run));
    }

    /// Gives tasks back; those that are not the caller's any more are passed over.
    pub fn release(&mut self, leases: &[Lease]) {
        for lease in leases {
            let Some(run) = self.runs.get_mut(lease.scope.run()) else { continue };
            let place = run.place();
            if let Some(scope) = run.scope_mut(&lease.scope).filter(|scope| scope.holds(lease.task, lease.token)) {
                scope.give_back(&lease.scope, lease.task, &place, &mut self.queue);
            }
        }
    }

    /// Whether something became claimable since this was last asked.
    pub fn take_news(&mut self) -> bool {
        self.queue.take_news()
    }

    /// Keeps a plan.
    pub fn put_plan(&mut self, plan: Arc<Plan>) {
        self.plans.insert(plan.hash(), plan);
    }
}

impl Run {
    fn inner_or_root(&mut self, id: &ScopeId) -> &mut Scope {
        if id.is_root() { &mut self.root } else { self.inner.entry(id.clone()).or_default() }
    }
}

/// Changes a run's word. What was held back becomes claimable again when the word allows it.
fn set_control(root: &ScopeId, run: &mut Run, control: crate::Control, queue: &mut Queue) {
    if run.control.control == control {
        return;
    }
    run.control = ControlWord { control, revision: run.control.revision + 1 };
    if control == crate::Control::Stopping {
        // What is left to do is mostly not to begin, and that needs no room.
        let place = run.place();
        run.root.leave_lanes(root, &place, queue);
        for (id, scope) in &mut run.inner {
            scope.leave_lanes(id, &place, queue);
        }
    }
    if control.hands_out() {
        let place = run.place();
        run.root.unhold(root, &place, queue);
        for (id, scope) in &mut run.inner {
            scope.unhold(id, &place, queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Run;
    use vastflow_core::RunStarted;

    /// A parked run is to take a kilobyte, and a million of them may sleep for a month. Each of these is one piece of
    /// memory, of which allocators have sizes like 160, 192 and 224 bytes; an `Arc` adds 16.
    #[test]
    fn a_parked_run_is_small() {
        assert!(size_of::<Run>() <= 192, "{}", size_of::<Run>());
        assert!(size_of::<RunStarted>() + 16 <= 160, "{}", size_of::<RunStarted>());
    }
}
