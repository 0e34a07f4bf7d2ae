//! A store that is watched: it counts, and its claims can be made to fail.

use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Barrier, Notify};
use vastflow::store::{
    Answer, Capabilities, Claim, Claims, Commit, Committed, Counts, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse,
    QueueRow, QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};
use vastflow::{Plan, PlanHash, RunId, Timestamp};
use vastflow_core::{Recorded, ScopeId, Seq};

pub struct Watched {
    inner: Arc<dyn Store>,
    tally: Arc<Tally>,
}

#[derive(Default)]
pub struct Tally {
    /// Commits that took effect.
    pub appends: AtomicUsize,
    /// Commits that somebody else came before.
    pub conflicts: AtomicUsize,
    /// Batches with two commits of one scope, which no store has to understand.
    pub muddles: AtomicUsize,
    pub claims: AtomicUsize,
    pub no_claims: AtomicBool,
    /// The most tasks that one claim asked for.
    pub most_asked: AtomicUsize,
    pub beats: AtomicUsize,
    /// Nothing that is said by heartbeat, claim or commit comes through: it is answered as unavailable.
    pub cut_off: AtomicBool,
    /// Commits that hold this text are answered as ones that the store cannot keep.
    pub unfit: OnceLock<&'static str>,
    /// How far, in milliseconds, the clock of the store is ahead of this machine's. If it is, the store is a fleet's.
    pub ahead: AtomicU64,
    /// Heartbeats do not tell of others.
    pub seems_alone: AtomicBool,
    /// Looks at one run.
    pub looks: AtomicUsize,
    /// They are answered as unavailable.
    pub no_looks: AtomicBool,
    /// Journals of inner scopes that were asked for.
    pub inner_histories: AtomicUsize,
    /// Events that were read from journals.
    pub events_read: AtomicUsize,
    /// While there is a place for them, answers to commits are kept back.
    pub kept_back: Mutex<Option<Vec<(Answer, Reply)>>>,
    /// Journals are read only when so many are asked for at once.
    pub together: OnceLock<Barrier>,
    /// Tasks are told as they were some time ago: before this is notified.
    pub late_tasks: OnceLock<Notify>,
    /// Signs of life reach the store some time later: when this is notified. A goodbye does at once.
    pub late_beats: OnceLock<Notify>,
    /// So do claims: they reach it when this is notified.
    pub late_claims: OnceLock<Notify>,
    /// Signs of life that the store has answered.
    pub beats_heard: AtomicUsize,
    /// How many came to wait for the others, or for being notified.
    pub waiting: AtomicUsize,
}

impl Watched {
    pub fn over(inner: Arc<dyn Store>) -> (Arc<dyn Store>, Arc<Tally>) {
        let tally = Arc::new(Tally::default());
        (Arc::new(Watched { inner, tally: Arc::clone(&tally) }), tally)
    }
}

impl Tally {
    /// From now on answers to commits are kept back.
    pub fn keep_back(&self) {
        self.kept_back.lock().unwrap().get_or_insert_default();
    }

    /// Gives all answers that were kept back.
    pub fn let_go(&self) {
        let kept_back = self.kept_back.lock().unwrap().take();
        kept_back.into_iter().flatten().for_each(|(answer, reply)| reply(answer));
    }

