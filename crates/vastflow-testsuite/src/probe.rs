//! A store in the hands of a test: calls that must not fail, and looks at everything at once.

use crate::fixture::{ALICE, LEASE, Story, T0};
use crate::harness::Harness;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{
    Answer, Claim, ClaimToken, Claimed, Claims, Commit, Committed, ControlWord, Counts, Fleet, Heartbeat, Pulse,
    QueueRow, QueuedTask, RunPage, RunQuery, RunRow, Store, StoreError, Swept, TaskState, WorkerId, WorkerInfo,
    WorkerRow,
};

/// No limit.
pub(crate) const ALL: usize = usize::MAX;

/// A store under test. Every method panics where the store answers an error.
#[derive(Clone)]
pub struct Probe {
    harness: Arc<dyn Harness>,
    store: Arc<dyn Store>,
}

/// A task as every store shows it, whatever its queue looks like inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskView {
    /// Which.
    pub task: Task,
    /// From when on it is visible.
    pub due: Timestamp,
    /// The token of its last claim.
    pub token: ClaimToken,
    /// Who holds it.
    pub by: Option<WorkerId>,
    /// How many workers died with it in hand, and how many of them with no other call.
    pub deaths: (u8, u8),
}

impl From<QueuedTask> for TaskView {
    fn from(queued: QueuedTask) -> Self {
        let by = match queued.state {
            TaskState::Claimed { by } => Some(by),
            TaskState::Queued { .. } | TaskState::Held => None,
        };
        let deaths = (queued.deaths, queued.crashes);
        TaskView { task: queued.task, due: queued.due, token: queued.token, by, deaths }
    }
}

/// Everything a store shows of some scopes; equal before and after what must change nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    scopes: Vec<(Vec<Recorded>, Vec<TaskView>, Option<RunRow>)>,
    counts: Counts,
    plans: Vec<PlanHash>,
}

impl Snapshot {
    /// The same as if nothing had been claimed and no message were on its way: what an embedded store shows when it
    /// was opened again.
    #[must_use]
    pub fn without_claims(mut self) -> Self {
        for (_, tasks, _) in &mut self.scopes {
            tasks.retain(|view| view.task != Task::Deliver);
            tasks.iter_mut().for_each(|view| (view.token, view.by, view.deaths) = (ClaimToken(0), None, (0, 0)));
        }
        self
    }
}

impl Probe {
    /// The store of a harness, opened.
    pub async fn open(harness: Arc<dyn Harness>) -> Self {
        let store = harness.open().await;
        Probe { harness, store }
    }

    /// Closes the store and opens it again.
    ///
    /// # Panics
    /// When it cannot be closed.
    pub async fn reopen(self) -> Self {
        let closed = self.store.close().await;
        assert!(matches!(closed, Ok(()) | Err(StoreError::Closed { .. })), "close: {closed:?}");
        let Probe { harness, store } = self;
        drop(store);
        Probe::open(harness).await
    }

