//! A store that fails on purpose.

use crate::rng::Rng;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Answer, Capabilities, Claim, Claims, Commit, Counts, Fleet, Heartbeat, Lease, Prune, Pruned, Pulse, QueueRow,
    QueuedTask, Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A batch is answered [`StoreError::Unavailable`], and nothing of it took effect.
    FailBefore,
    /// A batch is answered [`StoreError::Unavailable`], and all of it took effect: the answer was lost.
    FailAfter,
    /// A batch is answered later, from another thread.
    Delay,
    /// Somebody asked for wake-ups and will get none.
    DropHints,
    /// A claim that gave something is answered [`StoreError::Unavailable`]: the answer was lost.
    LoseClaim,
    /// Events are asked for, and the answer is [`StoreError::Unavailable`].
    FailHistory,
    /// A release is answered [`StoreError::Unavailable`], and did not take effect.
    FailRelease,
    /// The store died at a commit: [`Faults::stop_before`], [`Faults::stop_after`].
    Stop,
}

/// What is to go wrong, and when. Nothing, unless it is said.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    script: BTreeMap<u64, Fault>,
    random: Option<(Rng, Chances)>,
    delay: Duration,
    drops_hints: bool,
    /// The answer to one of so many claims that give something is lost.
    claims: Option<u64>,
    /// So many reads of journals are still to fail.
    histories: u64,
    /// So many releases are still to fail.
    releases: u64,
    /// At which commit, and whether that one still takes effect.
    stop: Option<(u64, bool)>,
}

/// How many of 100 batches meet each fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chances {
    /// Of [`Fault::FailBefore`].
    pub before: usize,
    /// Of [`Fault::FailAfter`].
    pub after: usize,
    /// Of [`Fault::Delay`].
    pub delay: usize,
}

impl Faults {
    /// No faults: what the builder begins with.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The batch number `at`, counted from 1, meets this fault.
    #[must_use]
    pub fn at(mut self, at: u64, fault: Fault) -> Self {
        self.script.insert(at, fault);
        self
    }

    /// Batches that the script does not name meet faults by chance; the seed repeats them.
    #[must_use]
    pub fn random(mut self, seed: u64, chances: Chances) -> Self {
        self.random = Some((Rng::new(seed), chances));
        self
    }

    /// How much later delayed answers come; by default only from another thread.
    #[must_use]
    pub const fn delayed_by(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// No wake-ups.
    #[must_use]
    pub const fn drop_hints(mut self) -> Self {
        self.drops_hints = true;
        self
    }

    /// Of the claims that give something, the answer to every `nth` is lost.
    #[must_use]
    pub const fn lose_claims(mut self, nth: u64) -> Self {
        self.claims = Some(nth);
        self
    }

    /// The first reads of journals fail, so many of them.
    #[must_use]
    pub const fn fail_histories(mut self, first: u64) -> Self {
        self.histories = first;
        self
    }

    /// The first releases fail, so many of them.
    #[must_use]
    pub const fn fail_releases(mut self, first: u64) -> Self {
        self.releases = first;
        self
    }

    /// The store dies just before the commit number `at`, counted from 1, takes effect.
    #[must_use]
    pub const fn stop_before(mut self, at: u64) -> Self {
        self.stop = Some((at, false));
        self
    }

    /// The store dies when the commit number `at`, counted from 1, has taken effect and before it is answered.
    #[must_use]
    pub const fn stop_after(mut self, at: u64) -> Self {
        self.stop = Some((at, true));
        self
    }
}

/// Any store, with faults.
///
/// From the commit at which it dies on, every call answers [`StoreError::Closed`], as if the process had ended: the
/// batch in which it dies is not answered otherwise, although what stood before that commit took effect. What the
/// store underneath holds then can be looked at, or opened again.
///
/// A test that uses it should assert that its faults [`fired`](Faulty::fired).
///
/// ```
/// use std::sync::Arc;
/// use vastflow_store::{Committed, MemoryStore, Store};
/// use vastflow_testsuite::{Fault, Faults, Faulty, fixture};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::new()), Faults::none().at(1, Fault::FailAfter)));
/// let store: Arc<dyn Store> = faulty.clone();
/// store.put_plan(fixture::plan()).await.unwrap();
/// let commit = fixture::start_commit("r");
/// assert!(store.commit(commit.clone()).await.unwrap_err().is_transient());
/// assert!(matches!(store.commit(commit).await, Ok(Committed::Duplicate { .. })));
/// assert_eq!(faulty.fired(Fault::FailAfter), 1);
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty<S: ?Sized = dyn Store> {
    fate: Mutex<Fate>,
    inner: Arc<S>,
}

#[derive(Debug)]
struct Fate {
    faults: Faults,
    batches: u64,
    commits: u64,
    claims: u64,
    is_dead: bool,
    fired: BTreeMap<Fault, u64>,
}

/// What happens to one batch.
enum Turn {
    Pass,
    Meet(Fault),
    /// Dies in this batch, when so many commits of it took effect.
    Die(usize),
    Dead,
}

impl<S: Store + ?Sized> Faulty<S> {
    /// `inner` with faults.
    #[must_use]
    pub fn new(inner: Arc<S>, faults: Faults) -> Self {
        let fate = Fate { faults, batches: 0, commits: 0, claims: 0, is_dead: false, fired: BTreeMap::new() };
        Faulty { fate: Mutex::new(fate), inner }
    }

    /// How often a fault fired.
    #[must_use]
    pub fn fired(&self, fault: Fault) -> u64 {
        self.fate().fired.get(&fault).copied().unwrap_or(0)
    }

