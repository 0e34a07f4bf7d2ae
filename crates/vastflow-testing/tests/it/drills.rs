//! Drills: what they let pass, and what they catch.

use crate::support::{Log, note, ok};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use vastflow_core::RunStatus;
use vastflow_sdk::{Ctx, DurationExt, Flow, Node, Result, TimesExt, any};
use vastflow_testing::{Drill, Place, crash_at_every_commit, fail_each_node, repeat_each_node};

/// What is booked, by what.
type Bookings = Arc<Mutex<BTreeMap<&'static str, u32>>>;

/// Hotel, flight, car. `careful`: all of them can be taken back, and are booked under a key.
fn trip(careful: bool) -> (Flow<u32, u32>, Bookings) {
    let world = Bookings::default();
    let book = |what: &'static str| {
        let world = Arc::clone(&world);
        move |n: u32| {
            *world.lock().unwrap().entry(what).or_default() += 1;
            async move { ok(n) }
        }
    };
    let book_once = |what: &'static str| {
        let world = Arc::clone(&world);
        move |n: u32| {
            world.lock().unwrap().insert(what, 1);
            async move { ok(n) }
        }
    };
    let free = |what: &'static str| {
        let world = Arc::clone(&world);
        move |_: Option<u32>| {
            world.lock().unwrap().remove(what);
            async { ok(()) }
        }
    };
    let drawn = Flow::dag("trip", |dag, n: Node<u32>| {
        let hotel = dag.node("hotel", book_once("hotel"), n).undo(free("hotel"));
        let flight = if careful {
            dag.node("flight", book_once("flight"), hotel).undo(free("flight"))
        } else {
            dag.node("flight", book("flight"), hotel)
        };
        dag.node("car", book_once("car"), flight).undo(free("car"))
    });
    (drawn.unwrap(), world)
}

fn nothing_is_left(world: &Bookings) {
    assert_eq!(*world.lock().unwrap(), BTreeMap::new(), "something stays booked");
}

fn each_once(world: &Bookings) {
    assert_eq!(*world.lock().unwrap(), BTreeMap::from([("hotel", 1), ("flight", 1), ("car", 1)]));
}

#[tokio::test]
async fn a_careful_trip_passes_all_drills() {
    let tally = fail_each_node(|| trip(true), 1, |end| nothing_is_left(end.world())).await.unwrap();
    assert_eq!(tally.trials, 3);
    let tally = repeat_each_node(|| trip(true), 1, |end| each_once(end.world())).await.unwrap();
    assert_eq!(tally.trials, 3);
    let check = |end: &vastflow_testing::End<Bookings, u32>| {
        assert_eq!((end.output().unwrap(), end.engine().crashes()), (1, 1));
        each_once(end.world());
    };
    let tally = crash_at_every_commit(|| trip(true), 1, check).await.unwrap();
    assert_eq!(tally.trials, 2 * 4);
}

#[tokio::test]
async fn an_undo_that_was_forgotten_is_caught() {
    let error = fail_each_node(|| trip(false), 1, |end| nothing_is_left(end.world())).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.code(), "drill");
    assert!(text.contains("1 of 3 trials failed:\ncar fails: ") && text.contains("something stays booked"), "{text}");
    assert!(text.contains("✗ car") && text.contains("VASTFLOW_SEED="), "{text}");
}

#[tokio::test]
async fn a_node_that_must_not_run_twice_is_caught() {
    let error = repeat_each_node(|| trip(false), 1, |end| each_once(end.world())).await.unwrap_err();
    assert!(error.to_string().contains("1 of 3 trials failed:\nflight runs twice: "), "{error}");
    let check = |end: &vastflow_testing::End<Bookings, u32>| each_once(end.world());
    let error = crash_at_every_commit(|| trip(false), 1, check).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1 of 8 trials failed:\ncrash before commit 3 (NodeSucceeded of flight): "), "{text}");
}

