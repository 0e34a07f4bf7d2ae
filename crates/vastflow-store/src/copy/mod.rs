//! Copying runs from one store to another: from the embedded store to a fleet's, or from any to any.
//!
//! A copy is made of commits, like everything in a store, so it needs nothing of a store but the [`Store`] trait. The
//! journals go over event by event; what a journal implies is derived again: the tasks that must exist, the words that
//! were said and not heard, the summary, the control word. Three things make it safe to break off, to repeat, and to do
//! while workers serve the target:
//!
//! - Each commit is named by what it holds, so that making it again is a [`Duplicate`](crate::Committed::Duplicate).
//! - A run begins held, its root's last event comes last of all, and brings the run's own control word with it: nobody
//!   is given a task of a run that is there in part.
//! - A run of which the target has as many events has been copied, and may have gone on there.

mod error;
mod group;
mod scope;
mod send;
mod words;

pub use error::CopyError;

use crate::query::{RunPage, RunQuery, RunRow};
use crate::{Counts, Store};
use rustc_hash::FxHashMap;
use scope::Site;
use send::{Place, Sender};
use std::sync::Arc;
use vastflow_core::{Plan, PlanHash, RunId, RunStatus, ScopeId, Seq};

/// How many runs are read at once.
const PAGE: usize = 100;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Runs that are in the target, whole.
    pub runs: u64,
    /// Those of them that were there before.
    pub known: u64,
    /// Runs that the source has.
    pub of: u64,
    /// Scopes that were gone through.
    pub scopes: u64,
    /// Events that were written.
    pub events: u64,
}

/// Copies all plans and all runs of one store to another, in the order in which the runs were started. `progress` is
/// told after each step how far it has come.
///
/// Nobody may work on the source meanwhile: open it in this process and start no engine on it. The target may have
/// workers; they begin with a run when it is there whole. What was in the hands of workers when the source was left is
/// called again, as after a crash.
///
/// It may be broken off at any time: a second call goes on from there, and one more finds nothing to do. Nothing is
/// deleted, in either store.
///
/// A run that is paused, being stopped, in line or waiting for an operator is so afterwards. Left behind is only what is
/// about workers: who had which task in hand, and how often one died with it. Of a run that had only begun and has inner
/// scopes, the copy's journal says besides that it was paused and went on, by `copy`.
///
/// ```
/// use vastflow_store::{MemoryStore, copy};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), vastflow_store::CopyError> {
/// let (from, to) = (MemoryStore::new(), MemoryStore::new());
/// let copied = copy(&from, &to, |copied| println!("{} of {} runs", copied.runs, copied.of)).await?;
/// assert_eq!(copied.runs, copied.of);
/// # Ok(()) }
/// ```
///
/// # Errors
/// [`CopyError`], which says of which run, and what to do. What was copied before stays.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    mut progress: impl FnMut(Copied) + Send,
) -> Result<Copied, CopyError> {
    let mut copier = Copier::begin(from, to).await?;
    let pages = copier.pages().await?;
    let mut told = copier.sender.sent;
    for before in pages.into_iter().rev() {
        for row in copier.page(before).await?.rows.into_iter().rev() {
            copier.run(row).await?;
            if copier.sender.sent != told {
                told = copier.sender.sent;
                progress(told);
            }
        }
    }
    copier.sender.flush().await?;
    progress(copier.sender.sent);
    Ok(copier.sender.sent)
}

/// A copy under way.
struct Copier<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    plans: FxHashMap<PlanHash, Arc<Plan>>,
    sender: Sender<'a>,
    /// Whether the target had no run at all, so that there is no need to look for each.
    is_fresh: bool,
}

/// A run that is being copied.
struct Run {
    row: RunRow,
    /// Whether the target has the beginning of it.
    is_resumed: bool,
    /// Behind the commit that begins it.
    begun: Place,
}

impl<'a> Copier<'a> {
    async fn begin(from: &'a dyn Store, to: &'a dyn Store) -> Result<Self, CopyError> {
        let of_source = |source| CopyError::Source { run: None, source };
        let of_target = |source| CopyError::Target { run: None, source };
        let mut plans = FxHashMap::default();
        for plan in from.plans().await.map_err(of_source)? {
            to.put_plan(Arc::clone(&plan)).await.map_err(of_target)?;
            plans.insert(plan.hash(), plan);
        }
        let of = all(from.counts().await.map_err(of_source)?);
        let is_fresh = all(to.counts().await.map_err(of_target)?) == 0;
        let sender = Sender::new(to, Copied { of, ..Copied::default() });
        Ok(Copier { from, to, plans, sender, is_fresh })
    }

    /// Where each page of the list of runs begins, newest first: that is the way that lists are read.
    async fn pages(&self) -> Result<Vec<Option<u64>>, CopyError> {
        let mut pages = vec![None];
        while let Some(next) = self.page(pages.last().copied().flatten()).await?.next {
            pages.push(Some(next));
        }
        Ok(pages)
    }

    async fn page(&self, before: Option<u64>) -> Result<RunPage, CopyError> {
        let query = RunQuery { before, limit: PAGE, ..RunQuery::default() };
        self.from.runs(&query).await.map_err(|source| CopyError::Source { run: None, source })
    }

    async fn run(&mut self, row: RunRow) -> Result<(), CopyError> {
        let there = if self.is_fresh { None } else { self.in_target(&row.id).await? };
        if let Some(there) = &there {
            self.check_same(&row, there).await?;
            // A run of one event may need another commit to be whole.
            if there.len.0 >= row.len.0.max(2) {
                self.sender.count_known();
                return Ok(());
            }
        }
        let hash = row.summary.started.plan;
        let plan = self.plans.get(&hash).map(Arc::clone);
        let plan = plan.ok_or_else(|| CopyError::NoPlan { run: row.id.clone(), plan: hash })?;
        let site = Site { id: ScopeId::root(row.id.clone()), plan, outer: None };
        let mut run = Run { row, is_resumed: there.is_some(), begun: Place::default() };
        let copied = self.scope(&mut run, site).await?;
        copied.ok_or_else(|| CopyError::Empty { run: run.row.id.clone() })?;
        self.sender.count_run();
        Ok(())
    }

    async fn in_target(&self, id: &RunId) -> Result<Option<RunRow>, CopyError> {
        self.to.run(id).await.map_err(|source| CopyError::Target { run: Some(id.clone()), source })
    }

    /// Whether what the target has under the run's id can be its copy: it began alike, and the last event that both
    /// have is the same.
    async fn check_same(&self, here: &RunRow, there: &RunRow) -> Result<(), CopyError> {
        let (ours, theirs) = (&here.summary, &there.summary);
        let id = ScopeId::root(here.id.clone());
        let last = Seq(here.len.0.min(there.len.0).saturating_sub(1));
        let of = |source| CopyError::Source { run: Some(here.id.clone()), source };
        let our_last = self.from.history(&id, last, 1).await.map_err(of)?;
        let of = |source| CopyError::Target { run: Some(here.id.clone()), source };
        let their_last = self.to.history(&id, last, 1).await.map_err(of)?;
        let began_alike = ours.started == theirs.started && ours.started_at == theirs.started_at;
        if began_alike && our_last == their_last {
            return Ok(());
        }
        Err(CopyError::Differs { scope: id })
    }
}

/// How many runs there are.
fn all(mut counts: Counts) -> u64 {
    RunStatus::ALL.into_iter().map(|status| *counts.of(status)).sum()
}
