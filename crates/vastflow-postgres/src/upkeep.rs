//! The partitions of the journal: made before they are needed, dropped when no run of theirs is left.

use crate::fail::driver;
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
    let lent = shared.connections.lend().await?;
    let sql = format!(
        "DO $$ BEGIN
             PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.journal', 0));
             IF EXISTS (SELECT FROM {schema}.journal_part WHERE from_key = {from}) THEN RETURN; END IF;
             CREATE TABLE {schema}.{name} (LIKE {schema}.journal INCLUDING ALL);
             ALTER TABLE {schema}.journal ATTACH PARTITION {schema}.{name} FOR VALUES FROM ({from}) TO ({to});
             INSERT INTO {schema}.journal_part (from_key, to_key, name) VALUES ({from}, {to}, '{name}');
         END $$"
    );
    lent.client()?.batch_execute(&sql).await.map_err(|error| driver(DOING, error))
}

/// Drops partitions of which every run was deleted and to which no new one comes.
async fn drop_empty(shared: &Shared) -> Result<(), StoreError> {
    let schema = &shared.options.schema;
    let sql = format!(
        "SELECT p.name, p.from_key FROM {schema}.journal_part p
         WHERE p.to_key + {KEYS} <= (SELECT last_value FROM {schema}.scope_id)
           AND NOT EXISTS (SELECT FROM {schema}.run r WHERE r.key >= p.from_key AND r.key < p.to_key)"
    );
    for row in shared.connections.rows(DOING, &sql, &[]).await? {
        let (name, from): (String, i64) = (row.get(0), row.get(1));
        detach(shared, &name).await?;
        let lent = shared.connections.lend().await?;
        let sql = format!(
            "DO $$ BEGIN
                 PERFORM pg_advisory_xact_lock(hashtextextended('{schema}.journal', 0));
                 DELETE FROM {schema}.journal_part WHERE from_key = {from};
                 IF NOT FOUND THEN RETURN; END IF;
                 DROP TABLE {schema}.{name};
             END $$"
        );
        lent.client()?.batch_execute(&sql).await.map_err(|error| driver(DOING, error))?;
    }
    Ok(())
}

/// Takes a partition out of the journal, so that nobody who reads or writes that has to wait until it is gone, nor for
/// those that its end waits for. When it was begun before and given up, it is brought to its end.
async fn detach(shared: &Shared, name: &str) -> Result<(), StoreError> {
    let schema = &shared.options.schema;
    let sql = format!("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass('{schema}.{name}')");
    let rows = shared.connections.rows(DOING, &sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let how = if row.get(0) { "FINALIZE" } else { "CONCURRENTLY" };
    let sql = format!("ALTER TABLE {schema}.journal DETACH PARTITION {schema}.{name} {how}");
    let lent = shared.connections.lend().await?;
    lent.client()?.batch_execute(&sql).await.map_err(|error| driver(DOING, error))
}
