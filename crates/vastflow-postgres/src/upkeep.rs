//! The partitions of the journal: made before they are needed, dropped when no run of theirs is left.

use crate::hints::jitter;
use crate::shared::Shared;
use std::sync::Arc;
use std::time::Duration;
use vastflow_store::StoreError;

/// The keys of runs and inner scopes that one partition is for.
const KEYS: i64 = 1 << 22;
const EVERY: Duration = Duration::from_secs(30);
const DOING: &str = "looking after the journal";

/// Looks after the partitions, for as long as the store is open.
pub(crate) async fn upkeep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(EVERY + jitter(EVERY)).await;
        if let Err(why) = once(&shared).await {
            tracing::warn!(%why, "the journal could not be looked after; it is tried again");
        }
    }
}

pub(crate) async fn once(shared: &Shared) -> Result<(), StoreError> {
    partitions(shared).await?;
    drop_empty(shared).await
}

/// Sees to it that there is room for the runs of the near future.
pub(crate) async fn partitions(shared: &Shared) -> Result<(), StoreError> {
    let schema = &shared.options.schema;
    let sql = format!(
        "SELECT (SELECT last_value FROM {schema}.scope_id), coalesce((SELECT max(to_key) FROM {schema}.journal_part), 0)"
    );
    loop {
        let rows = shared.connections.rows(DOING, &sql, &[]).await?;
        let (used, room): (i64, i64) = rows.first().map_or((0, 0), |row| (row.get(0), row.get(1)));
        if room - used > KEYS / 2 {
            return Ok(());
        }
        make(shared, room).await?;
    }
}

/// Makes the partition that begins at a key. Attaching one that is there already keeps nobody from the journal.
async fn make(shared: &Shared, from: i64) -> Result<(), StoreError> {
    let schema = &shared.options.schema;
    let (to, name) = (from + KEYS, format!("journal_{}", from / KEYS));
    let sql = format!(
        "DO $$ BEGIN
             PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.journal', 0));
             IF EXISTS (SELECT FROM {schema}.journal_part WHERE from_key = {from}) THEN RETURN; END IF;
             CREATE TABLE {schema}.{name} (LIKE {schema}.journal INCLUDING ALL);
             ALTER TABLE {schema}.journal ATTACH PARTITION {schema}.{name} FOR VALUES FROM ({from}) TO ({to});
             INSERT INTO {schema}.journal_part (from_key, to_key, name) VALUES ({from}, {to}, '{name}');
         END $$"
    );
    shared.connections.lend().await?.rows(DOING, &sql, &[]).await.map(drop)
}

/// Drops partitions of which every run was deleted and to which no new one comes, and brings to its end what was begun
/// before and given up.
async fn drop_empty(shared: &Shared) -> Result<(), StoreError> {
    let schema = &shared.options.schema;
    // PostgreSQL takes out no other while one is on its way.
    let sql = format!(
        "SELECT p.name, p.from_key, p.to_key, i.inhdetachpending AS is_pending
         FROM {schema}.journal_part p LEFT JOIN pg_inherits i ON i.inhrelid = to_regclass('{schema}.' || p.name)
         WHERE i.inhdetachpending IS NOT FALSE
            OR p.to_key + {KEYS} <= (SELECT last_value FROM {schema}.scope_id)
               AND NOT EXISTS (SELECT FROM {schema}.run r WHERE r.key >= p.from_key AND r.key < p.to_key)
         ORDER BY i.inhdetachpending DESC NULLS LAST, p.from_key"
    );
    let mut all = Ok(());
    for row in shared.connections.rows(DOING, &sql, &[]).await? {
        let part = Part { name: row.get(0), from: row.get(1), to: row.get(2) };
        // What is in the way of one keeps nobody from the others.
        all = all.and(part.take_out(shared, row.get(3)).await);
    }
    all
}

/// A partition that has, or had, no run any more.
struct Part {
    name: String,
    from: i64,
    to: i64,
}

impl Part {
    async fn take_out(&self, shared: &Shared, is_pending: Option<bool>) -> Result<(), StoreError> {
        if let Some(is_pending) = is_pending {
            self.detach(shared, is_pending).await?;
        }
        self.end(shared).await
    }

    /// Takes it out of the journal, so that nobody who reads or writes that has to wait until it is gone, nor for those
    /// that its end waits for. When it was begun before and given up, it is brought to its end.
    async fn detach(&self, shared: &Shared, is_pending: bool) -> Result<(), StoreError> {
        let (schema, name) = (&shared.options.schema, &self.name);
        let how = if is_pending { "FINALIZE" } else { "CONCURRENTLY" };
        let sql = format!("ALTER TABLE {schema}.journal DETACH PARTITION {schema}.{name} {how}");
        shared.connections.lend().await?.alone(DOING, &sql).await
    }

    /// Drops it. A transaction that lasted for long may have begun a run in it until it was out: then it comes back.
    async fn end(&self, shared: &Shared) -> Result<(), StoreError> {
        let (schema, Part { name, from, to }) = (&shared.options.schema, self);
        let sql = format!(
            "DO $$ BEGIN
                 PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.journal', 0));
                 IF NOT EXISTS (SELECT FROM {schema}.journal_part WHERE from_key = {from})
                    OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('{schema}.{name}'))
                 THEN RETURN; END IF;
                 IF EXISTS (SELECT FROM {schema}.{name}) THEN
                     ALTER TABLE {schema}.journal ATTACH PARTITION {schema}.{name} FOR VALUES FROM ({from}) TO ({to});
                     RETURN;
                 END IF;
                 DELETE FROM {schema}.journal_part WHERE from_key = {from};
                 DROP TABLE {schema}.{name};
             END $$"
        );
        shared.connections.lend().await?.rows(DOING, &sql, &[]).await.map(drop)
    }
}