    /// How many commits came: the places where a run of the same test can stop.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.fate().commits
    }

    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self) -> Result<&S, StoreError> {
        if self.fate().is_dead { Err(dead()) } else { Ok(&self.inner) }
    }

    fn meet(&self, fault: Fault, batch: Vec<Commit>, reply: Reply) {
        match fault {
            Fault::FailBefore => reply(refusal(batch, &unavailable())),
            Fault::FailAfter => {
                let whole = batch.clone();
                self.inner.submit(batch, Box::new(move |_| reply(refusal(whole, &unavailable()))));
            }
            Fault::Delay => {
                let delay = self.fate().faults.delay;
                self.inner.submit(batch, Box::new(move |answer| later(delay, reply, answer)));
            }
            // These are not for batches.
            Fault::DropHints | Fault::LoseClaim | Fault::FailHistory | Fault::FailRelease | Fault::Stop => {
                self.inner.submit(batch, reply);
            }
        }
    }

    fn die(&self, mut batch: Vec<Commit>, taking_effect: usize, reply: Reply) {
        let whole = batch.clone();
        batch.truncate(taking_effect);
        self.inner.submit(batch, Box::new(move |_| reply(refusal(whole, &dead()))));
    }
}

impl Fate {
    fn turn(&mut self, size: usize) -> Turn {
        if self.is_dead {
            return Turn::Dead;
        }
        self.batches += 1;
        let before = self.commits;
        self.commits += size as u64;
        if let Some((at, takes_effect)) = self.faults.stop.filter(|(at, _)| *at <= self.commits) {
            self.is_dead = true;
            self.count(Fault::Stop);
            let place = usize::try_from(at.saturating_sub(before + 1)).unwrap_or(0);
            return Turn::Die(place + usize::from(takes_effect));
        }
        match self.draw() {
            Some(fault) => {
                self.count(fault);
                Turn::Meet(fault)
            }
            None => Turn::Pass,
        }
    }

    fn draw(&mut self) -> Option<Fault> {
        if let Some(fault) = self.faults.script.get(&self.batches) {
            return Some(*fault);
        }
        let (rng, chances) = self.faults.random.as_mut()?;
        let drawn = rng.below(100);
        let Chances { before, after, delay } = *chances;
        let ends =
            [(before, Fault::FailBefore), (before + after, Fault::FailAfter), (before + after + delay, Fault::Delay)];
        ends.into_iter().find(|(end, _)| drawn < *end).map(|(_, fault)| fault)
    }

    fn loses_claim(&mut self) -> bool {
        self.claims += 1;
        let is_lost = self.faults.claims.is_some_and(|nth| self.claims.is_multiple_of(nth));
        if is_lost {
            self.count(Fault::LoseClaim);
        }
        is_lost
    }

    /// The next call of a kind of which the first fail.
    fn may(&mut self, fault: Fault, left: impl Fn(&mut Faults) -> &mut u64) -> Result<(), StoreError> {
        let left = left(&mut self.faults);
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        self.count(fault);
        Err(unavailable())
    }

    fn count(&mut self, fault: Fault) {
        *self.fired.entry(fault).or_default() += 1;
    }
}

fn later(delay: Duration, reply: Reply, answer: Answer) {
    std::thread::spawn(move || {
        std::thread::sleep(delay);
        reply(answer);
    });
}

fn refusal(batch: Vec<Commit>, error: &StoreError) -> Answer {
    batch.into_iter().map(|commit| (commit, Err(error.clone()))).collect()
}

fn unavailable() -> StoreError {
    StoreError::unavailable("it fails on purpose")
}

fn dead() -> StoreError {
    StoreError::Closed { why: "it died on purpose".into() }
}

#[async_trait]
impl<S: Store + ?Sized> Store for Faulty<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        let turn = self.fate().turn(batch.len());
        match turn {
            Turn::Pass => self.inner.submit(batch, reply),
            Turn::Meet(fault) => self.meet(fault, batch, reply),
            Turn::Die(taking_effect) => self.die(batch, taking_effect, reply),
            Turn::Dead => reply(refusal(batch, &dead())),
        }
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        self.fate().may(Fault::FailHistory, |faults| &mut faults.histories)?;
        self.alive()?.history(scope, after, limit).await
    }

    async fn claim(&self, ask: Claim) -> Result<Claims, StoreError> {
        let claims = self.alive()?.claim(ask).await?;
        if !claims.tasks.is_empty() && self.fate().loses_claim() {
            return Err(unavailable());
        }
        Ok(claims)
    }

    async fn heartbeat(&self, beat: Heartbeat) -> Result<Pulse, StoreError> {
        self.alive()?.heartbeat(beat).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.fate().may(Fault::FailRelease, |faults| &mut faults.releases)?;
        self.alive()?.release(leases).await
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<Swept, StoreError> {
        self.alive()?.sweep(now, limit).await
    }

    fn wakeups(&self) -> Wakeups {
        let mut fate = self.fate();
        if fate.faults.drops_hints {
            fate.count(Fault::DropHints);
        }
        if fate.faults.drops_hints || fate.is_dead { Wakeups::never() } else { self.inner.wakeups() }
    }

    async fn put_plan(&self, plan: Arc<Plan>) -> Result<(), StoreError> {
        self.alive()?.put_plan(plan).await
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        self.alive()?.plan(hash).await
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.alive()?.plans().await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        self.alive()?.run(id).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        self.alive()?.runs(query).await
    }

    async fn prune(&self, ask: &Prune) -> Result<Pruned, StoreError> {
        self.alive()?.prune(ask).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.alive()?.counts().await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        self.alive()?.fleet().await
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        self.alive()?.queues().await
    }

    async fn tasks(&self, scope: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        self.alive()?.tasks(scope).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.alive()?.close().await
    }
}
