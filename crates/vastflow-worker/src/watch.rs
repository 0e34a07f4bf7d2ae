//! Telling those who wait how far a run has come: after the store has acknowledged it, never before.

use crate::shared::lock;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::{Notify, watch};
use vastflow_core::RunId;
use vastflow_core::run::RunSummary;

/// The end of a run, for those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct End {
    summary: OnceLock<Arc<RunSummary>>,
    /// Told at the end, and whenever those who wait should look around.
    told: Notify,
    /// Whether one should look around, and nobody has since: there may have been nobody to tell.
    is_to_look: AtomicBool,
}

impl End {
    /// The end of a run that is over.
    pub(crate) fn known(summary: Arc<RunSummary>) -> Arc<Self> {
        Arc::new(End { summary: OnceLock::from(summary), ..End::default() })
    }

    pub(crate) fn get(&self) -> Option<&Arc<RunSummary>> {
        self.summary.get()
    }

    /// Whether to look around now.
    pub(crate) fn takes_a_look(&self) -> bool {
        self.is_to_look.swap(false, Ordering::AcqRel)
    }

    /// Waits until there is something to look at; what was told since `notified` was made counts.
    pub(crate) fn told(&self) -> tokio::sync::futures::Notified<'_> {
        self.told.notified()
    }
}

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<FxHashMap<RunId, Watched>>);

#[derive(Debug, Default)]
struct Watched {
    end: Arc<End>,
    /// Changes with everything that is recorded; there only if somebody reads along.
    news: Option<watch::Sender<()>>,
}

impl Watched {
    fn waiting(&self) -> Waiting {
        (Arc::clone(&self.end), self.news.clone())
    }

    fn is_alone(&self) -> bool {
        Arc::strong_count(&self.end) == 1 && self.news.as_ref().is_none_or(|news| news.receiver_count() == 0)
    }
}

/// Who waits for the end of a run, and who reads along.
type Waiting = (Arc<End>, Option<watch::Sender<()>>);

/// Told without the lock: waking those who wait takes its time.
fn look_around((end, news): Waiting) {
    end.is_to_look.store(true, Ordering::Release);
    end.told.notify_waiters();
    if let Some(news) = news {
        news.send_replace(());
    }
}

impl Watchers {
    /// Waits for a run's end.
    pub(crate) fn join(&self, run: &RunId) -> Arc<End> {
        Arc::clone(&lock(&self.0).entry(run.clone()).or_default().end)
    }

    /// Reads along with a run whose end is waited for; none when it has ended.
    pub(crate) fn read_along(&self, run: &RunId) -> Option<watch::Receiver<()>> {
        let mut all = lock(&self.0);
        let news = &mut all.get_mut(run)?.news;
        Some(news.get_or_insert_with(|| watch::channel(()).0).subscribe())
    }

    /// Whether more than one run is waited for.
    pub(crate) fn are_several(&self) -> bool {
        lock(&self.0).len() > 1
    }

    /// Somebody waits no more.
    pub(crate) fn leave(&self, run: &RunId) {
        let mut all = lock(&self.0);
        if all.get(run).is_some_and(Watched::is_alone) {
            all.remove(run);
        }
    }

    /// Something was recorded. The last word ends the watch.
    pub(crate) fn tell(&self, run: &RunId, end: Option<Arc<RunSummary>>) {
        if let Some(summary) = end {
            // Told without the lock: waking those who wait takes its time.
            let Some(watched) = lock(&self.0).remove(run) else { return };
            watched.end.summary.get_or_init(|| summary);
            watched.end.told.notify_waiters();
        } else if let Some(news) = lock(&self.0).get(run).and_then(|watched| watched.news.as_ref()) {
            news.send_replace(());
        }
    }

    /// Makes all who wait look around: another engine may have carried their run on, or this one has stopped.
    pub(crate) fn nudge(&self) {
        let waiting: Vec<_> = lock(&self.0).values().map(Watched::waiting).collect();
        waiting.into_iter().for_each(look_around);
    }

    /// The same for those who wait for one run.
    pub(crate) fn nudge_one(&self, run: &RunId) {
        let waiting = lock(&self.0).get(run).map(Watched::waiting);
        waiting.into_iter().for_each(look_around);
    }

    /// How many runs are waited for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}
