//! Getting right what did not go through: conflicts, lost leases, lost answers, a store that is gone.

use crate::cell::{Cell, InFlight, Told};
use crate::claim::load;
use crate::error::Error;
use crate::shared::Shared;
use crate::turn::reply_to;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::run::Rejection;
use vastflow_store::{Commit, StoreError};

/// The first and the longest wait before a commit is repeated.
const REPEAT: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(5));

/// Somebody else wrote: forgets the state, reads the journal, and decides everything unanswered again.
pub(crate) async fn reload(shared: Arc<Shared>, cell: Arc<Cell>) {
    let mut wait = REPEAT.0;
    loop {
        match reload_once(&shared, &cell).await {
            Ok(()) => return cell.after(&shared),
            Err(Error::Store(error)) if error.is_transient() => wait = pause(wait).await,
            Err(error) => return give_up(&shared, &cell, &error),
        }
    }
}

async fn reload_once(shared: &Arc<Shared>, cell: &Arc<Cell>) -> Result<(), Error> {
    if refuse_start(cell) {
        return Ok(());
    }
    let state = load(shared, &cell.scope, &cell.bound).await?;
    // Only what is still in this worker's hands may be answered by it.
    let tasks = shared.store.tasks(&cell.scope).await?;
    let holds = |told: &Told| {
        told.settles.is_none_or(|(task, token)| tasks.iter().any(|known| known.task == task && known.token == token))
    };
    let mut inner = cell.lock();
    let in_flight = inner.in_flight.take();
    let gathered = std::mem::take(&mut inner.gathered);
    inner.state = state;
    if let Some(InFlight { kept, .. }) = &in_flight {
        shared.slots.give_back(kept.len());
    }
    shared.slots.give_back(gathered.slots());
    let unanswered = in_flight.into_iter().flat_map(|sent| sent.told).chain(gathered.told);
    let (ours, lost): (Vec<Told>, Vec<Told>) = unanswered.partition(holds);
    if !lost.is_empty() {
        tracing::warn!(scope = %cell.scope, "{} answers came too late: their tasks went to another worker", lost.len());
    }
    for told in ours {
        inner.tell(cell, shared, told);
    }
    Ok(())
}

/// A start that meets a journal must not fold it: it may be of another flow. The one who asked finds out which.
fn refuse_start(cell: &Cell) -> bool {
    let mut inner = cell.lock();
    let is_start = inner.in_flight.as_ref().is_some_and(InFlight::is_start);
    if is_start {
        let error = Error::AlreadyExists { id: cell.scope.run().clone(), flow: cell.bound.plan().flow().clone() };
        inner.refuse_all(&error);
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
    shared.store.submit(vec![commit], reply_to(&shared, vec![cell]));
}

async fn pause(wait: Duration) -> Duration {
    tokio::time::sleep(wait).await;
    (wait * 2).min(REPEAT.1)
}

/// The store is gone, or what it holds makes no sense: nobody must wait for ever.
pub(crate) fn give_up(shared: &Shared, cell: &Cell, error: &Error) {
    cell.lock().refuse_all(error);
    shared.break_down(error);
}

/// What a rejection means to the one who asked. Asking twice that a run stop is no error.
pub(crate) fn meaning(cell: &Cell, rejection: &Rejection) -> Result<(), Error> {
    let id = cell.scope.run().clone();
    match rejection {
        Rejection::AlreadyStopping => Ok(()),
        Rejection::Ended(status) => Err(Error::RunEnded { id, status: *status }),
        Rejection::NotBegun => Err(Error::UnknownRun { id }),
        Rejection::AlreadyBegun => Err(Error::AlreadyExists { id, flow: cell.bound.plan().flow().clone() }),
        other => Err(Error::Store(StoreError::Invalid(other.to_string()))),
    }
}
