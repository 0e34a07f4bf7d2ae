//! Room: lanes, windows, and flows that come and change while an engine runs.

use crate::support::{Scene, fail, ok, on_every_store};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::RwLock;
use vastflow::prelude::*;
use vastflow::{Error, Flow, RunStatus, Window};

/// How many are inside at once, and the most there ever were.
#[derive(Default)]
struct Crowd {
    inside: AtomicUsize,
    most: AtomicUsize,
    /// Held by a test that lets nobody leave yet.
    door: RwLock<()>,
}

impl Crowd {
    async fn visit(&self) {
        let now = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(self.door.read().await);
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

fn visiting(crowd: &Arc<Crowd>) -> Flow<u32, u32> {
    let crowd = Arc::clone(crowd);
    let visit = move |n: u32| {
        let crowd = Arc::clone(&crowd);
        async move {
            crowd.visit().await;
            ok(n)
        }
    };
    Flow::dag("visit", move |dag, n: Node<u32>| {
        let one = dag.node("one", visit.clone(), n);
        dag.node("two", visit, one)
    })
    .unwrap()
}

#[test]
fn case_21_a_window_of_two_never_lets_in_more() {
    on_every_store(|place| async move {
        let crowd = Arc::new(Crowd::default());
        let shut = crowd.door.write().await;
        let flow = visiting(&crowd);
        let engine =
            place.engine().await.flow(flow.clone()).flow_window("visit", Window::fixed(2)).start().await.unwrap();
        let mut runs = Vec::new();
        for n in 0..5 {
            runs.push(engine.start(&flow, n).await.unwrap());
        }
        let mut waited = 0;
        for run in &runs {
            waited += usize::from(run.status().await.unwrap() == RunStatus::Queued);
        }
        assert!(waited >= 3, "{waited} of 5 wait in line");
        drop(shut);
        for (n, run) in runs.iter().enumerate() {
            assert_eq!(run.output().await.unwrap() as usize, n);
        }
        assert!(crowd.most.load(Ordering::SeqCst) <= 2);
        assert_eq!(engine.store().counts().await.unwrap().unfinished(), 0);
    });
}

#[test]
fn a_line_outlives_a_restart() {
    on_every_store(|place| async move {
        let scene = place.scene("line-restart");
        let waits = |scene: &Arc<Scene>| {
            let scene = Arc::clone(scene);
            Flow::dag("waits", move |dag, n: Node<u32>| {
                dag.node(
                    "wait",
                    move |n: u32| {
                        let scene = Arc::clone(&scene);
                        async move {
                            if scene.note(format!("in {n}")) == 0 && n == 0 {
                                scene.entered.notify_one();
                                scene.go.notified().await;
                            }
                            ok(n)
                        }
                    },
                    n,
                )
            })
            .unwrap()
        };
        let engine = place.engine().await.flow(waits(&scene)).window(Window::fixed(1)).start().await.unwrap();
        let ids = [0, 1, 2].map(|n| place.id(&format!("line-{n}")));
        for (n, id) in (0..).zip(&ids) {
            engine.run("waits", n as u32).id(id).await.unwrap();
        }
        scene.entered.notified().await;
        engine.shutdown_within(Duration::from_millis(20)).await.unwrap_err();
        assert_eq!(scene.lines(), ["in 0"]);
        let engine = place.engine().await.flow(waits(&scene)).window(Window::fixed(1)).start().await.unwrap();
        for (n, id) in (0..).zip(&ids) {
            assert_eq!(engine.handle(id).await.unwrap().output::<u32>().await.unwrap(), n as u32);
        }
        assert_eq!(scene.lines(), ["in 0", "in 0", "in 1", "in 2"], "first come, first served");
    });
}

#[test]
fn a_lane_holds_so_many_calls_and_the_others_go_on() {
    on_every_store(|place| async move {
        let crowd = Arc::new(Crowd::default());
        let inside = Arc::clone(&crowd);
        let visit = move |n: u32| {
            let crowd = Arc::clone(&inside);
            async move {
                crowd.visit().await;
                ok(n)
            }
        };
        let flow = Flow::dag("lanes", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, move |dag, n| dag.node("render", visit, n).lane("gpu"))
        })
        .unwrap();
        let error = place.engine().await.flow(flow.clone()).start().await.unwrap_err();
        assert!(error.to_string().contains("lane \"gpu\", which this engine does not know"), "{error}");
        let engine = place.engine().await.flow(flow.clone()).lane("gpu", 3).start().await.unwrap();
        let all: Vec<u32> = (0..20).collect();
        assert_eq!(engine.start(&flow, all.clone()).await.unwrap().output().await.unwrap(), all);
        let most = crowd.most.load(Ordering::SeqCst);
        assert!((2..=3).contains(&most), "{most} at once");
    });
}

