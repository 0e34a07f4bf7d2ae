//! Whether a store with a clock of its own goes by it.

use crate::fixture::{ALICE, Story, attempt, wide};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_core::Timestamp;
use vastflow_store::{Claim, Heartbeat, Store, StoreError, WorkerInfo};

/// The lease of the worker that is watched: long enough to beat in time on a busy machine.
const LEASE: Duration = Duration::from_secs(2);
/// How long it is watched while it beats: longer than its lease.
const WATCHED: Duration = Duration::from_secs(3);
/// No store takes this long to give up a worker that was silent for [`LEASE`].
const TOO_LATE: Duration = Duration::from_secs(60);

/// Holds a store to its own clock, whatever workers say that it is: a worker that gives signs of life by a clock that
/// stands still lives, one that gives none dies, though whoever looks for the dead has such a clock, and a timer that is
/// due in an hour does not come because somebody says that an hour has passed. Gives what is wrong.
///
/// For stores that share their data between processes. An embedded store goes by the time that it is told, and fails.
///
/// # Errors
/// Those of the store.
///
/// # Panics
/// When the store answers no commit.
pub async fn own_clock(store: &dyn Store) -> Result<Option<&'static str>, StoreError> {
    let now = Timestamp::from_millis(since_1970());
    let hour = Duration::from_secs(3_600);
    let (past, future) = (Timestamp::from_millis(now.millis() - 3_600_000), now.plus(hour));
    let mut story = Story::new(wide(2), "clock");
    store.put_plan(Arc::clone(&story.plan)).await?;
    let mut start = story.start();
    for task in &mut start.queue {
        if task.task == attempt(1, 1) {
            task.due = future;
        }
    }
    store.commit(start).await?;
    store.heartbeat(beat(LEASE, past)).await?;
    let claims = store.claim(Claim::new(ALICE, 16, LEASE, future.plus(hour))).await?;
    if claims.tasks.iter().any(|claimed| claimed.task == attempt(1, 1)) {
        return Ok(Some("a timer came because a worker said that it was due"));
    }
    let began = Instant::now();
    while began.elapsed() < WATCHED {
        store.heartbeat(beat(LEASE, past)).await?;
        if store.sweep(future, 16).await?.workers > 0 {
            return Ok(Some("a worker that lives was given up because somebody's clock is ahead"));
        }
        tokio::time::sleep(LEASE / 20).await;
    }
    let silent = Instant::now();
    while store.sweep(past, 16).await?.workers == 0 {
        if silent.elapsed() > TOO_LATE {
            return Ok(Some("a worker that is silent is not given up because somebody's clock is behind"));
        }
        tokio::time::sleep(LEASE / 20).await;
    }
    Ok((silent.elapsed() < LEASE / 2).then_some("a worker was given up before its lease was over"))
}

fn beat(lease: Duration, now: Timestamp) -> Heartbeat {
    Heartbeat { worker: ALICE, about: Arc::new(WorkerInfo::default()), lease, now }
}

fn since_1970() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
