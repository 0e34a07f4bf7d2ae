//! What the callers, the log thread and the tables thread share: the ledger, and what is on its way to the disk.

use crate::backlog::Backlog;
use crate::batch::Batch;
use crate::log::segment::Passed;
use crate::past::Readers;
use crate::recover::Recovered;
use crate::scopes::PastScopes;
use crate::suspects::Suspects;
use crate::tables::Victim;
use crate::wake::Wake;
use crate::whole::Whole;
use crate::{fail, record};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::collections::VecDeque;
use std::hash::Hasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use vastflow_core::{Plan, RunId, ScopeId, Seq};
use vastflow_store::{Answer, Counts, Forgotten, Ledger, Reply, RunRow, StoreError};

/// The bytes after which a batch is closed and another begun.
const BATCH: usize = 8 << 20;
/// How many runs are forgotten in one go, so that nobody waits long for the ledger.
const EVICTIONS: usize = 64;
/// The place that stands for "there will be no more".
const OVER: u64 = u64::MAX;

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(crate) wake: Wake,
    pub(crate) backlog: Backlog,
    pub(crate) readers: Readers,
    /// The place of the last batch that is durable.
    synced: watch::Sender<u64>,
    /// Changes when there may be something to claim.
    pub(crate) hints: watch::Sender<u64>,
}

/// What the mutex guards. It is never held across I/O.
pub(crate) struct Inner {
    pub(crate) ledger: Ledger,
    /// Fingerprints of the ids of all runs, in memory or in the tables.
    pub(crate) retained: FxHashSet<u64>,
    /// The runs that only the tables know.
    pub(crate) past: Counts,
    /// The inner scopes of other runs that only the tables know.
    pub(crate) past_scopes: PastScopes,
    /// Batches that the log thread has not begun; the last one is being filled.
    batches: VecDeque<Batch>,
    /// The place of the newest batch.
    pub(crate) last: u64,
    /// Whether the log thread has a batch in hand.
    is_busy: bool,
    /// Finished runs that are in the tables and can be forgotten.
    evictable: VecDeque<u64>,
    /// Such that cannot be forgotten yet.
    stubborn: VecDeque<u64>,
    /// Finished runs that came back into memory or to which something was added, and the batch that they wait for.
    late: FxHashMap<u64, u64>,
    /// Finished runs that are being deleted.
    doomed: FxHashSet<u64>,
    /// Fingerprints that two ids have.
    doubles: FxHashSet<u64>,
    /// How often a run came back into memory, or went for good.
    reloads: u64,
    /// The last batch that is in the tables.
    watermark: u64,
    /// Segments that wait for the tables to pass them.
    passed: Vec<Passed>,
    pub(crate) suspects: Suspects,
    /// Why the store is closed, if it is.
    pub(crate) over: Option<Arc<str>>,
    /// Whether it stopped itself.
    has_failed: bool,
}

impl Inner {
    pub(crate) fn new(recovered: Recovered, watermark: u64, suspects: Suspects) -> Self {
        let Recovered { ledger, retained, doubles, past, past_scopes, last, passed, reloaded, .. } = recovered;
        Inner {
            ledger,
            retained,
            past,
            past_scopes,
            batches: VecDeque::new(),
            last,
            is_busy: false,
            late: reloaded.iter().map(|key| (*key, last)).collect(),
            evictable: reloaded.into(),
            stubborn: VecDeque::new(),
            doomed: FxHashSet::default(),
            doubles,
            reloads: 0,
            watermark,
            passed,
            suspects,
            over: None,
            has_failed: false,
        }
    }

    /// The batch that is being filled.
    pub(crate) fn filling(&mut self) -> &mut Batch {
        if self.batches.back().is_none_or(|batch| batch.bytes() >= BATCH) {
            self.batches.push_back(Batch::default());
        }
        let at = self.batches.len() - 1;
        &mut self.batches[at]
    }

    /// Appends a record through `write`.
    pub(crate) fn append(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let next = self.last + 1;
        let batch = self.filling();
        write(batch.records_mut())?;
        if batch.seq == 0 {
            batch.seq = next;
            self.last = next;
        }
        Ok(())
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.batches.is_empty() && !self.is_busy
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.over.as_ref().map_or(Ok(()), |why| Err(closed(why)))
    }

