//! Stores to test: each in a schema of its own, on a server that all tests share.

use async_trait::async_trait;
use std::sync::Arc;
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::Store;
use vastflow_testsuite::Harness;
use vastflow_testsuite::servers::{PgBouncer, Postgres};

/// A store that can be opened again, judged by the times that the tests pass.
pub(crate) struct Place {
    options: Options,
    url: String,
}

impl Place {
    /// A place where nothing is yet, behind PgBouncer if the environment says so: see `cargo xtask pooler`.
    pub(crate) fn fresh() -> Self {
        let is_pooled = std::env::var_os("VASTFLOW_PGBOUNCER").is_some();
        let url = if is_pooled { PgBouncer::shared().fresh_url() } else { Postgres::shared().fresh_url() };
        Place { options: Options::new(&url).virtual_time().connections(4), url }
    }

    /// The schema that its tables are in.
    pub(crate) fn schema(&self) -> String {
        self.url.rsplit_once("schema=").unwrap().1.to_owned()
    }
}

#[async_trait]
impl Harness for Place {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open_with(self.options.clone()).await.unwrap())
    }
}
