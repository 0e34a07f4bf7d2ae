//! Runs that a run starts.

use crate::support::{Place, and_killed, fail, ok, on_every_store, scene, statuses};
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
