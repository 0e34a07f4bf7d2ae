//! Signed requests: HMAC-SHA256 over id, time, what is asked for and the body.

use crate::auth::Principal;
use crate::auth::token::hex;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use subtle::{Choice, ConstantTimeEq};

/// How far the clock of who signs may be from ours, in seconds.
const TOLERANCE: u64 = 300;
/// For how long an id is remembered, in seconds: longer than a signature can be good for.
const REMEMBERED: u64 = 600;
/// The most ids that are remembered. More signed requests than that in ten minutes are told to wait.
const MOST: usize = 200_000;

/// What is signed of a request, besides its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    /// Seconds since 1970, as it was sent.
    pub(crate) timestamp: &'a str,
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
}

/// What came of looking at a signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Good,
    Bad,
    /// Its time is too far from ours.
    Stale,
    /// The same id was used before.
    Replayed,
    /// There is no room to remember its id.
    Full,
}

/// A secret that requests are signed with.
pub(crate) struct Signing {
    secret: Vec<u8>,
    who: Principal,
    /// Whether goflow's `X-Hub-Signature` counts, too.
    pub(crate) goflow: bool,
    /// Ids that were used, with until when they are remembered.
    used: Mutex<FxHashMap<Box<str>, u64>>,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signing({})", self.who.name())
    }
}

impl Signing {
    pub(crate) fn new(secret: &[u8], who: Principal) -> Self {
        Signing { secret: secret.to_vec(), who, goflow: false, used: Mutex::default() }
    }

    pub(crate) fn who(&self) -> Principal {
        self.who.clone()
    }

    /// Whether a signature can be good whatever was signed: it looks like one, its time is near and its id new.
    pub(crate) fn look(&self, id: &str, timestamp: &str, signatures: &str, now: u64) -> Checked {
        if !given(signatures).any(|one| one.len() == 32) {
            return Checked::Bad;
        }
        if !is_near(timestamp, now) {
            return Checked::Stale;
        }
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(id).is_some_and(|until| *until > now) { Checked::Replayed } else { Checked::Good }
    }

    /// The same of goflow's.
    pub(crate) fn look_goflow(&self, header: &str) -> Checked {
        let digits = header.strip_prefix("sha256=").unwrap_or("");
        let is_one = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.goflow && is_one { Checked::Good } else { Checked::Bad }
    }

    /// Whether one of the signatures in a header is good, and its id new.
    pub(crate) fn check(&self, signed: Signed<'_>, signatures: &str, body: &[u8], now: u64) -> Checked {
        let expected = mac(&self.secret, signed, body);
        let none = Choice::from(0);
        let is_good = given(signatures).fold(none, |so_far, one| so_far | one.as_slice().ct_eq(&expected));
        if !bool::from(is_good) {
            return Checked::Bad;
        }
        if !is_near(signed.timestamp, now) {
            return Checked::Stale;
        }
        self.remember(signed.id, now)
    }

    /// Whether goflow's signature of a body is good.
    pub(crate) fn check_goflow(&self, header: &str, body: &[u8]) -> Checked {
        if self.goflow && verify_goflow(&self.secret, header, body) { Checked::Good } else { Checked::Bad }
    }

    fn remember(&self, id: &str, now: u64) -> Checked {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.get(id).is_some_and(|until| *until > now) {
            return Checked::Replayed;
        }
        if used.len() == used.capacity() || used.len() >= MOST {
            used.retain(|_, until| *until > now);
        }
        if used.len() >= MOST {
            return Checked::Full;
        }
        used.insert(id.into(), now + REMEMBERED);
        Checked::Good
    }
}

/// The signatures of a header that can be read.
fn given(header: &str) -> impl Iterator<Item = Vec<u8>> {
    let all = header.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    all.filter_map(|one| BASE64_STANDARD.decode(one).ok())
}

fn is_near(timestamp: &str, now: u64) -> bool {
    timestamp.parse().is_ok_and(|at: u64| at.abs_diff(now) <= TOLERANCE)
}

fn mac(secret: &[u8], signed: Signed<'_>, body: &[u8]) -> [u8; 32] {
    let Signed { id, timestamp, method, target } = signed;
    hmac_sha256(secret, &[format!("{id}.{timestamp}.{method} {target}.").as_bytes(), body])
}