    fn connected(&self) -> Result<(), StoreError> {
        match self.cut_off.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("it is watched, and cut off")),
            false => Ok(()),
        }
    }

    /// What is left of a batch, and a reply that answers for what is not.
    fn refuse_unfit(&self, batch: Vec<Commit>, reply: Reply) -> (Vec<Commit>, Reply) {
        let Some(text) = self.unfit.get() else { return (batch, reply) };
        let is_unfit = |commit: &Commit| format!("{:?} {:?}", commit.events, commit.summary).contains(text);
        let places: Vec<bool> = batch.iter().map(is_unfit).collect();
        let (unfit, fit): (Vec<Commit>, Vec<Commit>) = batch.into_iter().partition(is_unfit);
        let whole = move |answer: Answer| {
            let (mut fit, mut unfit) = (answer.into_iter(), unfit.into_iter());
            let refused = |commit| (commit, Err(StoreError::Invalid("it is watched, and does not fit".into())));
            let each = places.into_iter().map(|is_unfit| if is_unfit { unfit.next().map(refused) } else { fit.next() });
            reply(each.flatten().collect());
        };
        (fit, Box::new(whole))
    }

    fn note(&self, answer: &Answer) {
        for (_, answer) in answer {
            let counter = match answer {
                Ok(Committed::Done { .. }) => &self.appends,
                Ok(Committed::Conflict { .. } | Committed::Fenced) => &self.conflicts,
                _ => continue,
            };
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Store for Watched {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.fleet |= self.tally.ahead.load(Ordering::SeqCst) > 0;
        capabilities
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        if let Err(error) = self.tally.connected() {
            return reply(batch.into_iter().map(|commit| (commit, Err(error.clone()))).collect());
        }
        let (batch, reply) = self.tally.refuse_unfit(batch, reply);
        let scopes: BTreeSet<String> = batch.iter().map(|commit| commit.scope.to_string()).collect();
        self.tally.muddles.fetch_add(usize::from(scopes.len() < batch.len()), Ordering::SeqCst);
        let tally = Arc::clone(&self.tally);
        let noted = move |answer: Answer| {
            tally.note(&answer);
            match &mut *tally.kept_back.lock().unwrap() {
                Some(kept_back) => kept_back.push((answer, reply)),
                None => reply(answer),
            }
        };
        self.inner.submit(batch, Box::new(noted));
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        self.tally.claims.fetch_add(1, Ordering::SeqCst);
        if self.tally.no_claims.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("it is watched, and told not to"));
        }
        self.tally.connected()?;
        self.tally.most_asked.fetch_max(ask.max, Ordering::SeqCst);
        if let Some(late) = self.tally.late_claims.get() {
            self.tally.waiting.fetch_add(1, Ordering::SeqCst);
            late.notified().await;
        }
        self.inner.claim(ask).await
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        if let Some(together) = self.tally.together.get() {
            self.tally.waiting.fetch_add(1, Ordering::SeqCst);
            together.wait().await;
        }
        if !scope.is_root() {
            self.tally.inner_histories.fetch_add(1, Ordering::SeqCst);
        }
        let events = self.inner.history(scope, after, limit).await?;
        self.tally.events_read.fetch_add(events.len(), Ordering::SeqCst);
        Ok(events)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.tally.beats.fetch_add(1, Ordering::SeqCst);
        self.tally.connected()?;
        if let Some(late) = self.tally.late_beats.get().filter(|_| !beat.lease.is_zero()) {
            self.tally.waiting.fetch_add(1, Ordering::SeqCst);
            late.notified().await;
        }
        let mut pulse = self.inner.heartbeat(beat).await?;
        self.tally.beats_heard.fetch_add(1, Ordering::SeqCst);
        let ahead = self.tally.ahead.load(Ordering::SeqCst);
        if ahead > 0 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
            pulse.now = Timestamp::from_millis(now + ahead);
        }
        Ok(Pulse { has_others: pulse.has_others && !self.tally.seems_alone.load(Ordering::SeqCst), ..pulse })
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.inner.release(leases).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.inner.sweep(now, limit).await
    }

    fn wakeups(&self) -> Wakeups {
        self.inner.wakeups()
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.inner.put_plan(plan).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        self.inner.plan(hash).await
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.inner.plans().await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.tally.looks.fetch_add(1, Ordering::SeqCst);
        match self.tally.no_looks.load(Ordering::SeqCst) {
            true => Err(StoreError::unavailable("it is watched, and looks are in vain")),
            false => self.inner.run(id).await,
        }
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.inner.runs(query).await
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        self.inner.prune(ask).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        self.inner.fleet().await
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.inner.queues().await
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        let tasks = self.inner.tasks(scope).await;
        if let Some(delay) = self.tally.late_tasks.get() {
            self.tally.waiting.fetch_add(1, Ordering::SeqCst);
            delay.notified().await;
        }
        tasks
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