/// Everything that a flow can have inside, and a log of what its handlers did.
fn everything() -> (Flow<Vec<u32>, String>, Log) {
    let log = Log::default();
    let drawn = Flow::dag("everything", |dag, all: Node<Vec<u32>>| {
        let noted = Arc::clone(&log);
        dag.finally(move |outcome| {
            note(&noted, format!("finally {outcome}"));
            async { ok(()) }
        });
        let noted = Arc::clone(&log);
        let each = dag.for_each("each", all, move |dag, n| {
            let noted = Arc::clone(&noted);
            dag.branch("parity", n, |n: &u32| if n.is_multiple_of(2) { "even" } else { "odd" })
                .case("even", |dag, n| {
                    let noted = Arc::clone(&noted);
                    dag.node("half", |n: u32| async move { ok(n / 2) }, n).undo(move |n: Option<u32>| {
                        note(&noted, format!("undo {n:?}"));
                        async { ok(()) }
                    })
                })
                .case("odd", |dag, n| {
                    dag.basin("deep", n, |dag, n| {
                        let put = |ctx: Ctx, n: u32| {
                            ctx.put("odd", n);
                            async move { ok(3 * n + 1) }
                        };
                        dag.node("more", put, dag.sleep("nap", 1.hours(), n))
                    })
                })
                .join()
        });
        let each = each.window(2);
        let said: Node<u32> = dag.wait_signal("said", all);
        let quick = dag.node("quick", |n: u32| async move { ok(n) }, said);
        let slow = dag.node("slow", |n: u32| async move { ok(n) }, dag.sleep("long", 9.days(), said));
        let first = dag.node("first", |n: u32| async move { ok(n) }, any([quick, slow]));
        let last = |ctx: Ctx, (all, first): (Vec<u32>, u32)| async move {
            ok(format!("{all:?} {first} {:?}", ctx.find::<u32>("odd")?))
        };
        dag.node("last", last, (each, first)).retry(1.times().every(1.mins()))
    });
    (drawn.unwrap(), log)
}

#[tokio::test]
async fn whatever_a_flow_has_inside_survives_crashes_and_repetitions() {
    let drill = Drill::new(everything, vec![2, 4, 3, 8]).unwrap().signal("said", &7_u32).unwrap().seeds(0..4);
    let check = |end: &vastflow_testing::End<Log, String>| {
        assert_eq!(end.output().unwrap(), "[1, 2, 10, 4] 7 Some(3)");
        let log = end.world().lock().unwrap();
        assert!(!log.iter().any(|line| line.starts_with("undo")), "{log:?}");
    };
    let tally = drill.crash_at_every_commit(check).await.unwrap();
    assert!(tally.trials > 4 * 2 * 30, "{tally:?}");
    drill.repeat_each_node(check).await.unwrap();
}

#[tokio::test]
async fn whatever_fails_in_it_what_was_done_is_taken_back_once() {
    let drill = Drill::new(everything, vec![2, 4, 3, 8]).unwrap().signal("said", &7_u32).unwrap().seeds(0..4);
    let check = |end: &vastflow_testing::End<Log, String>| {
        let log = end.world().lock().unwrap().clone();
        let halves = end.calls("each[*]/parity[even]/half");
        let undone = |n: u32| log.iter().filter(|line| **line == format!("undo Some({n})")).count();
        if end.status().unwrap() == RunStatus::Failed {
            let succeeded = end
                .history()
                .unwrap()
                .events()
                .filter(|(scope, event)| scope.path().contains("even") && event.name() == "NodeSucceeded")
                .count();
            assert_eq!(
                [1, 2, 4].map(undone).iter().sum::<usize>(),
                succeeded,
                "{halves} {log:?}\n{}",
                end.history().unwrap()
            );
        }
        assert_eq!(log.iter().filter(|line| line.starts_with("finally")).count(), 1, "{log:?}");
    };
    drill.fail_each_node(check).await.unwrap();
}

#[tokio::test]
async fn undo_actions_and_hooks_are_drilled_in_flows_that_fail() -> Result<()> {
    let make = || {
        let (flow, world) = trip(true);
        let broken = Flow::dag("broken", |dag, n: Node<u32>| {
            let there = dag.subflow("trip", &flow, n);
            dag.node("pay", |_: u32| async { crate::support::fail::<u32>("no money") }, there)
        });
        (broken.unwrap(), world)
    };
    let check = |end: &vastflow_testing::End<Bookings, u32>| nothing_is_left(end.world());
    let tally = repeat_each_node(make, 1, check).await?;
    assert_eq!(tally.trials, 4 + 3);
    crash_at_every_commit(make, 1, check).await?;
    assert_eq!(Place::undo("trip.car").to_string(), "undo of trip.car");
    Ok(())
}
