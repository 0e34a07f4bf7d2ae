//! Engines that share a store: what they keep to together, and work that is left to some of them.

use crate::support::{TICK, ok, on_every_store};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{EngineBuilder, Error, Flow, Limit, RunStatus};

/// A flow of one node that says who made each call, and how many were made at once.
#[derive(Clone, Default)]
struct Calls {
    by: Arc<Mutex<Vec<&'static str>>>,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// Held by a test that lets no call end yet.
    door: Arc<RwLock<()>>,
}

impl Calls {
    fn flow(&self, engine: &'static str, lane: Option<&'static str>) -> Flow<u32, u32> {
        let calls = self.clone();
        let call = move |n: u32| {
            let calls = calls.clone();
            async move {
                let now = calls.inside.fetch_add(1, Ordering::SeqCst) + 1;
                calls.most.fetch_max(now, Ordering::SeqCst);
                calls.by.lock().unwrap().push(engine);
                tokio::time::sleep(Duration::from_millis(3)).await;
                drop(calls.door.read().await);
                calls.inside.fetch_sub(1, Ordering::SeqCst);
                ok(n)
            }
        };
        Flow::dag("calls", move |dag, n: Node<u32>| {
            let node = dag.node("call", call, n);
            lane.map_or(node, |lane| node.lane(lane))
        })
        .unwrap()
    }

    fn by(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.by.lock().unwrap())
    }
}

fn on(store: &Arc<dyn Store>) -> EngineBuilder {
    Engine::on(Arc::clone(store)).lease(1.secs())
}

async fn all_end(engine: &Engine, runs: u32) {
    let mut started = Vec::new();
    for n in 0..runs {
        started.push(engine.run("calls", n).await.unwrap());
    }
    for (n, run) in (0..).zip(started) {
        assert_eq!(run.output::<u32>().await.unwrap(), n);
    }
}

#[test]
fn a_limit_holds_for_all_engines_together() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let engine =
            |name| on(&store).flow(calls.flow(name, Some("gpu"))).lane("gpu", 8).limit("gpu", Limit::at_once(3));
        let (a, _b) = (engine("a").start().await.unwrap(), engine("b").start().await.unwrap());
        all_end(&a, 60).await;
        let most = calls.most.load(Ordering::SeqCst);
        assert!((2..=3).contains(&most), "{most} at once");
        let by = calls.by();
        assert!(by.contains(&"a") && by.contains(&"b"), "both work: {by:?}");
    });
}

#[test]
fn a_rate_holds_for_all_engines_together() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let limit = Limit::rate(100, 1.secs()).burst(1);
        let engine = |name| on(&store).flow(calls.flow(name, Some("api"))).lane("api", 8).limit("api", limit);
        let (a, _b) = (engine("a").start().await.unwrap(), engine("b").start().await.unwrap());
        let begin = Instant::now();
        all_end(&a, 21).await;
        // Whole milliseconds are counted from the one in which the first began.
        assert!(
            begin.elapsed() + TICK >= Duration::from_millis(200),
            "21 calls 10 ms apart took {:?}",
            begin.elapsed()
        );
    });
}

#[test]
fn limits_that_cannot_be_kept_are_refused() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let engine = || on(&store).flow(calls.flow("a", None));
        for (engine, says) in [
            (engine().limit("gpu", Limit::at_once(3)), "add `.lane(\"gpu\", n)`"),
            (engine().lane("gpu", 1).limit("gpu", Limit::at_once(0)), "lets nothing begin"),
            (engine().key_window("calls", 0), "the keys of flow \"calls\""),
            (engine().worker_name(""), "name"),
        ] {
            let error = engine.start().await.unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    });
}

#[test]
fn runs_with_the_same_key_take_turns() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let engine = on(&store).flow(calls.flow("a", None)).key_window("calls", 1).start().await.unwrap();
        let start = async |key: Option<&str>, n: u32| {
            let run = engine.run("calls", n);
            match key {
                Some(key) => run.key(key).await.unwrap(),
                None => run.await.unwrap(),
            }
        };
        let mut runs = Vec::new();
        let shut = calls.door.write().await;
        for n in 0..12 {
            runs.push(start(Some("customer-7"), n).await);
        }
        let queued = runs.last().unwrap().status().await.unwrap();
        assert_eq!(queued, RunStatus::Queued);
        let free = start(None, 99).await;
        assert_ne!(free.status().await.unwrap(), RunStatus::Queued, "who has no key does not wait");
        drop(shut);
        free.output::<u32>().await.unwrap();
        for (n, run) in (0..).zip(runs) {
            assert_eq!(run.output::<u32>().await.unwrap(), n);
        }
        assert!(calls.most.load(Ordering::SeqCst) <= 2, "one with the key, one without");
        assert_eq!(calls.by().len(), 13);
    });
}

#[test]
fn a_run_can_be_left_to_one_engine_by_its_name() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let red = on(&store).flow(calls.flow("red", None)).worker_name("red").start().await.unwrap();
        let second = on(&store).flow(calls.flow("blue", None)).worker_name("red").start().await;
        let Err(Error::Store(refused)) = second else { panic!("a second engine of that name: {second:?}") };
        assert!(refused.to_string().contains("\"red\" is alive: process"), "{refused}");
        let run = red.run("calls", 7).lane("blue").await.unwrap();
        all_end(&red, 3).await;
        assert_eq!(calls.by(), ["red"; 3]);
        assert_eq!(run.status().await.unwrap(), RunStatus::Running, "nobody of that name is there yet");
        let queues = store.queues().await.unwrap();
        assert_eq!((queues.len(), queues[0].lane.as_deref(), queues[0].ready), (1, Some("blue"), 1));
        let blue = on(&store).flow(calls.flow("blue", None)).worker_name("blue").start().await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 7);
        assert_eq!(calls.by(), ["blue"]);
        let mut workers = store.fleet().await.unwrap().workers;
        workers.sort_by_key(|worker| worker.about.name.clone());
        let about: Vec<_> =
            workers.iter().map(|row| (row.about.name.as_deref(), row.about.slots, row.about.pid)).collect();
        let here = std::process::id();
        assert_eq!(about, [(Some("blue"), 1_000, here), (Some("red"), 1_000, here)]);
        assert!(workers.iter().all(|worker| worker.about.serves.len() == 1 && worker.about.lacks.is_empty()));
        drop(blue);
    });
}

#[test]
fn an_engine_without_slots_starts_runs_and_leaves_them_to_others() {
    on_every_store(|place| async move {
        let (store, calls) = (place.open().await, Calls::default());
        let desk = on(&store).flow(calls.flow("desk", None)).concurrency(0).start().await.unwrap();
        let run = desk.run("calls", 7_u32).await.unwrap();
        let worker = on(&store).flow(calls.flow("worker", None)).start().await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 7, "it sees the end");
        all_end(&desk, 20).await;
        assert_eq!(calls.by(), ["worker"; 21]);
        drop(worker);
    });
}