#[test]
fn settings_that_cannot_be_honoured_are_refused() {
    on_every_store(|place| async move {
        let crowd = Arc::new(Crowd::default());
        for window in [Window::fixed(0), Window::elastic(5, 2)] {
            let error = place.engine().await.flow(visiting(&crowd)).window(window).start().await.unwrap_err();
            assert_eq!(error.code(), "setting", "{error}");
        }
    });
}

fn adds(name: &str, step: u32) -> Flow<u32, u32> {
    Flow::dag(name, move |dag, n: Node<u32>| dag.node("add", move |n: u32| async move { ok(n + step) }, n)).unwrap()
}

#[test]
fn case_58_flows_are_registered_and_replaced_while_the_engine_runs() {
    on_every_store(|place| async move {
        let engine = place.engine().await.flow(adds("first", 1)).start().await.unwrap();
        engine.register(adds("second", 2)).await.unwrap();
        assert_eq!(engine.run("second", 5_u32).await.unwrap().output::<u32>().await.unwrap(), 7);
        let error = engine.register(adds("first", 9)).await.unwrap_err();
        assert!(matches!(error, Error::NameTaken(_)), "{error}");
        assert_eq!(engine.run("first", 5_u32).await.unwrap().output::<u32>().await.unwrap(), 6);
        engine.replace(adds("first", 9)).await.unwrap();
        assert_eq!(engine.run("first", 5_u32).await.unwrap().output::<u32>().await.unwrap(), 14);
    });
}

#[test]
fn a_run_keeps_its_plan_when_its_flow_is_replaced() {
    on_every_store(|place| async move {
        let scene = place.scene("replaced");
        let waits = Arc::clone(&scene);
        let old = Flow::dag("order", move |dag, n: Node<u32>| {
            let first = dag.node(
                "first",
                move |n: u32| {
                    let scene = Arc::clone(&waits);
                    async move {
                        scene.entered.notify_one();
                        scene.go.notified().await;
                        ok(n)
                    }
                },
                n,
            );
            dag.node("second", |n: u32| async move { ok(n + 1) }, first)
        })
        .unwrap();
        let engine = place.engine().await.flow(old).start().await.unwrap();
        let run = engine.run("order", 1_u32).await.unwrap();
        scene.entered.notified().await;
        // The new drawing has one node more; both that the old one names are there.
        let new = Flow::dag("order", |dag, n: Node<u32>| {
            let first = dag.node("first", |n: u32| async move { ok(n) }, n);
            let second = dag.node("second", |n: u32| async move { ok(n + 1) }, first);
            dag.node("third", |n: u32| async move { if n == 0 { fail("zero") } else { ok(n * 100) } }, second)
        })
        .unwrap();
        engine.replace(new).await.unwrap();
        scene.go.notify_one();
        assert_eq!(run.output::<u32>().await.unwrap(), 2, "it follows the plan that it began with");
        assert_eq!(engine.run("order", 1_u32).await.unwrap().output::<u32>().await.unwrap(), 200);
    });
}

#[test]
fn a_run_waits_for_code_that_comes_later() {
    on_every_store(|place| async move {
        let id = place.id("late-code");
        let engine = place.engine().await.flow(adds("late", 1)).start().await.unwrap();
        let scene = place.scene("late-code");
        scene.note("started");
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.flow(adds("other", 1)).start().await.unwrap();
        engine.register(adds("late", 4)).await.unwrap();
        let run = engine.run("late", 1_u32).id(&id).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 5);
    });
}