    /// A finished run is in memory again, unless others came back while this one was read: they may be the same.
    pub(crate) fn reload(&mut self, (row, run): (RunRow, Whole), reloads_before: &mut u64) -> Result<(), StoreError> {
        let RunRow { key, id, control, summary, .. } = row;
        if self.reloads != *reloads_before || self.is_doomed(key) || self.ledger.run_with_key(key).is_some() {
            return Ok(());
        }
        *reloads_before += 1;
        self.reloads += 1;
        self.late.insert(key, self.watermark);
        *self.past.of(summary.status) -= 1;
        self.ledger.restore_run(id, key, summary, control);
        run.over.iter().for_each(|path| self.past_scopes.insert(key, path));
        run.restore(&mut self.ledger)
    }

    /// The same for an inner scope that has ended.
    pub(crate) fn recall(&mut self, scope: Whole, reloads_before: &mut u64) -> Result<(), StoreError> {
        let is_known = |(scope, _): &(ScopeId, _)| self.ledger.has_scope(scope);
        if self.reloads != *reloads_before || scope.heads.first().is_some_and(is_known) {
            return Ok(());
        }
        *reloads_before += 1;
        self.reloads += 1;
        scope.restore(&mut self.ledger)
    }

    /// Whether only the tables may know an inner scope of a run that is in memory; gives the run's key.
    pub(crate) fn may_be_past(&self, scope: &ScopeId) -> Option<u64> {
        let (key, _) = self.ledger.standing(scope.run())?;
        (self.past_scopes.may_have(key, scope) && !self.ledger.has_scope(scope)).then_some(key)
    }

    /// Lets go of events that are in the tables, and of scopes that are over with them.
    fn trim(&mut self, key: u64, path: &str, end: Seq) -> [Option<Forgotten>; 2] {
        let Some((id, status)) = self.ledger.run_with_key(key).and_then(|id| Some((id, self.ledger.standing(id)?.1)))
        else {
            return [None, None];
        };
        if status.is_final() {
            // It goes as a whole.
            return [None, None];
        }
        let scope = ScopeId::from_parts(id.clone(), path);
        [self.ledger.trim(&scope, end), self.let_go(key, &scope)]
    }

    /// Forgets an inner scope if it is over and in the tables.
    pub(crate) fn let_go(&mut self, key: u64, scope: &ScopeId) -> Option<Forgotten> {
        let forgotten = self.ledger.evict_scope(scope)?;
        self.past_scopes.insert(key, scope.path());
        Some(forgotten)
    }

    /// A commit was answered that found its run finished: it is forgotten again, once all of it is in the tables.
    pub(crate) fn came_late(&mut self, key: u64, has_changed: bool) {
        if has_changed {
            self.late.insert(key, self.last);
        }
        // Without a change, one that ended a moment ago may not be in the tables yet: they will say so.
        if self.late.contains_key(&key) {
            self.evictable.push_back(key);
        }
    }

    /// A run is to be deleted; false when it is in use.
    fn doom(&mut self, victim: &Victim) -> bool {
        if self.late.get(&victim.key).is_some_and(|batch| *batch > self.watermark) {
            return false;
        }
        if let Some(id) = self.ledger.run_with_key(victim.key).cloned() {
            if self.ledger.evict(&id).is_none() {
                return false;
            }
            *self.past.of(victim.status) += 1;
            self.past_scopes.forget(victim.key);
        }
        self.doomed.insert(victim.key)
    }

    /// Whether a run is about to be deleted.
    pub(crate) fn is_doomed(&self, key: u64) -> bool {
        self.doomed.contains(&key)
    }

    /// A run begins.
    pub(crate) fn retain(&mut self, id: &str) {
        let fingerprint = fingerprint(id);
        if !self.retained.insert(fingerprint) {
            self.doubles.insert(fingerprint);
        }
    }

    pub(crate) const fn reloads(&self) -> u64 {
        self.reloads
    }

    /// How many runs there are of each status.
    pub(crate) fn counts(&self) -> Counts {
        let (now, past) = (self.ledger.counts(), self.past);
        Counts {
            queued: now.queued,
            running: now.running,
            paused: now.paused,
            needs_attention: now.needs_attention,
            stopping: now.stopping,
            succeeded: now.succeeded + past.succeeded,
            failed: now.failed + past.failed,
            stopped: now.stopped + past.stopped,
        }
    }

