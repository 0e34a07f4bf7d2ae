//! Limits on lanes that all engines of a store keep together.

use crate::error::Error;
use std::time::Duration;
use vastflow_core::Name;
use vastflow_store::{LaneLimit, Rate};

/// A limit on the calls of a lane that all engines of a store keep together: how many at once, how often, or both.
///
/// ```
/// use std::time::Duration;
/// use vastflow_worker::Limit;
///
/// let licences = Limit::at_once(4);
/// let api = Limit::rate(50, Duration::from_secs(1)).burst(10).and_at_once(20);
/// # let _ = (licences, api);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    at_once: Option<usize>,
    rate: Option<(u32, Duration)>,
    burst: Option<u32>,
}

impl Limit {
    /// At most so many calls at once.
    #[must_use]
    pub const fn at_once(calls: usize) -> Self {
        Limit { at_once: Some(calls), rate: None, burst: None }
    }

    /// At most so many calls begin in that time. What was not used is saved up to the burst, which is as many as `calls`
    /// unless said. Another attempt is another call.
    #[must_use]
    pub const fn rate(calls: u32, time: Duration) -> Self {
        Limit { at_once: None, rate: Some((calls, time)), burst: None }
    }

    /// How many may begin together after a quiet time.
    #[must_use]
    pub const fn burst(self, calls: u32) -> Self {
        Limit { burst: Some(calls), ..self }
    }

    /// And at most so many at once.
    #[must_use]
    pub const fn and_at_once(self, calls: usize) -> Self {
        Limit { at_once: Some(calls), ..self }
    }

    /// What a claim says of it.
    pub(crate) fn of(self, lane: Name) -> Result<LaneLimit, Error> {
        let refused = |what: &str| Err(Error::Setting(format!("the limit of lane {lane:?} {what}")));
        if self.at_once == Some(0) || self.burst == Some(0) || self.rate.is_some_and(|(calls, _)| calls == 0) {
            return refused("lets nothing begin, for ever; give it at least 1");
        }
        if self.burst.is_some() && self.rate.is_none() {
            return refused("has a burst and no rate; begin with `Limit::rate`");
        }
        let rate = match self.rate {
            None => None,
            Some((calls, time)) => {
                let every = time / calls;
                if every < Duration::from_micros(1) || every > Duration::from_secs(24 * 60 * 60) {
                    return refused("is a rate beyond one call in a µs or below one in a day");
                }
                Some(Rate { burst: self.burst.unwrap_or(calls), every })
            }
        };
        Ok(LaneLimit { lane, at_once: self.at_once, rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(limit: Limit) -> Result<LaneLimit, Error> {
        limit.of(Name::new("gpu").unwrap())
    }

    #[test]
    fn limits_that_let_nothing_begin_are_refused() {
        let second = Duration::from_secs(1);
        for limit in [
            Limit::at_once(0),
            Limit::rate(0, second),
            Limit::rate(1, second).burst(0),
            Limit::at_once(2).burst(1),
            Limit::rate(1, Duration::from_secs(90_000)),
            Limit::rate(2_000_000, second),
        ] {
            let refused = of(limit).unwrap_err();
            assert!(refused.to_string().contains("limit of lane \"gpu\""), "{limit:?}: {refused}");
        }
        let limit = of(Limit::rate(50, second).and_at_once(3)).unwrap();
        assert_eq!((limit.at_once, limit.rate), (Some(3), Some(Rate { burst: 50, every: second / 50 })));
        assert_eq!(of(Limit::rate(50, second).burst(1)).unwrap().rate.unwrap().burst, 1);
    }
}
