//! Getting right what did not go through: conflicts, lost leases, lost answers, a store that is gone.

use crate::call::start_task;
use crate::cell::{Cell, InFlight, Told, of_refused};
use crate::claim::{give_back, load};
use crate::error::Error;
use crate::shared::Shared;
use crate::turn::reply_to;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use vastflow_core::run::{Input, Rejection, Reply};
use vastflow_core::{Failure, FailureKind, State, Task, Writes};
use vastflow_store::{ClaimToken, Commit, Lease, QueuedTask, StoreError, TaskState};

/// The first and the longest wait before a commit is repeated.
const REPEAT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(5));

/// Tries until the store answers; the wait between becomes longer.
///
/// # Errors
/// What it answers; that the engine has stopped.
pub(crate) async fn until_answered<T, F: Future<Output = Result<T, Error>>>(
    shared: &Shared,
    attempt: impl Fn() -> F,
) -> Result<T, Error> {
    let mut wait = REPEAT.0;
    loop {
        match attempt().await {
            Err(Error::Store(error)) if error.is_transient() && !shared.stopped.is_off() => wait = pause(wait).await,
            answer => return answer,
        }
    }
}

/// Lets go of a cell that was looked at, also when whoever looked went away.
struct Visit<'a> {
    shared: &'a Arc<Shared>,
    cell: &'a Arc<Cell>,
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.cell.after(self.shared);
    }
}

/// Somebody else wrote: forgets the state, reads the journal, and decides everything unanswered again.
pub(crate) async fn reload(shared: Arc<Shared>, cell: Arc<Cell>) {
    match until_answered(&shared, || reload_once(&shared, &cell)).await {
        Ok(()) => cell.after(&shared),
        Err(error) => give_up(&shared, &cell, &error),
    }
}

async fn reload_once(shared: &Arc<Shared>, cell: &Arc<Cell>) -> Result<(), Error> {
    if refuse_start(shared, cell) {
        return Ok(());
    }
    let state = load(shared, &cell.scope, &cell.bound, State::default()).await?;
    let tasks = shared.store.tasks(&cell.scope).await?;
    decide_again(shared, cell, state, &tasks);
    begin_orphans(shared, cell, tasks);
    Ok(())
}

/// Somebody else may have written: if so, the cell goes on from what the journal says. One that has told something
/// itself need not look: its commit will meet a conflict.
pub(crate) async fn catch_up(shared: &Arc<Shared>, cell: &Arc<Cell>) -> Result<(), Error> {
    // One that is not quiet sends now what it has gathered, and meets a conflict.
    let _visit = Visit { shared, cell };
    let known = {
        let inner = cell.lock();
        if !inner.is_quiet() {
            return Ok(());
        }
        inner.state.len()
    };
    if shared.store.history(&cell.scope, known, 1).await?.is_empty() {
        return Ok(());
    }
    let recorded = {
        let inner = cell.lock();
        if !inner.is_quiet() {
            return Ok(());
        }
        // Of a cell that is quiet all is recorded: what others added is read from there on.
        inner.state.clone()
    };
    let state = load(shared, &cell.scope, &cell.bound, recorded).await?;
    cell.lock().learn(cell.bound.plan(), state);
    Ok(())
}

/// Goes on from what the journal says, with all that was told and not recorded.
fn decide_again(shared: &Shared, cell: &Cell, state: State, tasks: &[QueuedTask]) {
    let known: FxHashMap<Task, &QueuedTask> = tasks.iter().map(|known| (known.task, known)).collect();
    // Only what is still in this worker's hands may be answered by it.
    let holds = |told: &mut Told| match &mut told.settles {
        Some((task, token)) => known.get(task).is_some_and(|known| still_holds(shared, known, token)),
        None => true,
    };
    let mut inner = cell.lock();
    let in_flight = inner.in_flight.take();
    let gathered = std::mem::take(&mut inner.gathered);
    inner.state = state;
    if let Some(InFlight { kept, .. }) = &in_flight {
        shared.slots.give_back(kept.len());
    }
    shared.slots.give_back(gathered.slots());
    let (mut unanswered, mut refused, riders) =
        in_flight.map(|sent| (sent.told, sent.refused, sent.riders)).unwrap_or_default();
    unanswered.extend(gathered.told);
    refused.extend(gathered.refused);
    inner.ride_again(&riders, &mut unanswered);
    let told = unanswered.len();
    let ours: Vec<Told> = unanswered.extract_if(.., holds).collect();
    if ours.len() < told {
        let lost = told - ours.len();
        shared.stats.fenced.fetch_add(lost as u64, Ordering::Relaxed);
        // The other worker may have ended the run, and be gone again.
        shared.watchers.nudge_one(cell.scope.run());
        tracing::warn!(scope = %cell.scope, "{lost} answers came too late: their tasks went to another worker");
    }
    for told in ours.into_iter().chain(of_refused(refused)) {
        inner.tell(cell, shared, told);
    }
    shared.slots.give_back(inner.drop_strays());
    inner.cancel_needless_calls(cell.bound.plan());
}

/// Whether this worker holds a task that it answered under `token`. If it claimed the task again, the answer is to the
/// younger claim; if what is known is older than the claim, it has claimed the task since that was read.
fn still_holds(shared: &Shared, known: &QueuedTask, token: &mut ClaimToken) -> bool {
    let is_older = known.token < *token;
    *token = known.token.max(*token);
    is_older || is_held(shared, known)
}

