//! What an engine has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What an engine has done since it started: see [`Engine::stats`](crate::Engine::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Commits that were sent.
    pub commits: u64,
    /// Batches that they were sent in: each is one round trip to the store.
    pub batches: u64,
    /// Calls of which nothing was recorded here because their tasks had gone to other workers.
    pub fenced: u64,
    /// How often this engine was taken for dead and went on as a new worker.
    pub leases_lost: u64,
    /// Calls that were not made because they had ended too many workers.
    pub quarantined: u64,
}

/// The same while it counts.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) commits: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) fenced: AtomicU64,
    pub(crate) leases_lost: AtomicU64,
    pub(crate) quarantined: AtomicU64,
}

impl Counting {
    pub(crate) fn now(&self) -> Stats {
        let Counting { commits, batches, fenced, leases_lost, quarantined } = self;
        let now = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Stats {
            commits: now(commits),
            batches: now(batches),
            fenced: now(fenced),
            leases_lost: now(leases_lost),
            quarantined: now(quarantined),
        }
    }
}
