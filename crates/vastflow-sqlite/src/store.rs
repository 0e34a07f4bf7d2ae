//! The store: opened, closed, and its two threads.

use crate::backlog::Backlog;
use crate::fail;
use crate::lock::Lock;
use crate::log::Log;
use crate::options::Options;
use crate::past::Readers;
use crate::recover;
use crate::shared::{Inner, Shared};
use crate::suspects::Suspects;
use crate::tables::{self, Inboxes, Tables};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use vastflow_store::StoreError;

/// A store for one process, in SQLite files.
///
/// Dropping it does what [`close`](vastflow_store::Store::close) does, and blocks while it does so.
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) threads: Arc<Threads>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the store at `path`, and makes one if there is none. Blocks: it reads everything that is unfinished.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when another process holds it, when a newer version wrote it, or when the file is
    /// something else; [`StoreError::Corrupt`] when what it holds makes no sense; [`StoreError::Unavailable`] when the
    /// disk does not let it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// The same with other sizes and times.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    #[doc(hidden)]
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = path.as_ref();
        // Two names of one file must lead to one lock.
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut lock = Lock::take(&path)?;
        let opened = match tables::open(&path) {
            Ok(opened) => opened,
            Err(why) => {
                if let StoreError::Refused(_) = why {
                    lock.withdraw();
                }
                return Err(why);
            }
        };
        let mut recovered = recover::recover(&path, &opened)?;
        let suspects = Suspects::load(&path, lock.was_left(), &mut recovered.ledger)?;
        let backlog = Backlog::new(options.lag, options.portion, options.linger);
        std::mem::take(&mut recovered.tail).into_iter().for_each(|batch| backlog.preload(batch));
        let last = recovered.last;
        let shared =
            Arc::new(Shared::new(Inner::new(recovered, opened.watermark, suspects), backlog, Readers::new(&path)));
        let log = Log::open(Arc::clone(&shared), path.clone(), opened.id, last + 1, options)?;
        let (connection, watermark) = (opened.connection, opened.watermark);
        let inboxes = Inboxes::load(&connection).map_err(|why| fail::sqlite("reading", &path, why))?;
        let tables = Tables { shared: Arc::clone(&shared), store: path.clone(), connection, watermark, inboxes };
        lock.opened();
        let lock = Arc::new(lock);
        let store = SqliteStore { shared, threads: Arc::default(), path };
        store.spawn("vastflow-tables", Arc::clone(&lock), move || tables.run())?;
        store.spawn("vastflow-log", lock, move || log.run())?;
        Ok(store)
    }

    /// Starts a thread. It holds the lock until its work is done and everybody knows: when the tables fail, the log may
    /// still append and answer, and nobody else may open the store then.
    fn spawn(&self, name: &str, lock: Arc<Lock>, work: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let guarded = move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                shared.poison(&StoreError::unavailable("a thread of it panicked, which is a bug"));
                shared.backlog.give_up();
            }
            drop(lock);
        };
        let spawned = thread::Builder::new().name(name.into()).spawn(guarded);
        let failed = |why| fail::io("starting a thread for", &self.path, why);
        match spawned {
            Ok(handle) => self.threads.add(handle),
            Err(why) => {
                self.shared.backlog.end();
                return Err(failed(why));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.close(CLOSED);
        self.shared.trust();
        self.threads.join();
    }
}

/// Why a store that was closed is closed.
pub(crate) const CLOSED: &str = "it was closed; open it again to go on";

/// The threads of a store, until they were waited for.
#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    fn add(&self, handle: JoinHandle<()>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
    }

    /// Waits until all is written and the threads are gone. Called from one of them it does not wait.
    pub(crate) fn join(&self) {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = thread::current().id();
        if handles.iter().any(|handle| handle.thread().id() == own) {
            return;
        }
        for handle in handles.drain(..) {
            // A panic was told about where it was caught.
            let _ = handle.join();
        }
    }
}
