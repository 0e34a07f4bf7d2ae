//! The seam: every method of [`Store`] as a call of a script.

use crate::element::{id_of, text_of};
use crate::record::{self, number};
use crate::service::millis;
use crate::store::RedisStore;
use crate::wire::Raw;
use crate::words::{
    BeatAsk, BeatTold, ClaimTold, CountsTold, HistoryTold, LeaseAsk, NoAsk, Nothing, PlanAsk, PlansTold, QueueTold,
    QueuesTold, ReleaseAsk, ScopeAsk, SweepAsk, SweepTold, TaskTold, TasksTold, WorkerTold, WorkersTold, about_of,
    claim_ask, most, plans_of, time_of,
};
use crate::{runs, script, task};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Instant;
use vastflow_core::{Name, Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Capabilities, Claim, Claims, Commit, Counts, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse, QueueRow, QueuedTask,
    Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Turn, Wakeups,
};

#[async_trait]
impl Store for RedisStore {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        self.outbox.submit(&self.link, batch, reply);
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let (mut found, mut from): (Vec<Recorded>, Seq) = (Vec::new(), after);
        while found.len() < limit {
            let left = most(limit - found.len());
            let ask = ScopeAsk { run: scope.run(), path: scope.path(), after: from.0, limit: left };
            let told: HistoryTold = self.link.step(script::READ, "history", &ask).await?;
            if let Some(at) = told.torn {
                return Err(StoreError::corrupt(format!("the journal of {scope} has a gap at {at}")));
            }
            for (first, record) in &told.records {
                let events = record::events_of(*first, &record.0)?;
                found.extend(events.into_iter().filter(|recorded| recorded.seq >= from));
            }
            if !told.more {
                break;
            }
            from = found.last().map_or(from, |last| last.seq.after(1));
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        loop {
            let asked = Instant::now();
            let told: ClaimTold = self.link.step(script::CLAIM, "claim", &claim_ask(&ask)).await?;
            if told.is_over {
                return Err(Turn::is_over());
            }
            if !told.again {
                self.link.service.told(number(&told.now)?, asked);
                return told.read(&ask);
            }
        }
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        let about = serde_json::to_vec(&*beat.about).map_err(|why| StoreError::corrupt(why.to_string()))?;
        let ask = BeatAsk {
            worker: id_of(beat.worker),
            name: beat.about.name.as_ref().map_or("", Name::as_str),
            about: Raw(about),
            lease: millis(beat.lease),
            now: text_of(beat.now),
        };
        self.link.service.lives_by(beat.lease);
        let asked = Instant::now();
        let told: BeatTold = self.link.step(script::WORKERS, "beat", &ask).await?;
        let now = time_of(&told.now)?;
        self.link.service.told(now.millis(), asked);
        if let (Some(other), Some(name)) = (&told.refused, &beat.about.name) {
            return Err(about_of(other)?.refuses(name));
        }
        Ok(Pulse { now, was_lost: told.was_lost, has_others: told.has_others })
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let lease = |lease: &'_ Lease| (task::text_of(lease.task), lease.token.0);
        let leases = leases.iter().map(|one| {
            let (task, token) = lease(one);
            LeaseAsk { run: one.scope.run(), path: one.scope.path(), task, token }
        });
        let ask = ReleaseAsk { leases: leases.collect() };
        if ask.leases.is_empty() {
            return Ok(());
        }
        let _: Nothing = self.link.step(script::WORKERS, "release", &ask).await?;
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let service = &self.link.service;
        let ask = SweepAsk {
            limit: most(limit),
            now: text_of(now),
            asked: service.time().unwrap_or(0),
            patience: service.patience(),
            served: service.length(),
        };
        let asked = Instant::now();
        let told: SweepTold = self.link.step(script::WORKERS, "sweep", &ask).await?;
        service.told(number(&told.now)?, asked);
        Ok(Swept { workers: told.workers, tasks: told.tasks })
    }

    fn wakeups(&self) -> Wakeups {
        self.link.hints.wakeups()
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        let ask = PlanAsk { plan: plan.hash().to_string(), flow: plan.flow(), json: &plan.to_json() };
        let _: Nothing = self.link.step(script::UPKEEP, "put_plan", &ask).await?;
        Ok(())
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        let ask = PlanAsk { plan: hash.to_string(), flow: "", json: "" };
        let told: PlansTold = self.link.step(script::READ, "plan", &ask).await?;
        Ok(plans_of(&told)?.pop())
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        plans_of(&self.link.step(script::READ, "plans", &NoAsk { plan: "" }).await?)
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        runs::one(&self.link, id).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        runs::page(&self.link, query).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let told: CountsTold = self.link.step(script::READ, "counts", &NoAsk { plan: "" }).await?;
        let mut counts = Counts::default();
        for (status, count) in record::statuses().into_iter().zip(told.counts) {
            *counts.of(status) = count;
        }
        Ok(counts)
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        let told: WorkersTold = self.link.step(script::READ, "workers", &NoAsk { plan: "" }).await?;
        let mut workers = told.workers.into_iter().map(WorkerTold::read).collect::<Result<Vec<_>, _>>()?;
        workers.sort_unstable_by_key(|row| row.id);
        Ok(Fleet { now: time_of(&told.now)?, workers, taken_over: told.taken_over, fenced: told.fenced })
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        let told: QueuesTold = self.link.step(script::READ, "queues", &NoAsk { plan: "" }).await?;
        let mut rows = told.queues.into_iter().map(QueueTold::read).collect::<Result<Vec<_>, _>>()?;
        rows.sort_unstable_by(|a, b| (a.plan, &a.lane).cmp(&(b.plan, &b.lane)));
        Ok(rows)
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        let ask = ScopeAsk { run: scope.run(), path: scope.path(), after: 0, limit: 0 };
        let told: TasksTold = self.link.step(script::READ, "tasks", &ask).await?;
        let mut tasks = told.tasks.into_iter().map(TaskTold::read).collect::<Result<Vec<_>, _>>()?;
        tasks.sort_unstable_by_key(|queued| queued.task);
        Ok(tasks)
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        runs::prune(&self.link, ask).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.outbox.drained().await;
        self.link.close();
        self.runtime.stop();
        Ok(())
    }
}
