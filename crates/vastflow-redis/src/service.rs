//! Since when the store has answered without a break: only who has seen that may say of others that they are dead.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use vastflow_store::StoreError;

/// An answer that takes longer is a break: others may have waited as well.
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
}

impl Service {
    /// A call was answered.
    pub(crate) fn answered(&self, asked: Instant) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.elapsed() > SLOW {
            seen.since = Some(Instant::now());
        } else {
            seen.since.get_or_insert(asked);
        }
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

/// How long a call may have been on its way for its answer to count.
pub(crate) const PATIENCE: u64 = 1_000;

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
    fn the_servers_time_goes_on() {
        let service = Service::default();
        assert_eq!(service.time(), None);
        service.told(5_000, Instant::now() - Duration::from_millis(40));
        assert!(service.time().is_some_and(|time| (5_040..6_000).contains(&time)));
    }
}
