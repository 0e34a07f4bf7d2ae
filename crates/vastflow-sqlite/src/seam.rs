//! [`Store`] for [`SqliteStore`]: reads come from memory, and from the tables for what memory has forgotten.

use crate::backlog::Ask;
use crate::past::{Past, Which};
use crate::shared::{Inner, Shared};
use crate::store::{CLOSED, SqliteStore};
use async_trait::async_trait;
use std::cmp::Reverse;
use std::sync::Arc;
use tokio::sync::oneshot;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Capabilities, Claim, Claims, Commit, Counts, Durability, Filling, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse,
    QueueRow, QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

impl SqliteStore {
    /// Looks at memory, and shows what was seen once it is durable.
    async fn look<T>(&self, look: impl FnOnce(&mut Inner) -> T + Send) -> Result<T, StoreError> {
        let (seen, last) = {
            let mut inner = self.shared.open()?;
            (look(&mut inner), inner.last)
        };
        self.shared.durable(last).await?;
        Ok(seen)
    }

    /// Looks at the run in memory; none when it may be one of which only the tables know.
    async fn look_at<T>(&self, run: &RunId, look: impl FnOnce(&Inner) -> T + Send) -> Result<Option<T>, StoreError> {
        self.look(|inner| (!Shared::may_be_past(inner, run)).then(|| look(inner))).await
    }

    /// Reads the tables on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Past) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || shared.readers.with(read));
        reading.await.map_err(|why| StoreError::unavailable_by("reading the tables", why))?
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded(Durability::Synced)
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        self.shared.submit(batch, reply);
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let look = |inner: &mut Inner| {
            let is_past = Shared::may_be_past(inner, scope.run()) || inner.may_be_past(scope).is_some();
            (!is_past).then(|| (inner.ledger.kept_from(scope), inner.ledger.history(scope, after, limit)))
        };
        let (kept_from, kept) = self.look(look).await?.unwrap_or((Seq(u64::MAX), Vec::new()));
        if after >= kept_from {
            return Ok(kept);
        }
        // What memory let go of is in the tables.
        let before = usize::try_from(kept_from.0 - after.0).unwrap_or(usize::MAX).min(limit);
        let scope = scope.clone();
        let mut found = self.read(move |past| past.history(&scope, after, before)).await?;
        found.extend(kept.into_iter().take(limit - before));
        Ok(found)
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        let (claims, marks, has_news, last) = {
            let mut inner = self.shared.open()?;
            let claims = inner.ledger.claim(&ask)?;
            let marks = inner.suspects.note(&claims.tasks, ask.watch);
            (claims, marks, inner.ledger.take_news(), inner.last)
        };
        self.shared.hint(has_news);
        if claims.tasks.is_empty() {
            // Nothing is shown that a crash could take back.
            return Ok(claims);
        }
        let held = Held { shared: &self.shared, claims: Some(claims) };
        if let Some(marks) = marks? {
            // A short write into the system's memory, and only for what was left by a process that died.
            marks.write();
        }
        self.shared.durable(last).await?;
        Ok(held.keep())
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.shared.open()?.ledger.heartbeat(&beat)
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let has_news = {
            let mut inner = self.shared.open()?;
            inner.ledger.release(leases);
            inner.ledger.take_news()
        };
        self.shared.hint(has_news);
        Ok(())
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let (swept, has_news) = {
            let mut inner = self.shared.open()?;
            (inner.ledger.sweep(now, limit), inner.ledger.take_news())
        };
        self.shared.hint(has_news);
        Ok(swept)
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.shared.hints.subscribe())
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        let batch = self.shared.put_plan(plan)?;
        self.shared.durable(batch).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        self.look(|inner| inner.ledger.plan(hash)).await
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.look(|inner| inner.ledger.plans()).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        if let Some(found) = self.look_at(id, |inner| inner.ledger.run(id)).await? {
            return Ok(found);
        }
        let id = id.clone();
        self.read(move |past| past.run(&id)).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        // Memory first: a run that leaves it after this look is in the tables by then.
        let page = self.look(|inner| inner.ledger.runs(query)).await?;
        if query.status.is_some_and(|status| !status.is_final()) {
            return Ok(page);
        }
        let query = query.clone();
        self.read(move |past| Ok(merge(page, past.runs(&query, Which::Finished)?, query.page_size()))).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.look(|inner| inner.counts()).await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        Ok(self.shared.open()?.ledger.fleet())
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        Ok(self.shared.open()?.ledger.queues())
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        self.look(|inner| inner.ledger.tasks(scope)).await
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        let after = self.look(|inner| inner.last).await?;
        let (reply, answer) = oneshot::channel();
        self.shared.backlog.ask(Ask { after, prune: ask.clone(), reply });
        answer.await.map_err(|_| self.shared.closed())?
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.shared.close(CLOSED);
        self.shared.trust();
        let threads = Arc::clone(&self.threads);
        let joining = tokio::task::spawn_blocking(move || threads.join());
        joining.await.map_err(|why| StoreError::unavailable_by("closing", why))?;
        self.shared.verdict()
    }
}

/// The newest runs of memory and tables together: the newest of each are enough for that. Finished runs do not change,
/// so it does not matter that some are in both.
fn merge(memory: RunPage, tables: RunPage, size: usize) -> RunPage {
    // Behind where one of them ends early there may be rows of it that come before what the other has there.
    let end = memory.next.max(tables.next);
    let mut rows = memory.rows;
    rows.extend(tables.rows);
    rows.retain(|row| end.is_none_or(|end| row.key >= end));
    // A stable sort: what memory says comes before what the tables say of the same run.
    rows.sort_by_key(|row| Reverse(row.key));
    rows.dedup_by_key(|row| row.key);
    let mut filling = Filling::new(size);
    rows.into_iter().for_each(|row| filling.take(row));
    if end.is_some() {
        filling.end_here();
    }
    filling.page()
}

/// Claimed tasks that go back into the queue when nobody waits for them any more.
struct Held<'a> {
    shared: &'a Shared,
    claims: Option<Claims>,
}

impl Held<'_> {
    fn keep(mut self) -> Claims {
        self.claims.take().unwrap_or_default()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let Some(claims) = self.claims.take().filter(|claims| !claims.tasks.is_empty()) else { return };
        let lease =
            |claimed: vastflow_store::Claimed| Lease { scope: claimed.scope, task: claimed.task, token: claimed.token };
        let leases: Vec<Lease> = claims.tasks.into_iter().map(lease).collect();
        let mut inner = self.shared.lock();
        inner.ledger.release(&leases);
        let has_news = inner.ledger.take_news();
        drop(inner);
        self.shared.hint(has_news);
    }
}
