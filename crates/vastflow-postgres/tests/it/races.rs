//! What two sessions of the server do at the same time.

use crate::support::Place;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::Timestamp;
use vastflow_postgres::tokio_postgres::{Client, NoTls, connect};
use vastflow_postgres::{Options, PostgresStore};
use vastflow_store::{Claim, Committed, Control, Doomed, Prune, Store, WindowOf};
use vastflow_testsuite::fixture::{self, ALICE, BOB, LEASE, Story, T0, attempt};
use vastflow_testsuite::servers::Postgres;
use vastflow_testsuite::{Harness, Probe};

pub(crate) async fn client() -> Client {
    let (client, connection) = connect(&Postgres::shared().url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A task comes back to a held run at the very moment in which the run goes on: it is not forgotten.
#[tokio::test]
async fn what_comes_back_while_a_run_is_resumed_is_claimable() {
    let place = Place::fresh();
    let schema = place.schema();
    let probe = Probe::open(Arc::new(place)).await;
    let mut story = probe.begin_with(Story::new(fixture::wide(2), "r")).await;
    let claimed = probe.claim(1).await;
    let mut hold = story.finish(attempt(1, 1));
    hold.control = Some(Control::Held);
    probe.done(hold).await;

    let mut other = client().await;
    let resume = other.transaction().await.unwrap();
    let word = format!("SELECT {schema}.control_1(key, 0::smallint, {0}, {0}) FROM {schema}.run", T0.millis());
    resume.query(&word, &[]).await.unwrap();
    probe.release(&claimed).await;
    resume.commit().await.unwrap();
    assert_eq!(probe.claim(9).await.len(), 1, "the run goes on, and so does its task");
}

/// Claims do not wait for tasks that somebody else has locked.
#[tokio::test]
async fn a_claim_waits_for_nobody() {
    let place = Place::fresh();
    let schema = place.schema();
    let probe = Probe::open(Arc::new(place)).await;
    let locked = probe.begin("locked").await;
    let free = probe.begin("free").await;
    let mut other = client().await;
    let transaction = other.transaction().await.unwrap();
    let name = locked.scope.to_string();
    let lock = format!(
        "SELECT FROM {schema}.task t JOIN {schema}.scope s ON s.id = t.scope WHERE s.name = $1 FOR UPDATE OF t"
    );
    transaction.query(&lock, &[&name]).await.unwrap();
    let tasks = probe.claim(9).await;
    assert_eq!(tasks.iter().map(|task| &task.scope).collect::<Vec<_>>(), [&free.scope]);
    transaction.rollback().await.unwrap();
    assert_eq!(probe.claim(9).await.len(), 1);
}

/// A user's own transaction that holds one run keeps no other from going on, and that one not for longer than it lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_locked_run_among_strangers() {
    let place = Place::fresh();
    let schema = place.schema();
    let probe = Probe::open(Arc::new(place)).await;
    let mut stories = Vec::new();
    for run in 0..40 {
        stories.push(probe.begin(&format!("r{run}")).await);
    }
    let mut other = client().await;
    let transaction = other.transaction().await.unwrap();
    let lock = format!("SELECT FROM {schema}.scope WHERE name = 'r17' FOR UPDATE");
    transaction.query(&lock, &[]).await.unwrap();
    let batch: Vec<_> = stories.iter_mut().map(|story| story.finish(attempt(0, 1))).collect();
    let answers = tokio::time::timeout(Duration::from_secs(60), probe.batch(batch)).await.expect("in time");
    let failed: Vec<usize> = (0..40).filter(|at| answers[*at].1.is_err()).collect();
    assert_eq!(failed, [17]);
    assert!(answers[17].1.as_ref().unwrap_err().is_transient());
    transaction.rollback().await.unwrap();
    probe.done(answers[17].0.clone()).await;
}

/// Batches that name the same scopes in other orders do not wait for each other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_in_any_order_all_come_through() {
    let place = Place::fresh();
    let stores = [place.open().await, place.open().await];
    stores[0].put_plan(fixture::plan()).await.unwrap();
    let runs: Vec<String> = (0..16).map(|run| format!("r{run}")).collect();
    for run in &runs {
        stores[0].commit(fixture::start_commit(run)).await.unwrap();
    }
    let tasks: Vec<_> =
        stores.into_iter().enumerate().map(|(at, store)| tokio::spawn(rounds(store, runs.clone(), at == 1))).collect();
    for task in tasks {
        assert!(task.await.unwrap() > 0);
    }
}

