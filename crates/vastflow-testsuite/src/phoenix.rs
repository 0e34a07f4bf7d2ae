//! A store in memory that survives being closed.

use crate::harness::Harness;
use crate::model::Model;
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Answer, Capabilities, Claim, Claims, Commit, Counts, Durability, Fleet, Heartbeat, Lease, Ledger, Prune, Pruned,
    Pulse, QueueRow, QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

/// A [`Harness`] whose stores live in memory and rise again: what was committed is there at the next opening, and what
/// follows from it is derived anew, as an embedded store does it. For tests of what becomes of runs when a process
/// ends, without a disk.
///
/// ```
/// use vastflow_testsuite::{Harness, Phoenix};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let phoenix = Phoenix::default();
/// let store = phoenix.open().await;
/// store.close().await.unwrap();
/// let same = phoenix.open().await;
/// assert!(store.counts().await.is_err() && same.counts().await.is_ok());
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Phoenix {
    model: Arc<Mutex<Model>>,
}

#[async_trait]
impl Harness for Phoenix {
    async fn open(&self) -> Arc<dyn Store> {
        lock(&self.model).reopen().expect("a log that makes sense");
        Arc::new(Life { model: Arc::clone(&self.model), is_over: AtomicBool::new(false), hints: watch::channel(0).0 })
    }
}

fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From one opening to the next closing.
struct Life {
    model: Arc<Mutex<Model>>,
    is_over: AtomicBool,
    hints: watch::Sender<u64>,
}

fn closed() -> StoreError {
    StoreError::Closed { why: "it was closed".into() }
}

impl Life {
    /// Does something, and hints at what is claimable after it.
    fn with<T>(&self, act: impl FnOnce(&mut Model) -> T) -> Result<T, StoreError> {
        if self.is_over.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let mut model = lock(&self.model);
        let done = act(&mut model);
        let has_news = model.ledger.take_news();
        drop(model);
        if has_news {
            self.hints.send_modify(|count| *count += 1);
        }
        Ok(done)
    }

    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, StoreError> {
        self.with(|model| look(&model.ledger))
    }
}

fn apply_all(model: &mut Model, batch: &mut Vec<Commit>) -> Answer {
    let each = batch.drain(..).map(|mut commit| {
        let committed = model.apply(&mut commit);
        (commit, committed)
    });
    each.collect()
}

#[async_trait]
impl Store for Life {
    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded(Durability::Synced)
    }

    fn submit(&self, mut batch: Vec<Commit>, reply: Reply) {
        let answer = self.with(|model| apply_all(model, &mut batch));
        reply(answer.unwrap_or_else(|_| batch.into_iter().map(|commit| (commit, Err(closed()))).collect()));
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.read(|ledger| ledger.history(scope, after, limit))
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        self.with(|model| model.ledger.claim(&ask))?
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.with(|model| model.ledger.heartbeat(&beat))?
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.with(|model| model.ledger.release(leases))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.with(|model| model.ledger.sweep(now, limit))
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.hints.subscribe())
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.with(|model| model.ledger.put_plan(plan))
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        self.read(|ledger| ledger.plan(hash))
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.read(Ledger::plans)
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.read(|ledger| ledger.run(id))
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.read(|ledger| ledger.runs(query))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(Ledger::counts)
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        self.read(|ledger| ledger.fleet())
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.read(|ledger| ledger.queues())
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        self.read(|ledger| ledger.tasks(scope))
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        self.with(|model| model.prune(ask))
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.is_over.store(true, Ordering::SeqCst);
        Ok(())
    }
}
