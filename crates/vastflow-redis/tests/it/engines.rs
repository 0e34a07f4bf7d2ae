//! Engines on a server that is killed and stopped under them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use vastflow_core::RunStatus;
use vastflow_redis::{RedisOptions, RedisStore};
use vastflow_sdk::{Flow, Node, Result};
use vastflow_store::{Heartbeat, RunQuery, Store, WorkerInfo};
use vastflow_testsuite::fixture;
use vastflow_testsuite::servers::{Redis, Sync};
use vastflow_worker::Engine;

/// Long tests are long when this is set, and short otherwise.
fn long_or(long: usize, short: usize) -> usize {
    if std::env::var_os("VASTFLOW_LONG").is_some() { long } else { short }
}

fn say(what: &str) {
    eprintln!("[redis] {what}");
}

async fn store(server: &Redis) -> Arc<dyn Store> {
    let options = RedisOptions::new(server.url()).patience(Duration::from_secs(2));
    Arc::new(RedisStore::open_with(&options).await.unwrap())
}

fn chain() -> Flow<u32, u32> {
    let add = |n: u32| async move { Result::<u32>::Ok(n + 1) };
    let flow = Flow::dag("chain", |dag, n: Node<'_, u32>| {
        let a = dag.node("a", add, n);
        let b = dag.node("b", add, a);
        dag.node("c", add, b)
    });
    flow.unwrap()
}

/// Starts runs one after the other until it is told to stop; gives the ids of those that were acknowledged.
async fn start_runs(engine: Arc<Engine>, name: usize, stop: Arc<AtomicUsize>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) > 0 {
            break;
        }
        let id = format!("r{name}-{number}");
        if let Ok(run) = engine.run("chain", 1_u32).id(&id).await {
            acknowledged.push(id);
            // A run now and then is waited for, so that starts do not run away from ends.
            if number % 8 == 0 {
                let _ = tokio::time::timeout(Duration::from_millis(300), run.wait()).await;
            }
        }
    }
    acknowledged
}

