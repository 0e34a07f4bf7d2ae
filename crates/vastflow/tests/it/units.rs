//! Several engines on one store: who does the work, what becomes of an engine's work when it is gone, what is seen of it.

use crate::support::{Place, SECOND, Scene, and_killed, ok, on_every_store, recorded};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::RwLock;
use vastflow::prelude::*;
use vastflow::store::{RunQuery, Store};
use vastflow::{Error, Event, Flow, RunStatus};

/// How soon an engine that is gone is given up.
const LEASE: Duration = Duration::from_secs(1);

/// A flow of one node that says who did it; none ends while the door is shut.
fn job(scene: &Arc<Scene>, who: &'static str, door: &Arc<RwLock<()>>) -> Flow<u32, u32> {
    let (scene, door) = (Arc::clone(scene), Arc::clone(door));
    let work = move |n: u32| {
        scene.note(format!("{who} {n}"));
        let door = Arc::clone(&door);
        async move {
            drop(door.read().await);
            tokio::time::sleep(2.ms()).await;
            ok(n)
        }
    };
    Flow::dag("job", |dag, n: Node<u32>| dag.node("work", work, n)).unwrap()
}

#[test]
fn case_18_two_engines_do_each_of_a_hundred_jobs_once_and_both_work() {
    on_every_store(|place| async move {
        let (store, scene, door) = (place.open().await, Scene::new(), Arc::<RwLock<()>>::default());
        let flow = |who| job(&scene, who, &door);
        let engine = |who| Engine::on(Arc::clone(&store)).lease(LEASE).concurrency(2).flow(flow(who)).start();
        let (a, b) = (engine("a").await.unwrap(), engine("b").await.unwrap());
        // Or one does each as it comes, where a start takes longer than a job.
        let shut = door.write().await;
        let mut runs = Vec::new();
        for n in 0..100_u32 {
            runs.push(a.run("job", n).await.unwrap());
        }
        drop(shut);
        for (n, run) in (0..).zip(&runs) {
            assert_eq!(run.output::<u32>().await.unwrap(), n);
        }
        let (mut jobs, mut workers) = (BTreeMap::<u32, u32>::new(), BTreeMap::<String, u32>::new());
        for line in scene.lines() {
            let (who, n) = line.split_once(' ').unwrap();
            *jobs.entry(n.parse().unwrap()).or_default() += 1;
            *workers.entry(who.to_owned()).or_default() += 1;
        }
        assert!(jobs.len() == 100 && jobs.values().all(|count| *count == 1), "{jobs:?}");
        assert!(workers.len() == 2 && workers.values().all(|count| *count >= 10), "{workers:?}");
        drop(b);
    });
}

/// Three nodes in a row; the second one hangs where `who` is to be killed.
fn chain(scene: &Arc<Scene>, who: &'static str, hangs: bool) -> Flow<u32, u32> {
    let node = |name: &'static str| {
        let scene = Arc::clone(scene);
        move |n: u32| {
            let scene = Arc::clone(&scene);
            async move {
                scene.note(format!("{who} {name} {n}"));
                if hangs && name == "second" {
                    scene.entered.notify_one();
                    std::future::pending::<()>().await;
                }
                ok(n + 1)
            }
        }
    };
    Flow::dag("chain", |dag, n: Node<u32>| {
        let first = dag.node("first", node("first"), n);
        let second = dag.node("second", node("second"), first);
        dag.node("third", node("third"), second)
    })
    .unwrap()
}

/// Starts runs with these inputs on an engine that is killed when the second node of all of them hangs. Meanwhile another
/// engine has started.
async fn killed_in_the_middle(place: &Place, store: &Arc<dyn Store>, scene: &Arc<Scene>, inputs: Vec<u32>) -> Engine {
    let (there, on, until) = (Arc::clone(scene), Arc::clone(store), Arc::clone(scene));
    let ids: Vec<String> = inputs.iter().map(|n| place.id(&format!("chain-{n}"))).collect();
    let dying = tokio::spawn(and_killed(move || async move {
        let engine = Engine::on(on).lease(LEASE).flow(chain(&there, "a", true)).start().await.unwrap();
        for (n, id) in inputs.iter().zip(&ids) {
            drop(engine.run("chain", *n).id(id).await.unwrap());
            there.entered.notified().await;
        }
        there.note("all hang");
        until.go.notified().await;
    }));
    while !scene.lines().contains(&"all hang".to_owned()) {
        tokio::time::sleep(TICK).await;
    }
    let other = Engine::on(Arc::clone(store)).lease(LEASE).flow(chain(scene, "b", false)).start().await.unwrap();
    scene.go.notify_one();
    dying.await.unwrap();
    other
}

const TICK: Duration = Duration::from_millis(1);

