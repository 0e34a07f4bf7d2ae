//! Runs that a run starts.

use crate::support::{Place, and_killed, fail, ok, on_every_store, scene, statuses};
use crate::watched::Watched;
use std::sync::atomic::Ordering;
use vastflow::prelude::*;
use vastflow::{Error, Flow, RunStatus};

/// Notes that it was called, and does as its input says.
fn payment(place: &Place) -> Flow<u32, String> {
    let id = place.id("payment");
    let pay = move |ctx: Ctx, cents: u32| {
        let scene = scene(&id);
        scene.note(format!("pay {cents}"));
        async move {
            match cents {
                0 => fail("nothing to pay"),
                1 => {
                    scene.entered.notify_one();
                    ctx.cancelled().await;
                    ok("stopped".into())
                }
                _ => ok(format!("paid {cents}")),
            }
        }
    };
    Flow::dag("payment", |dag, cents: Node<u32>| dag.node("pay", pay, cents)).unwrap()
}

fn order(place: &Place) -> Flow<u32, String> {
    let payment = payment(place);
    let ship = |paid: String| async move { ok(format!("{paid}, shipped")) };
    Flow::dag("order", |dag, cents: Node<u32>| {
        let paid = dag.child_run("pay", &payment, cents).look_every(50.ms());
        dag.node("ship", ship, paid)
    })
    .unwrap()
}

async fn engine(place: &Place) -> Engine {
    place.engine().await.flow(payment(place)).flow(order(place)).start().await.unwrap()
}

#[test]
fn a_child_run_has_an_id_of_its_own_and_its_output_is_the_nodes() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        let run = engine.run("order", 5_u32).id("order-1").await.unwrap();
        assert_eq!(run.output::<String>().await.unwrap(), "paid 5, shipped");
        let child = engine.handle("order-1.pay").await.unwrap();
        assert_eq!(child.output::<String>().await.unwrap(), "paid 5");
        assert_eq!(scene(&place.id("payment")).count("pay 5"), 1);
        let labelled =
            vastflow::store::RunQuery { labels: vec![("parent".into(), "order-1".into())], ..Default::default() };
        assert_eq!(engine.store().runs(&labelled).await.unwrap().rows.len(), 1);
    });
}

/// Both live on: to fail would be to undo what the child does not stop doing.
#[test]
fn a_store_that_is_away_for_a_moment_fails_no_parent() {
    on_every_store(|place| async move {
        let (store, tally) = Watched::over(place.open().await);
        let waits = Flow::dag("waits", |dag, n: Node<u32>| -> Node<u32> { dag.wait_signal("go", n) }).unwrap();
        let parent = Flow::dag("parent", |dag, n: Node<u32>| dag.child_run("child", &waits, n).look_every(20.ms()));
        let engine = Engine::on(store).flow(waits.clone()).flow(parent.unwrap()).start().await.unwrap();
        let run = engine.run("parent", 1_u32).id(&place.id("p")).await.unwrap();
        let child = format!("{}.child", place.id("p"));
        let child = loop {
            match engine.handle(&child).await {
                Ok(child) if child.status().await.is_ok() => break child,
                _ => tokio::time::sleep(1.ms()).await,
            }
        };
        tally.no_looks.store(true, Ordering::SeqCst);
        let before = tally.looks.load(Ordering::SeqCst);
        while tally.looks.load(Ordering::SeqCst) < before + 2 {
            tokio::time::sleep(1.ms()).await;
        }
        tally.no_looks.store(false, Ordering::SeqCst);
        child.signal("go", 7_u32).send().await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 7);
    });
}

#[test]
fn a_child_runs_failure_is_the_nodes() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        let run = engine.run("order", 0_u32).id("order-1").await.unwrap();
        let error = run.output::<String>().await.unwrap_err().to_string();
        assert!(error.contains("pay: run order-1.pay failed: pay: nothing to pay"), "{error}");
    });
}

#[test]
fn a_stop_of_the_parent_stops_the_child_and_waits_for_it() {
    on_every_store(|place| async move {
        let engine = engine(&place).await;
        let run = engine.run("order", 1_u32).id("order-1").await.unwrap();
        scene(&place.id("payment")).entered.notified().await;
        run.cancel("ann", "enough").await.unwrap();
        assert!(matches!(run.output::<String>().await.unwrap_err(), Error::RunStopped { .. }));
        let child = engine.handle("order-1.pay").await.unwrap();
        assert_eq!(child.status().await.unwrap(), RunStatus::Stopped, "it is over when its parent is");
        let error = child.output::<String>().await.unwrap_err().to_string();
        assert!(error.contains("ann") && error.contains("enough"), "{error}");
        assert_eq!(statuses(&run).await["ship"], "dropped");
    });
}