async fn finished(store: &dyn Store) -> u64 {
    store.counts().await.map_or(0, |counts| counts.succeeded)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let kills = long_or(20, 4);
    let mut server = Redis::start(Sync::Always);
    let mut engines = Vec::new();
    for _ in 0..2 {
        let engine =
            Engine::on(store(&server).await).flow(chain()).lease(Duration::from_secs(2)).start().await.unwrap();
        engines.push(Arc::new(engine));
    }
    let stop = Arc::new(AtomicUsize::new(0));
    let starters: Vec<_> = engines
        .iter()
        .enumerate()
        .flat_map(|(at, engine)| (0..4).map(move |n| (at * 4 + n, Arc::clone(engine))))
        .map(|(name, engine)| tokio::spawn(start_runs(engine, name, Arc::clone(&stop))))
        .collect();
    let looking = store(&server).await;
    let mut slowest = Duration::ZERO;
    for kill in 1..=kills {
        say(&format!("kill {kill} of {kills}, after some load"));
        tokio::time::sleep(Duration::from_millis(100 + 67 * (kill as u64 % 7))).await;
        let before = finished(&*looking).await;
        server.restart();
        let back = Instant::now();
        while finished(&*looking).await <= before {
            assert!(back.elapsed() < Duration::from_secs(60), "nothing ends any more after kill {kill}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(back.elapsed());
    }
    say(&format!("work went on at most {slowest:?} after the server was back"));
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
    stop.store(1, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for starter in starters {
        acknowledged.extend(starter.await.unwrap());
    }
    say(&format!("{} starts were acknowledged; waiting until all runs have ended", acknowledged.len()));
    assert!(acknowledged.len() > 50 * kills, "too little load: {}", acknowledged.len());
    for id in &acknowledged {
        let run = engines[0].handle(id).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(60), run.wait()).await;
        assert_eq!(ended.expect("an end").unwrap().status, RunStatus::Succeeded, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_given_up_when_the_server_was_stopped() {
    let (lease, pause) = (Duration::from_secs(2), Duration::from_secs(long_or(10, 3) as u64));
    let server = Redis::start(Sync::Always);
    let calls = Arc::new(AtomicU32::new(0));
    let flow = {
        let calls = Arc::clone(&calls);
        let slow = move |n: u32| {
            calls.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::time::sleep(pause + Duration::from_secs(4)).await;
                Result::<u32>::Ok(n)
            }
        };
        Flow::dag("slow", move |dag, n: Node<'_, u32>| dag.node("slow", slow, n)).unwrap()
    };
    let first = Engine::on(store(&server).await).flow(flow.clone()).lease(lease).start().await.unwrap();
    let second = Engine::on(store(&server).await).flow(flow).lease(lease).start().await.unwrap();
    let mut runs = Vec::new();
    for n in 0..8 {
        let engine = if n % 2 == 0 { &first } else { &second };
        runs.push(engine.run("slow", n).await.unwrap());
    }
    let looking = store(&server).await;
    while looking.queues().await.unwrap().iter().map(|row| row.in_hand).sum::<usize>() < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(lease).await;
    say(&format!("the server is stopped for {pause:?}, the lease is {lease:?}"));
    server.sigstop();
    tokio::time::sleep(pause).await;
    server.sigcont();
    say("it goes on; waiting until all runs have ended");
    for run in runs {
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Succeeded);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 8, "each call was made once: nobody took it from the one who made it");
    assert_eq!(looking.fleet().await.unwrap().workers.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_work_of_a_dead_engine_goes_on_elsewhere() {
    let server = Redis::start(Sync::Always);
    let lease = Duration::from_secs(1);
    let started = Arc::new(tokio::sync::Notify::new());
    let tries = Arc::new(AtomicU32::new(0));
    let flow = {
        let (started, tries) = (Arc::clone(&started), Arc::clone(&tries));
        let once = move |n: u32| {
            let (started, is_first) = (Arc::clone(&started), tries.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                started.notify_one();
                if is_first {
                    std::future::pending::<()>().await;
                }
                Result::<u32>::Ok(n)
            }
        };
        Flow::dag("once", move |dag, n: Node<'_, u32>| dag.node("once", once, n)).unwrap()
    };
    let dying = Engine::on(store(&server).await).flow(flow.clone()).lease(lease).start().await.unwrap();
    let living = Engine::on(store(&server).await).flow(flow).lease(lease).concurrency(4).start().await.unwrap();
    let id = dying.run("once", 7_u32).id("r").await.unwrap().id().to_string();
    started.notified().await;
    tokio::time::sleep(lease).await;
    say("an engine dies; its lease is 1 s");
    drop(dying);
    let died = Instant::now();
    let run = living.handle(&id).await.unwrap();
    assert_eq!(run.output::<u32>().await.unwrap(), 7);
    assert!(died.elapsed() < lease * 10, "{:?}", died.elapsed());
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    let page = living.store().runs(&RunQuery::default()).await.unwrap();
    assert_eq!(page.rows.len(), 1);
}

/// A server that takes more than a second for every answer is slow and not away: who has died on it is given up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_are_given_up_on_a_slow_server_too() {
    let (lease, pause) = (Duration::from_secs(6), 1_200);
    let server = Arc::new(Redis::start(Sync::EverySecond));
    let store = RedisStore::open(&server.url()).await.unwrap();
    let pulse = |worker| Heartbeat { worker, about: Arc::new(WorkerInfo::here()), lease, now: fixture::T0 };
    store.heartbeat(pulse(fixture::BOB)).await.unwrap();
    let stop = Arc::new(AtomicUsize::new(0));
    let slow = {
        let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
        std::thread::spawn(move || {
            while stop.load(Ordering::Relaxed) == 0 {
                server.command(&format!("CLIENT PAUSE {pause} ALL"));
                // What has waited is answered now.
                std::thread::sleep(Duration::from_millis(20));
            }
        })
    };
    say("one of two workers is silent, and every answer takes 1.2 s; its lease is 6 s");
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    loop {
        let asked = Instant::now();
        let beat = store.heartbeat(pulse(fixture::ALICE)).await;
        // On a machine that is busy besides, an answer may come too late; then it takes longer.
        let is_given_up = beat.is_ok() && store.sweep(fixture::T0, 9).await.is_ok_and(|swept| swept.workers > 0);
        // Either of the two may be what is asked while the server stands still.
        slowest = slowest.max(asked.elapsed());
        if is_given_up {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the dead are not given up");
    }
    stop.store(1, Ordering::Relaxed);
    slow.join().unwrap();
    assert!(slowest > Duration::from_secs(1) && began.elapsed() >= lease, "{slowest:?}, {:?}", began.elapsed());
    assert_eq!(store.fleet().await.unwrap().workers.len(), 1);
}
