//! Telling those who wait how far a run has come: after the store has acknowledged it, never before.

use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use vastflow_core::RunId;
use vastflow_core::run::RunSummary;

/// How far a run has come: a change says that there is something to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// How it ended, once it has.
    pub(crate) end: Option<Arc<RunSummary>>,
}

/// Who waits for which run.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<FxHashMap<RunId, watch::Sender<Progress>>>);

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<RunId, watch::Sender<Progress>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a run from now on.
    pub(crate) fn join(&self, run: &RunId) -> watch::Receiver<Progress> {
        self.lock().entry(run.clone()).or_insert_with(|| watch::channel(Progress::default()).0).subscribe()
    }

    /// Somebody waits no more.
    pub(crate) fn leave(&self, run: &RunId) {
        let mut watchers = self.lock();
        if watchers.get(run).is_some_and(|sender| sender.receiver_count() == 0) {
            watchers.remove(run);
        }
    }

    /// Tells those who wait. The last word ends the watch.
    pub(crate) fn tell(&self, run: &RunId, progress: Progress) {
        let mut watchers = self.lock();
        let Some(sender) = watchers.get(run) else { return };
        let is_last = progress.end.is_some() || sender.receiver_count() == 0;
        sender.send_replace(progress);
        if is_last {
            watchers.remove(run);
        }
    }
}