/// A child in two steps, of which the first waits until it is told to go on, and its parent.
fn steps(scene_id: &str) -> [Flow<u32, u32>; 2] {
    let (first, second) = (scene_id.to_owned(), scene_id.to_owned());
    let first = move |n: u32| {
        let scene = scene(&first);
        scene.entered.notify_one();
        async move {
            scene.go.notified().await;
            ok(n)
        }
    };
    let second = move |n: u32| {
        scene(&second).note("second");
        async move { ok(n + 1) }
    };
    let inner =
        Flow::dag("steps", |dag, n: Node<u32>| dag.node("second", second, dag.node("first", first, n))).unwrap();
    let outer = Flow::dag("outer", |dag, all: Node<u32>| {
        let list = dag.node("list", |n: u32| async move { ok(vec![n]) }, all);
        let each = dag.for_each("each", list, |dag, n| dag.child_run("child", &inner, n).look_every(50.ms()));
        dag.node("sum", |all: Vec<u32>| async move { ok(all.iter().sum::<u32>()) }, each)
    });
    [inner, outer.unwrap()]
}

/// Such a parent, and its child in its first step.
async fn parent(place: &Place, test: &str) -> (Engine, Run, Run) {
    let [inner, outer] = steps(&place.id(test));
    let engine = place.engine().await.flow(inner).flow(outer).start().await.unwrap();
    let run = engine.run("outer", 1_u32).id("outer-1").await.unwrap();
    place.scene(test).entered.notified().await;
    let child = engine.handle("outer-1.each:0.child").await.unwrap();
    (engine, run, child)
}

#[test]
fn a_pause_of_the_parent_reaches_the_child_and_so_does_its_end() {
    on_every_store(|place| async move {
        let (_engine, run, child) = parent(&place, "pause").await;
        run.pause("ann", "lunch").await.unwrap();
        assert_eq!(child.status().await.unwrap(), RunStatus::Paused);
        let scene = place.scene("pause");
        scene.go.notify_one();
        while statuses(&child).await["first"] != "succeeded" {
            tokio::time::sleep(5.ms()).await;
        }
        assert_eq!(scene.count("second"), 0, "what runs is recorded, and nothing new starts");
        run.resume("ann", "done").await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 2);
        assert_eq!(scene.count("second"), 1);
    });
}

#[test]
fn a_child_that_somebody_paused_by_itself_stays_paused() {
    on_every_store(|place| async move {
        let (_engine, run, child) = parent(&place, "own-pause").await;
        child.pause("bob", "a look").await.unwrap();
        run.pause("ann", "lunch").await.unwrap();
        run.resume("ann", "done").await.unwrap();
        assert_eq!(child.status().await.unwrap(), RunStatus::Paused);
        place.scene("own-pause").go.notify_one();
        child.resume("bob", "seen").await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 2);
    });
}

#[test]
fn a_kill_of_the_parent_kills_the_child() {
    on_every_store(|place| async move {
        let (_engine, run, child) = parent(&place, "kill").await;
        run.kill("ann", "enough").await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Stopped);
        // Its first step hangs until the test ends: nobody waits for it.
        assert_eq!(child.wait().await.unwrap().status, RunStatus::Stopped);
        assert_eq!(statuses(&child).await["second"], "dropped");
    });
}

#[test]
fn after_a_crash_the_child_is_joined_and_not_started_again() {
    on_every_store(|place| async move {
        let killed = place.clone();
        and_killed(|| async move {
            let engine = engine(&killed).await;
            let _run = engine.run("order", 1_u32).id("order-1").await.unwrap();
            scene(&killed.id("payment")).entered.notified().await;
        })
        .await;
        let engine = engine(&place).await;
        let (run, child) = (engine.handle("order-1").await.unwrap(), engine.handle("order-1.pay").await.unwrap());
        child.cancel("ann", "by itself").await.unwrap();
        let error = run.output::<String>().await.unwrap_err().to_string();
        assert!(error.contains("run order-1.pay stopped by ann: by itself"), "{error}");
        let all = vastflow::store::RunQuery::default();
        assert_eq!(engine.store().runs(&all).await.unwrap().rows.len(), 2);
    });
}

#[test]
fn each_item_of_a_foreach_has_a_child_of_its_own() {
    on_every_store(|place| async move {
        let flow = Flow::dag("orders", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, |dag, cents| dag.child_run("pay", &payment(&place), cents))
        })
        .unwrap();
        let engine = place.engine().await.flow(payment(&place)).flow(flow).start().await.unwrap();
        let run = engine.run("orders", vec![7_u32, 8]).id("orders-1").await.unwrap();
        assert_eq!(run.output::<Vec<String>>().await.unwrap(), ["paid 7", "paid 8"]);
        assert_eq!(engine.handle("orders-1.each:1.pay").await.unwrap().output::<String>().await.unwrap(), "paid 8");
    });
}

#[test]
fn a_flow_that_is_not_registered_fails_the_node_and_memory_has_no_child_runs() {
    on_every_store(|place| async move {
        let engine = place.engine().await.flow(order(&place)).start().await.unwrap();
        let error = engine.run("order", 5_u32).await.unwrap().output::<String>().await.unwrap_err().to_string();
        assert!(error.contains("there is no flow \"payment\" here"), "{error}");
        let error = vastflow::run_in_memory(&order(&place), 5).await.unwrap_err().to_string();
        assert!(error.contains("a child run needs an engine"), "{error}");
    });
}
