//! Commits in a transaction of the user's.

use crate::batch::Batch;
use crate::connect::Parameter;
use crate::fail::driver;
use crate::hints::channel;
use crate::store::PostgresStore;
use crate::submit::{closed_answer, outcomes};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use vastflow_store::{Commit, Committed, StoreError};

impl PostgresStore {
    /// Makes a commit part of a transaction of the user's: it becomes true when that is committed, together with all else
    /// that it holds, and never when it is rolled back. So an order and the run that handles it are there together or not
    /// at all.
    ///
    /// The transaction must be one on the same database; it may be on any connection. Until it ends, it holds the lock of
    /// the scope's journal, so end it soon. Workers are told of what it queues when it is committed.
    ///
    /// ```no_run
    /// # async fn start(store: &vastflow_postgres::PostgresStore, start: vastflow_store::Commit,
    /// #     client: &mut tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let transaction = client.transaction().await?;
    /// transaction.execute("INSERT INTO orders VALUES (4711)", &[]).await?;
    /// store.commit_in(&transaction, start).await?; // made by `engine.run("order", 4711).into_commit()`
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the commit is not well formed; otherwise what the server said. After an error of the
    /// server the transaction can only be rolled back.
    pub async fn commit_in(&self, transaction: &Transaction<'_>, commit: Commit) -> Result<Committed, StoreError> {
        self.shared.open()?;
        commit.check()?;
        let commits = [&commit];
        let batch = Batch::new(&commits)?;
        let clock = self.shared.hear(commit.at);
        // How long the user's transaction waits for locks is the user's business.
        let patience: Option<i32> = None;
        let mut with: Vec<Parameter<'_>> =
            vec![(&clock.heard, Type::INT8), (&clock.ripe, Type::INT8), (&patience, Type::INT4)];
        with.extend(batch.parameters());
        let failed = |error| driver("committing in a transaction", error);
        let rows = transaction.query_typed(&self.shared.sql.commit, &with).await.map_err(failed)?;
        let answer = outcomes(&commits, &rows)?.each.pop().unwrap_or_else(closed_answer);
        // Told to all, this process among them, when the transaction is committed.
        let channel = channel(&self.shared.options.schema);
        transaction.query_typed("SELECT pg_notify($1, '')", &[(&channel, Type::TEXT)]).await.map_err(failed)?;
        answer
    }
}
