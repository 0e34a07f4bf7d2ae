//! The way of a commit: encoded, applied to the ledger, put into the batch, answered after the sync.

use crate::record::{Draft, Head};
use crate::shared::{Inner, Shared, answer};
use rustc_hash::FxHashSet;
use std::sync::MutexGuard;
use std::time::Duration;
use vastflow_core::{RunId, ScopeId, Task};
use vastflow_store::{Answer, Commit, Committed, Reply, StoreError};

/// How long to wait until a run is deleted.
const DOOMED: Duration = Duration::from_millis(1);

impl Shared {
    /// Commits a batch.
    pub(crate) fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        let drafts: Vec<_> = batch.iter().map(Draft::of).collect();
        let mut inner = match self.lock_for(&batch) {
            Ok(inner) => inner,
            Err(why) => return answer((batch.into_iter().map(|commit| (commit, Err(why.clone()))).collect(), reply)),
        };
        let mut has_changed = false;
        let apply = |(mut commit, draft): (Commit, Result<Draft, StoreError>)| {
            let committed = draft.and_then(|draft| inner.apply(&mut commit, &draft));
            has_changed |= matches!(committed, Ok(Committed::Done { .. }));
            (commit, committed)
        };
        let answers: Answer = batch.into_iter().zip(drafts).map(apply).collect();
        if !has_changed && inner.is_quiet() {
            drop(inner);
            return answer((answers, reply));
        }
        let has_news = inner.ledger.take_news();
        let batch = inner.filling();
        batch.has_news |= has_news;
        batch.answers.push((answers, reply));
        drop(inner);
        self.wake.wake();
    }

    /// Locks the store at a moment when all runs of the batch are in memory that exist at all. Those that were forgotten
    /// are read without the lock; ids that were never seen need no look at the disk.
    fn lock_for(&self, batch: &[Commit]) -> Result<MutexGuard<'_, Inner>, StoreError> {
        let mut absent = Absent::default();
        loop {
            let inner = self.open()?;
            let missing: FxHashSet<Missing<'_>> = batch.iter().flat_map(|commit| inner.missing(commit)).collect();
            let missing: Vec<_> = missing.into_iter().filter(|missing| !absent.has(missing)).collect();
            if missing.is_empty() {
                return Ok(inner);
            }
            let mut reloads = inner.reloads();
            drop(inner);
            for one in missing {
                match one {
                    Missing::Run(id) => match self.readers.with(|past| past.whole(id))? {
                        Some(run) => {
                            let mut inner = self.open()?;
                            if inner.is_doomed(run.0.key) {
                                drop(inner);
                                // It is gone in a moment, and its id is free then.
                                std::thread::sleep(DOOMED);
                            } else {
                                inner.reload(run, &mut reloads)?;
                            }
                        }
                        None => drop(absent.runs.insert(id.clone())),
                    },
                    Missing::Scope(key, scope) => {
                        let found = self.readers.with(|past| past.scope(key, scope))?;
                        if found.heads.is_empty() {
                            absent.scopes.insert(scope.clone());
                        } else {
                            self.open()?.recall(found, &mut reloads)?;
                        }
                    }
                }
            }
        }
    }
}

/// What a commit is about, and memory does not have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Missing<'a> {
    Run(&'a RunId),
    /// An inner scope, of the run with this key.
    Scope(u64, &'a ScopeId),
}

/// What the tables do not have either.
#[derive(Default)]
struct Absent {
    runs: FxHashSet<RunId>,
    scopes: FxHashSet<ScopeId>,
}

impl Absent {
    fn has(&self, missing: &Missing<'_>) -> bool {
        match missing {
            Missing::Run(id) => self.runs.contains(*id),
            Missing::Scope(_, scope) => self.scopes.contains(*scope),
        }
    }
}

impl Inner {
    /// What a commit is about that only the tables may have.
    fn missing<'a>(&self, commit: &'a Commit) -> Vec<Missing<'a>> {
        let run = commit.scope.run();
        if Shared::may_be_past(self, run) {
            return vec![Missing::Run(run)];
        }
        if self.past_scopes.is_empty() {
            return Vec::new();
        }
        let scopes = std::iter::once(&commit.scope).chain(commit.messages.iter().map(|message| &message.to));
        scopes.filter_map(|scope| Some(Missing::Scope(self.may_be_past(scope)?, scope))).collect()
    }

    /// Applies a commit and appends its record, or does neither.
    fn apply(&mut self, commit: &mut Commit, draft: &Draft) -> Result<Committed, StoreError> {
        let known = self.ledger.standing(commit.scope.run());
        let key = known.map_or_else(|| self.ledger.next_key(), |(key, _)| key);
        let delivers = commit.settle.iter().any(|(task, _)| *task == Task::Deliver);
        let delivered = if delivers { self.ledger.handed_over(&commit.scope) } else { 0 };
        let committed = self.ledger.apply(commit);
        if let Ok(Committed::Done { control }) = committed {
            if known.is_none() {
                self.retain(commit.scope.run());
            }
            let head = Head::new(key, commit.control.map(|_| control), delivered);
            self.append(|out| draft.finish(head, out))?;
        }
        if known.is_some_and(|(_, status)| status.is_final()) {
            self.came_late(key, matches!(committed, Ok(Committed::Done { .. })));
        }
        if !matches!(committed, Ok(Committed::Done { .. })) {
            // It may have come back just for this answer.
            self.let_go(key, &commit.scope);
        }
        committed
    }
}
