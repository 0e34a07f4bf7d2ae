//! What time it is: the store's clock where that is shared, else the system's, but it never goes back.
//!
//! A state takes a task that is due later than an event for one that only waits. So an event must not be recorded with
//! a time from before a task was due that is running by then, which is what a clock that was set back would do.

use crate::shared::lock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use vastflow_core::Timestamp;

/// What time it is for an engine. A store that is shared by machines says what time it is; from there on the time goes on
/// by this machine's monotonic clock, so that a wall clock that is wrong, or is set, is of no matter.
///
/// The store read its clock some time between the question and the answer. Of what is possible the latest is taken: a
/// timer that is set by this clock then never comes too early by the store's, which judges it, and no event is recorded
/// with a time from before its task was due. Each answer narrows what is possible, so one that is long on its way does no
/// harm (D. L. Mills, *Internet time synchronization*, 1991, of which this keeps one bound).
#[derive(Debug)]
pub(crate) struct StoreClock {
    since: Instant,
    /// How much the store's time, in microseconds since 1970, is ahead of the time since `since`; 0: it never said.
    ahead: AtomicU64,
    clock: Clock,
}

impl Default for StoreClock {
    fn default() -> Self {
        StoreClock { since: Instant::now(), ahead: AtomicU64::new(0), clock: Clock::new() }
    }
}

impl StoreClock {
    /// The store says what time it is, and was asked then.
    pub(crate) fn hear(&self, now: Timestamp, asked: Instant) {
        // Whole milliseconds are told.
        let (first, last) = (now.millis().saturating_mul(1_000), now.millis().saturating_mul(1_000) + 999);
        let at_most = last.saturating_sub(micros(asked.saturating_duration_since(self.since)));
        let at_least = first.saturating_sub(self.passed());
        let known = self.ahead.load(Ordering::Acquire);
        let ahead = if known < at_least { at_most } else { known.min(at_most) };
        self.ahead.store(ahead, Ordering::Release);
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self.ahead.load(Ordering::Acquire) {
            0 => wall_clock(),
            ahead => Timestamp::from_millis(self.clock.after((ahead + self.passed()) / 1_000, Instant::now)),
        }
    }

    fn passed(&self) -> u64 {
        micros(self.since.elapsed())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What time it is, the same for all engines of this process.
pub(crate) fn wall_clock() -> Timestamp {
    static CLOCK: Clock = Clock::new();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(CLOCK.after(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Instant::now))
}

/// The latest time told. While the system's clock is behind it, it goes on a little slower, until it is caught up with.
#[derive(Debug)]
struct Clock {
    last: AtomicU64,
    /// When the system's clock was found behind, and what had been told by then.
    behind: Mutex<Option<(Instant, u64)>>,
}

impl Clock {
    const fn new() -> Self {
        Clock { last: AtomicU64::new(0), behind: Mutex::new(None) }
    }

    /// The time to tell when the system's clock says `wall`; in milliseconds.
    fn after(&self, wall: u64, now: impl FnOnce() -> Instant) -> u64 {
        let last = self.last.load(Ordering::Acquire);
        if wall > last {
            self.last.fetch_max(wall, Ordering::AcqRel);
        }
        if wall >= last {
            return wall;
        }
        let now = now();
        let mut behind = lock(&self.behind);
        let (since, told) = *behind.get_or_insert((now, last));
        let passed = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(u64::MAX);
        let slow = told.saturating_add(passed / 8 * 7);
        if slow < last {
            // It had been caught up with since then.
            *behind = Some((now, last));
        }
        self.last.fetch_max(slow, Ordering::AcqRel).max(slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_store_says_counts_and_goes_on_by_itself() {
        let clock = StoreClock::default();
        assert!(clock.now().millis() > 1_700_000_000_000, "the system's clock, as long as the store said nothing");
        let told = |millis| clock.hear(Timestamp::from_millis(millis), Instant::now());
        told(5_000);
        let first = clock.now().millis();
        assert!((5_000..6_000).contains(&first), "{first}");
        told(1_000);
        assert!(clock.now().millis() >= first, "it never goes back");
        told(60_000);
        assert!(clock.now().millis() >= 60_000);
    }

    #[test]
    fn it_is_the_latest_time_that_is_possible_and_each_answer_narrows_that() {
        let since = Instant::now();
        let clock = StoreClock { since, ..StoreClock::default() };
        let ahead = || clock.ahead.load(Ordering::Acquire);
        std::thread::sleep(Duration::from_millis(20));
        // Asked at the beginning: it may have been said then, and be 20 ms later now.
        clock.hear(Timestamp::from_millis(5_000), since);
        assert_eq!(ahead(), 5_000_999);
        let asked = Instant::now();
        clock.hear(Timestamp::from_millis(5_010), asked);
        assert_eq!(ahead(), 5_010_999 - micros(asked - since), "the answer came at once");
        let narrow = ahead();
        clock.hear(Timestamp::from_millis(5_010), since);
        assert_eq!(ahead(), narrow, "one that was long on its way changes nothing");
        clock.hear(Timestamp::from_millis(9_000), since);
        assert_eq!(ahead(), 9_000_999, "a clock that was set counts");
    }

    #[test]
    fn it_never_goes_back_and_never_stands_still() {
        let (clock, start) = (Clock::new(), Instant::now());
        let at = |wall: u64, real: u64| clock.after(wall, || start + Duration::from_millis(real));
        assert_eq!([at(10_000, 0), at(10_008, 8)], [10_008 - 8, 10_008]);
        // Set back by five seconds: it goes on from where it was, seven ms in eight.
        assert_eq!([at(5_016, 16), at(5_816, 816), at(6_616, 1_616)], [10_008, 10_708, 11_408]);
        // Caught up with at last, and set back again, by one second.
        assert_eq!([at(52_000, 47_000), at(51_000, 47_001), at(51_800, 47_801)], [52_000, 52_000, 52_700]);
    }
}