#[test]
fn case_46_a_node_of_a_dead_engine_is_done_by_the_other_and_the_run_ends_once() {
    on_every_store(|place| async move {
        let (store, scene) = (place.open().await, Scene::new());
        let other = killed_in_the_middle(&place, &store, &scene, vec![1]).await;
        let died = Instant::now();
        let run = other.handle(&place.id("chain-1")).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 4);
        assert!(died.elapsed() < 10 * LEASE, "it took {:?}", died.elapsed());
        let calls = ["a first 1", "a second 2", "all hang", "b second 2", "b third 3"];
        assert_eq!(scene.lines(), calls, "the node in hand again, with its input; no other twice");
        let succeeded = recorded(&store, run.id(), |event| matches!(event, Event::NodeSucceeded { .. })).await;
        let ended = recorded(&store, run.id(), |event| matches!(event, Event::RunEnded { .. })).await;
        assert_eq!((succeeded, ended), (3, 1));
    });
}

#[test]
fn case_19_five_jobs_of_a_dead_engine_are_done_by_the_other() {
    on_every_store(|place| async move {
        let (store, scene) = (place.open().await, Scene::new());
        let other = killed_in_the_middle(&place, &store, &scene, (1..=5).collect()).await;
        for n in 1..=5_u32 {
            let run = other.handle(&place.id(&format!("chain-{n}"))).await.unwrap();
            assert_eq!(run.output::<u32>().await.unwrap(), n + 3);
            let scope = vastflow_core::ScopeId::root(run.id().clone());
            assert_eq!(store.tasks(&scope).await.unwrap(), [], "nothing of the dead engine is left");
        }
        let by = |who: &str| scene.lines().iter().filter(|line| line.starts_with(who)).count();
        assert_eq!((by("a first"), by("a second"), by("a third")), (5, 5, 0));
        assert_eq!((by("b first"), by("b second"), by("b third")), (0, 5, 5));
    });
}

#[test]
fn case_50_known_finished_and_unknown_runs_are_told_apart_and_listed() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let waits = {
            let scene = Arc::clone(&scene);
            move |n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    if n == 0 {
                        scene.entered.notify_one();
                        scene.go.notified().await;
                    }
                    if n == 2 { crate::support::fail("two") } else { ok(n) }
                }
            }
        };
        let flow = Flow::dag("waits", |dag, n: Node<u32>| dag.node("wait", waits, n)).unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let mut runs = Vec::new();
        for n in 0..3_u32 {
            runs.push(engine.run("waits", n).id(&place.id(&format!("case-50-{n}"))).await.unwrap());
        }
        scene.entered.notified().await;
        for run in &runs[1..] {
            run.wait().await.unwrap();
        }
        let mut states = Vec::new();
        for run in &runs {
            states.push(engine.handle(run.id()).await.unwrap().status().await.unwrap());
        }
        assert_eq!(states, [RunStatus::Running, RunStatus::Succeeded, RunStatus::Failed]);
        let unknown = engine.handle(&place.id("case-50-9")).await.unwrap_err();
        assert!(matches!(unknown, Error::UnknownRun { .. }), "{unknown}");

        let listed = async |status: Option<RunStatus>| {
            let page = engine.store().runs(&RunQuery { status, ..RunQuery::default() }).await.unwrap();
            page.rows.into_iter().map(|row| (row.id.to_string(), row.summary.status)).collect::<Vec<_>>()
        };
        let named = |n: usize| (runs[n].id().to_string(), states[n]);
        assert_eq!(listed(None).await, [named(2), named(1), named(0)], "the newest first");
        assert_eq!(listed(Some(RunStatus::Running)).await, [named(0)]);
        assert_eq!(listed(Some(RunStatus::Failed)).await, [named(2)]);
        scene.go.notify_one();
        runs[0].wait().await.unwrap();
        assert!(listed(Some(RunStatus::Running)).await.is_empty());
    });
}

/// Three hops take far less than the second in which one poll comes.
const FAR_LESS: Duration = Duration::from_millis(150);

#[test]
fn case_61_on_an_idle_system_a_hop_takes_far_less_than_a_poll() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.flow(chain(&scene, "a", false)).start().await.unwrap();
        // On a machine that is busy besides, a try says nothing; one that succeeds says that nobody waits for a poll.
        let mut best = Duration::MAX;
        for _ in 0..50 {
            if best < FAR_LESS {
                break;
            }
            // Idle for longer than any wait of its own is short.
            tokio::time::sleep(2 * SECOND).await;
            let began = Instant::now();
            assert_eq!(engine.run("chain", 1_u32).await.unwrap().output::<u32>().await.unwrap(), 4);
            best = best.min(began.elapsed());
        }
        assert!(best < FAR_LESS, "three hops take {best:?}");
    });
}
