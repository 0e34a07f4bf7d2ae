//! The life of an engine as a worker. When it was taken for dead, it begins another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use vastflow_core::retry::mixed;
use vastflow_store::WorkerId;

/// Which life of its engine this is, and when it last gave a sign.
#[derive(Debug)]
pub(crate) struct Life {
    nonce: u64,
    id: AtomicU64,
    number: AtomicU64,
    /// The life before this one, as long as the store may take it for alive; 0: none.
    before: AtomicU64,
    /// Whether the store knows of this life.
    is_known: AtomicBool,
    since: Instant,
    /// When the last sign of life was acknowledged, in milliseconds since `since`.
    sign: AtomicU64,
}

impl Life {
    pub(crate) fn new(nonce: u64) -> Self {
        Life {
            nonce,
            id: AtomicU64::new(nonce),
            number: AtomicU64::new(0),
            before: AtomicU64::new(0),
            is_known: AtomicBool::new(false),
            since: Instant::now(),
            sign: AtomicU64::new(0),
        }
    }

    /// Its name.
    pub(crate) fn id(&self) -> WorkerId {
        WorkerId(self.id.load(Ordering::Acquire))
    }

    /// A number that all lives of the engine share, and no other engine has.
    pub(crate) const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// A sign of life that was given then was acknowledged; whether it was not the first of this life.
    pub(crate) fn sign(&self, given: Instant) -> bool {
        let since = given.saturating_duration_since(self.since);
        self.sign.fetch_max(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        self.is_known.swap(true, Ordering::AcqRel)
    }

    /// Whether no sign of life was acknowledged for a whole lease: it may have been lost.
    pub(crate) fn is_overdue(&self, lease: Duration) -> bool {
        let silence = self.millis().saturating_sub(self.sign.load(Ordering::Acquire));
        u128::from(silence) > lease.as_millis()
    }

    pub(crate) fn begin_anew(&self) {
        let number = self.number.fetch_add(1, Ordering::AcqRel) + 1;
        let before = self.id.swap(mixed(self.nonce ^ number), Ordering::AcqRel);
        self.before.store(before, Ordering::Release);
        self.is_known.store(false, Ordering::Release);
    }

    /// The life before this one, if the store was not told yet that it is over.
    pub(crate) fn before(&self) -> Option<WorkerId> {
        Some(self.before.load(Ordering::Acquire)).filter(|id| *id != 0).map(WorkerId)
    }

    pub(crate) fn forget_before(&self) {
        self.before.store(0, Ordering::Release);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_has_a_name_of_its_own_and_the_first_sign_is_its_birth() {
        let life = Life::new(7);
        let first = life.id();
        assert_eq!([life.sign(Instant::now()), life.sign(Instant::now())], [false, true]);
        assert!(!life.is_overdue(Duration::from_secs(60)));
        life.begin_anew();
        assert_ne!(life.id(), first);
        assert_eq!(life.before(), Some(first));
        assert_eq!(([life.sign(Instant::now()), life.sign(Instant::now())], life.nonce()), ([false, true], 7));
    }
}
