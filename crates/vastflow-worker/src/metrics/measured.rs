//! A store whose answers are timed.

use super::Metrics;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Instant;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Answer, Capabilities, Claim, Claims, Commit, Counts, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse, QueueRow,
    QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

/// What is asked of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Submit,
    History,
    Claim,
    Heartbeat,
    Release,
    Sweep,
    PutPlan,
    Plan,
    Plans,
    Run,
    Runs,
    Counts,
    Fleet,
    Queues,
    Tasks,
    Prune,
}

impl Op {
    pub(super) const ALL: [(Op, &'static str); 16] = [
        (Op::Submit, "submit"),
        (Op::History, "history"),
        (Op::Claim, "claim"),
        (Op::Heartbeat, "heartbeat"),
        (Op::Release, "release"),
        (Op::Sweep, "sweep"),
        (Op::PutPlan, "put_plan"),
        (Op::Plan, "plan"),
        (Op::Plans, "plans"),
        (Op::Run, "run"),
        (Op::Runs, "runs"),
        (Op::Counts, "counts"),
        (Op::Fleet, "fleet"),
        (Op::Queues, "queues"),
        (Op::Tasks, "tasks"),
        (Op::Prune, "prune"),
    ];
}

/// A store whose answers are timed.
pub(crate) struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Measured {
    pub(crate) fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Measured { store, metrics }
    }

    async fn timed<T>(&self, op: Op, asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let began = Instant::now();
        let answer = asked.await;
        self.metrics.asked(op, began.elapsed(), u64::from(answer.is_err()));
        answer
    }
}

#[async_trait]
impl Store for Measured {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        let (metrics, began) = (Arc::clone(&self.metrics), Instant::now());
        metrics.batch.add(batch.len() as u64);
        let timed = move |answer: Answer| {
            let errors = answer.iter().filter(|(_, answer)| answer.is_err()).count();
            metrics.asked(Op::Submit, began.elapsed(), errors as u64);
            reply(answer);
        };
        self.store.submit(batch, Box::new(timed));
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.timed(Op::History, self.store.history(scope, after, limit)).await
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        self.timed(Op::Claim, self.store.claim(ask)).await
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.timed(Op::Heartbeat, self.store.heartbeat(beat)).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.timed(Op::Release, self.store.release(leases)).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.timed(Op::Sweep, self.store.sweep(now, limit)).await
    }

    fn wakeups(&self) -> Wakeups {
        self.store.wakeups()
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.timed(Op::PutPlan, self.store.put_plan(plan)).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        self.timed(Op::Plan, self.store.plan(hash)).await
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.timed(Op::Plans, self.store.plans()).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.timed(Op::Run, self.store.run(id)).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.timed(Op::Runs, self.store.runs(query)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.timed(Op::Counts, self.store.counts()).await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        self.timed(Op::Fleet, self.store.fleet()).await
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.timed(Op::Queues, self.store.queues()).await
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        self.timed(Op::Tasks, self.store.tasks(scope)).await
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        self.timed(Op::Prune, self.store.prune(ask)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.store.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_stands_where_it_is_counted() {
        for (at, (op, _)) in Op::ALL.into_iter().enumerate() {
            assert_eq!(op as usize, at);
        }
    }
}
