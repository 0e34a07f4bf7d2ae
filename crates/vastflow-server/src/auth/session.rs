//! Sessions of browsers: a cookie in the place of a token, so that no page's script holds one.
//!
//! They are kept in memory, by a hash: a restart ends them all, and whoever has the token signs in again.

use crate::auth::random;
use crate::auth::token::hex;
use crate::limits::Limits;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most sessions at once; of more, the one that was not used for the longest time ends.
const MOST: usize = 10_000;

/// The sessions that go on.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// How long one lasts.
    lasts: Duration,
    /// How long one may be unused.
    idle: Duration,
    /// The most of one token.
    each: usize,
    all: Mutex<FxHashMap<String, Session>>,
}

#[derive(Debug)]
struct Session {
    /// The hash of the token that it stands for. With the token it ends.
    token: String,
    began: Instant,
    used: Instant,
}

impl Sessions {
    pub(crate) fn new(limits: &Limits) -> Self {
        let Limits { session_time: lasts, session_idle: idle, sessions_each: each, .. } = *limits;
        Sessions { lasts, idle, each, all: Mutex::default() }
    }

    /// How long a session lasts.
    pub(crate) const fn lasts(&self) -> Duration {
        self.lasts
    }

    /// Begins a session of whoever has the token of this hash, and gives its secret.
    pub(crate) fn begin(&self, token: String, now: Instant) -> Result<String, String> {
        let secret = hex(&random::<32>()?);
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, session| self.goes_on(session, now));
        }
        let is_own = |session: &Session| session.token == token;
        if all.values().filter(|session| is_own(session)).count() >= self.each {
            all.retain(|_, session| !is_own(session) || self.goes_on(session, now));
        }
        if all.values().filter(|session| is_own(session)).count() >= self.each {
            end_oldest(&mut all, is_own);
        }
        if all.len() >= MOST {
            end_oldest(&mut all, |_| true);
        }
        all.insert(key_of(&secret), Session { token, began: now, used: now });
        Ok(secret)
    }

    /// The hash of the token that a session stands for, if it goes on; it was used now.
    pub(crate) fn token_of(&self, secret: &str, now: Instant) -> Option<String> {
        let key = key_of(secret);
        let mut all = self.all();
        let session = all.get_mut(&key)?;
        if !self.goes_on(session, now) {
            all.remove(&key);
            return None;
        }
        session.used = now;
        Some(session.token.clone())
    }

    /// Ends a session, if there is one.
    pub(crate) fn end(&self, secret: &str) {
        self.all().remove(&key_of(secret));
    }

    fn goes_on(&self, session: &Session, now: Instant) -> bool {
        now.saturating_duration_since(session.began) < self.lasts
            && now.saturating_duration_since(session.used) < self.idle
    }

    fn all(&self) -> MutexGuard<'_, FxHashMap<String, Session>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the session that was not used for the longest time, of those that are meant.
fn end_oldest(all: &mut FxHashMap<String, Session>, is_meant: impl Fn(&Session) -> bool) {
    let meant = all.iter().filter(|(_, session)| is_meant(session));
    let oldest = meant.min_by_key(|(_, session)| session.used).map(|(key, _)| key.clone());
    oldest.and_then(|key| all.remove(&key));
}

fn key_of(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn sessions(session_time: Duration, session_idle: Duration) -> Sessions {
        Sessions::new(&Limits { session_time, session_idle, sessions_each: 2, ..Limits::default() })
    }

    #[test]
    fn a_session_ends_when_it_was_not_used_and_when_its_time_is_over() {
        let (sessions, start) = (sessions(5 * MINUTE, 2 * MINUTE), Instant::now());
        let secret = sessions.begin("t".into(), start).unwrap();
        let at = |minutes| sessions.token_of(&secret, start + minutes * MINUTE);
        assert_eq!(at(1).as_deref(), Some("t"));
        assert_eq!(at(2).as_deref(), Some("t"), "it was used a minute ago");
        assert_eq!(at(4), None, "it was not used for two minutes");
        assert_eq!(at(3), None, "what has ended does not go on");
        let secret = sessions.begin("t".into(), start).unwrap();
        for minute in 0..5 {
            assert!(sessions.token_of(&secret, start + minute * MINUTE).is_some(), "{minute}");
        }
        assert_eq!(sessions.token_of(&secret, start + 5 * MINUTE), None, "its time is over");
    }

    #[test]
    fn who_signs_out_is_out_and_others_are_not() {
        let (sessions, now) = (sessions(MINUTE, MINUTE), Instant::now());
        let (ann, bob) = (sessions.begin("a".into(), now).unwrap(), sessions.begin("b".into(), now).unwrap());
        sessions.end(&ann);
        assert_eq!(sessions.token_of(&ann, now), None);
        assert_eq!(sessions.token_of(&bob, now).as_deref(), Some("b"));
        assert_eq!(sessions.token_of("", now), None);
    }

    #[test]
    fn of_too_many_the_longest_unused_ends() {
        let (sessions, start) = (sessions(MINUTE, MINUTE), Instant::now());
        let second = Duration::from_secs(1);
        let first = sessions.begin("first".into(), start).unwrap();
        for at in 1..MOST {
            sessions.begin(format!("t{at}"), start + second).unwrap();
        }
        let last = sessions.begin("last".into(), start + 2 * second).unwrap();
        assert_eq!(sessions.token_of(&first, start + 2 * second), None);
        assert!(sessions.token_of(&last, start + 2 * second).is_some());
        assert_eq!(sessions.all().len(), MOST);
    }

    #[test]
    fn who_signs_in_again_and_again_ends_only_sessions_of_the_same_token() {
        let (sessions, start) = (sessions(MINUTE, MINUTE), Instant::now());
        let other = sessions.begin("other".into(), start).unwrap();
        let second = Duration::from_secs(1);
        let own: Vec<String> = (1..4).map(|at| sessions.begin("t".into(), start + at * second).unwrap()).collect();
        let goes_on = |secret: &str| sessions.token_of(secret, start + 4 * second).is_some();
        assert_eq!([&own[0], &own[1], &own[2], &other].map(|secret| goes_on(secret)), [false, true, true, true]);
    }

    #[test]
    fn what_has_ended_makes_room_before_anybody_is_sent_away() {
        let (sessions, start) = (sessions(3 * MINUTE, 9 * MINUTE), Instant::now());
        let begin = |minutes: u32| sessions.begin("t".into(), start + minutes * MINUTE).unwrap();
        let (early, late) = (begin(0), begin(2));
        // The early one was used last, and its time is over.
        assert!(sessions.token_of(&early, start + 2 * MINUTE + MINUTE / 2).is_some());
        let last = begin(4);
        assert!([late, last].iter().all(|secret| sessions.token_of(secret, start + 4 * MINUTE).is_some()));
    }
}
