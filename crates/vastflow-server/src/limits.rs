//! How much a service takes on at once.

use crate::problem::Refusal;
use rustc_hash::FxHashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a service takes on, and how long it waits for it. Take [`Limits::default`] and change what should differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// The most bytes that start a run or travel with a signal; 1 MiB, as much as a payload may have.
    pub payload_bytes: usize,
    /// The most bytes of another body; 2 MiB.
    pub body_bytes: usize,
    /// The most bytes of a bulk request; 8 MiB.
    pub bulk_bytes: usize,
    /// The most bytes of a request's head; 32 KiB.
    pub header_bytes: usize,
    /// How long a request's head may take to arrive; 10 s.
    pub header_time: Duration,
    /// The most connections at once; 16,384. A process needs as many open files, and some more.
    pub connections: usize,
    /// The most connections of one address, but for this machine's; 1,024. Behind a proxy on another machine all come from
    /// there, so there it is as many as the proxy opens.
    pub connections_each: usize,
    /// How long a connection may have nothing under way, or take nothing of its answer; 75 s.
    pub idle_time: Duration,
    /// How long it may have nothing under way when less than a quarter of the connections is left; 10 s.
    pub scarce_idle_time: Duration,
    /// How long a request may take, with its body's arrival; 30 s. Streams and waiting for a run's end are not counted.
    pub request_time: Duration,
    /// How long `POST /flow/{name}` waits for the run's end, unless it says otherwise; 120 s.
    pub wait: Duration,
    /// The most it can be told to wait; 10 min.
    pub longest_wait: Duration,
    /// How many such waits there may be at once; 4,096. Who waits holds no place of [`requests`](Limits::requests). Without
    /// room for it nobody waits: the answer is 202, with where to ask.
    pub waits: usize,
    /// The most waits of one token at once; 1,024. Without tokens it is that of one address, but for this machine's.
    pub waits_each: usize,
    /// The most requests at once; 512.
    pub requests: usize,
    /// The most requests of one token at once; 128. Without tokens, and of those who need none, it is that of one address,
    /// but for this machine's. A request is under way until its answer is on its way as a whole.
    pub requests_each: usize,
    /// The most requests at once of those who are not known before their body was read, because they sign it; 64.
    pub unknown: usize,
    /// The most such requests of one address, but for this machine's; 16. Of ten that came to nothing, one every six seconds
    /// is listened to from there.
    pub unknown_each: usize,
    /// How long such a body may take to arrive; 10 s.
    pub unknown_time: Duration,
    /// How many runs are looked at for one page of a list, when not all that the store finds belong on it; 10,000.
    pub looked_at: usize,
    /// How long is looked for one such page, and for what waits for a person; 2 s.
    pub look_time: Duration,
    /// The most streams at once; 200.
    pub streams: usize,
    /// The most streams of one token at once; 20. Without tokens it is that of one address, but for this machine's.
    pub streams_each: usize,
    /// Requests a second, and how many at a go, of one token, or of one address without. None: 100 and 200, and nothing is
    /// counted that comes from this machine.
    pub rate: Option<(u32, u32)>,
    /// How long a stream may have nothing to say before it says so, lest somebody take it for dead; 15 s.
    pub keep_alive: Duration,
    /// How long a stream lasts; 15 min. Whoever listens comes back with `Last-Event-ID`, as browsers do by themselves, and is
    /// asked again who they are: so long does somebody hear on whose token was revoked.
    pub stream_time: Duration,
    /// How long a browser's session lasts; 12 h.
    pub session_time: Duration,
    /// How long a browser's session may be unused; 1 h.
    pub session_idle: Duration,
    /// The most sessions of one token at once; 200. Of more, the one that was not used for the longest time ends.
    pub sessions_each: usize,
    /// How long what is under way is waited for when the service ends; 30 s.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            payload_bytes: vastflow_core::limits::MAX_PAYLOAD_BYTES,
            body_bytes: 2 << 20,
            bulk_bytes: 8 << 20,
            header_bytes: 32 << 10,
            header_time: Duration::from_secs(10),
            connections: 16_384,
            connections_each: 1_024,
            idle_time: Duration::from_secs(75),
            scarce_idle_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
            wait: Duration::from_secs(120),
            longest_wait: Duration::from_secs(600),
            waits: 4_096,
            waits_each: 1_024,
            requests: 512,
            requests_each: 128,
            unknown: 64,
            unknown_each: 16,
            unknown_time: Duration::from_secs(10),
            looked_at: 10_000,
            look_time: Duration::from_secs(2),
            streams: 200,
            streams_each: 20,
            rate: None,
            keep_alive: Duration::from_secs(15),
            stream_time: Duration::from_secs(900),
            session_time: Duration::from_secs(12 * 60 * 60),
            session_idle: Duration::from_secs(60 * 60),
            sessions_each: 200,
            drain: Duration::from_secs(30),
        }
    }
}