    /// Forgets a few finished runs and gives them, to be dropped without the lock; none when there were none.
    fn evict(&mut self) -> Option<Vec<Forgotten>> {
        let before = self.ledger.counts();
        let count = self.evictable.len().min(EVICTIONS);
        let mut evicted = Vec::with_capacity(count);
        let keys: Vec<u64> = self.evictable.drain(..count).collect();
        for key in keys {
            if self.late.get(&key).is_some_and(|batch| *batch > self.watermark) {
                self.stubborn.push_back(key);
            } else if let Some(id) = self.ledger.run_with_key(key).cloned() {
                match self.ledger.evict(&id) {
                    Some(run) => {
                        self.late.remove(&key);
                        self.past_scopes.forget(key);
                        evicted.push(run);
                    }
                    None => self.stubborn.push_back(key),
                }
            }
        }
        let after = self.ledger.counts();
        self.past.succeeded += before.succeeded - after.succeeded;
        self.past.failed += before.failed - after.failed;
        self.past.stopped += before.stopped - after.stopped;
        (count > 0).then_some(evicted)
    }
}

/// What is remembered of a run's id.
pub(crate) fn fingerprint(id: &str) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(id.as_bytes());
    hasher.finish()
}

impl Shared {
    pub(crate) fn new(inner: Inner, backlog: Backlog, readers: Readers) -> Self {
        let synced = watch::channel(inner.last).0;
        let (inner, wake) = (Mutex::new(inner), Wake::default());
        Shared { inner, wake, backlog, readers, synced, hints: watch::channel(0).0 }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger and all, if the store is open.
    pub(crate) fn open(&self) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let inner = self.lock();
        inner.check()?;
        Ok(inner)
    }

    // For the log thread.

    pub(crate) fn pop(&self) -> Option<Batch> {
        let mut inner = self.lock();
        let batch = inner.batches.pop_front();
        inner.is_busy = batch.is_some();
        batch
    }

