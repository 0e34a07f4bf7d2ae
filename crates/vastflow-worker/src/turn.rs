//! The turn: all cells with news go out as one batch; what is acknowledged takes effect.

use crate::call::start_task;
use crate::cell::{Cell, InFlight};
use crate::error::Error;
use crate::mend;
use crate::observer::{Observer, RunSeen};
use crate::shared::{Shared, TurnQueue, lock};
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use vastflow_store::{Answer, ClaimToken, Commit, Committed, Control, Reply, StoreError};

/// The most batches on their way at once. A store that takes its time gets larger ones then, not more of them; one that
/// is quicker than the engine never sees so many.
const FLIGHTS: usize = 4;

/// Takes turns until the engine stops. One task, so that whatever becomes ready together goes out together.
pub(crate) fn take_turns(shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    // Made here: the runtime may end before it has looked at the task once.
    let gone = Gone(Arc::clone(&shared));
    async move {
        let _gone = gone;
        loop {
            tokio::select! {
                () = shared.turn.wake.notified() => {}
                () = shared.stopped.off() => return shared.abandon(),
            }
            if shared.turn.in_flight.load(Ordering::Acquire) >= FLIGHTS {
                // What becomes ready meanwhile goes out together when one of them is answered.
                continue;
            }
            // Calls that are about to end, and runs about to start, join this turn instead of paying for one of their own.
            if shared.calling.load(Ordering::Relaxed) > 0 || shared.watchers.are_several() {
                tokio::task::yield_now().await;
            }
            send(&shared);
        }
    }
}

/// Notices that the runtime drops the turns of an engine that goes on: whoever asks it for something from another runtime
/// would wait for ever.
struct Gone(Arc<Shared>);

impl Drop for Gone {
    fn drop(&mut self) {
        if !self.0.stopped.is_off() {
            self.0.break_down(&Error::RuntimeGone);
            self.0.abandon();
        }
    }
}

/// Sends one commit of every cell with news.
fn send(shared: &Arc<Shared>) {
    let dirty = std::mem::take(&mut *lock(&shared.turn.dirty));
    let mut scopes = FxHashSet::with_capacity_and_hasher(dirty.len(), FxBuildHasher);
    let (mut cells, mut batch) = (Vec::with_capacity(dirty.len()), Vec::with_capacity(dirty.len()));
    for cell in dirty {
        match cell.take_commit(shared) {
            Some(commit) => {
                // A batch holds at most one commit of a scope, and a run may be started that is there already. Two scopes
                // that only look the same go out one after the other, which does no harm.
                if !scopes.insert(FxBuildHasher.hash_one(&commit.scope)) {
                    submit(shared, std::mem::take(&mut cells), std::mem::take(&mut batch));
                    scopes.clear();
                    scopes.insert(FxBuildHasher.hash_one(&commit.scope));
                }
                batch.push(commit);
                cells.push(cell);
            }
            None => cell.after(shared),
        }
    }
    submit(shared, cells, batch);
}

fn submit(shared: &Arc<Shared>, cells: Vec<Arc<Cell>>, batch: Vec<Commit>) {
    if !batch.is_empty() {
        shared.stats.batches.fetch_add(1, Ordering::Relaxed);
        shared.stats.commits.fetch_add(batch.len() as u64, Ordering::Relaxed);
        shared.store.submit(batch, reply_to(shared, cells));
    }
}

/// The reply for the commits of `cells`. It may be called on any thread; what follows happens on the runtime.
pub(crate) fn reply_to(shared: &Arc<Shared>, cells: Vec<Arc<Cell>>) -> Reply {
    let flight = Flight::begin(&shared.turn);
    let shared: Weak<Shared> = Arc::downgrade(shared);
    Box::new(move |answer: Answer| {
        let Some(shared) = shared.upgrade() else { return };
        let runtime = shared.runtime.clone();
        runtime.spawn(async move {
            for (cell, (commit, answer)) in cells.into_iter().zip(answer) {
                take_effect(&shared, cell, commit, answer);
            }
            // What follows from it goes out with what has gathered.
            drop(flight);
        });
    })
}

