//! Since when the store has answered without a break: only who has seen that may say of others that they are dead.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use vastflow_store::StoreError;

/// An answer that takes longer is a break, unless leases say that it may take longer: others may have waited as well.
const SLOW: Duration = Duration::from_secs(1);

/// What one process has seen of the server.
#[derive(Debug, Default)]
pub(crate) struct Service(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Since when every answer came in time.
    since: Option<Instant>,
    /// What the server's clock said, and when it was asked.
    clock: Option<(u64, Instant)>,
    /// How long the lease of this process's worker is.
    lease: Duration,
}

impl Seen {
    /// How long an answer may take. Who lives says so at least every third of a lease: where that is heard a third of a
    /// lease late, each word still comes within the lease that the one before began. So a server that is slow but works
    /// does not keep those who are dead alive.
    fn slow(&self) -> Duration {
        SLOW.max(self.lease / 3)
    }
}

impl Service {
    /// A call was answered.
    pub(crate) fn answered(&self, asked: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.elapsed() > seen.slow() {
            seen.since = Some(Instant::now());
        } else {
            seen.since.get_or_insert(asked);
        }
    }

    /// This process has a worker, with such a lease.
    pub(crate) fn lives_by(&self, lease: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lease = lease;
    }

    /// How long a call may have been on its way for its answer to count, in milliseconds.
    pub(crate) fn patience(&self) -> u64 {
        millis(self.0.lock().unwrap_or_else(PoisonError::into_inner).slow())
    }

    /// A call was not answered.
    pub(crate) fn broke(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since = None;
    }

    /// The server's clock said so, in answer to a call of then.
    pub(crate) fn told(&self, millis: u64, asked: Instant) {
        // It said so after it was asked: reckoned from then, one is rather ahead of it than behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clock = Some((millis, asked));
    }

    /// For how long every answer came in time, in milliseconds.
    pub(crate) fn length(&self) -> u64 {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.since.map_or(0, |since| millis(since.elapsed()))
    }

    /// What time it is by the server's clock, as far as one can know; none before it was asked.
    pub(crate) fn time(&self) -> Option<u64> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clock.map(|(told, at)| told + millis(at.elapsed()))
    }
}

/// Whole milliseconds.
pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A store that was closed.
pub(crate) fn closed() -> StoreError {
    StoreError::Closed { why: "it was closed; open it again to go on".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_begins_the_time_anew() {
        let service = Service::default();
        let long_ago = Instant::now() - Duration::from_millis(900);
        service.answered(long_ago);
        assert!(service.length() >= 900);
        service.broke();
        assert_eq!(service.length(), 0);
        service.answered(Instant::now() - Duration::from_secs(3));
        assert!(service.length() < 900, "it was slow");
    }

    #[test]
    fn how_slow_an_answer_may_be_follows_from_the_lease() {
        let service = Service::default();
        assert_eq!(service.patience(), 1_000);
        service.lives_by(Duration::from_secs(2));
        assert_eq!(service.patience(), 1_000, "leases are not shorter than beats can be");
        service.lives_by(Duration::from_secs(15));
        assert_eq!(service.patience(), 5_000);
        let slow = || Instant::now() - Duration::from_secs(4);
        service.answered(slow());
        service.answered(slow());
        assert!(service.length() >= 4_000, "slow, but in time for every lease");
        service.answered(Instant::now() - Duration::from_secs(6));
        assert!(service.length() < 1_000, "that was a break");
    }

    #[test]
    fn the_servers_time_goes_on() {
        let service = Service::default();
        assert_eq!(service.time(), None);
        service.told(5_000, Instant::now() - Duration::from_millis(40));
        assert!(service.time().is_some_and(|time| (5_040..6_000).contains(&time)));
    }
}
