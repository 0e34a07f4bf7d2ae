//! Leases: who keeps them, what a worker does that lost its own, and what becomes of calls that kill their workers.

use crate::support::{Place, Scene, history, ok};
use crate::watched::Watched;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use vastflow::prelude::*;
use vastflow::store::{MemoryStore, Store};
use vastflow::{EngineBuilder, Flow, RunStatus};

/// A store that several engines share.
fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn on(store: &Arc<dyn Store>, flow: &Flow<u32, u32>) -> EngineBuilder {
    Engine::on(Arc::clone(store)).lease(1.secs()).flow(flow.clone())
}

/// A flow whose call notes which attempt it is, and hangs if it is the first call of all.
fn hangs_once(scene: &Arc<Scene>) -> Flow<u32, u32> {
    let scene = Arc::clone(scene);
    let handler = move |ctx: Ctx, n: u32| {
        let before = scene.note(format!("attempt {}", ctx.attempt()));
        let scene = Arc::clone(&scene);
        async move {
            if before == 0 {
                let _dropped = Dropped(Arc::clone(&scene));
                scene.entered.notify_one();
                std::future::pending::<()>().await;
            }
            ok(n + 1)
        }
    };
    Flow::dag("hangs-once", |dag, n: Node<u32>| dag.node("n", handler, n)).unwrap()
}

/// Notes that a call was ended in the middle.
struct Dropped(Arc<Scene>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

/// Not longer than this: a lease that had to end would take longer.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(20.secs(), what).await.expect("it takes too long")
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(5.ms()).await;
    }
}