/// A commit had taken effect when it was repeated, and the run's word may have changed since: of what was to go on with it,
/// that is begun which is in this worker's hands.
pub(crate) async fn begin_kept(shared: Arc<Shared>, cell: Arc<Cell>) {
    match until_answered(&shared, || async { Ok(shared.store.tasks(&cell.scope).await?) }).await {
        Ok(tasks) => begin_orphans(&shared, &cell, tasks),
        Err(error) => tracing::warn!(scope = %cell.scope, code = error.code(), "what was kept is not begun: {error}"),
    }
}

/// Begins what this worker holds and does not call.
fn begin_orphans(shared: &Arc<Shared>, cell: &Arc<Cell>, tasks: Vec<QueuedTask>) {
    let inner = cell.lock();
    let is_orphan =
        |known: &QueuedTask| is_held(shared, known) && inner.state.expects(known.task) && !inner.calls(known.task);
    for orphan in tasks.into_iter().filter(is_orphan) {
        shared.runtime.spawn(begin_orphan(Arc::clone(shared), Arc::clone(cell), orphan));
    }
}

/// Begins a task when there is a slot for it. If it was on its way here after all, only one of the two begins.
async fn begin_orphan(shared: Arc<Shared>, cell: Arc<Cell>, orphan: QueuedTask) {
    let in_lane = cell.lock().lane(&cell, orphan.task).is_some();
    if in_lane {
        // It has lost its place in its lane, and queues there again.
        let lease = Lease { scope: cell.scope.clone(), task: orphan.task, token: orphan.token };
        return give_back(&shared, lease).await;
    }
    while orphan.task.takes_slot() && !shared.slots.take() {
        tokio::select! {
            () = tokio::time::sleep(REPEAT.0) => {}
            () = shared.draining.off() => return,
        }
    }
    start_task(&shared, &cell, orphan.task, orphan.token, None);
}

/// Whether a task is in this worker's hands.
fn is_held(shared: &Shared, known: &QueuedTask) -> bool {
    known.state == TaskState::Claimed { by: shared.worker() }
}

/// A start that meets a journal must not fold it: it may be of another flow. The one who asked finds out which.
fn refuse_start(shared: &Shared, cell: &Cell) -> bool {
    let mut inner = cell.lock();
    let is_start = inner.in_flight.as_ref().is_some_and(InFlight::is_start);
    if is_start {
        let error = Error::AlreadyExists { id: cell.scope.run().clone(), flow: cell.bound.plan().flow().clone() };
        shared.slots.give_back(inner.refuse_all(&error));
    }
    is_start
}

/// The store did not answer: says the same again, under the same name, until it does.
pub(crate) async fn repeat(shared: Arc<Shared>, cell: Arc<Cell>, commit: Commit) {
    let tries = {
        let mut inner = cell.lock();
        let Some(sent) = &mut inner.in_flight else { return };
        sent.tries += 1;
        sent.tries
    };
    pause(REPEAT.0.saturating_mul(1 << tries.min(10)).min(REPEAT.1)).await;
    if shared.stopped.is_off() {
        return give_up(&shared, &cell, &shared.why_stopped());
    }
    shared.store.submit(vec![commit], reply_to(&shared, vec![cell]));
}

async fn pause(wait: Duration) -> Duration {
    tokio::time::sleep(wait).await;
    (wait * 2).min(REPEAT.1)
}

/// The store cannot keep what a commit holds. Who asked for it is told so; what a call gave becomes its failure, with which
/// the run goes on like after any other. Other runs have nothing to do with it.
pub(crate) fn cannot_keep(shared: &Arc<Shared>, cell: &Arc<Cell>, error: StoreError) {
    tracing::error!(scope = %cell.scope, "{error}");
    let mut inner = cell.lock();
    let sent = inner.in_flight.as_mut().filter(|sent| !sent.is_start());
    // Each of them, not just the first.
    let replaced = |sent: &mut InFlight| {
        sent.told.iter_mut().map(|told| cannot_be_kept(told, &error)).filter(|is_new| *is_new).count()
    };
    if sent.map_or(0, replaced) > 0 {
        drop(inner);
        shared.runtime.spawn(reload(Arc::clone(shared), Arc::clone(cell)));
        return;
    }
    let slots = inner.refuse_all(&error.into());
    drop(inner);
    shared.slots.give_back(slots);
}

/// Puts a failure in the place of what a call gave; false when there is nothing of the kind, or it is that failure already.
fn cannot_be_kept(told: &mut Told, error: &StoreError) -> bool {
    let Input::Outcome(outcome) = &mut told.input else { return false };
    let failure = Failure::new(FailureKind::Error, format!("what it gave cannot be recorded: {error}"));
    let reply = Reply::Failed { failure, retryable: false };
    outcome.writes = Writes::default();
    std::mem::replace(&mut outcome.reply, reply) != outcome.reply
}

/// The store is gone, or what it holds makes no sense: nobody must wait for ever.
pub(crate) fn give_up(shared: &Shared, cell: &Cell, error: &Error) {
    let is_stopped = shared.stopped.is_off();
    let why = if is_stopped { shared.why_stopped() } else { error.clone() };
    shared.slots.give_back(cell.lock().refuse_all(&why));
    if !is_stopped {
        shared.break_down(error);
    }
}

/// What a rejection means to the one who asked. Asking twice for the same thing is no error.
pub(crate) fn meaning(cell: &Cell, rejection: &Rejection) -> Result<(), Error> {
    Error::of_rejection(&cell.scope, cell.bound.plan().flow(), rejection)
}