/// A deletion waits for runs in the order in which commits do: for one that a batch has, and not with what it wants next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_and_a_batch_do_not_wait_for_each_other() {
    let place = Place::fresh();
    let schema = place.schema();
    let store = place.open().await;
    let probe = Probe::open(Arc::new(Arc::clone(&store))).await;
    // Begun in the other order than that of their names.
    for run in ["b", "a"] {
        let mut story = probe.begin(run).await;
        for node in 0..3 {
            probe.done(story.finish(attempt(node, 1))).await;
        }
    }
    let mut other = client().await;
    let batch = other.transaction().await.unwrap();
    let lock = |run: &str| format!("SELECT FROM {schema}.scope WHERE name = '{run}' FOR NO KEY UPDATE NOWAIT");
    batch.query(&lock("a"), &[]).await.unwrap();
    let ask = Prune { which: Doomed::Runs(["a", "b"].map(fixture::run_id).into()), limit: 10 };
    let pruned = tokio::spawn(async move { store.prune(&ask).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!pruned.is_finished(), "it waits for the one that is locked");
    batch.query(&lock("b"), &[]).await.expect("nobody has the other meanwhile");
    batch.rollback().await.unwrap();
    assert_eq!(pruned.await.unwrap().unwrap().runs, 2);
}

/// Thirty batches that each append to all runs, as far as nobody else did meanwhile; how many got in.
async fn rounds(store: Arc<dyn Store>, mut runs: Vec<String>, is_reversed: bool) -> usize {
    if is_reversed {
        runs.reverse();
    }
    let probe = Probe::open(Arc::new(Arc::clone(&store))).await;
    let mut done = 0;
    for _ in 0..30 {
        let mut batch = Vec::new();
        for run in &runs {
            let len = store.run(&fixture::run_id(run)).await.unwrap().unwrap().len;
            batch.push(fixture::commit(&fixture::root(run), len.0));
        }
        let answers = probe.answers(batch).await;
        done += answers.iter().filter(|answer| matches!(answer, Committed::Done { .. })).count();
        assert!(answers.iter().all(|answer| matches!(answer, Committed::Done { .. } | Committed::Conflict { .. })));
    }
    done
}

/// A lease that had not ended before a gap in the store's life is counted anew, once; one that had is not.
#[tokio::test]
async fn leases_are_counted_anew_after_a_gap() {
    let url = Postgres::shared().fresh_url();
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let store = PostgresStore::open_with(Options::new(url)).await.unwrap();
    let other = client().await;
    store.put_plan(fixture::plan()).await.unwrap();
    let commit = |run: &str| (&store as &dyn Store).commit(fixture::start_commit(run));
    commit("a").await.unwrap();
    commit("b").await.unwrap();
    for worker in [ALICE, BOB] {
        let ask = Claim::new(worker, 1, LEASE, Timestamp::ZERO);
        assert_eq!(store.claim(ask).await.unwrap().tasks.len(), 1);
    }
    // As if nobody had been heard of for a minute, in which the lease of one ended, and that of the other before.
    let gap = |holder: u64, since: i64| {
        format!(
            "UPDATE {schema}.worker SET until = {schema}.clock() - {since} WHERE id = {holder};
             UPDATE {schema}.pulse SET last = {schema}.clock() - 60000"
        )
    };
    other.batch_execute(&gap(ALICE.0, 50_000)).await.unwrap();
    other.batch_execute(&gap(BOB.0, 70_000)).await.unwrap();
    let swept = store.sweep(Timestamp::ZERO, 9).await.unwrap();
    assert_eq!((swept.workers, swept.tasks), (1, 1), "only the one that was dead before the gap");
    other.batch_execute(&gap(ALICE.0, 50_000)).await.unwrap();
    assert_eq!(store.sweep(Timestamp::ZERO, 9).await.unwrap().tasks, 1, "once, and not for ever");
}

/// Two claims that wait for each other fill one place once, however careful the database is told to be: the second counts
/// again what the first let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_place_among_two_claims() {
    let mut admin = client().await;
    let role = "DROP ROLE IF EXISTS careful; CREATE ROLE careful LOGIN SUPERUSER; \
                ALTER ROLE careful SET default_transaction_isolation = 'repeatable read'";
    admin.batch_execute(role).await.unwrap();
    let url = Postgres::shared().fresh_url().replace("postgres@", "careful@");
    let schema = url.rsplit_once("schema=").unwrap().1.to_owned();
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    store.put_plan(fixture::plan()).await.unwrap();
    for run in ["a", "b"] {
        let mut story = Story::new(fixture::plan(), run);
        story.queued = true;
        (&*store as &dyn Store).commit(story.start()).await.unwrap();
    }
    let gate = admin.transaction().await.unwrap();
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('{schema}.admit', 0))");
    gate.batch_execute(&lock).await.unwrap();
    let claims = [ALICE, BOB].map(|worker| {
        let (store, windows) = (Arc::clone(&store), vec![(WindowOf::All, 1)].into());
        tokio::spawn(async move {
            store.claim(Claim { windows, ..Claim::new(worker, 9, LEASE, T0) }).await.unwrap().tasks.len()
        })
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'careful' AND wait_event = 'advisory'";
    let other = client().await;
    while other.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    gate.rollback().await.unwrap();
    let mut let_in = 0;
    for claim in claims {
        let_in += claim.await.unwrap();
    }
    assert_eq!(let_in, 1);
}
