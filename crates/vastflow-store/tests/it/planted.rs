//! Planted bugs: a suite that lets these pass proves nothing.

use async_trait::async_trait;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{
    Capabilities, Claim, Claims, Commit, Committed, Counts, Fleet, Heartbeat, Lease, MemoryStore, Message, OpId, Prune,
    Pruned, Pulse, QueueRow, QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, TaskState,
    Wakeups,
};
use vastflow_testsuite::{Divergence, cases::CASES, differential, failures};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// Whoever reports on a claimed task is believed.
    TokenNotCompared,
    /// The expected length is not looked at.
    ConflictIgnored,
    /// A repetition is not recognised.
    NameForgotten,
    /// What was delivered is delivered again with the next messages.
    MessageTwice,
    /// Timers come a millisecond early.
    TimerEarly,
    /// Workers are given up a millisecond early.
    SweepEarly,
    /// The first refusal in a batch stops the rest.
    BatchStops,
    /// Every ninth commit is acknowledged and forgotten.
    CommitForgotten,
    /// A task in four is not queued.
    TaskLost,
    /// Each page begins with the last row of the page before.
    PageRepeats,
    /// Obsolete tasks stay.
    ObsoleteStays,
    /// The tasks of excepted plans are handed out as well.
    ExceptIgnored,
    /// Who asks for tasks gets none unless there was a hint since the last time.
    HintTrusted,
}

/// Each bug, and the topic of the cases that must find it.
const BUGS: [(Bug, &str); 13] = [
    (Bug::TokenNotCompared, "fence"),
    (Bug::ConflictIgnored, "journal"),
    (Bug::NameForgotten, "duplicates"),
    (Bug::MessageTwice, "inbox"),
    (Bug::TimerEarly, "timers"),
    (Bug::SweepEarly, "workers"),
    (Bug::BatchStops, "batches"),
    (Bug::CommitForgotten, "batches"),
    (Bug::TaskLost, "queue"),
    (Bug::PageRepeats, "listing"),
    (Bug::ObsoleteStays, "queue"),
    (Bug::ExceptIgnored, "queue"),
    (Bug::HintTrusted, "timers"),
];

#[test]
fn the_cases_find_every_planted_bug() {
    for (bug, topic) in BUGS {
        let cases = CASES.iter().filter(|case| case.topic == topic);
        let found = failures(cases, || async move { broken(bug) }).next();
        assert!(found.is_some(), "no case about {topic} finds {bug:?}");
    }
}

#[tokio::test]
async fn the_differential_test_finds_every_planted_bug() {
    for (bug, _) in BUGS {
        let found = find(bug, 100).await.unwrap_or_else(|| panic!("100 seeds do not find {bug:?}"));
        assert!(found.to_string().contains("seed") && !found.steps.is_empty(), "{found}");
    }
}

/// The first divergence in so many seeds.
async fn find(bug: Bug, seeds: u64) -> Option<Divergence> {
    for seed in 0..seeds {
        if let Err(divergence) = differential(Arc::new(broken(bug)), seed, 150).await {
            return Some(divergence);
        }
    }
    None
}

fn broken(bug: Bug) -> Arc<dyn Store> {
    let inner = MemoryStore::new();
    let hints = Mutex::new(inner.wakeups());
    Arc::new(Broken { bug, inner, memory: Mutex::default(), hints })
}

struct Broken {
    bug: Bug,
    inner: MemoryStore,
    memory: Mutex<Memory>,
    hints: Mutex<Wakeups>,
}

#[derive(Default)]
struct Memory {
    commits: u64,
    delivered: Vec<(ScopeId, Vec<(ScopeId, Message)>)>,
}

/// The answer of a store that never waits.
fn now<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("the in-memory store never waits"),
    }
}

impl Broken {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, commit: Commit) -> (Commit, Result<Committed, StoreError>) {
        let (op, mut worse) = (commit.op, commit.clone());
        let number = {
            let mut memory = self.memory();
            memory.commits += 1;
            memory.commits
        };
        if self.bug == Bug::CommitForgotten && number.is_multiple_of(9) {
            return (commit, Ok(Committed::Done { control: Default::default() }));
        }
        self.spoil(&mut worse, number);
        let (send, receive) = std::sync::mpsc::channel();
        self.inner.submit(vec![worse], Box::new(move |all| send.send(all).unwrap_or_default()));
        let (back, answer) = receive.recv().unwrap_or_default().remove(0);
        if back.events.is_empty() { (Commit { op, ..back }, answer) } else { (commit, answer) }
    }

    fn spoil(&self, commit: &mut Commit, number: u64) {
        match self.bug {
            Bug::TokenNotCompared => self.correct_tokens(commit),
            Bug::ConflictIgnored => {
                let history = now(self.inner.history(&commit.scope, Seq::ZERO, usize::MAX));
                commit.expected = Seq(history.map_or(0, |history| history.len() as u64));
            }
            Bug::NameForgotten => commit.op = OpId(u128::MAX - u128::from(number)),
            Bug::TaskLost if number.is_multiple_of(4) => commit.queue.truncate(0),
            Bug::ObsoleteStays => commit.obsolete.clear(),
            _ => {}
        }
    }

    fn correct_tokens(&self, commit: &mut Commit) {
        let tasks = now(self.inner.tasks(&commit.scope)).unwrap_or_default();
        for (task, token) in &mut commit.settle {
            let held = |queued: &&QueuedTask| matches!(queued.state, TaskState::Claimed { .. }) && queued.task == *task;
            *token = tasks.iter().find(held).map_or(*token, |queued| queued.token);
        }
    }

    fn was_hinted(&self) -> bool {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        pin!(hints.next()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn deliver_again(&self, claims: &mut Claims) {
        let mut memory = self.memory();
        for claimed in claims.tasks.iter_mut().filter(|claimed| claimed.task == Task::Deliver) {
            let fresh = claimed.messages.clone();
            for (scope, messages) in &memory.delivered {
                if *scope == claimed.scope {
                    claimed.messages.extend(messages.iter().cloned());
                }
            }
            memory.delivered.push((claimed.scope.clone(), fresh));
        }
    }
}

#[async_trait]
impl Store for Broken {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        let mut stopped = false;
        let answer = batch.into_iter().map(|commit| {
            if stopped {
                return (commit, Ok(Committed::Fenced));
            }
            let answer = self.apply(commit);
            stopped = self.bug == Bug::BatchStops && !matches!(answer.1, Ok(Committed::Done { .. }));
            answer
        });
        reply(answer.collect());
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.inner.history(scope, after, limit).await
    }

    async fn claim(&self, mut ask: Claim) -> Result<Claims, StoreError> {
        match self.bug {
            Bug::TimerEarly => ask.now = ask.now.plus(Duration::from_millis(1)),
            Bug::ExceptIgnored => ask.except = Vec::new().into(),
            _ => {}
        }
        if self.bug == Bug::HintTrusted && !self.was_hinted() {
            return Ok(Claims::default());
        }
        let mut claims = self.inner.claim(ask).await?;
        if self.bug == Bug::MessageTwice {
            self.deliver_again(&mut claims);
        }
        Ok(claims)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.inner.heartbeat(beat).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.inner.release(leases).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        let early = Duration::from_millis(u64::from(self.bug == Bug::SweepEarly));
        self.inner.sweep(now.plus(early), limit).await
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
        self.inner.run(id).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let mut page = self.inner.runs(query).await?;
        page.next = page.next.map(|key| key + u64::from(self.bug == Bug::PageRepeats && query.limit > 1));
        Ok(page)
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
        self.inner.tasks(scope).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.inner.close().await
    }
}