    /// The store itself.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Commits.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn ask(&self, commit: Commit) -> Committed {
        self.store.commit(commit).await.expect("commit")
    }

    /// Commits what must take effect; gives the control word.
    ///
    /// # Panics
    /// When it does not.
    pub async fn done(&self, commit: Commit) -> ControlWord {
        match self.ask(commit.clone()).await {
            Committed::Done { control } => control,
            other => panic!("{other:?} instead of Done, for {commit:#?}"),
        }
    }

    /// Commits what must be refused as malformed and must change nothing.
    ///
    /// # Panics
    /// When it is not, or does.
    pub async fn invalid(&self, commit: Commit) {
        let scopes = [commit.scope.clone(), ScopeId::root(commit.scope.run().clone())];
        let before = self.snapshot(&scopes).await;
        match self.store.commit(commit).await {
            Err(StoreError::Invalid(_)) => {}
            other => panic!("{other:?} instead of Invalid"),
        }
        assert_eq!(self.snapshot(&scopes).await, before, "a malformed commit changed something");
    }

    /// Commits what must be answered by `refusal` and must change nothing of its own run.
    ///
    /// # Panics
    /// When it is not, or does.
    pub async fn refused(&self, commit: Commit, refusal: Committed) {
        let mut scopes = vec![commit.scope.clone(), ScopeId::root(commit.scope.run().clone())];
        scopes.extend(commit.messages.iter().map(|message| message.to.clone()));
        let before = self.snapshot(&scopes).await;
        assert_eq!(self.ask(commit.clone()).await, refusal, "the answer to {commit:#?}");
        assert_eq!(self.snapshot(&scopes).await, before, "a commit that was {refusal:?} changed something");
    }

    /// Commits a batch.
    ///
    /// # Panics
    /// When the store drops the reply.
    pub async fn batch(&self, batch: Vec<Commit>) -> Answer {
        let (send, receive) = tokio::sync::oneshot::channel();
        self.store.submit(batch, Box::new(move |answer| send.send(answer).unwrap_or_default()));
        receive.await.expect("a reply")
    }

    /// Commits a batch; only the answers.
    ///
    /// # Panics
    /// When one is an error.
    pub async fn answers(&self, batch: Vec<Commit>) -> Vec<Committed> {
        self.batch(batch).await.into_iter().map(|(_, answer)| answer.expect("commit")).collect()
    }

    /// Begins a run of the usual plan.
    pub async fn begin(&self, run: &str) -> Story {
        self.begin_with(Story::new(crate::fixture::plan(), run)).await
    }

    /// Begins a run.
    pub async fn begin_with(&self, mut story: Story) -> Story {
        self.put_plan(&story.plan).await;
        self.done(story.start()).await;
        story
    }

    /// Keeps a plan.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn put_plan(&self, plan: &Arc<Plan>) {
        self.store.put_plan(Arc::clone(plan)).await.expect("put_plan");
    }

    /// Claims at most `max` tasks for Alice at [`T0`].
    pub async fn claim(&self, max: usize) -> Vec<Claimed> {
        self.claim_at(T0, max).await.tasks
    }

    /// Claims the one task that there must be, for Alice at [`T0`].
    ///
    /// # Panics
    /// When there is none or more than one.
    pub async fn claim_one(&self) -> Claimed {
        let mut tasks = self.claim(ALL).await;
        assert_eq!(tasks.len(), 1, "exactly one task is claimable: {tasks:#?}");
        tasks.remove(0)
    }

    /// Claims for Alice.
    pub async fn claim_at(&self, now: Timestamp, max: usize) -> Claims {
        self.claim_as(ALICE, now, max).await
    }

    /// Claims.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn claim_as(&self, worker: WorkerId, now: Timestamp, max: usize) -> Claims {
        self.claim_with(Claim::new(worker, max, LEASE, now)).await
    }

    /// Claims as asked.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn claim_with(&self, claim: Claim) -> Claims {
        self.store.claim(claim).await.expect("claim")
    }

    /// Gives claimed tasks back.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn release(&self, claimed: &[Claimed]) {
        let leases: Vec<_> = claimed.iter().map(crate::fixture::lease).collect();
        self.store.release(&leases).await.expect("release");
    }

    /// A sign of life.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn beat(&self, worker: WorkerId, now: Timestamp) -> Pulse {
        self.beat_with(worker, WorkerInfo::default(), now).await.expect("heartbeat")
    }

    /// A worker says that it goes.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn goodbye(&self, worker: WorkerId, now: Timestamp) {
        let beat = Heartbeat { worker, about: Arc::default(), lease: Duration::ZERO, now };
        self.store.heartbeat(beat).await.expect("goodbye");
    }

    /// A sign of life that tells something.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn beat_with(&self, worker: WorkerId, about: WorkerInfo, now: Timestamp) -> Result<Pulse, StoreError> {
        self.store.heartbeat(Heartbeat { worker, about: Arc::new(about), lease: LEASE, now }).await
    }

    /// Who is alive, and what became of those who were not.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn fleet(&self) -> Fleet {
        self.store.fleet().await.expect("fleet")
    }

    /// The workers that count as alive.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn workers(&self) -> Vec<WorkerRow> {
        self.fleet().await.workers
    }

    /// The calls that exist.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn queues(&self) -> Vec<QueueRow> {
        self.store.queues().await.expect("queues")
    }

    /// Sweeps.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn sweep(&self, now: Timestamp) -> Swept {
        self.store.sweep(now, 1_000).await.expect("sweep")
    }

    /// All events of a scope.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn history(&self, scope: &ScopeId) -> Vec<Recorded> {
        self.store.history(scope, Seq::ZERO, ALL).await.expect("history")
    }

    /// The tasks of a scope, in order.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn tasks(&self, scope: &ScopeId) -> Vec<TaskView> {
        let tasks = self.store.tasks(scope).await.expect("tasks");
        let mut tasks: Vec<TaskView> = tasks.into_iter().map(TaskView::from).collect();
        tasks.sort_unstable();
        tasks
    }

    /// One task of a scope.
    pub async fn task(&self, scope: &ScopeId, task: Task) -> Option<TaskView> {
        self.tasks(scope).await.into_iter().find(|view| view.task == task)
    }

    /// One run in short.
    ///
    /// # Panics
    /// When the store answers an error or there is no such run.
    pub async fn row(&self, run: &RunId) -> RunRow {
        self.store.run(run).await.expect("run").expect("a run with this id")
    }

    /// A page of runs.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn page(&self, query: &RunQuery) -> RunPage {
        self.store.runs(query).await.expect("runs")
    }

    /// How many runs there are.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn counts(&self) -> Counts {
        self.store.counts().await.expect("counts")
    }

    /// Everything there is to see of some scopes.
    ///
    /// # Panics
    /// When the store answers an error.
    pub async fn snapshot(&self, scopes: &[ScopeId]) -> Snapshot {
        let mut seen = Vec::new();
        for scope in scopes {
            let row = self.store.run(scope.run()).await.expect("run");
            seen.push((self.history(scope).await, self.tasks(scope).await, row));
        }
        let plans = self.store.plans().await.expect("plans");
        Snapshot { scopes: seen, counts: self.counts().await, plans: plans.iter().map(|plan| plan.hash()).collect() }
    }
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}
