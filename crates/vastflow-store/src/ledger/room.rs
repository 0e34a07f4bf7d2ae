//! How many calls of a lane may be handed out: as many as the worker has room for, and the fleet.

use super::Ledger;
use crate::work::{Claim, LaneLimit, Rate};
use rustc_hash::FxHashMap;
use vastflow_core::{Name, Timestamp};

/// When the bucket of a lane is full again, in µs since 1970: the one number that a leaky bucket needs, as the generic
/// cell rate algorithm has it (ITU-T I.371, where it is called the theoretical arrival time).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// How many calls may begin now.
    fn calls(self, rate: Rate, now: Timestamp) -> usize {
        let (now, every) = (micros(now), rate.every_micros());
        let left = (now + every * u64::from(rate.burst)).saturating_sub(self.full_at.max(now));
        usize::try_from(left / every).unwrap_or(usize::MAX)
    }

    /// So many begin now.
    fn spend(&mut self, calls: usize, rate: Rate, now: Timestamp) {
        self.full_at = self.full_at.max(micros(now)) + rate.every_micros() * calls as u64;
    }

    /// When the next may begin, if none may now.
    fn next(self, rate: Rate) -> Timestamp {
        let next = self.full_at.saturating_sub(rate.every_micros() * u64::from(rate.burst.max(1) - 1));
        Timestamp::from_millis(next.div_ceil(1_000))
    }
}

fn micros(time: Timestamp) -> u64 {
    time.millis() * 1_000
}

/// The room that is left in each lane of a claim.
pub(super) struct Rooms<'a> {
    rooms: FxHashMap<&'a Name, usize>,
    given: FxHashMap<&'a Name, usize>,
}

impl<'a> Rooms<'a> {
    /// The room there is: the least of what the worker and the limits leave.
    pub(super) fn of(ledger: &Ledger, ask: &'a Claim) -> Self {
        let mut rooms: FxHashMap<&Name, usize> = ask.lanes.iter().map(|(lane, room)| (lane, *room)).collect();
        for limit in &*ask.limits {
            if let Some(room) = rooms.get_mut(&limit.lane) {
                *room = (*room).min(ledger.room_in(limit, ask.now));
            }
        }
        Rooms { rooms, given: FxHashMap::default() }
    }

    /// Whether a call that queues there can be handed out.
    pub(super) fn has_room(&self, lane: Option<&Name>) -> bool {
        lane.is_none_or(|lane| self.rooms.get(lane).is_some_and(|room| *room > 0))
    }

    /// A call that queued there was handed out.
    pub(super) fn take(&mut self, lane: Option<&Name>) {
        let Some((name, room)) =
            lane.and_then(|lane| self.rooms.get_key_value(lane)).map(|(name, room)| (*name, *room))
        else {
            return;
        };
        self.rooms.insert(name, room - 1);
        *self.given.entry(name).or_default() += 1;
    }
}

impl Ledger {
    /// How many calls of a lane its limit lets begin now.
    fn room_in(&self, limit: &LaneLimit, now: Timestamp) -> usize {
        let at_once = limit.at_once.map(|most| most.saturating_sub(self.queue.in_hand(&limit.lane)));
        let rated = limit.rate.map(|rate| self.bucket(&limit.lane).calls(rate, now));
        at_once.unwrap_or(usize::MAX).min(rated.unwrap_or(usize::MAX))
    }

    fn bucket(&self, lane: &Name) -> Bucket {
        self.buckets.get(lane).copied().unwrap_or_default()
    }

    /// Takes what was handed out from the buckets of its lanes. Gives the time at which the next call of a lane may
    /// begin, of those where `waits` says that one waits for it.
    pub(super) fn spend(
        &mut self,
        ask: &Claim,
        rooms: &Rooms<'_>,
        waits: impl Fn(&Self, &Name) -> bool,
    ) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for limit in &*ask.limits {
            let Some(rate) = limit.rate else { continue };
            let mut bucket = self.bucket(&limit.lane);
            if let Some(given) = rooms.given.get(&limit.lane) {
                bucket.spend(*given, rate, ask.now);
                self.buckets.insert(limit.lane.clone(), bucket);
            }
            if bucket.calls(rate, ask.now) == 0 && waits(self, &limit.lane) {
                let due = bucket.next(rate);
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_bucket_fills_by_one_at_a_time_up_to_its_burst() {
        let rate = Rate { burst: 3, every: Duration::from_millis(100) };
        let mut bucket = Bucket::default();
        assert_eq!(bucket.calls(rate, at(0)), 3);
        bucket.spend(3, rate, at(0));
        assert_eq!((bucket.calls(rate, at(99)), bucket.calls(rate, at(100))), (0, 1));
        assert_eq!(bucket.next(rate), at(100));
        assert_eq!(
            (bucket.calls(rate, at(299)), bucket.calls(rate, at(300)), bucket.calls(rate, at(9_000))),
            (2, 3, 3)
        );
        bucket.spend(1, rate, at(150));
        assert_eq!((bucket.calls(rate, at(199)), bucket.calls(rate, at(200))), (0, 1));
    }

    #[test]
    fn a_rate_beyond_a_thousand_a_second_is_kept() {
        let rate = Rate { burst: 10, every: Duration::from_micros(100) };
        let (mut bucket, mut begun) = (Bucket::default(), 0);
        for millis in 0..1_000 {
            let calls = bucket.calls(rate, at(millis));
            bucket.spend(calls, rate, at(millis));
            begun += calls;
        }
        assert_eq!(begun, 10 * 1_000);
    }
}
