//! Hints that there may be something to claim: to this process at once, to others by a channel of the server.

use redis::{PushInfo, PushKind, Value};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use vastflow_store::Wakeups;

/// The least time between two messages to the others.
const LULL: Duration = Duration::from_millis(2);

/// Who is told, and when they were told last.
#[derive(Debug)]
pub(crate) struct Hints {
    here: watch::Sender<u64>,
    /// What this process signs its messages with, so that it does not listen to itself.
    own: String,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    last: Option<Instant>,
    is_due: bool,
}

impl Hints {
    pub(crate) fn new() -> Self {
        let own = uuid::Uuid::now_v7().simple().to_string();
        Hints { here: watch::channel(0).0, own, said: Mutex::default() }
    }

    pub(crate) fn wakeups(&self) -> Wakeups {
        Wakeups::new(self.here.subscribe())
    }

    /// What this process signs its messages with.
    pub(crate) fn own(&self) -> &str {
        &self.own
    }

    /// Tells those in this process.
    pub(crate) fn poke(&self) {
        self.here.send_modify(|count| *count += 1);
    }

    /// There is news: when to tell the others. None when that is about to happen.
    pub(crate) fn is_due_in(&self) -> Option<Duration> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut said.is_due, true) {
            return None;
        }
        Some(said.last.map_or(Duration::ZERO, |last| LULL.saturating_sub(last.elapsed())))
    }

    /// The others are told now; what is news from now on is to be told again.
    pub(crate) fn say(&self) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        *said = Said { last: Some(Instant::now()), is_due: false };
    }

    /// Something came without having been asked for: a message of somebody, or the end of the connection, after which
    /// messages may have been missed.
    pub(crate) fn hear(&self, push: &PushInfo) {
        let is_own = matches!(push.data.last(), Some(Value::BulkString(by)) if *by == self.own.as_bytes());
        match push.kind {
            PushKind::Message if !is_own => self.poke(),
            PushKind::Disconnection => self.poke(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(by: &str) -> PushInfo {
        PushInfo {
            kind: PushKind::Message,
            data: vec![Value::BulkString(b"channel".to_vec()), Value::BulkString(by.into())],
        }
    }

    #[test]
    fn only_others_are_heard() {
        let hints = Hints::new();
        let watching = hints.here.subscribe();
        hints.hear(&message(&hints.own));
        assert!(!watching.has_changed().unwrap());
        hints.hear(&message("somebody"));
        assert!(watching.has_changed().unwrap());
    }

    #[test]
    fn much_news_is_one_message() {
        let hints = Hints::new();
        assert_eq!(hints.is_due_in(), Some(Duration::ZERO));
        assert_eq!((hints.is_due_in(), hints.is_due_in()), (None, None));
        hints.say();
        assert!(hints.is_due_in().is_some_and(|wait| wait > Duration::ZERO), "not at once again");
    }
}
