//! Looking into a store that another process has open: the tables, and nothing but the tables.

use crate::lock;
use crate::past::{Past, Readers, Which};
use async_trait::async_trait;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vastflow_core::{Plan, PlanHash, Recorded, RunId, ScopeId, Seq, Timestamp};
use vastflow_store::{
    Capabilities, Claim, Claims, Commit, Counts, Durability, Fleet, Heartbeat, Lease, Pulse, QueueRow, QueuedTask,
    Reply, RunPage, RunQuery, RunRow, Store, StoreError, Swept, Wakeups,
};

/// A store as its tables show it, while another process has it open. They follow that process by a fraction of a second.
///
/// It answers what is about runs, plans and journals. What only the other process knows (queues, workers), and every
/// change, is [`Unsupported`](StoreError::Unsupported) or [`Refused`](StoreError::Refused), and the text says who has it.
///
/// ```
/// use vastflow_sqlite::{SqliteReader, SqliteStore};
/// use vastflow_store::{RunQuery, Store};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), vastflow_store::StoreError> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("app.db");
/// let store = SqliteStore::open(&path)?; // or another process has it
/// let reader = SqliteReader::open(&path)?;
/// assert!(reader.runs(&RunQuery::default()).await?.rows.is_empty());
/// # store.close().await?;
/// # Ok(()) }
/// ```
pub struct SqliteReader {
    readers: Arc<Readers>,
    path: PathBuf,
}

impl SqliteReader {
    /// Opens the tables at `path` to read them. Blocks for a moment.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the file is no store, or of another version; [`StoreError::Unavailable`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = std::fs::canonicalize(path.as_ref()).unwrap_or_else(|_| path.as_ref().to_owned());
        let readers = Arc::new(Readers::new(&path));
        readers.with(Past::check)?;
        Ok(SqliteReader { readers, path })
    }

    /// Who has the store open, as far as the lock file tells: `process 7, program app, host h, since …`.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        lock::holder(&self.path)
    }

    /// Whether the tables have all there is: the store was closed, and nobody has it open.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let log = lock::beside(&self.path, ".log-");
        let (Some(dir), Some(log)) = (log.parent(), log.file_name()) else { return false };
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let is_segment = |name: &std::ffi::OsStr| {
            let number = name.as_encoded_bytes().strip_prefix(log.as_encoded_bytes());
            number.is_some_and(|number| number.first().is_some_and(u8::is_ascii_digit))
        };
        std::fs::read_dir(dir)
            .is_ok_and(|mut files| !files.any(|file| file.is_ok_and(|file| is_segment(&file.file_name()))))
    }

    /// Reads the tables on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Past) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || readers.with(read));
        reading.await.map_err(|why| StoreError::unavailable_by("reading the tables", why))?
    }

    fn refused<T>(&self) -> Result<T, StoreError> {
        let who = self.holder().unwrap_or_else(|| "another process".into());
        Err(StoreError::Refused(format!(
            "the store {} is in use by {who}, and can only be looked at from here; ask that process to change it, or stop \
             it first",
            self.path.display()
        )))
    }
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReader").field("path", &self.path).finish_non_exhaustive()
    }
}

fn unknown_here<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Unsupported(format!("tell {what}: only the process that has it open knows that")))
}

#[async_trait]
impl Store for SqliteReader {
    fn capabilities(&self) -> Capabilities {
        Capabilities::embedded(Durability::Synced)
    }

    fn submit(&self, batch: Vec<Commit>, reply: Reply) {
        reply(batch.into_iter().map(|commit| (commit, self.refused())).collect());
    }

    async fn history(&self, scope: &ScopeId, after: Seq, limit: usize) -> Result<Vec<Recorded>, StoreError> {
        let scope = scope.clone();
        self.read(move |past| past.history(&scope, after, limit)).await
    }

    async fn claim(&self, _: Claim) -> Result<Claims, StoreError> {
        self.refused()
    }

    async fn heartbeat(&self, _: Heartbeat) -> Result<Pulse, StoreError> {
        self.refused()
    }

    async fn release(&self, _: &[Lease]) -> Result<(), StoreError> {
        self.refused()
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<Swept, StoreError> {
        self.refused()
    }

    fn wakeups(&self) -> Wakeups {
        Wakeups::never()
    }

    async fn put_plan(&self, _: Arc<Plan>) -> Result<(), StoreError> {
        self.refused()
    }

    async fn plan(&self, hash: PlanHash) -> Result<Option<Arc<Plan>>, StoreError> {
        Ok(self.plans().await?.into_iter().find(|plan| plan.hash() == hash))
    }

    async fn plans(&self) -> Result<Vec<Arc<Plan>>, StoreError> {
        self.read(Past::plans).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<RunRow>, StoreError> {
        let id = id.clone();
        self.read(move |past| past.run(&id)).await
    }

    async fn runs(&self, query: &RunQuery) -> Result<RunPage, StoreError> {
        let query = query.clone();
        self.read(move |past| past.runs(&query, Which::All)).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(Past::counts).await
    }

    async fn fleet(&self) -> Result<Fleet, StoreError> {
        unknown_here("who works on it")
    }

    async fn queues(&self) -> Result<Vec<QueueRow>, StoreError> {
        unknown_here("what is queued")
    }

    async fn tasks(&self, _: &ScopeId) -> Result<Vec<QueuedTask>, StoreError> {
        unknown_here("what is queued")
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.readers.close();
        Ok(())
    }
}
