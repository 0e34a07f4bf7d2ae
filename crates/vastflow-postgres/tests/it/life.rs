//! Signs of life: for whom they wait, and whom they let live.

use crate::races::client;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::Timestamp;
use vastflow_postgres::tokio_postgres::Client;
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::{Heartbeat, Pulse, Store, StoreError, WorkerId, WorkerInfo};
use vastflow_testsuite::fixture::{ALICE, BOB, LEASE, name};
use vastflow_testsuite::own_clock;
use vastflow_testsuite::servers::Postgres;

/// A store by the server's clock, and a look into its tables.
async fn place() -> (PostgresStore, Client, String) {
    let url = Postgres::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    (PostgresStore::open_with(Options::new(url)).await.unwrap(), client().await, schema)
}

async fn beat(store: &PostgresStore, worker: WorkerId, called: &str) -> Result<Pulse, StoreError> {
    let about = Arc::new(WorkerInfo { name: Some(name(called)), ..WorkerInfo::default() });
    store.heartbeat(Heartbeat { worker, about, lease: LEASE, now: Timestamp::ZERO }).await
}

/// Somebody who looks for the dead, or begins, keeps nobody from living.
#[tokio::test]
async fn a_sign_of_life_waits_for_nobody() {
    let (store, mut other, schema) = place().await;
    beat(&store, ALICE, "alice").await.unwrap();
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute(&format!("SELECT FROM {schema}.pulse FOR UPDATE")).await.unwrap();
    let beaten = tokio::time::timeout(Duration::from_secs(20), beat(&store, ALICE, "alice")).await;
    assert!(!beaten.expect("while it lasts").unwrap().was_lost);
    let new = tokio::time::timeout(Duration::from_millis(300), beat(&store, BOB, "alice")).await;
    assert!(new.is_err(), "who takes a name waits for all who do so");
    transaction.rollback().await.unwrap();
    assert!(matches!(beat(&store, BOB, "alice").await, Err(StoreError::Refused(_))));
}

/// However many lists are asked for at once, a worker is not given up for want of a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_leave_room_for_a_sign_of_life() {
    let (store, mut other, schema) = place().await;
    let store = Arc::new(store);
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute(&format!("LOCK TABLE {schema}.run IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let looks: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.counts().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let beaten = tokio::time::timeout(Duration::from_secs(20), beat(&store, ALICE, "alice")).await;
    beaten.expect("while it lasts").unwrap();
    transaction.rollback().await.unwrap();
    for look in looks {
        look.await.unwrap().unwrap();
    }
}

/// Nobody waits for the disk for it.
#[tokio::test]
async fn a_sign_of_life_is_not_synced() {
    let (_store, mut other, schema) = place().await;
    let transaction = other.transaction().await.unwrap();
    let beat = format!("SELECT FROM {schema}.heartbeat_1(NULL, 1, 'a', '{{}}', 15000)");
    transaction.query(&beat, &[]).await.unwrap();
    let row = transaction.query_one("SHOW synchronous_commit", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "off");
}

/// A worker that died before its server was away does not keep its name: leases are counted anew only after that.
#[tokio::test]
async fn a_name_is_free_after_a_gap() {
    let (store, other, schema) = place().await;
    beat(&store, ALICE, "alice").await.unwrap();
    let gap = format!(
        "UPDATE {schema}.worker SET until = {schema}.clock() - 50000; UPDATE {schema}.pulse SET last = {schema}.clock() - 60000"
    );
    other.batch_execute(&gap).await.unwrap();
    beat(&store, BOB, "alice").await.unwrap();
    let sql = format!("SELECT count(*) FROM {schema}.worker WHERE until > {schema}.clock()");
    assert_eq!(other.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0), 1, "two of one name do not live");
    assert!(matches!(beat(&store, ALICE, "alice").await, Err(StoreError::Refused(_))));
}

/// Only the server's clock counts; and who went by the workers' clocks would be found out.
#[tokio::test]
async fn the_clock_is_the_servers() {
    let (real, ..) = place().await;
    assert_eq!(own_clock(&real).await.unwrap(), None);
    let told = Options::new(Postgres::shared().fresh_url()).virtual_time();
    let told = PostgresStore::open_with(told).await.unwrap();
    assert!(own_clock(&told).await.unwrap().is_some());
}
