//! Engines on a PostgreSQL server that is killed, that is stopped, and that holds the user's own tables.

use crate::support::ok;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use vastflow::prelude::*;
use vastflow_postgres::tokio_postgres::{Client, NoTls};
use vastflow_postgres::{Options, PostgresStore};
use vastflow_testsuite::servers::Postgres;

/// How often the server is killed: `VASTFLOW_KILLS`, or what CI has time for.
fn kills() -> usize {
    std::env::var("VASTFLOW_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3)
}

async fn engine(server: &Postgres, flow: Flow<u64, u64>) -> Engine {
    let store = Arc::new(PostgresStore::open(&server.url()).await.unwrap());
    Engine::on(store).lease(2.secs()).flow(flow).start().await.unwrap()
}

fn chain() -> Flow<u64, u64> {
    let step = |n: u64| async move { ok(n + 1) };
    Flow::dag("chain", |dag, n: Node<u64>| {
        let first = dag.node("first", step, n);
        let second = dag.node("second", step, first);
        dag.node("third", step, second)
    })
    .unwrap()
}

/// What was acknowledged is there after the server was killed, and work goes on within seconds of its return.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_start_is_lost_when_the_server_is_killed() {
    let kills = kills();
    eprintln!("kills a PostgreSQL server under load {kills} times: about {} s", kills * 3);
    let mut server = Postgres::start(true);
    let engine = engine(&server, chain()).await;
    let (acknowledged, mut heard) = mpsc::unbounded_channel();
    let is_over = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..4_u64)
        .map(|_| {
            let (engine, acknowledged, is_over) = (engine.clone(), acknowledged.clone(), Arc::clone(&is_over));
            tokio::spawn(async move {
                while !is_over.load(Ordering::Acquire) {
                    if let Ok(run) = engine.run("chain", 1_u64).await {
                        acknowledged.send((Instant::now(), run)).unwrap();
                    }
                }
            })
        })
        .collect();
    let mut runs = Vec::new();
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        runs.push(heard.recv().await.unwrap().1);
        tokio::time::sleep(Duration::from_millis(150 + 97 * (kill as u64 % 5))).await;
        tokio::task::block_in_place(|| server.restart());
        let back = Instant::now();
        loop {
            let (at, run) = heard.recv().await.unwrap();
            runs.push(run);
            if at > back {
                break;
            }
        }
        slowest = slowest.max(back.elapsed());
    }
    is_over.store(true, Ordering::Release);
    for task in load {
        task.await.unwrap();
    }
    while let Ok((_, run)) = heard.try_recv() {
        runs.push(run);
    }
    for run in &runs {
        let output = tokio::time::timeout(Duration::from_secs(60), run.output::<u64>()).await;
        assert_eq!(output.expect("it ends").unwrap(), 4, "run {}", run.id());
    }
    eprintln!("{} acknowledged runs, all there; the slowest return took {slowest:?}", runs.len());
    assert!(runs.len() > 10 * kills, "only {} runs: the test tested little", runs.len());
    assert!(slowest < Duration::from_secs(5), "the first start after a return took {slowest:?}");
}

/// A server that stood still for longer than a lease does not make everybody look dead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stood_still_makes_nobody_look_dead() {
    eprintln!("stops a PostgreSQL server for 5 s, with leases of 2 s");
    const CALLS: usize = 20;
    let server = Postgres::start(true);
    let (calls, may_end) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let flow = || {
        let (calls, may_end) = (Arc::clone(&calls), Arc::clone(&may_end));
        let long = move |n: u64| {
            let (calls, may_end) = (Arc::clone(&calls), Arc::clone(&may_end));
            async move {
                calls.fetch_add(1, Ordering::AcqRel);
                while !may_end.load(Ordering::Acquire) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                ok(n)
            }
        };
        Flow::dag("long", |dag, n: Node<u64>| dag.node("long", long, n)).unwrap()
    };
    let engines = [engine(&server, flow()).await, engine(&server, flow()).await];
    let mut runs = Vec::new();
    for n in 0..CALLS {
        runs.push(engines[n % 2].run("long", n as u64).await.unwrap());
    }
    while calls.load(Ordering::Acquire) < CALLS {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::task::block_in_place(|| {
        server.sigstop();
        std::thread::sleep(Duration::from_secs(5));
        server.sigcont();
    });
    // Long enough for whoever takes somebody for dead.
    tokio::time::sleep(Duration::from_secs(3)).await;
    may_end.store(true, Ordering::Release);
    for (n, run) in runs.iter().enumerate() {
        let output = tokio::time::timeout(Duration::from_secs(30), run.output::<u64>()).await;
        assert_eq!(output.expect("it ends").unwrap(), n as u64);
    }
    assert_eq!(calls.load(Ordering::Acquire), CALLS, "no call was made twice");
}

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
