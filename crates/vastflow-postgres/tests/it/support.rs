//! Stores to test: each in a schema of its own, on a server that all tests share.

use async_trait::async_trait;
use std::sync::Arc;
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::Store;
use vastflow_testsuite::Harness;
use vastflow_testsuite::servers::Postgres;

/// A store that can be opened again, judged by the times that the tests pass.
pub(crate) struct Place {
    pub(crate) options: Options,
}

impl Place {
    /// A place where nothing is yet.
    pub(crate) fn fresh() -> Self {
        Place { options: Options::new(Postgres::shared().fresh_url()).virtual_time().connections(4) }
    }
}

#[async_trait]
impl Harness for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open_with(self.options.clone()).await.unwrap())
    }
}
