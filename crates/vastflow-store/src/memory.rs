//! The in-memory store: a [`Ledger`] behind a mutex.

use crate::{
    Answer, Capabilities, Claim, Claims, Commit, Counts, Durability, Fleet, Heartbeat, Lease, Ledger, Prune, Pruned,
    Pulse, QueueRow, QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};
use async_trait::async_trait;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};

/// A store that forgets everything with the process: for tests, and the measure for every other store.
///
/// ```
/// use vastflow_store::{MemoryStore, Store};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let store = MemoryStore::new();
/// assert_eq!(store.counts().await.unwrap().unfinished(), 0);
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryStore {
    ledger: Mutex<Ledger>,
    hints: watch::Sender<u64>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore { ledger: Mutex::default(), hints: watch::channel(0).0 }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells waiting workers, if the ledger has news for them.
    fn hint(&self, has_news: bool) {
        if has_news {
            self.hints.send_modify(|count| *count += 1);
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded(Durability::Memory)
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        let mut ledger = self.ledger();
        let answer: Answer = batch
            .into_iter()
            .map(|mut commit| {
                let committed = ledger.apply(&mut commit);
                (commit, committed)
            })
            .collect();
        let has_news = ledger.take_news();
        drop(ledger);
        self.hint(has_news);
        reply(answer);
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        Ok(self.ledger().history(scope, after, limit))
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        let (claims, has_news) = {
            let mut ledger = self.ledger();
            (ledger.claim(&ask), ledger.take_news())
        };
        self.hint(has_news);
        claims
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.ledger().heartbeat(&beat)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let has_news = {
            let mut ledger = self.ledger();
            ledger.release(leases);
            ledger.take_news()
        };
        self.hint(has_news);
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let (swept, has_news) = {
            let mut ledger = self.ledger();
            (ledger.sweep(now, limit), ledger.take_news())
        };
        self.hint(has_news);
        Ok(swept)
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.hints.subscribe())
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.ledger().put_plan(plan);
        Ok(())
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        Ok(self.ledger().plan(hash))
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        Ok(self.ledger().plans())
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        Ok(self.ledger().run(id))
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        Ok(self.ledger().runs(query))
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        Ok(self.ledger().counts())
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        Ok(self.ledger().fleet())
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        Ok(self.ledger().queues())
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        Ok(self.ledger().tasks(scope))
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        let (ids, more) = self.ledger().prune(ask);
        Ok(Pruned { runs: ids.len(), more })
    }

    async fn close(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
