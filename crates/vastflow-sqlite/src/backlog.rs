//! What the log has synced and the tables do not have yet: a queue that is bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use vastflow_store::{Prune, Pruned, StoreError};

/// A batch of the log: its place and its blob.
pub(crate) type Synced = (u64, Vec<u8>);

/// A request to delete runs, once the tables have all up to a batch.
pub(crate) struct Ask {
    pub(crate) after: u64,
    pub(crate) prune: Prune,
    pub(crate) reply: oneshot::Sender<Result<Pruned, StoreError>>,
}

/// What the tables thread does next.
pub(crate) enum Taken {
    Batches(Vec<Synced>),
    Ask(Ask),
}

/// The tables thread is gone.
#[derive(Debug)]
pub(crate) struct Broken;

/// Between the log thread, which waits when it is full, and the tables thread, which lingers until there is enough for
/// a transaction.
pub(crate) struct Backlog {
    inner: Mutex<Inner>,
    /// There is room again.
    room: Condvar,
    /// There is something, or enough.
    enough: Condvar,
    /// The most bytes that are held.
    limit: usize,
    /// The bytes that make a good transaction.
    portion: usize,
    /// How long to wait for a portion.
    linger: Duration,
}

#[derive(Default)]
struct Inner {
    waiting: VecDeque<Synced>,
    asks: VecDeque<Ask>,
    bytes: usize,
    /// Bytes that the tables thread is writing.
    in_hand: usize,
    wanted: Wanted,
    ended: bool,
    broken: bool,
}

/// What the tables thread sleeps for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Nothing,
    Something,
    APortion,
}

impl Backlog {
    pub(crate) fn new(limit: usize, portion: usize, linger: Duration) -> Self {
        let portion = portion.min(limit);
        Backlog { inner: Mutex::default(), room: Condvar::new(), enough: Condvar::new(), limit, portion, linger }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch in, whatever the limit.
    pub(crate) fn preload(&self, batch: Synced) {
        let mut inner = self.lock();
        inner.bytes += batch.1.len();
        inner.waiting.push_back(batch);
    }

    /// Puts a batch in; waits while there is no room.
    pub(crate) fn push(&self, batch: Synced) -> Result<(), Broken> {
        let mut inner = self.lock();
        while inner.bytes + inner.in_hand >= self.limit && !inner.broken {
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.broken {
            return Err(Broken);
        }
        inner.bytes += batch.1.len();
        inner.waiting.push_back(batch);
        let is_wanted = match inner.wanted {
            Wanted::Nothing => false,
            Wanted::Something => true,
            Wanted::APortion => inner.bytes >= self.portion,
        };
        drop(inner);
        // Only then: a wake-up a batch would cost more than the batch.
        if is_wanted {
            self.enough.notify_one();
        }
        Ok(())
    }

    /// Asks for something that needs all up to a batch to be in the tables.
    pub(crate) fn ask(&self, ask: Ask) {
        let mut inner = self.lock();
        if !inner.ended {
            inner.asks.push_back(ask);
        }
        drop(inner);
        self.enough.notify_one();
    }

    /// Takes out a portion, or what there is after a while, or a request that the tables, which are at `watermark`, can
    /// answer; none when all is taken and nothing will come any more. What was taken before counts as written now.
    pub(crate) fn take(&self, watermark: u64) -> Option<Taken> {
        let mut inner = self.lock();
        inner.in_hand = 0;
        self.room.notify_one();
        inner.wanted = Wanted::Something;
        while inner.waiting.is_empty() {
            if inner.asks.front().is_some_and(|ask| ask.after <= watermark) {
                break;
            }
            if inner.ended {
                inner.asks.clear();
                return None;
            }
            inner = self.enough.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        if inner.asks.front().is_some_and(|ask| ask.after <= watermark) {
            inner.wanted = Wanted::Nothing;
            return inner.asks.pop_front().map(Taken::Ask);
        }
        inner.wanted = Wanted::APortion;
        let until = Instant::now() + self.linger;
        while inner.bytes < self.portion && !inner.ended && inner.asks.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self.enough.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.wanted = Wanted::Nothing;
        Some(Taken::Batches(self.portion_of(&mut inner)))
    }

    fn portion_of(&self, inner: &mut Inner) -> Vec<Synced> {
        let mut taken = Vec::new();
        while inner.in_hand < self.portion {
            let Some(batch) = inner.waiting.pop_front() else { break };
            inner.in_hand += batch.1.len();
            inner.bytes -= batch.1.len();
            taken.push(batch);
        }
        taken
    }

    /// Nothing will come any more.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.enough.notify_one();
    }

    /// Nothing will be taken any more.
    pub(crate) fn give_up(&self) {
        let mut inner = self.lock();
        (inner.broken, inner.ended) = (true, true);
        inner.waiting.clear();
        inner.asks.clear();
        drop(inner);
        self.room.notify_one();
        self.enough.notify_one();
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let inner = self.lock();
        inner.bytes + inner.in_hand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backlog(limit: usize) -> Backlog {
        Backlog::new(limit, 10, Duration::ZERO)
    }

    fn seqs(backlog: &Backlog) -> Option<Vec<u64>> {
        match backlog.take(0)? {
            Taken::Batches(batches) => Some(batches.into_iter().map(|(seq, _)| seq).collect()),
            Taken::Ask(_) => panic!("nobody asked"),
        }
    }

    #[test]
    fn it_hands_out_portions_in_order_and_ends() {
        let backlog = backlog(100);
        (1..=3).for_each(|seq| backlog.push((seq, vec![0; 6])).unwrap());
        assert_eq!(seqs(&backlog), Some(vec![1, 2]));
        assert_eq!(seqs(&backlog), Some(vec![3]));
        backlog.end();
        assert_eq!(seqs(&backlog), None);
    }

    #[test]
    fn a_full_one_makes_the_log_wait_until_the_tables_have_written() {
        let backlog = backlog(10);
        backlog.push((1, vec![0; 10])).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| backlog.push((2, vec![0; 10])));
            assert_eq!(seqs(&backlog), Some(vec![1]));
            assert_eq!(backlog.bytes(), 10, "what is being written counts");
            assert!(!second.is_finished());
            assert_eq!(seqs(&backlog), Some(vec![2]));
            second.join().unwrap().unwrap();
        });
        std::thread::scope(|scope| {
            let third = scope.spawn(|| backlog.push((3, vec![0; 10])));
            backlog.give_up();
            third.join().unwrap().unwrap_err();
        });
    }
}
