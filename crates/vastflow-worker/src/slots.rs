//! The concurrency limit: how many calls of user code may be under way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// Slots for calls. A slot is taken before a task is kept or claimed, and given back when its outcome is folded and
/// nothing follows from it at once.
#[derive(Debug)]
pub(crate) struct Slots {
    all: usize,
    free: AtomicUsize,
    /// There was more work in the store than slots.
    hungry: AtomicBool,
    freed: Notify,
}

impl Slots {
    pub(crate) fn new(all: usize) -> Self {
        Slots { all, free: AtomicUsize::new(all), hungry: AtomicBool::new(false), freed: Notify::new() }
    }

    /// How many there are.
    pub(crate) const fn all(&self) -> usize {
        self.all
    }

    /// Whether nothing is called.
    pub(crate) fn are_free(&self) -> bool {
        self.free.load(Ordering::Acquire) == self.all
    }

    pub(crate) fn take(&self) -> bool {
        self.take_up_to(1) == 1
    }

    /// Takes as many as there are, at most `wanted`.
    pub(crate) fn take_up_to(&self, wanted: usize) -> usize {
        let mut taken = 0;
        let take = |free: usize| {
            taken = free.min(wanted);
            (taken > 0).then(|| free - taken)
        };
        match self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take) {
            Ok(_) => taken,
            Err(_) => 0,
        }
    }

    pub(crate) fn give_back(&self, slots: usize) {
        if slots == 0 {
            return;
        }
        self.free.fetch_add(slots, Ordering::AcqRel);
        if self.hungry.load(Ordering::Acquire) {
            self.freed.notify_one();
        }
    }

    /// Has whoever waits for slots look again.
    pub(crate) fn poke(&self) {
        self.freed.notify_one();
    }

    /// Notes whether more work was waiting than could be taken.
    pub(crate) fn set_hungry(&self, hungry: bool) {
        self.hungry.store(hungry, Ordering::Release);
    }

    /// Waits until slots were given back while there was more work.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_there_are() {
        let slots = Slots::new(3);
        assert_eq!(slots.take_up_to(2), 2);
        assert_eq!(slots.take_up_to(2), 1);
        assert!(!slots.take());
        slots.give_back(1);
        assert!(slots.take());
        assert_eq!(slots.take_up_to(9), 0);
    }
}
