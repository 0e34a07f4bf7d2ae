//! The partitions of the journal: those that are empty go, and no run with them.

use crate::races::client;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::Seq;
use vastflow_postgres::PostgresStore;
use vastflow_postgres::tokio_postgres::Client;
use vastflow_store::Store;
use vastflow_testsuite::Probe;
use vastflow_testsuite::fixture::{self, root};
use vastflow_testsuite::servers::Postgres;

/// A store of a schema, and who looks into its tables.
struct Shelf {
    store: Arc<PostgresStore>,
    other: Client,
    schema: String,
}

impl Shelf {
    async fn new() -> Self {
        let url = Postgres::shared().fresh_url();
        let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
        let store = Arc::new(PostgresStore::open(&url).await.unwrap());
        store.put_plan(fixture::plan()).await.unwrap();
        Shelf { store, other: client().await, schema }
    }

    async fn run(&self, sql: &str) {
        self.other.batch_execute(&sql.replace("{schema}", &self.schema)).await.unwrap();
    }

    /// As if so many runs had begun, so that partitions before are old.
    async fn grow(&self, keys: u64) {
        self.run(&format!("SELECT setval('{{schema}}.scope_id', {keys})")).await;
    }

    /// Begins to take a partition out, and gives up because somebody is at it.
    async fn give_up(&self, name: &str) {
        self.run("SET statement_timeout = '300ms'").await;
        let begin = format!("ALTER TABLE {0}.journal DETACH PARTITION {0}.{name} CONCURRENTLY", self.schema);
        assert!(self.other.simple_query(&begin).await.is_err(), "somebody is at it");
        self.run("SET statement_timeout = 0").await;
    }

    /// The partitions that the journal has, all of which are noted.
    async fn parts(&self) -> Vec<String> {
        let sql = "SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                   WHERE i.inhparent = '{schema}.journal'::regclass AND NOT i.inhdetachpending ORDER BY 1";
        let noted = "SELECT name FROM {schema}.journal_part ORDER BY 1";
        let names = async |sql: &str| {
            let rows = self.other.query(&sql.replace("{schema}", &self.schema), &[]).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
        };
        let there = names(sql).await;
        assert_eq!(there, names(noted).await);
        there
    }
}

/// A user's transaction begins a run in a partition that is found to be empty: that waits, finds the run, and stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_comes_late_keeps_its_journal() {
    let shelf = Shelf::new().await;
    let mut user = client().await;
    let transaction = user.transaction().await.unwrap();
    shelf.store.commit_in(&transaction, fixture::start_commit("late")).await.unwrap();
    shelf.grow(10_000_000).await;
    let gone = tokio::spawn({
        let store = Arc::clone(&shelf.store);
        async move { store.look_after().await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!gone.is_finished(), "it waits for the transaction");
    transaction.commit().await.unwrap();
    gone.await.unwrap().unwrap();
    assert_eq!(shelf.store.history(&root("late"), Seq::ZERO, 9).await.unwrap().len(), 1);
    assert_eq!(shelf.parts().await, ["journal_0", "journal_1", "journal_2"]);
}

/// The same when whoever took it out gave up while the transaction lasted: until it is back, the journal is not taken for
/// an empty one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_was_given_up_comes_back_with_its_run() {
    let shelf = Shelf::new().await;
    let mut user = client().await;
    let transaction = user.transaction().await.unwrap();
    shelf.store.commit_in(&transaction, fixture::start_commit("late")).await.unwrap();
    shelf.give_up("journal_0").await;
    transaction.commit().await.unwrap();
    let why = shelf.store.history(&root("late"), Seq::ZERO, 9).await.unwrap_err();
    assert!(why.is_transient(), "{why}");
    shelf.store.look_after().await.unwrap();
    assert_eq!(shelf.store.history(&root("late"), Seq::ZERO, 9).await.unwrap().len(), 1);
    assert_eq!(shelf.parts().await, ["journal_0"]);
    // And when it was out already, and its process died.
    shelf.run("ALTER TABLE {schema}.journal DETACH PARTITION {schema}.journal_0").await;
    shelf.store.look_after().await.unwrap();
    assert_eq!(shelf.parts().await, ["journal_0"]);
    assert_eq!(shelf.store.history(&root("late"), Seq::ZERO, 9).await.unwrap().len(), 1);
}

/// PostgreSQL takes none out while another is on its way: that one comes first; and one that fails is in nobody's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_comes_first_and_a_failure_stops_nobody() {
    let shelf = Shelf::new().await;
    shelf.grow(10_000_000).await;
    // The middle one of three waits.
    let mut looker = client().await;
    shelf.store.look_after().await.unwrap();
    assert_eq!(shelf.parts().await, ["journal_1", "journal_2"]);
    shelf.grow(20_000_000).await;
    let look = looker.transaction().await.unwrap();
    look.query(&format!("SELECT FROM {}.journal", shelf.schema), &[]).await.unwrap();
    shelf.give_up("journal_2").await;
    look.commit().await.unwrap();
    shelf.run("INSERT INTO {schema}.journal_part VALUES (-2, -1, 'journal_lost')").await;
    let why = shelf.store.look_after().await.unwrap_err().to_string();
    assert!(why.contains("journal_lost"), "{why}");
    shelf.run("DELETE FROM {schema}.journal_part WHERE name = 'journal_lost'").await;
    assert_eq!(shelf.parts().await, ["journal_3", "journal_4", "journal_5"]);
}

/// A partition of which every run was deleted goes, and nobody waits for that: not even while somebody looks at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_partition_goes_and_nobody_waits() {
    let url = Postgres::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    let probe = Probe::open(Arc::new(Arc::clone(&store) as Arc<dyn Store>)).await;
    let (mut looker, other) = (client().await, client().await);
    let parts = format!(
        "SELECT (SELECT count(*) FROM {schema}.journal_part) * 100 + count(*) FROM pg_inherits
         WHERE inhparent = '{schema}.journal'::regclass"
    );
    let parts = async || other.query_one(&parts, &[]).await.unwrap().get::<_, i64>(0);
    other.batch_execute(&format!("SELECT setval('{schema}.scope_id', 10000000)")).await.unwrap();

    let look = looker.transaction().await.unwrap();
    look.query(&format!("SELECT FROM {schema}.journal"), &[]).await.unwrap();
    let gone = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.look_after().await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = tokio::time::timeout(Duration::from_secs(20), probe.done(fixture::start_commit("r"))).await;
    begun.expect("while somebody looks");
    assert_eq!(probe.history(&root("r")).await.len(), 1);
    assert!(!gone.is_finished(), "it waits for who looked before");
    look.commit().await.unwrap();
    gone.await.unwrap().unwrap();
    assert_eq!(parts().await, 202, "of three, the first has gone");

    // One that was begun and given up is brought to its end.
    other.batch_execute(&format!("SELECT setval('{schema}.scope_id', 20000000)")).await.unwrap();
    let look = looker.transaction().await.unwrap();
    look.query(&format!("SELECT FROM {schema}.journal"), &[]).await.unwrap();
    other.simple_query("SET statement_timeout = '300ms'").await.unwrap();
    let begin = format!("ALTER TABLE {schema}.journal DETACH PARTITION {schema}.journal_1 CONCURRENTLY");
    assert!(other.simple_query(&begin).await.is_err(), "somebody looks");
    look.commit().await.unwrap();
    store.look_after().await.unwrap();
    assert_eq!(parts().await, 404, "one more has gone, and three have come");
}
