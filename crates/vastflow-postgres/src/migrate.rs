//! Bringing the tables up to date: each migration once, in order, by one process at a time.
//!
//! Migrations only add (expand) or take away what no version that may still run uses (contract), so that programs of
//! this version and of the one before can work side by side. A migration that was released is never changed.

use crate::fail::{driver, refused};
use sha2::{Digest, Sha256};
use tokio_postgres::Client;
use vastflow_store::StoreError;

/// The migrations, in order. Only ever add at the end.
const MIGRATIONS: &[(&str, &str)] = &[
    ("tables", include_str!("../migrations/0001_tables.sql")),
    ("commit", include_str!("../migrations/0002_commit.sql")),
    ("work", include_str!("../migrations/0003_work.sql")),
    ("plain", include_str!("../migrations/0004_plain.sql")),
    ("line", include_str!("../migrations/0005_line.sql")),
    ("keys", include_str!("../migrations/0006_keys.sql")),
    ("prune", include_str!("../migrations/0007_prune.sql")),
    ("flight", include_str!("../migrations/0008_flight.sql")),
];

/// The first number of the pair that names our advisory lock; the second is made of the schema's name.
const LOCK: i32 = 0x7661_7374;

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What the table of migrations says, in order; none when there is no such table.
async fn applied(client: &Client, schema: &str) -> Result<Option<Vec<(i32, String)>>, StoreError> {
    let there = client
        .query_typed(
            "SELECT to_regclass($1) IS NOT NULL",
            &[(&format!("{schema}.migration"), tokio_postgres::types::Type::TEXT)],
        )
        .await
        .map_err(|error| driver("looking for the tables", error))?;
    if !there.first().is_some_and(|row| row.get::<_, bool>(0)) {
        return Ok(None);
    }
    let sql = format!("SELECT version, checksum FROM {schema}.migration ORDER BY version");
    let rows = client.query_typed(&sql, &[]).await.map_err(|error| driver("reading the table of migrations", error))?;
    Ok(Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
}

/// Checks what was applied; gives how many of our migrations that are.
fn check(applied: &[(i32, String)]) -> Result<usize, StoreError> {
    for (at, (version, sum)) in applied.iter().enumerate() {
        let Some((name, sql)) = MIGRATIONS.get(at) else {
            return Err(refused(
                "postgres-newer-tables",
                format!(
                    "the tables were made by a newer version of this program (migration {version}; this one knows {}); use \
                     that version",
                    MIGRATIONS.len()
                ),
            ));
        };
        if usize::try_from(*version).ok() != Some(at + 1) || *sum != checksum(sql) {
            return Err(refused(
                "postgres-other-tables",
                format!(
                    "migration {version} ({name}) is not the one that this program knows; it was changed, or made by another build"
                ),
            ));
        }
    }
    Ok(applied.len())
}

/// Brings the tables up to date, or, when that is not allowed, says that they are not.
pub(crate) async fn migrate(client: &Client, schema: &str, may: bool) -> Result<(), StoreError> {
    let known = applied(client, schema).await?;
    let done = check(known.as_deref().unwrap_or_default())?;
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    if !may {
        return Err(refused(
            "postgres-old-tables",
            format!(
                "the tables of schema {schema} are not up to date, and this program may not change them; allow it once"
            ),
        ));
    }
    let failed = |error| driver("bringing the tables up to date", error);
    client.batch_execute("BEGIN").await.map_err(failed)?;
    match apply(client, schema).await {
        Ok(()) => client.batch_execute("COMMIT").await.map_err(failed),
        Err(why) => {
            // What it was that failed is what people need to know.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(why)
        }
    }
}

async fn apply(client: &Client, schema: &str) -> Result<(), StoreError> {
    let failed = |error| driver("bringing the tables up to date", error);
    let begin = format!(
        "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = '300s'; SET LOCAL client_min_messages = warning;
         SELECT pg_advisory_xact_lock({LOCK}, hashtext('{schema}'));
         CREATE SCHEMA IF NOT EXISTS {schema};
         CREATE TABLE IF NOT EXISTS {schema}.migration (
             version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
             applied_at timestamptz NOT NULL DEFAULT now())"
    );
    client.batch_execute(&begin).await.map_err(failed)?;
    // Another process may have been at it while this one waited.
    let done = check(&applied(client, schema).await?.unwrap_or_default())?;
    for (at, (name, sql)) in MIGRATIONS.iter().enumerate().skip(done) {
        client.batch_execute(&sql.replace("{schema}", schema)).await.map_err(failed)?;
        let version = at + 1;
        let note = format!(
            "INSERT INTO {schema}.migration (version, name, checksum) VALUES ({version}, '{name}', '{}')",
            checksum(sql)
        );
        client.batch_execute(&note).await.map_err(failed)?;
        tracing::info!(schema, version, name, "the tables of the store were brought up to date");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> Vec<(i32, String)> {
        (1..).zip(MIGRATIONS).map(|(version, (_, sql))| (version, checksum(sql))).collect()
    }

    #[test]
    fn what_was_applied_is_ours() {
        assert_eq!(check(&ours()).unwrap(), MIGRATIONS.len());
        assert_eq!(check(&ours()[..1]).unwrap(), 1);
    }

    #[test]
    fn newer_and_changed_ones_are_refused() {
        let mut newer = ours();
        newer.push((i32::try_from(newer.len() + 1).unwrap(), "x".into()));
        assert!(check(&newer).unwrap_err().to_string().contains("postgres-newer-tables"));
        let mut changed = ours();
        changed[0].1 = "x".into();
        assert!(check(&changed).unwrap_err().to_string().contains("postgres-other-tables"));
    }
}
