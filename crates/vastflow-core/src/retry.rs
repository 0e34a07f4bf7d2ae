//! Retry policies: how often, and how long to wait before the next try.

use crate::id::{NodeIx, RunId};
use crate::time::{millis, round_up};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How often failed work is tried again and how long to wait before. The default is never.
///
/// ```
/// use core::time::Duration;
/// use vastflow_core::retry::RetryPolicy;
///
/// let policy = RetryPolicy::times(3).exponential(Duration::from_millis(100));
/// assert_eq!(policy.wait(1, 0), Some(Duration::from_millis(100)));
/// assert_eq!(policy.wait(3, 0), Some(Duration::from_millis(400)));
/// assert_eq!(policy.wait(4, 0), None); // three retries are four calls in all
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Retries after the first try: 3 means four calls in all.
    pub retries: u32,
    /// The wait before the first retry.
    #[serde(rename = "interval_ms", with = "millis")]
    pub interval: Duration,
    /// What each further wait is multiplied with: 1 is a fixed interval, 2 doubles.
    pub factor: u32,
    /// No wait is longer than this.
    #[serde(rename = "max_interval_ms", with = "millis")]
    pub max_interval: Duration,
    /// Up to this many per cent of each wait are taken off, by a hash of run, node and attempt, so that runs that
    /// failed together do not come back together. 0 to 100.
    pub jitter_percent: u8,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy::times(0)
    }
}

impl RetryPolicy {
    /// A policy with `retries` retries, at once each.
    #[must_use]
    pub const fn times(retries: u32) -> Self {
        RetryPolicy {
            retries,
            interval: Duration::ZERO,
            factor: 1,
            max_interval: Duration::from_secs(3600),
            jitter_percent: 0,
        }
    }

    /// The same with a fixed `interval` before each retry.
    #[must_use]
    pub const fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self.factor = 1;
        self
    }

    /// The same with waits that begin at `first` and double.
    #[must_use]
    pub const fn exponential(mut self, first: Duration) -> Self {
        self.interval = first;
        self.factor = 2;
        self
    }

    /// The same with no wait longer than `longest` (default one hour).
    #[must_use]
    pub const fn max_interval(mut self, longest: Duration) -> Self {
        self.max_interval = longest;
        self
    }

    /// The same with up to `percent` of each wait taken off, differently for each run and attempt.
    #[must_use]
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.jitter_percent = if percent > 100 { 100 } else { percent };
        self
    }

    pub(crate) fn round_times(&mut self) {
        round_up(&mut self.interval);
        round_up(&mut self.max_interval);
    }

    /// How long to wait after failed try number `attempt` (from 1), or `None` when the retries are spent.
    /// `seed` chooses the jitter: the same seed, the same wait.
    #[must_use]
    pub fn wait(&self, attempt: u32, seed: u64) -> Option<Duration> {
        if attempt > self.retries {
            return None;
        }
        let factor = self.factor.max(1).checked_pow(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let full = self.interval.saturating_mul(factor).min(self.max_interval);
        let off = u128::from(self.jitter_percent.min(100)) * u128::from(seed % 1_000);
        let nanos = full.as_nanos() - full.as_nanos() * off / 100_000;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// A number that tells runs apart: FNV-1a of the id, <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[must_use]
pub fn run_seed(run: &RunId) -> u32 {
    run.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The jitter seed of one wait: it differs from run to run, node to node and try to try, and is always the same for
/// one of them.
#[must_use]
pub fn jitter(run: u32, node: Option<NodeIx>, attempt: u32) -> u64 {
    let place = u64::from(node.map_or(u32::MAX, |n| n.0)) << 32 | u64::from(attempt);
    mixed((u64::from(run) << 16) ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): every bit of the result depends on every bit of `x`, and different
/// numbers stay different.
#[must_use]
pub const fn mixed(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_never_overflow() {
        let policy = RetryPolicy::times(u32::MAX).exponential(Duration::from_secs(1));
        assert_eq!(policy.wait(u32::MAX, 0), Some(Duration::from_secs(3600)));
        assert_eq!(policy.wait(3, 0), Some(Duration::from_secs(4)));
    }

    #[test]
    fn jitter_only_shortens_and_differs() {
        let policy = RetryPolicy::times(9).every(Duration::from_secs(10)).jitter(50);
        let run = run_seed(&RunId::new("r").unwrap());
        let waits: std::collections::BTreeSet<_> =
            (1..9).map(|a| policy.wait(a, jitter(run, Some(NodeIx(1)), a)).unwrap()).collect();
        assert!(waits.len() > 4);
        assert!(waits.iter().all(|w| *w >= Duration::from_secs(5) && *w <= Duration::from_secs(10)));
    }
}
