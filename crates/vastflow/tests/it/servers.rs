//! Engines on a server that is killed, and on one that stands still for longer than a lease.

use crate::support::ok;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow_postgres::PostgresStore;
use vastflow_redis::RedisStore;
use vastflow_testsuite::servers::{Postgres, Redis, Sync};

/// How often the server is killed, and for how many seconds it stands still: as the environment says, or what CI has time
/// for.
fn asked_for(name: &str, in_ci: usize) -> usize {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(in_ci)
}

/// A server of a test's own.
enum Server {
    Postgres(Postgres),
    Redis(Redis),
}

impl Server {
    async fn open(&self) -> Arc<dyn Store> {
        match self {
            Server::Postgres(server) => Arc::new(PostgresStore::open(&server.url()).await.unwrap()),
            Server::Redis(server) => Arc::new(RedisStore::open(&server.url()).await.unwrap()),
        }
    }

    fn restart(&mut self) {
        match self {
            Server::Postgres(server) => server.restart(),
            Server::Redis(server) => server.restart(),
        }
    }

    fn stand_still(&self, length: Duration) {
        match self {
            Server::Postgres(server) => server.sigstop(),
            Server::Redis(server) => server.sigstop(),
        }
        std::thread::sleep(length);
        match self {
            Server::Postgres(server) => server.sigcont(),
            Server::Redis(server) => server.sigcont(),
        }
    }
}

async fn engine(server: &Server, flow: Flow<u64, u64>) -> Engine {
    Engine::on(server.open().await).lease(2.secs()).flow(flow).start().await.unwrap()
}

/// Three nodes in a row, each of which adds one.
pub fn chain() -> Flow<u64, u64> {
    let step = |n: u64| async move { ok(n + 1) };
    Flow::dag("chain", |dag, n: Node<u64>| {
        let first = dag.node("first", step, n);
        let second = dag.node("second", step, first);
        dag.node("third", step, second)
    })
    .unwrap()
}

/// What was acknowledged is there after the server was killed, and work goes on within seconds of its return.
async fn no_acknowledged_start_is_lost(mut server: Server) {
    let kills = asked_for("VASTFLOW_KILLS", 3);
    eprintln!("kills a server under load {kills} times: about {} s", kills * 3);
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
        // Enough to lose.
        for _ in 0..20 {
            runs.push(heard.recv().await.unwrap().1);
        }
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
    assert!(slowest < Duration::from_secs(20), "the first start after a return took {slowest:?}");
}

/// A server that stood still for longer than a lease does not make everybody look dead.
async fn nobody_looks_dead(server: Server) {
    const CALLS: usize = 20;
    let seconds = asked_for("VASTFLOW_FREEZE", 5);
    eprintln!("stops a server for {seconds} s, with leases of 2 s");
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
    tokio::task::block_in_place(|| server.stand_still(Duration::from_secs(seconds as u64)));
    // Long enough for whoever takes somebody for dead.
    tokio::time::sleep(Duration::from_secs(3)).await;
    may_end.store(true, Ordering::Release);
    for (n, run) in runs.iter().enumerate() {
        let output = tokio::time::timeout(Duration::from_secs(30), run.output::<u64>()).await;
        assert_eq!(output.expect("it ends").unwrap(), n as u64);
    }
    assert_eq!(calls.load(Ordering::Acquire), CALLS, "no call was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_start_is_lost_when_postgres_is_killed() {
    no_acknowledged_start_is_lost(Server::Postgres(Postgres::start(true))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_start_is_lost_when_redis_is_killed() {
    no_acknowledged_start_is_lost(Server::Redis(Redis::start(Sync::Always))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_looks_dead_when_postgres_stood_still() {
    nobody_looks_dead(Server::Postgres(Postgres::start(true))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_looks_dead_when_redis_stood_still() {
    nobody_looks_dead(Server::Redis(Redis::start(Sync::Always))).await;
}
