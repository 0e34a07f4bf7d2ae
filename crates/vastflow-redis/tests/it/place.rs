//! Where the stores under test are.

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vastflow_redis::{RedisOptions, RedisStore};
use vastflow_store::Store;
use vastflow_testsuite::Harness;
use vastflow_testsuite::servers::Redis;

/// A store of a test's own, on the server of all, in virtual time.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    namespace: String,
    options: RedisOptions,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(|options| options)
    }

    /// With other options besides.
    pub(crate) fn with(change: impl FnOnce(RedisOptions) -> RedisOptions) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let namespace = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let options = change(RedisOptions::new(Redis::shared().url()).namespace(&namespace).virtual_time());
        Place { namespace, options }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn url(&self) -> String {
        Redis::shared().url()
    }
}

#[async_trait]
impl Harness for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(RedisStore::open_with(&self.options).await.expect("a store"))
    }
}