/// How many are taken for alive.
async fn alive(store: &Arc<dyn Store>) -> usize {
    let fleet = store.fleet().await.unwrap();
    fleet.workers.iter().filter(|worker| worker.until > fleet.now).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_did_not_end_goes_to_others_when_it_shuts_down() {
    let (store, scene) = (store(), Scene::new());
    let flow = hangs_once(&scene);
    let first = on(&store, &flow).lease(60.secs()).worker_name("alma").start().await.unwrap();
    let run = first.run("hangs-once", 1_u32).id("r").await.unwrap();
    scene.entered.notified().await;
    drop(run);
    first.shutdown_within(1.ms()).await.unwrap_err();

    let second = on(&store, &flow).worker_name("alma").start().await.expect("the name is free at once");
    let run = second.handle("r").await.unwrap();
    assert_eq!(soon(run.output::<u32>()).await.unwrap(), 2);
    assert_eq!(scene.lines().iter().filter(|line| *line == "attempt 1").count(), 2, "no attempt was spent");
    soon(async {
        while store.fleet().await.unwrap().workers.len() > 1 {
            tokio::time::sleep(5.ms()).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_that_is_late_does_not_bring_back_who_has_said_goodbye() {
    let (store, scene) = (store(), Scene::new());
    let (watched, tally) = Watched::over(Arc::clone(&store));
    let engine = on(&watched, &hangs_once(&scene)).lease(30.secs()).start().await.unwrap();
    let late = tally.late_beats.get_or_init(Notify::new);
    soon(until(|| tally.waiting.load(Ordering::SeqCst) > 0)).await;
    let mut ending = tokio::spawn(engine.shutdown());
    // A goodbye that waits for nothing is said by then.
    let _ = tokio::time::timeout(100.ms(), &mut ending).await;
    late.notify_one();
    soon(until(|| ending.is_finished())).await;
    soon(until(|| tally.beats.load(Ordering::SeqCst) == tally.beats_heard.load(Ordering::SeqCst))).await;
    assert_eq!(alive(&store).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_a_claim_that_is_late_and_what_it_brings_goes_on() {
    let store = store();
    let flow = Flow::dag("adds", |dag, n: Node<u32>| dag.node("n", |n: u32| async move { ok(n + 1) }, n)).unwrap();
    let (watched, tally) = Watched::over(Arc::clone(&store));
    let late = tally.late_claims.get_or_init(Notify::new);
    let ends = on(&watched, &flow).lease(30.secs()).start().await.unwrap();
    soon(until(|| tally.waiting.load(Ordering::SeqCst) > 0)).await;
    let starts = on(&store, &flow).lease(30.secs()).concurrency(0).start().await.unwrap();
    let run = starts.run("adds", 1_u32).await.unwrap();
    let mut ending = tokio::spawn(ends.shutdown());
    let _ = tokio::time::timeout(100.ms(), &mut ending).await;
    late.notify_one();
    soon(until(|| ending.is_finished())).await;
    let _next = on(&store, &flow).lease(30.secs()).start().await.unwrap();
    assert_eq!(soon(run.output::<u32>()).await.unwrap(), 2);
    assert_eq!(alive(&store).await, 2, "the one that starts, and the next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_broke_down_ends_without_waiting_for_what_cannot_be_recorded() {
    let (place, scene) = (Place::sqlite(), Scene::new());
    let store = place.open().await;
    let engine = on(&store, &hangs_once(&scene)).start().await.unwrap();
    let run = engine.run("hangs-once", 1_u32).await.unwrap();
    scene.entered.notified().await;
    store.close().await.unwrap();
    soon(run.wait()).await.unwrap_err();
    _ = soon(engine.shutdown()).await;
}

#[test]
fn a_handler_that_blocks_its_runtime_does_not_hold_up_the_heartbeat() {
    let (store, scene) = (store(), Scene::new());
    let blocks = {
        let scene = Arc::clone(&scene);
        move |n: u32| {
            scene.note("called");
            scene.entered.notify_one();
            std::thread::sleep(Duration::from_millis(2_500));
            async move { ok(n + 1) }
        }
    };
    let flow = Flow::dag("blocks", |dag, n: Node<u32>| dag.node("n", blocks, n)).unwrap();
    let (own, own_flow) = (Arc::clone(&store), flow.clone());
    let blocked = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let engine = on(&own, &own_flow).start().await.unwrap();
            let run = engine.run("blocks", 1_u32).await.unwrap();
            (run.output::<u32>().await.unwrap(), engine.stats())
        })
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _other = runtime.block_on(async {
        scene.entered.notified().await;
        on(&store, &flow).start().await.unwrap()
    });
    let (output, stats) = blocked.join().unwrap();
    assert_eq!((output, scene.count("called")), (2, 1), "nobody took it over");
    assert_eq!((stats.leases_lost, stats.fenced), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_taken_for_dead_ends_its_calls_and_begins_a_new_life() {
    let (store, scene) = (store(), Scene::new());
    let flow = hangs_once(&scene);
    let (watched, tally) = Watched::over(Arc::clone(&store));
    let lost = on(&watched, &flow).worker_name("alma").start().await.unwrap();
    let before = store.fleet().await.unwrap().workers[0].id;
    let run = lost.run("hangs-once", 1_u32).await.unwrap();
    let id = run.id().to_string();
    scene.entered.notified().await;
    // As if it were stopped for a while, or its cable pulled.
    tally.cut_off.store(true, Ordering::SeqCst);
    let other = on(&store, &flow).start().await.unwrap();
    assert_eq!(soon(other.handle(&id).await.unwrap().output::<u32>()).await.unwrap(), 2);
    assert_eq!(lost.stats().fenced, 0, "it does not know yet");
    // Whoever took over is gone again before the lost one is back, and still it learns what they did.
    other.shutdown().await.unwrap();

    tally.cut_off.store(false, Ordering::SeqCst);
    assert_eq!(soon(run.output::<u32>()).await.unwrap(), 2);
    soon(async {
        while lost.stats().leases_lost == 0 || lost.stats().fenced == 0 || scene.count("dropped") == 0 {
            tokio::time::sleep(5.ms()).await;
        }
    })
    .await;
    assert_eq!(lost.stats().fenced, 1);
    let run = lost.start(&flow, 7).await.unwrap();
    assert_eq!(soon(run.output()).await.unwrap(), 8, "it goes on");
    let named = |row: &vastflow::store::WorkerRow| row.about.name.is_some() && row.id != before;
    assert_eq!(store.fleet().await.unwrap().workers.iter().filter(|row| named(row)).count(), 1, "as another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_after_the_lease_counts_for_nothing() {
    let (store, scene) = (store(), Scene::new());
    let handler = {
        let scene = Arc::clone(&scene);
        move |n: u32| {
            let (scene, before) = (Arc::clone(&scene), scene.note("called"));
            async move {
                if before == 0 {
                    scene.entered.notify_one();
                    scene.go.notified().await;
                }
                ok(n + before as u32)
            }
        }
    };
    let flow = Flow::dag("late", |dag, n: Node<u32>| dag.node("n", handler, n)).unwrap();
    let (watched, tally) = Watched::over(Arc::clone(&store));
    let lost = on(&watched, &flow).start().await.unwrap();
    let run = lost.run("late", 10_u32).id("r").await.unwrap();
    scene.entered.notified().await;
    tally.cut_off.store(true, Ordering::SeqCst);
    // It ends while nothing comes through, so its answer is on its way when the lease has gone.
    scene.go.notify_one();
    let other = on(&store, &flow).start().await.unwrap();
    assert_eq!(soon(other.handle("r").await.unwrap().output::<u32>()).await.unwrap(), 11);
    tally.cut_off.store(false, Ordering::SeqCst);
    assert_eq!(soon(run.output::<u32>()).await.unwrap(), 11);
    soon(async {
        while lost.stats().fenced == 0 {
            tokio::time::sleep(5.ms()).await;
        }
    })
    .await;
    let results = history(&store, "r").await;
    assert_eq!(results.iter().filter(|recorded| recorded.event.name() == "NodeSucceeded").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_that_of_the_store() {
    const HOUR: u64 = 3_600_000;
    let (store, tally) = Watched::over(store());
    tally.ahead.store(HOUR, Ordering::SeqCst);
    let flow = Flow::dag("when", |dag, n: Node<u32>| {
        dag.node("n", |ctx: Ctx, _: u32| async move { ok(ctx.now().millis()) }, dag.sleep("nap", 50.ms(), n))
    });
    let engine = Engine::on(Arc::clone(&store)).flow(flow.unwrap()).start().await.unwrap();
    let began = Instant::now();
    let run = engine.run("when", 1_u32).id("r").await.unwrap();
    let said = soon(run.output::<u64>()).await.unwrap();
    assert!(began.elapsed() >= 50.ms(), "waits are as long as ever");
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    // An engine takes the latest time that an answer allows: it may be ahead by as long as the answer took. A minute is
    // more than anything here takes, and far less than an hour.
    let ahead = |time: u64| (HOUR - 60_000..=HOUR + 60_000).contains(&(time.saturating_sub(here)));
    assert!(ahead(said), "{said} at {here}");
    assert!(history(&store, "r").await.iter().all(|recorded| ahead(recorded.at.millis())));
}

/// A flow whose call kills its engine if it is given 0, and waits with it if it is given 1; else, or when there is no
/// poison, it gives what it gets.
fn poison(scene: &Arc<Scene>) -> Flow<u32, u32> {
    let scene = Arc::clone(scene);
    let handler = move |n: u32| {
        let scene = Arc::clone(&scene);
        scene.note(format!("called {n}"));
        async move {
            if n == 0 {
                scene.entered.notify_one();
                std::future::pending::<()>().await;
            }
            if n == 1 {
                scene.go.notified().await;
            }
            ok(n)
        }
    };
    Flow::dag("poison", |dag, n: Node<u32>| dag.node("n", handler, n)).unwrap()
}

/// Waits until the run waits for an operator.
async fn parked(engine: &Engine, id: &str) {
    let run = engine.handle(id).await.unwrap();
    while run.status().await.unwrap() != RunStatus::NeedsAttention {
        tokio::time::sleep(5.ms()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_kills_its_workers_is_quarantined_and_the_innocent_are_not() {
    let (store, scene) = (store(), Scene::new());
    let flow = poison(&scene);
    let engine = || on(&store, &flow).max_crashes(3).start();
    let mut next = engine().await.unwrap();
    drop(next.run("poison", 0_u32).id("guilty").await.unwrap());
    for innocent in ["i1", "i2"] {
        drop(next.run("poison", 1_u32).id(innocent).await.unwrap());
    }
    let (mut deaths, mut passing) = (0, None);
    loop {
        tokio::select! {
            () = scene.entered.notified() => {}
            () = parked(&next, "guilty") => break,
        }
        if deaths >= 2 {
            let suspect = next.suspect().map(|(scope, _)| scope.to_string());
            assert_eq!(suspect.as_deref(), Some("guilty"), "it is told who runs alone");
        }
        deaths += 1;
        // All three are in hand at the first two deaths; from then on nobody keeps the innocent from ending.
        while deaths <= 2 && scene.count("called 1") < 2 * deaths {
            tokio::time::sleep(1.ms()).await;
        }
        if deaths == 2 {
            passing = Some(scene.let_all_pass());
        }
        drop(next);
        next = engine().await.unwrap();
    }
    passing.unwrap().abort();
    // Two deaths with others, which convict nobody; then three alone.
    assert_eq!((deaths, scene.count("called 0")), (5, 5));
    let guilty = next.handle("guilty").await.unwrap();
    let (at, why) = guilty.attention().await.unwrap().remove(0);
    assert!(at == "n" && why.contains("ended 3 processes, one after the other"), "{at}: {why}");
    assert_eq!((next.stats().quarantined, next.suspect()), (1, None));
    assert!(why.contains("from outside"), "{why}");
    for innocent in ["i1", "i2"] {
        assert_eq!(soon(next.handle(innocent).await.unwrap().output::<u32>()).await.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_a_call_alone_goes_on_as_before_when_it_has_ended() {
    let (store, scene) = (store(), Scene::new());
    let flow = poison(&scene);
    for lives in 1..=2 {
        let engine = on(&store, &flow).start().await.unwrap();
        drop(engine.run("poison", 1_u32).id("suspect").await.unwrap());
        while scene.count("called 1") < lives {
            tokio::time::sleep(1.ms()).await;
        }
        drop(engine);
        tokio::time::sleep(1_100.ms()).await;
        store.sweep(vastflow::Timestamp::from_millis(u64::MAX / 2), 16).await.unwrap();
    }
    assert_eq!(store.queues().await.unwrap()[0].alone, 1);
    let engine = on(&store, &flow).concurrency(4).start().await.unwrap();
    soon(async {
        while scene.count("called 1") < 3 {
            tokio::time::sleep(1.ms()).await;
        }
    })
    .await;
    let mut others = Vec::new();
    for n in 2..10_u32 {
        others.push(engine.run("poison", n).await.unwrap());
    }
    tokio::time::sleep(100.ms()).await;
    assert_eq!(scene.lines().len(), 3, "nothing else runs meanwhile");
    scene.go.notify_one();
    assert_eq!(soon(engine.handle("suspect").await.unwrap().output::<u32>()).await.unwrap(), 1);
    for (n, run) in (2..10).zip(others) {
        assert_eq!(soon(run.output::<u32>()).await.unwrap(), n);
    }
    assert_eq!(store.counts().await.unwrap().unfinished(), 0);
    assert_eq!(engine.handle("suspect").await.unwrap().status().await.unwrap(), RunStatus::Succeeded);
}
