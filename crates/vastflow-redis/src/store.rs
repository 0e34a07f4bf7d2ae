//! The store: opened and closed.

use crate::link::Link;
use crate::options::RedisOptions;
use crate::runtime::Runtime;
use crate::submit::Outbox;
use std::fmt;
use std::sync::Arc;
use vastflow_store::{Capabilities, Durability, StoreError};

/// A store for a fleet of processes, on one Redis or Valkey server.
pub struct RedisStore {
    pub(crate) link: Arc<Link>,
    pub(crate) runtime: Runtime,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) capabilities: Capabilities,
}

impl RedisStore {
    /// Opens the store at `url`, and makes one if there is none.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the URL is not understood, or when the server would lose or mix up runs: the text
    /// says what to set. [`StoreError::Unavailable`] when the server cannot be reached.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(&RedisOptions::new(url)).await
    }

    /// The same with other options.
    ///
    /// # Errors
    /// As [`RedisStore::open`].
    pub async fn open_with(options: &RedisOptions) -> Result<Self, StoreError> {
        let (options, resolved, runtime) = (options.clone(), options.resolve()?, Runtime::start()?);
        let (link, server) = runtime.run(Link::open(options, resolved, runtime.handle().clone())).await?;
        let durability = server.durability();
        if durability < Durability::Synced {
            tracing::warn!("{}", server.word());
        }
        let capabilities = Capabilities::fleet(durability);
        Ok(RedisStore { link: Arc::new(link), runtime, outbox: Arc::default(), capabilities })
    }

    /// How many steps the server was asked for, for measurements.
    #[doc(hidden)]
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.link.trips()
    }

    /// How many acknowledged steps the server was found to have lost since this store was opened: none, unless it was
    /// restored from an older copy or failed over to a replica that did not have everything. A step is a batch of
    /// commits, a claim, or the like.
    #[must_use]
    pub fn lost_steps(&self) -> u64 {
        self.link.lost()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("keys", &self.link.prefix()).finish_non_exhaustive()
    }
}