fn hmac_sha256(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is one of a block's length: a longer one is hashed, a shorter one filled up (RFC 2104).
    let mut key = [0; 64];
    match secret.len() {
        65.. => key[..32].copy_from_slice(&Sha256::digest(secret)),
        len => key[..len].copy_from_slice(secret),
    }
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&key.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// The value of `X-Vastflow-Signature` for a request: `v1,` and base64 of the HMAC-SHA256 over
/// `id.timestamp.METHOD path?query.body`. The id goes into `X-Vastflow-Id`, the seconds since 1970 into
/// `X-Vastflow-Timestamp`.
///
/// What is asked for is signed, too, so that a signature for `pause` is none for `kill`.
#[must_use]
pub fn sign(secret: &[u8], id: &str, timestamp: u64, method_and_target: (&str, &str), body: &[u8]) -> String {
    let timestamp = timestamp.to_string();
    let (method, target) = method_and_target;
    let signed = Signed { id, timestamp: &timestamp, method, target };
    format!("v1,{}", BASE64_STANDARD.encode(mac(secret, signed, body)))
}

/// Whether `sha256=<hex>`, as goflow signs a body, is good. Its older `sha1=` never is.
#[must_use]
pub fn verify_goflow(secret: &[u8], header: &str, body: &[u8]) -> bool {
    let expected = hex(&hmac_sha256(secret, &[body]));
    header.strip_prefix("sha256=").is_some_and(|given| given.as_bytes().ct_eq(expected.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn signing() -> Signing {
        Signing::new(b"secret", Principal::anyone())
    }

    fn signed<'a>(id: &'a str, timestamp: &'a str, target: &'a str) -> Signed<'a> {
        Signed { id, timestamp, method: "POST", target }
    }

    #[test]
    fn a_signature_is_good_once_and_for_what_was_signed() {
        let (signing, good) = (signing(), sign(b"secret", "m1", NOW, ("POST", "/a"), b"body"));
        let at = NOW.to_string();
        let check = |of, body: &[u8]| signing.check(of, &good, body, NOW);
        assert_eq!(check(signed("m1", &at, "/b"), b"body"), Checked::Bad, "another path");
        assert_eq!(check(signed("m2", &at, "/a"), b"body"), Checked::Bad, "another id");
        assert_eq!(check(signed("m1", &at, "/a"), b"other"), Checked::Bad, "another body");
        assert_eq!(check(signed("m1", &at, "/a"), b"body"), Checked::Good);
        assert_eq!(check(signed("m1", &at, "/a"), b"body"), Checked::Replayed);
        let rotated = format!("v1,AAAA {}", sign(b"secret", "m3", NOW, ("POST", "/a"), b""));
        assert_eq!(signing.check(signed("m3", &at, "/a"), &rotated, b"", NOW), Checked::Good, "one of several");
    }

    #[test]
    fn a_signature_is_good_for_five_minutes() {
        let (signing, at) = (signing(), NOW.to_string());
        let good = sign(b"secret", "m1", NOW, ("POST", "/a"), b"");
        for (now, checked) in [(NOW + 301, Checked::Stale), (NOW - 301, Checked::Stale), (NOW + 300, Checked::Good)] {
            assert_eq!(signing.check(signed("m1", &at, "/a"), &good, b"", now), checked, "{now}");
        }
    }

    #[test]
    fn what_cannot_be_a_signature_is_seen_without_the_body() {
        let (mut signing, at, old) = (signing(), NOW.to_string(), (NOW - 301).to_string());
        let good = sign(b"secret", "m1", NOW, ("POST", "/a"), b"body");
        let other = sign(b"other", "m1", NOW, ("POST", "/a"), b"body");
        assert_eq!(signing.look("m1", &at, &other, NOW), Checked::Good, "only the body tells");
        for bad in ["", "v1,", "v1,AAAA", "v2,AAAA", "v1,!", "sha256=00"] {
            assert_eq!(signing.look("m1", &at, bad, NOW), Checked::Bad, "{bad}");
        }
        assert_eq!(signing.look("m1", &old, &good, NOW), Checked::Stale);
        assert_eq!(signing.look("m1", "", &good, NOW), Checked::Stale);
        assert_eq!(signing.check(signed("m1", &at, "/a"), &good, b"body", NOW), Checked::Good);
        assert_eq!(signing.look("m1", &at, &good, NOW), Checked::Replayed);
        let digits = format!("sha256={}", "5a".repeat(32));
        assert_eq!(signing.look_goflow(&digits), Checked::Bad, "nobody asked for it");
        signing.goflow = true;
        assert_eq!(signing.look_goflow(&digits), Checked::Good);
        assert_eq!(signing.look_goflow(&digits[..70]), Checked::Bad);
    }

    #[test]
    fn goflows_signature_counts_only_when_asked_for_and_never_with_sha1() {
        // As of RFC 4231, test case 2.
        let good = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let body = b"what do ya want for nothing?";
        assert!(verify_goflow(b"Jefe", good, body));
        assert!(!verify_goflow(b"Jefe", good, b"other"));
        assert!(!verify_goflow(b"Jefe", &good.replace("sha256", "sha1"), body));
        let mut signing = Signing::new(b"Jefe", Principal::anyone());
        assert_eq!(signing.check_goflow(good, body), Checked::Bad);
        signing.goflow = true;
        assert_eq!(signing.check_goflow(good, body), Checked::Good);
    }
}
