//! The log thread: writes what is waiting as one frame, syncs, answers, and hands the same bytes to the tables.

pub(crate) mod segment;

use crate::batch::Batch;
use crate::options::Options;
use crate::shared::{Shared, answer};
use segment::Segment;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_store::StoreError;

/// Syncs that take longer than this are worth waiting a little for company.
const SLOW: Duration = Duration::from_millis(1);

pub(crate) struct Log {
    shared: Arc<Shared>,
    store: PathBuf,
    /// The store's id.
    id: u64,
    options: Options,
    segment: Segment,
    /// How long the last sync took, and how many it answered.
    last: (Duration, usize),
    /// The file of the tables, as it was at the opening.
    tables: Option<Identity>,
    /// When it was last looked whether the files are there.
    looked: Instant,
}

/// Which file stands at a path. It is not opened to find out: closing it would let go of SQLite's locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).ok().map(|known| Identity(known.dev(), known.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        path.exists().then_some(Identity(0, 0))
    }
}

impl Log {
    /// A log that goes on at `first`.
    pub(crate) fn open(
        shared: Arc<Shared>,
        store: PathBuf,
        id: u64,
        first: u64,
        options: Options,
    ) -> Result<Self, StoreError> {
        let segment = Segment::create(&store, id, first, options.log_bytes)?;
        let tables = Identity::of(&store);
        Ok(Log { shared, store, id, options, segment, last: Default::default(), tables, looked: Instant::now() })
    }

    /// Works until the store is closed and everything is written, or something cannot be written.
    pub(crate) fn run(mut self) {
        while let Some(batch) = self.next() {
            if let Err(why) = self.keep(batch).and_then(|()| self.rotate()) {
                self.shared.poison(&why);
                break;
            }
        }
        let Log { shared, segment, .. } = self;
        shared.pass_segment(segment.pass());
        shared.backlog.end();
    }

    /// The next batch; none when there will be no more.
    fn next(&self) -> Option<Batch> {
        loop {
            self.gather();
            // Looked at first: what came before the end is still written.
            let is_over = self.shared.is_over();
            match self.shared.pop() {
                Some(batch) => return Some(batch),
                None if is_over => return None,
                None => self.shared.wake.wait(),
            }
        }
    }

    /// On a slow disk, gives those who were just answered a moment to go on, so that they share the next sync.
    fn gather(&self) {
        let (took, answered) = self.last;
        if took < SLOW {
            return;
        }
        let until = Instant::now() + took / 10;
        while (1..answered).contains(&self.shared.waiting()) && Instant::now() < until {
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn keep(&mut self, batch: Batch) -> Result<(), StoreError> {
        let (seq, is_empty, has_news) = (batch.seq, batch.is_empty(), batch.has_news);
        let (blob, answers) = batch.seal();
        if !is_empty {
            let begin = Instant::now();
            if let Err(why) = self.check_files().and_then(|()| self.segment.append(seq, &blob)) {
                self.shared.poison(&why);
                self.shared.refuse(answers);
                return Err(why);
            }
            self.last = (begin.elapsed(), answers.len());
            self.shared.synced(seq);
        }
        self.shared.hint(has_news);
        answers.into_iter().for_each(answer);
        if is_empty {
            return Ok(());
        }
        let gone = |_| StoreError::unavailable("the tables cannot be written");
        self.shared.backlog.push((seq, blob)).map_err(gone)
    }

    /// Files that somebody deleted or replaced are written to without an error, and nothing of it is ever found again.
    fn check_files(&mut self) -> Result<(), StoreError> {
        if self.looked.elapsed() < self.options.look {
            return Ok(());
        }
        self.looked = Instant::now();
        let gone = |path: &Path| {
            Err(StoreError::corrupt(format!(
                "{} was deleted or replaced while it was open; what was recorded since then is lost",
                path.display()
            )))
        };
        if !self.segment.is_there() {
            return gone(self.segment.path());
        }
        if Identity::of(&self.store) != self.tables { gone(&self.store) } else { Ok(()) }
    }

    fn rotate(&mut self) -> Result<(), StoreError> {
        if self.segment.written() < self.options.segment {
            return Ok(());
        }
        let next = self.segment.last() + 1;
        let new = Segment::create(&self.store, self.id, next, self.options.log_bytes)?;
        let old = std::mem::replace(&mut self.segment, new);
        self.shared.pass_segment(old.pass());
        Ok(())
    }
}
