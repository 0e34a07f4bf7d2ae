//! Ids for runs that were given none: version 7 UUIDs, ordered by time.

use std::sync::atomic::{AtomicU64, Ordering};
use vastflow_core::id::InvalidId;
use vastflow_core::retry::mixed;
use vastflow_core::{RunId, Timestamp};

/// Makes ids without asking the system for randomness each time: the engine's own random number, mixed with a counter,
/// fills the random bits, so that two engines never make the same.
pub(crate) struct Ids {
    nonce: u64,
    made: AtomicU64,
}

impl Ids {
    pub(crate) const fn new(nonce: u64) -> Self {
        Ids { nonce, made: AtomicU64::new(0) }
    }

    pub(crate) fn next(&self, now: Timestamp) -> Result<RunId, InvalidId> {
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        // The counter first: ids of one millisecond stay in order.
        random[..2].copy_from_slice(&count.to_be_bytes()[6..]);
        random[2..].copy_from_slice(&mixed(self.nonce ^ count).to_be_bytes());
        let id = uuid::Builder::from_unix_timestamp_millis(now.millis(), &random).into_uuid();
        RunId::new(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_in_order() {
        let ids = Ids::new(7);
        let now = Timestamp::from_millis(1_800_000_000_000);
        let made: Vec<RunId> = (0..4_000).map(|_| ids.next(now).unwrap()).collect();
        assert!(made.windows(2).all(|two| two[0] < two[1]), "in order, so none is made twice");
        assert_ne!(Ids::new(8).next(now).unwrap(), made[0]);
    }
}
