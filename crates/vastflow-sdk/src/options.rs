//! Options as people say them: `3.times().exponential(100.ms())`, `30.secs()`.

use std::time::Duration;
pub use vastflow_core::retry::RetryPolicy as Retry;

/// `3.times()`: a retry policy.
pub trait TimesExt {
    /// This many retries after the first try, at once each; see [`Retry`] for the waits.
    ///
    /// ```
    /// use vastflow_sdk::{DurationExt, TimesExt};
    ///
    /// assert_eq!(3.times().exponential(100.ms()).retries, 3);
    /// ```
    fn times(self) -> Retry;
}

impl TimesExt for u32 {
    fn times(self) -> Retry {
        Retry::times(self)
    }
}

/// `100.ms()`, `30.secs()`: durations.
pub trait DurationExt {
    /// Milliseconds.
    fn ms(self) -> Duration;
    /// Seconds.
    ///
    /// ```
    /// use vastflow_sdk::DurationExt;
    ///
    /// assert_eq!(30.secs(), std::time::Duration::from_secs(30));
    /// ```
    fn secs(self) -> Duration;
    /// Minutes.
    fn mins(self) -> Duration;
    /// Hours.
    fn hours(self) -> Duration;
    /// Days of 24 hours.
    fn days(self) -> Duration;
}

impl DurationExt for u32 {
    fn ms(self) -> Duration {
        Duration::from_millis(self.into())
    }
    fn secs(self) -> Duration {
        Duration::from_secs(self.into())
    }
    fn mins(self) -> Duration {
        Duration::from_secs(u64::from(self) * 60)
    }
    fn hours(self) -> Duration {
        Duration::from_secs(u64::from(self) * 3_600)
    }
    fn days(self) -> Duration {
        Duration::from_secs(u64::from(self) * 86_400)
    }
}
