//! Sizes and times, for tests and measurements.

use std::time::Duration;

/// How a store is to be opened. The defaults are right for everybody; tests make things small.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
#[must_use]
pub struct Options {
    /// The bytes after which the log goes on in a new segment.
    pub(crate) segment: u64,
    /// The most bytes by which the tables may lag behind.
    pub(crate) lag: usize,
    /// The bytes of the log that go into one transaction of the tables.
    pub(crate) portion: usize,
    /// How long the tables wait for a portion.
    pub(crate) linger: Duration,
    /// The most bytes of a segment.
    pub(crate) log_bytes: Option<u64>,
    /// How often it is looked whether the files are still there.
    pub(crate) look: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            segment: 16 << 20,
            lag: 64 << 20,
            portion: 8 << 20,
            linger: Duration::from_millis(200),
            log_bytes: None,
            look: Duration::from_secs(2),
        }
    }
}

impl Options {
    /// Segments of about this many bytes.
    pub const fn segment(mut self, bytes: u64) -> Self {
        self.segment = bytes;
        self
    }

    /// Tables that lag by at most this many bytes.
    pub const fn lag(mut self, bytes: usize) -> Self {
        self.lag = bytes;
        self
    }

    /// Transactions of the tables of about this many bytes of the log.
    pub const fn portion(mut self, bytes: usize) -> Self {
        self.portion = bytes;
        self
    }

    /// Tables that wait this long for a portion.
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Looks for its files this often.
    pub const fn look(mut self, every: Duration) -> Self {
        self.look = every;
        self
    }

    /// Segments that are full after this many bytes, as if the disk were.
    pub const fn log_bytes(mut self, bytes: u64) -> Self {
        self.log_bytes = Some(bytes);
        self
    }
}
