//! [`Store`] for [`PostgresStore`]: every call goes to the store's own thread, and from there to the server.

use crate::store::PostgresStore;
use crate::{read, work};
use async_trait::async_trait;
use std::sync::Arc;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Capabilities, Claim, Claims, Commit, Counts, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse, QueueRow, QueuedTask,
    Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

#[async_trait]
impl Store for PostgresStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::fleet(self.durability)
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        self.send(batch, reply);
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.runtime.run(read::history(Arc::clone(&self.shared), scope.clone(), after, limit)).await
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        self.runtime.run(work::claim(Arc::clone(&self.shared), ask)).await
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.runtime.run(work::heartbeat(Arc::clone(&self.shared), beat)).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.runtime.run(work::release(Arc::clone(&self.shared), leases.to_vec())).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.runtime.run(work::sweep(Arc::clone(&self.shared), now, limit)).await
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.shared.hints.subscribe())
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.runtime.run(read::put_plan(Arc::clone(&self.shared), plan)).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        Ok(self.runtime.run(read::plans(Arc::clone(&self.shared), Some(hash))).await?.pop())
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.runtime.run(read::plans(Arc::clone(&self.shared), None)).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.runtime.run(read::run(Arc::clone(&self.shared), id.clone())).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.runtime.run(read::runs(Arc::clone(&self.shared), query.clone())).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.runtime.run(read::counts(Arc::clone(&self.shared))).await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        self.runtime.run(read::fleet(Arc::clone(&self.shared))).await
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.runtime.run(read::queues(Arc::clone(&self.shared))).await
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        self.runtime.run(read::tasks(Arc::clone(&self.shared), scope.clone())).await
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        self.runtime.run(read::prune(Arc::clone(&self.shared), ask.clone())).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.end().await;
        Ok(())
    }
}