/// How many are remembered before those that have rested are forgotten.
const MOST: usize = 10_000;

/// Whom a bucket belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Name(String),
    /// All that one may have at hand: an address, or of version 6 the network it is in.
    Network(IpAddr),
    /// Tries to sign in that failed, from there.
    Failures(IpAddr),
    /// Bodies that were listened to and came to nothing, from there.
    InVain(IpAddr),
    /// Connections that found no room.
    NoRoom,
}

impl Whose {
    pub(crate) fn at(peer: IpAddr) -> Self {
        Whose::Network(network_of(peer))
    }

    pub(crate) fn failures(peer: IpAddr) -> Self {
        Whose::Failures(network_of(peer))
    }

    pub(crate) fn in_vain(peer: IpAddr) -> Self {
        Whose::InVain(network_of(peer))
    }
}

/// What is given out as one: an address of version 4, and of version 6 the first 64 bits, below which anybody has as many
/// addresses as they like.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(peer) => IpAddr::V6((u128::from(peer) >> 64 << 64).into()),
        peer => peer,
    }
}

/// A bucket for each who asks: so many requests a second on the long run, and some at a go.
#[derive(Debug)]
pub(crate) struct Buckets {
    per_second: f64,
    burst: f64,
    all: Mutex<FxHashMap<Whose, (f64, Instant)>>,
}

impl Buckets {
    pub(crate) fn new(per_second: f64, burst: u32) -> Self {
        Buckets { per_second, burst: f64::from(burst), all: Mutex::default() }
    }

    /// Takes one from a bucket; if it is empty, says how long to wait.
    pub(crate) fn take(&self, whose: Whose, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.wait(&whose, now) {
            return Err(wait);
        }
        let left = self.left(&whose, now);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, (had, since)| self.now_has(*had, *since, now) < self.burst);
        }
        all.insert(whose, (left - 1.0, now));
        Ok(())
    }

    /// How long to wait until there is something in a bucket; none when there is.
    pub(crate) fn wait(&self, whose: &Whose, now: Instant) -> Option<Duration> {
        let left = self.left(whose, now);
        (left < 1.0).then(|| Duration::from_secs_f64((1.0 - left) / self.per_second))
    }

    fn left(&self, whose: &Whose, now: Instant) -> f64 {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(whose).map_or(self.burst, |(had, since)| self.now_has(*had, *since, now))
    }

    fn now_has(&self, had: f64, since: Instant, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(since).as_secs_f64();
        passed.mul_add(self.per_second, had).min(self.burst)
    }
}

/// Too much was asked for.
pub(crate) fn limited(wait: Duration, what: &str) -> Refusal {
    let mut refusal = Refusal::new("rate-limited", format!("too many {what}; try again in {} s", wait.as_secs() + 1));
    refusal.1 = Some(wait);
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_fills_again_and_each_has_their_own() {
        let (buckets, start) = (Buckets::new(2.0, 3), Instant::now());
        let ann = || Whose::Name("ann".into());
        for _ in 0..3 {
            buckets.take(ann(), start).unwrap();
        }
        assert_eq!(buckets.take(ann(), start), Err(Duration::from_millis(500)));
        buckets.take(Whose::Name("bob".into()), start).unwrap();
        buckets.take(ann(), start + Duration::from_millis(500)).unwrap();
        buckets.take(ann(), start + Duration::from_millis(500)).unwrap_err();
    }

    #[test]
    fn an_address_of_version_6_is_that_of_its_network() {
        let at = |text: &str| Whose::at(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:1"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"), "one of version 4 in the clothes of version 6");
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
    }

    #[test]
    fn who_has_rested_is_forgotten() {
        let (buckets, start) = (Buckets::new(1.0, 2), Instant::now());
        for at in 0..MOST {
            buckets.take(Whose::Name(at.to_string()), start).unwrap();
        }
        buckets.take(Whose::Name("new".into()), start + Duration::from_secs(5)).unwrap();
        assert_eq!(buckets.all.lock().unwrap().len(), 1);
    }
}
