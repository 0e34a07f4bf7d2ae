//! Telling those who wait how far a run has come: after the store has acknowledged it, never before.

use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use vastflow_core::RunId;
use vastflow_core::run::RunSummary;

use crate::shared::lock;

/// How a run ended, once it has.
pub(crate) type End = Option<Arc<RunSummary>>;

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<FxHashMap<RunId, Watched>>);

#[derive(Debug)]
struct Watched {
    /// Changes once.
    end: watch::Sender<End>,
    /// Changes with everything that is recorded; there only if somebody reads along.
    news: Option<watch::Sender<()>>,
}

impl Watched {
    fn is_alone(&self) -> bool {
        self.end.receiver_count() == 0 && self.news.as_ref().is_none_or(|news| news.receiver_count() == 0)
    }
}

impl Watchers {
    /// Waits for a run's end.
    pub(crate) fn join(&self, run: &RunId) -> watch::Receiver<End> {
        let mut all = lock(&self.0);
        let new = || Watched { end: watch::channel(None).0, news: None };
        all.entry(run.clone()).or_insert_with(new).end.subscribe()
    }

    /// Reads along with a run whose end is waited for; none when it has ended.
    pub(crate) fn read_along(&self, run: &RunId) -> Option<watch::Receiver<()>> {
        let mut all = lock(&self.0);
        let news = &mut all.get_mut(run)?.news;
        Some(news.get_or_insert_with(|| watch::channel(()).0).subscribe())
    }

    /// Somebody waits no more.
    pub(crate) fn leave(&self, run: &RunId) {
        let mut all = lock(&self.0);
        if all.get(run).is_some_and(Watched::is_alone) {
            all.remove(run);
        }
    }

    /// Something was recorded. The last word ends the watch.
    pub(crate) fn tell(&self, run: &RunId, end: End) {
        if end.is_some() {
            // Told without the lock: waking those who wait takes its time.
            let last = lock(&self.0).remove(run);
            return last.into_iter().for_each(|watched| drop(watched.end.send_replace(end.clone())));
        }
        if let Some(news) = lock(&self.0).get(run).and_then(|watched| watched.news.as_ref()) {
            news.send_replace(());
        }
    }
}