    /// How many wait for the batches that were not begun.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().batches.iter().map(|batch| batch.answers.len()).sum()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over.is_some()
    }

    pub(crate) fn synced(&self, seq: u64) {
        // After the end it stays the end.
        self.synced.send_modify(|synced| *synced = seq.max(*synced));
    }

    pub(crate) fn pass_segment(&self, segment: Passed) {
        self.lock().passed.push(segment);
    }

    /// Tells waiting workers, if there is news for them.
    pub(crate) fn hint(&self, has_news: bool) {
        if has_news {
            self.hints.send_modify(|count| *count += 1);
        }
    }

    // For the tables thread.

    /// Segments whose batches are all in the tables by `watermark`.
    pub(crate) fn take_passed(&self, watermark: u64) -> Vec<Passed> {
        self.lock().passed.extract_if(.., |segment| segment.last <= watermark).collect()
    }

    /// These runs are finished and wholly in the tables.
    pub(crate) fn forget(&self, finished: impl IntoIterator<Item = u64>, watermark: u64) {
        let mut inner = self.lock();
        inner.watermark = watermark;
        let again = inner.stubborn.len().min(EVICTIONS);
        let Inner { evictable, stubborn, .. } = &mut *inner;
        evictable.extend(stubborn.drain(..again).chain(finished));
        drop(inner);
        self.evict();
    }

    /// These journals are in the tables up to these lengths.
    pub(crate) fn trim<'a>(&self, journals: impl Iterator<Item = (u64, &'a str, Seq)>) {
        let mut journals = journals.peekable();
        while journals.peek().is_some() {
            let mut inner = self.lock();
            let some = journals.by_ref().take(EVICTIONS);
            let forgotten: Vec<_> = some.flat_map(|(key, path, end)| inner.trim(key, path, end)).flatten().collect();
            drop(inner);
            drop(forgotten);
        }
    }

    /// How many finished runs are in memory.
    pub(crate) fn finished_in_memory(&self) -> usize {
        let counts = self.lock().ledger.counts();
        usize::try_from(counts.succeeded + counts.failed + counts.stopped).unwrap_or(usize::MAX)
    }

    /// Marks some runs to be deleted, so that none of them comes back into memory, and passes over those that are in use;
    /// gives them, and whether there are more.
    pub(crate) fn doom(&self, found: Vec<Victim>, limit: usize) -> (Vec<Victim>, bool) {
        let mut inner = self.lock();
        let mut victims = Vec::new();
        for victim in found {
            if victims.len() == limit {
                return (victims, true);
            }
            if inner.doom(&victim) {
                victims.push(victim);
            }
        }
        (victims, false)
    }

    /// Runs are deleted: nothing is known of them any more.
    pub(crate) fn bury(&self, victims: &[Victim]) {
        let mut inner = self.lock();
        inner.reloads += 1;
        inner.doomed.clear();
        for Victim { key, id, status } in victims {
            *inner.past.of(*status) -= 1;
            inner.late.remove(key);
            let fingerprint = fingerprint(id);
            if !inner.doubles.contains(&fingerprint) {
                inner.retained.remove(&fingerprint);
            }
        }
    }

    fn evict(&self) {
        loop {
            let evicted = self.lock().evict();
            if evicted.is_none() {
                return;
            }
        }
    }

    // The end.

    /// Nothing new from now on.
    pub(crate) fn close(&self, why: &str) {
        self.lock().over.get_or_insert_with(|| why.into());
        self.wake.wake();
    }

    /// Nobody who was in hand ended the process.
    pub(crate) fn trust(&self) {
        let over = self.lock().suspects.done_with();
        if let Some(Err(why)) = over.map(std::fs::remove_file) {
            tracing::warn!(%why, "the file of suspects stays; it does no harm");
        }
    }

    /// Whether all went well until the end.
    pub(crate) fn verdict(&self) -> Result<(), StoreError> {
        let inner = self.lock();
        if inner.has_failed { inner.check() } else { Ok(()) }
    }

    /// The store cannot be trusted any more: everything in flight and later is answered with why.
    pub(crate) fn poison(&self, why: &StoreError) {
        let text = fail::fatal(why);
        tracing::error!(%why, "the store stopped itself");
        let mut inner = self.lock();
        if !inner.has_failed {
            (inner.has_failed, inner.over) = (true, Some(text.into()));
        }
        let batches = std::mem::take(&mut inner.batches);
        drop(inner);
        self.synced.send_replace(OVER);
        batches.into_iter().for_each(|batch| self.refuse(batch.answers));
        self.wake.wake();
    }

    /// Answers that the store is closed.
    pub(crate) fn refuse(&self, answers: Vec<(Answer, Reply)>) {
        let error = self.closed();
        for (mut commits, reply) in answers {
            commits.iter_mut().for_each(|(_, answer)| *answer = Err(error.clone()));
            answer((commits, reply));
        }
    }

    /// The error of a store that is closed.
    pub(crate) fn closed(&self) -> StoreError {
        closed(self.lock().over.as_deref().unwrap_or("it was closed"))
    }

    // For readers.

    /// Waits until all that was applied up to batch `seq` is durable: what a crash could still take back is not shown.
    pub(crate) async fn durable(&self, seq: u64) -> Result<(), StoreError> {
        if *self.synced.borrow() < seq {
            let gone = |_| StoreError::unavailable("the store went away");
            let mut synced = self.synced.subscribe();
            synced.wait_for(|synced| *synced >= seq).await.map_err(gone)?;
        }
        if *self.synced.borrow() == OVER { Err(self.closed()) } else { Ok(()) }
    }

    /// Keeps a plan; gives the batch that it is in.
    pub(crate) fn put_plan(&self, plan: Arc<Plan>) -> Result<u64, StoreError> {
        let mut inner = self.open()?;
        if inner.ledger.plan(plan.hash()).is_none() {
            let json = plan.to_json();
            inner.append(|out| record::push_plan(&json, out))?;
            inner.ledger.put_plan(plan);
        }
        let last = inner.last;
        drop(inner);
        self.wake.wake();
        Ok(last)
    }

    /// Whether there may be a run with this id of which only the tables know.
    pub(crate) fn may_be_past(inner: &Inner, id: &RunId) -> bool {
        inner.ledger.standing(id).is_none() && inner.retained.contains(&fingerprint(id))
    }
}

fn closed(why: &str) -> StoreError {
    StoreError::Closed { why: why.into() }
}

/// Calls back. A panic of the one who is called must not take the log with it.
pub(crate) fn answer((commits, reply): (Answer, Reply)) {
    if catch_unwind(AssertUnwindSafe(|| reply(commits))).is_err() {
        tracing::error!("the reply to a commit panicked; the commit stands");
    }
}
