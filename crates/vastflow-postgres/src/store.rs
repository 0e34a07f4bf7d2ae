//! Opening a store, and letting go of it.

use crate::connect::{self, Connections};
use crate::hints;
use crate::line::{Part, parts};
use crate::migrate;
use crate::options::Options;
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::submit;
use crate::upkeep;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use uuid::Uuid;
use vastflow_store::{Durability, Reply, StoreError};

/// A store in a PostgreSQL database, for a fleet of workers.
pub struct PostgresStore {
    pub(crate) shared: Arc<Shared>,
    pub(crate) runtime: Runtime,
    pub(crate) durability: Durability,
    jobs: Mutex<Option<UnboundedSender<Vec<Part>>>>,
    /// Ends when all jobs are answered and no more can come.
    dispatcher: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Opens the store in the database at `url`, and makes its tables when there are none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the URL is not understood or the server cannot be used, with what to do about it;
    /// [`StoreError::Unavailable`] when it does not answer.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(Options::new(url)).await
    }

    /// Opens the store as `options` say.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_with(options: Options) -> Result<Self, StoreError> {
        let (options, tls) = options.read_url()?;
        let runtime = Runtime::start()?;
        let connections = Connections::new(&options, &tls)?;
        let shared = Arc::new(Shared::new(options, connections, Uuid::now_v7().simple().to_string()));
        let (jobs, line) = tokio::sync::mpsc::unbounded_channel();
        let own = Arc::clone(&shared);
        let durability = runtime.run(async move { begin(&own).await }).await?;
        let handle = runtime.handle();
        let dispatcher = handle.spawn(submit::dispatch(Arc::clone(&shared), line));
        handle.spawn(upkeep::upkeep(Arc::clone(&shared)));
        handle.spawn(hints::tell(Arc::clone(&shared)));
        handle.spawn(hints::poll(Arc::clone(&shared)));
        if !shared.options.transaction_pooling {
            handle.spawn(hints::listen(Arc::clone(&shared)));
        }
        let (jobs, dispatcher) = (Mutex::new(Some(jobs)), Mutex::new(Some(dispatcher)));
        Ok(PostgresStore { shared, runtime, durability, jobs, dispatcher })
    }

    /// Round trips to the server since the store was opened, but for those of the listening connection. For tests and
    /// measurements.
    #[doc(hidden)]
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.shared.connections.round_trips()
    }

    /// Looks after the journal now, as is done about every half minute. For tests.
    ///
    /// # Errors
    /// What the server said.
    #[doc(hidden)]
    pub async fn look_after(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        self.runtime.run(async move { upkeep::once(&shared).await }).await
    }

    pub(crate) fn send(&self, batch: Vec<vastflow_store::Commit>, reply: Reply) {
        let job = parts(batch, reply);
        if self.shared.open().is_err() {
            return;
        }
        if let Some(jobs) = &*self.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
            // A job that nobody takes answers for itself when it is dropped.
            let _ = jobs.send(job);
        }
    }

    /// No further jobs; those that were sent are answered first.
    pub(crate) async fn end(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        let dispatcher = self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(dispatcher) = dispatcher {
            // One that panicked has dropped its jobs, which answers them.
            let _ = dispatcher.await;
        }
        self.shared.close();
        self.runtime.stop();
    }
}

/// Looks at the server and its tables before anything else.
async fn begin(shared: &Shared) -> Result<Durability, StoreError> {
    let durability = connect::check_server(&shared.connections).await?;
    {
        let lent = shared.connections.lend().await?;
        migrate::migrate(lent.client()?, &shared.options.schema, shared.options.migrate).await?;
    }
    upkeep::partitions(shared).await?;
    shared.connections.are_good();
    Ok(durability)
}