/// A batch on its way, until what came of it has taken effect, or nobody will ever say.
struct Flight(Arc<TurnQueue>);

impl Flight {
    fn begin(turn: &Arc<TurnQueue>) -> Self {
        turn.in_flight.fetch_add(1, Ordering::AcqRel);
        Flight(Arc::clone(turn))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) >= FLIGHTS {
            self.0.wake.notify_one();
        }
    }
}

fn take_effect(shared: &Arc<Shared>, cell: Arc<Cell>, commit: Commit, answer: Result<Committed, StoreError>) {
    match answer {
        Ok(done @ (Committed::Done { control } | Committed::Duplicate { control })) => {
            let is_repeated = matches!(done, Committed::Duplicate { .. });
            let (in_flight, brings) = {
                let mut inner = cell.lock();
                (inner.in_flight.take(), inner.brings.take())
            };
            let begins = in_flight.as_ref().is_some_and(InFlight::is_start);
            if let Some(values) = brings {
                shared.temporary.of(cell.scope.run()).take_over(&values);
            }
            // A claim may have met the new run before this did: then its cell is the one that goes on.
            let cell = if begins { shared.admit(cell) } else { cell };
            if let Some(mut in_flight) = in_flight {
                if is_repeated && !in_flight.kept.is_empty() {
                    shared.slots.give_back(std::mem::take(&mut in_flight.kept).len());
                    shared.runtime.spawn(mend::begin_kept(Arc::clone(shared), Arc::clone(&cell)));
                }
                recorded(shared, &cell, in_flight, control.control);
            }
            cell.after(shared);
        }
        Ok(Committed::Conflict { .. } | Committed::Fenced) => {
            shared.runtime.spawn(mend::reload(Arc::clone(shared), cell));
        }
        Err(error) if error.is_transient() => {
            tracing::warn!(scope = %cell.scope, "{error}");
            shared.runtime.spawn(mend::repeat(Arc::clone(shared), cell, commit));
        }
        Err(error @ StoreError::Invalid(_)) => mend::cannot_keep(shared, &cell, error),
        Err(error) => mend::give_up(shared, &cell, &error.into()),
    }
}

/// Tells an observer of a run's start and end.
fn observe(observer: &dyn Observer, cell: &Cell, in_flight: &InFlight) {
    let run = cell.scope.run();
    if in_flight.is_start() {
        let summary = cell.lock().state.summary(cell.bound.plan());
        summary.iter().for_each(|summary| observer.began(&RunSeen::of(run, summary)));
    }
    if let Some(summary) = &in_flight.end {
        observer.ended(&RunSeen::of(run, summary));
    }
}

/// A commit is durable: tell those who wait, and begin what follows from it.
fn recorded(shared: &Arc<Shared>, cell: &Arc<Cell>, in_flight: InFlight, control: Control) {
    if let Some(metrics) = &shared.metrics {
        let (starts, end) = (in_flight.is_start(), in_flight.end.as_deref());
        metrics.recorded(cell.bound.plan().flow(), starts, in_flight.tally, end);
    }
    if let Some(observer) = shared.observer.as_deref().filter(|_| cell.scope.is_root()) {
        observe(observer, cell, &in_flight);
    }
    let InFlight { told, refused, kept, end, .. } = in_flight;
    cell.lock().is_held = !control.hands_out();
    if cell.scope.is_root() && !control.hands_out() {
        shared.hold_scopes_of(cell.scope.run());
    }
    for told in told {
        told.recorded();
    }
    for (told, answer) in refused {
        told.answer(answer);
    }
    if cell.scope.is_root() {
        let run = cell.scope.run();
        if end.is_some() {
            shared.temporary.of(run).clear();
        }
        shared.watchers.tell(run, end);
    }
    for task in kept {
        if control.hands_out() {
            start_task(shared, cell, task, ClaimToken::FIRST, None);
        } else {
            shared.slots.give_back(1);
        }
    }
}
