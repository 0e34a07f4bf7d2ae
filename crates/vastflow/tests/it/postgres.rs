//! Engines on a PostgreSQL server that holds the user's own tables.

use crate::servers::chain;
use std::sync::Arc;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow_postgres::tokio_postgres::{Client, NoTls};
use vastflow_postgres::{Options, PostgresStore};
use vastflow_testsuite::servers::Postgres;

async fn client(url: &str) -> Client {
    let (client, connection) = vastflow_postgres::tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A run begins together with what the user writes, or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_begins_in_the_users_transaction() {
    let server = Postgres::shared();
    let schema = server.fresh_url().rsplit_once("schema=").unwrap().1.to_owned();
    let store = Arc::new(PostgresStore::open_with(Options::new(server.url()).schema(&schema)).await.unwrap());
    let engine = Engine::on(Arc::clone(&store) as Arc<_>).flow(chain()).start().await.unwrap();
    let mut client = client(&server.url()).await;
    client.batch_execute(&format!("CREATE TABLE {schema}.orders (id bigint PRIMARY KEY)")).await.unwrap();

    for (id, is_kept) in [(1_i64, false), (2, true)] {
        let start = engine.run("chain", 1_u64).id(&format!("order-{id}")).into_commit().await.unwrap();
        let transaction = client.transaction().await.unwrap();
        transaction.execute(&format!("INSERT INTO {schema}.orders VALUES ($1)"), &[&id]).await.unwrap();
        store.commit_in(&transaction, start).await.unwrap();
        if is_kept {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
    }
    let run = engine.handle("order-2").await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(30), run.output::<u64>()).await;
    assert_eq!(output.expect("it ends").unwrap(), 4);
    assert!(engine.handle("order-1").await.is_err(), "what was rolled back never began");
    let orders = client.query(&format!("SELECT id FROM {schema}.orders"), &[]).await.unwrap();
    assert_eq!(orders.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [2]);
}
