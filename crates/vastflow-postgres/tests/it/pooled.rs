//! Behind PgBouncer in transaction mode: `cargo xtask pooler` runs these, and the rules that every store keeps there.

use crate::races::client;
use std::time::{Duration, Instant};
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::Store;
use vastflow_testsuite::servers::PgBouncer;

/// No session has settings there, and still the server gives up what takes too long, and its connection is used again.
#[tokio::test]
#[ignore = "needs PgBouncer: cargo xtask pooler"]
async fn what_takes_too_long_is_given_up_by_the_server() {
    let url = PgBouncer::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let options = Options::new(url).statement_timeout(Duration::from_millis(400));
    let store = PostgresStore::open_with(options).await.unwrap();
    let mut other = client().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute(&format!("LOCK TABLE {schema}.run IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let began = Instant::now();
    let why = store.counts().await.unwrap_err().to_string();
    assert!(why.contains("postgres-statement-timeout"), "{why}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
    let waits = transaction.query_one(waits, &[&format!("%{schema}.run %")]).await.unwrap();
    assert_eq!(waits.get::<_, i64>(0), 0, "nobody waits any more");
    transaction.rollback().await.unwrap();
    store.counts().await.unwrap();
}

/// A partition is made, and one is taken out; while somebody is at it that is given up in time.
#[tokio::test]
#[ignore = "needs PgBouncer: cargo xtask pooler"]
async fn the_journal_is_looked_after_in_time() {
    let url = PgBouncer::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let options = Options::new(url).statement_timeout(Duration::from_millis(400));
    let store = PostgresStore::open_with(options).await.unwrap();
    let (mut looker, other) = (client().await, client().await);
    other.batch_execute(&format!("SELECT setval('{schema}.scope_id', 10000000)")).await.unwrap();
    let look = looker.transaction().await.unwrap();
    look.query(&format!("SELECT FROM {schema}.journal"), &[]).await.unwrap();
    let began = Instant::now();
    let why = store.look_after().await.unwrap_err();
    assert!(why.is_transient(), "{why}");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    look.commit().await.unwrap();
    // Who was given up may be at it for a moment more.
    while store.look_after().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "it comes to its end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let parts = format!("SELECT string_agg(name, ' ' ORDER BY name) FROM {schema}.journal_part");
    let parts = other.query_one(&parts, &[]).await.unwrap();
    assert_eq!(parts.get::<_, &str>(0), "journal_1 journal_2");
}
