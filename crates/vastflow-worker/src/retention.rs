//! How long runs are kept when they are over: deleting old ones, a few at a time, beside all other work.

use crate::error::Error;
use crate::run::Run;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::{Name, Timestamp};
use vastflow_store::{Doomed, Keep, Prune, StoreError};

/// How often an engine looks for runs that are not kept any more.
const LOOK: Duration = Duration::from_secs(60);
/// How many runs are deleted in one go, and how long others have the store for themselves then.
const STEP: usize = 200;
const BREAK: Duration = Duration::from_millis(20);
/// How long the deletion of a run waits for what is left to do in it.
const PATIENCE: (u32, Duration) = (200, Duration::from_millis(10));

/// How long runs are kept when they are over. One that is not over is always kept.
///
/// ```
/// use vastflow_worker::Retention;
///
/// let month = Retention::days(30); // by age,
/// let latest = Retention::newest(100_000); // by number,
/// let both = Retention::days(30).keep(100_000); // or whichever ends it first
/// # let _ = (month, latest, both);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    age: Option<Duration>,
    newest: Option<usize>,
}

impl Retention {
    /// For ever: what holds when nothing is said.
    #[must_use]
    pub const fn forever() -> Self {
        Retention { age: None, newest: None }
    }

    /// For so long after their end.
    #[must_use]
    pub const fn age(age: Duration) -> Self {
        Retention { age: Some(age), newest: None }
    }

    /// For so many days after their end.
    #[must_use]
    pub const fn days(days: u32) -> Self {
        Retention::age(Duration::from_secs(days as u64 * 24 * 60 * 60))
    }

    /// As long as there are not this many newer ones.
    #[must_use]
    pub const fn newest(runs: usize) -> Self {
        Retention::forever().keep(runs)
    }

    /// And no longer than there are not this many newer ones.
    #[must_use]
    pub const fn keep(self, runs: usize) -> Self {
        Retention { newest: Some(runs), ..self }
    }
}

/// What is kept of which flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) all: Retention,
    pub(crate) flows: BTreeMap<Name, Retention>,
}

impl Rules {
    /// Whether everything is kept.
    pub(crate) fn keep_all(&self) -> bool {
        let forever = |kept: &Retention| *kept == Retention::forever();
        forever(&self.all) && self.flows.values().all(forever)
    }

    fn at(&self, now: Timestamp) -> impl Iterator<Item = Keep> {
        let since = move |age: Duration| {
            let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            Timestamp::from_millis(now.millis().saturating_sub(age))
        };
        let keep = move |flow: Option<Name>, except, Retention { age, newest }| {
            let ended_since = age.map(since);
            (ended_since.is_some() || newest.is_some()).then_some(Keep { flow, except, ended_since, newest })
        };
        let own = self.flows.iter().map(move |(flow, kept)| keep(Some(flow.clone()), Vec::new(), *kept));
        own.chain([keep(None, self.flows.keys().cloned().collect(), self.all)]).flatten()
    }
}

/// Whether the store can delete runs at all.
pub(crate) async fn check(shared: &Shared) -> Result<(), Error> {
    shared.store.prune(&Prune { which: Doomed::Runs(Vec::new()), limit: 0 }).await?;
    Ok(())
}

/// Deletes what is not kept any more, until the engine drains.
pub(crate) async fn retain(shared: Arc<Shared>, rules: Rules) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = shared.draining.off() => return,
        }
        for keep in rules.at(shared.now()) {
            if let Err(error) = prune(&shared, keep).await {
                tracing::warn!("cannot delete old runs: {error}");
            }
        }
    }
}

async fn prune(shared: &Shared, keep: Keep) -> Result<(), StoreError> {
    let ask = Prune { which: Doomed::Old(keep), limit: STEP };
    let mut runs = 0;
    loop {
        let pruned = shared.store.prune(&ask).await?;
        runs += pruned.runs;
        if !pruned.more || shared.draining.is_off() {
            break;
        }
        tokio::time::sleep(BREAK).await;
    }
    if runs > 0 {
        tracing::info!(runs, "deleted runs that are not kept any more");
    }
    Ok(())
}

impl Run {
    /// Deletes the run, with all there is of it, and frees its id.
    ///
    /// # Errors
    /// [`Error::RunNotEnded`] when it is not over; [`Error::UnknownRun`]; store errors,
    /// [`StoreError::Unavailable`] among them as long as something is left to do in it, say a message of an inner graph.
    pub async fn delete(&self) -> Result<(), Error> {
        let ask = Prune { which: Doomed::Runs(vec![self.id().clone()]), limit: 1 };
        for _ in 0..PATIENCE.0 {
            let status = self.status().await?;
            if !status.is_final() {
                return Err(Error::RunNotEnded { id: self.id().clone(), status });
            }
            let pruned = self.shared().store.prune(&ask).await?;
            if pruned.runs > 0 {
                return Ok(());
            }
            tokio::time::sleep(PATIENCE.1).await;
        }
        Err(StoreError::unavailable(format!("run {:?} is over, but something is left to do in it", self.id())).into())
    }
}
