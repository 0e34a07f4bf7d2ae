//! What operators do to runs: pause, resume, stop, kill, signals, choices, and going on from a run.

use crate::support::{fail, ok, on_every_store, recorded};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use vastflow::prelude::*;
use vastflow::{Choice, Error, Flow, Fork, OnExhausted, RunStatus};

/// `a → b → c`, where `b` waits until the scene says go.
fn chain(scene: &Arc<crate::support::Scene>) -> Flow<u32, u32> {
    let node = |name: &'static str| {
        let scene = Arc::clone(scene);
        move |n: u32| {
            let scene = Arc::clone(&scene);
            async move {
                scene.note(name);
                if name == "b" {
                    scene.entered.notify_one();
                    scene.go.notified().await;
                }
                ok(n + 1)
            }
        }
    };
    let finally = Arc::clone(scene);
    Flow::dag("chain", |dag, n: Node<u32>| {
        dag.finally(move |outcome| {
            finally.note(format!("finally {outcome}"));
            async { ok(()) }
        });
        let a = dag.node("a", node("a"), n);
        let b = dag.node("b", node("b"), a);
        dag.node("c", node("c"), b)
    })
    .unwrap()
}

/// Waits until the run stands there.
async fn until(run: &Run, status: RunStatus) {
    while run.status().await.unwrap() != status {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a node of the run has its result.
async fn ended(run: &Run, at: u32) -> bool {
    run.view().await.unwrap().nodes[at as usize].status == vastflow_core::run::NodeStatus::Succeeded
}

#[test]
fn case_47_a_paused_run_starts_nothing_and_goes_on_as_often_as_it_is_resumed() {
    on_every_store(|place| async move {
        let scene = place.scene("case-47");
        let engine = place.engine().await.flow(chain(&scene)).start().await.unwrap();
        let run = engine.run("chain", 0_u32).await.unwrap();
        scene.entered.notified().await;
        run.pause("ops", "deploy").await.unwrap();
        run.pause("ops", "again").await.unwrap();
        run.resume("ops", "no").await.unwrap();
        run.resume("ops", "no").await.unwrap();
        run.pause("ops", "yes").await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Paused);
        scene.go.notify_one();
        // What runs is recorded, and nothing follows from it.
        while !ended(&run, 1).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(scene.lines(), ["a", "b"], "nothing starts in a paused run");
        run.resume("ops", "done").await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 3);
        assert_eq!(scene.lines(), ["a", "b", "c", "finally succeeded"]);
        let error = run.pause("ops", "late").await.unwrap_err();
        assert!(matches!(error, Error::RunEnded { status: RunStatus::Succeeded, .. }), "{error}");
    });
}

#[test]
fn a_paused_run_stays_paused_over_a_restart_and_can_be_stopped() {
    on_every_store(|place| async move {
        let scene = place.scene("paused-restart");
        let id = place.id("paused-restart");
        let engine = place.engine().await.flow(chain(&scene)).start().await.unwrap();
        let run = engine.run("chain", 0_u32).id(&id).await.unwrap();
        scene.entered.notified().await;
        run.pause("ops", "deploy").await.unwrap();
        scene.go.notify_one();
        drop(run);
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.flow(chain(&scene)).start().await.unwrap();
        let run = engine.handle(&id).await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Paused);
        run.cancel("ops", "enough").await.unwrap();
        assert!(matches!(run.output::<u32>().await.unwrap_err(), Error::RunStopped { .. }));
        assert_eq!(scene.count("c"), 0);
        assert_eq!(scene.count("finally stopped by ops: enough"), 1);
    });
}

#[test]
fn case_48_stop_starts_nothing_more_calls_finally_and_leaves_nothing_behind() {
    on_every_store(|place| async move {
        let scene = place.scene("case-48");
        let engine = place.engine().await.flow(chain(&scene)).start().await.unwrap();
        let run = engine.run("chain", 0_u32).await.unwrap();
        scene.entered.notified().await;
        run.cancel("ops", "enough").await.unwrap();
        scene.go.notify_one();
        let error = run.output::<u32>().await.unwrap_err();
        assert!(error.to_string().contains("stopped by ops: enough"), "{error}");
        assert_eq!(scene.lines(), ["a", "b", "finally stopped by ops: enough"]);
        assert_eq!(run.status().await.unwrap(), RunStatus::Stopped);
        let scope = vastflow_core::ScopeId::root(run.id().clone());
        assert!(engine.store().tasks(&scope).await.unwrap().is_empty(), "no task, timer or lease is left");
    });
}

#[test]
fn kill_does_not_wait_and_fences_what_runs() {
    on_every_store(|place| async move {
        let scene = place.scene("kill");
        let engine = place.engine().await.flow(chain(&scene)).start().await.unwrap();
        let run = engine.run("chain", 0_u32).await.unwrap();
        scene.entered.notified().await;
        run.kill("ops", "hangs").await.unwrap();
        assert!(matches!(run.output::<u32>().await.unwrap_err(), Error::RunStopped { .. }));
        assert_eq!(scene.count("finally stopped by ops: hangs"), 1);
        let before = recorded(engine.store(), run.id(), |_| true).await;
        scene.go.notify_one();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let after = recorded(engine.store(), run.id(), |_| true).await;
        assert_eq!(after, before, "nothing of it is recorded any more");
    });
}

#[test]
fn a_signal_is_taken_once_by_the_node_that_waits_for_it_or_will() {
    on_every_store(|place| async move {
        let flow = Flow::dag("approval", |dag, amount: Node<u32>| {
            let asked = dag.node("ask", |n: u32| async move { ok(n) }, amount);
            let approved: Node<String> = dag.wait_signal("approved", asked);
            dag.node("pay", |(n, by): (u32, String)| async move { ok(format!("{n} by {by}")) }, (asked, approved))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 7).await.unwrap();
        run.signal("approved", "ann".to_owned()).id("s1").send().await.unwrap();
        run.signal("approved", "bob".to_owned()).id("s1").send().await.unwrap_or_default();
        assert_eq!(run.output().await.unwrap(), "7 by ann");
        let error = run.signal("approved", "late".to_owned()).send().await.unwrap_err();
        assert!(matches!(error, Error::RunEnded { .. }), "{error}");
    });
}

#[test]
fn a_signal_to_the_run_finds_the_node_that_waits_wherever_it_stands() {
    on_every_store(|place| async move {
        let flow = || {
            Flow::dag("orders", |dag, all: Node<Vec<u32>>| {
                dag.for_each("each", all, |dag, n| {
                    dag.branch("size", n, |n: &u32| if *n > 100 { "large" } else { "small" })
                        .case("small", |dag, n| dag.node("pay", |n: u32| async move { ok(format!("{n} paid")) }, n))
                        .case("large", |dag, n| {
                            let by: Node<String> = dag.wait_signal("approved", n);
                            let pay = |(n, by): (u32, String)| async move { ok(format!("{n} by {by}")) };
                            dag.node("pay", pay, (n, by))
                        })
                        .join()
                })
            })
            .unwrap()
        };
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        let id = place.id("orders");
        let run = engine.run("orders", vec![7_u32, 400, 9, 500]).id(&id).await.unwrap();
        // The first before anybody waits, the other after a restart.
        run.signal("approved", "ann".to_owned()).id("s1").send().await.unwrap();
        run.signal("approved", "eve".to_owned()).id("s1").send().await.unwrap_or_default();
        drop(run);
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        let run = engine.handle(&id).await.unwrap();
        run.signal("approved", "bob".to_owned()).id("s2").send().await.unwrap();
        let mut output = run.output::<Vec<String>>().await.unwrap();
        let mut by: Vec<String> = [output.remove(3), output.remove(1)].iter().map(|one| one[7..].to_owned()).collect();
        by.sort_unstable();
        assert_eq!(
            (output, by),
            (vec!["7 paid".to_owned(), "9 paid".to_owned()], vec!["ann".into(), "bob".to_owned()])
        );
    });
}

#[test]
fn a_pause_stops_no_clock_and_what_fell_due_takes_effect_at_the_resume() {
    on_every_store(|place| async move {
        let flow = Flow::dag("asks", |dag, n: Node<u32>| {
            let nobody = |_: vastflow::Failure| async { ok("nobody".to_owned()) };
            let by: Node<String> = dag.wait_signal("by", n).total_timeout(3.secs()).on_failure(nobody);
            dag.node("say", |by: String| async move { ok(by) }, by)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let late = engine.start(&flow, 1).await.unwrap();
        let told = engine.start(&flow, 2).await.unwrap();
        for run in [&late, &told] {
            run.pause("ann", "lunch").await.unwrap();
        }
        told.signal("by", "bob".to_owned()).send().await.unwrap();
        tokio::time::sleep(3_200.ms()).await;
        for run in [&late, &told] {
            assert_eq!(run.status().await.unwrap(), RunStatus::Paused);
            run.resume("ann", "back").await.unwrap();
        }
        assert_eq!(late.output().await.unwrap(), "nobody");
        assert_eq!(told.output().await.unwrap(), "bob");
    });
}

#[test]
fn a_signal_reaches_a_node_inside_others_by_its_place() {
    on_every_store(|place| async move {
        let flow = Flow::dag("approvals", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, |dag, n| {
                dag.basin("ask", n, |dag, n| {
                    let asked = dag.node("mail", |n: u32| async move { ok(n) }, n);
                    let by: Node<String> = dag.wait_signal("approved", asked);
                    dag.node("note", |(n, by): (u32, String)| async move { ok(format!("{n} by {by}")) }, (asked, by))
                })
            })
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, vec![7, 8]).await.unwrap();
        let listens = async |place: &str| loop {
            match run.view_within(place).await {
                Ok(view) if view.node("approved").unwrap().waits_for.is_some() => return,
                _ => tokio::time::sleep(5.ms()).await,
            }
        };
        listens("each[0]/ask[]").await;
        listens("each[1]/ask[]").await;
        let signal = |place: &str, who: &str| run.signal("approved", who.to_owned()).within(place).id("s1");
        signal("each[1]/ask[]", "ann").send().await.unwrap();
        signal("each[1]/ask[]", "eve").send().await.unwrap_or_default();
        signal("each[0]/ask[]", "bob").send().await.unwrap();
        assert_eq!(run.output().await.unwrap(), ["7 by bob", "8 by ann"], "each scope has signals of its own");
        let nowhere = run.signal("approved", "x".to_owned()).within("each[9]").send().await.unwrap_err();
        assert!(matches!(nowhere, Error::UnknownPlace { .. } | Error::RunEnded { .. }), "{nowhere}");
    });
}

#[test]
fn a_signal_and_a_sleep_outlive_a_restart() {
    on_every_store(|place| async move {
        let id = place.id("signal-restart");
        let flow = || {
            Flow::dag("approval", |dag, amount: Node<u32>| {
                let slept = dag.sleep("think", 60.ms(), amount);
                let approved: Node<u32> = dag.wait_signal("approved", slept);
                dag.node("sum", |(a, b): (u32, u32)| async move { ok(a + b) }, (slept, approved))
            })
            .unwrap()
        };
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        let run = engine.run("approval", 1_u32).id(&id).await.unwrap();
        run.signal("approved", 2_u32).send().await.unwrap();
        drop(run);
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        let run = engine.handle(&id).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 3);
    });
}

/// A trip of three bookings, of which the last fails; each can be undone.
fn trip(scene: &Arc<crate::support::Scene>, undo_fails: Arc<AtomicBool>) -> Flow<u32, String> {
    let book = |name: &'static str| {
        let scene = Arc::clone(scene);
        move |_: String| {
            scene.note(name);
            async move { if name == "car" { fail("no car") } else { ok(format!("{name}-7")) } }
        }
    };
    let undo = |name: &'static str| {
        let (scene, fails) = (Arc::clone(scene), Arc::clone(&undo_fails));
        move |booking: Option<String>| {
            scene.note(format!("undo {name} {booking:?}"));
            let fails = name == "hotel" && fails.load(Ordering::Relaxed);
            async move { if fails { fail("hotel is closed") } else { ok(()) } }
        }
    };
    Flow::dag("trip", |dag, n: Node<u32>| {
        let begin = dag.node("begin", |n: u32| async move { ok(n.to_string()) }, n);
        let hotel = dag.node("hotel", book("hotel"), begin).undo(undo("hotel"));
        let flight = dag.node("flight", book("flight"), hotel).undo(undo("flight"));
        dag.node("car", book("car"), flight).undo(undo("car"))
    })
    .unwrap()
}

#[test]
fn what_was_done_is_undone_in_reverse_when_the_run_fails() {
    on_every_store(|place| async move {
        let scene = place.scene("undo");
        let flow = trip(&scene, Arc::default());
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 1).await.unwrap();
        assert!(run.output().await.unwrap_err().to_string().contains("car: no car"));
        let undone = ["undo flight Some(\"flight-7\")", "undo hotel Some(\"hotel-7\")"];
        assert_eq!(scene.lines(), ["hotel", "flight", "car"].into_iter().chain(undone).collect::<Vec<_>>());
    });
}

#[test]
fn an_undo_that_fails_waits_for_an_operator() {
    on_every_store(|place| async move {
        let scene = place.scene("undo-stuck");
        let fails = Arc::new(AtomicBool::new(true));
        let flow = trip(&scene, Arc::clone(&fails));
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 1).await.unwrap();
        until(&run, RunStatus::NeedsAttention).await;
        assert_eq!(run.attention().await.unwrap()[0].0, "hotel");
        let error = run.resolve("flight", Choice::Retry, "ops", "?").await.unwrap_err();
        assert!(matches!(error, Error::NothingToResolve { .. }), "{error}");
        fails.store(false, Ordering::Relaxed);
        run.resolve("hotel", Choice::Retry, "ops", "it is open again").await.unwrap();
        run.output().await.unwrap_err();
        assert_eq!(scene.count("undo hotel Some(\"hotel-7\")"), 2);
        assert_eq!(run.status().await.unwrap(), RunStatus::Failed);
    });
}

#[test]
fn an_undo_that_hangs_is_given_up() {
    on_every_store(|place| async move {
        let flow = Flow::dag("hangs", |dag, n: Node<u32>| {
            let made = dag.node("made", |n: u32| async move { ok(n) }, n).timeout(50.ms());
            let made = made.undo(|_: Option<u32>| std::future::pending::<vastflow::Result<()>>());
            dag.node("broken", |_: u32| async { fail::<u32>("broken") }, made)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 1).await.unwrap();
        until(&run, RunStatus::NeedsAttention).await;
        run.resolve("made", Choice::Skip, "ops", "looked at").await.unwrap();
        run.output().await.unwrap_err();
    });
}

#[test]
fn a_node_that_pauses_when_exhausted_is_tried_again_by_an_operator() {
    on_every_store(|place| async move {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let weak = move |n: u32| {
            let call = counted.fetch_add(1, Ordering::Relaxed);
            async move { if call < 3 { fail("down") } else { ok(n) } }
        };
        let flow = Flow::dag("weak", |dag, n: Node<u32>| {
            dag.for_each("each", dag.node("list", |n: u32| async move { ok(vec![n]) }, n), move |dag, n| {
                dag.node("weak", weak, n).retry(1.times()).on_exhausted(OnExhausted::Pause)
            })
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 5).await.unwrap();
        until(&run, RunStatus::NeedsAttention).await;
        let waiting = run.attention().await.unwrap();
        assert_eq!(waiting, [("each[0]/weak".to_owned(), "down".to_owned())]);
        run.resolve("each[0]/weak", Choice::Retry, "ops", "up again").await.unwrap();
        assert_eq!(run.output().await.unwrap(), [5]);
        assert_eq!(calls.load(Ordering::Relaxed), 4, "its retries begin anew");
    });
}

#[test]
fn retry_of_a_failed_foreach_does_the_failed_items_only() {
    on_every_store(|place| async move {
        let broken = Arc::new(AtomicBool::new(true));
        let calls: Arc<Mutex<Vec<u32>>> = Arc::default();
        let (b, c) = (Arc::clone(&broken), Arc::clone(&calls));
        let each = move |ctx: Ctx, n: u32| {
            c.lock().unwrap().push(n);
            let broken = b.load(Ordering::Relaxed) && n.is_multiple_of(3);
            async move {
                ctx.put(&format!("seen-{n}"), n);
                if broken { fail("broken") } else { ok(n * 10) }
            }
        };
        let flow = Flow::dag("order", |dag, all: Node<Vec<u32>>| {
            let tens = dag.for_each("each", all, |dag, n| dag.node("one", each, n)).window(2).finish_all();
            dag.node(
                "sum",
                |ctx: Ctx, all: Vec<u32>| async move { ok(all.iter().sum::<u32>() + ctx.get::<u32>("seen-2")?) },
                tens,
            )
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.run("order", (1..=7_u32).collect::<Vec<_>>()).id(&place.id("order")).await.unwrap();
        run.output::<u32>().await.unwrap_err();
        let take = || {
            let mut calls = std::mem::take(&mut *calls.lock().unwrap());
            calls.sort_unstable();
            calls
        };
        assert_eq!(take(), [1, 2, 3, 4, 5, 6, 7]);
        let still = run.retry("ops", "not mended").await.unwrap();
        still.output::<u32>().await.unwrap_err();
        assert_eq!(take(), [3, 6]);
        broken.store(false, Ordering::Relaxed);
        let again = still.retry("ops", "mended").await.unwrap();
        assert_eq!(again.output::<u32>().await.unwrap(), 282, "results and writes of all items");
        assert_eq!(take(), [3, 6]);
        let view = again.view().await.unwrap();
        assert_eq!(view.node("each").unwrap().title(), "each × 7");
    });
}

#[test]
fn retry_keeps_what_succeeded_and_fork_changes_the_middle() {
    on_every_store(|place| async move {
        let broken = Arc::new(AtomicBool::new(true));
        let calls = Arc::new(AtomicU32::new(0));
        let (b, c) = (Arc::clone(&broken), Arc::clone(&calls));
        let flow = Flow::dag("order", |dag, n: Node<u32>| {
            let first = dag.node(
                "first",
                move |n: u32| {
                    c.fetch_add(1, Ordering::Relaxed);
                    async move { ok(n * 10) }
                },
                n,
            );
            let second = dag.node(
                "second",
                move |n: u32| {
                    let broken = b.load(Ordering::Relaxed);
                    async move { if broken { fail("broken") } else { ok(n + 1) } }
                },
                first,
            );
            dag.node("third", |(a, b): (u32, u32)| async move { ok(a + b) }, (first, second))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let id = place.id("order");
        let run = engine.run("order", 4_u32).id(&id).await.unwrap();
        run.output::<u32>().await.unwrap_err();
        broken.store(false, Ordering::Relaxed);
        let again = run.retry("ops", "mended").await.unwrap();
        assert_eq!(again.id().as_str(), format!("{id}.retry1"));
        assert_eq!(again.output::<u32>().await.unwrap(), 81);
        assert_eq!(calls.load(Ordering::Relaxed), 1, "what succeeded is kept");
        assert_eq!(run.retry("ops", "mended").await.unwrap().id(), again.id(), "asked twice, done once");
        assert_eq!(run.retry("bob", "me too").await.unwrap().id(), again.id(), "whoever asks");
        assert!(matches!(again.retry("ops", "?").await.unwrap_err(), Error::RunEnded { .. }));

        let forked = again.fork(Fork::at("second").output(&100_u32), "ops", "what if").await.unwrap();
        assert_eq!(forked.output::<u32>().await.unwrap(), 140);
        let forked =
            again.fork(Fork::at("second").input(&5_u32).id(&place.id("what-if")), "ops", "what if").await.unwrap();
        assert_eq!(forked.output::<u32>().await.unwrap(), 46);
        let rerun = again.rerun("ops", "once more").await.unwrap();
        assert_eq!(rerun.output::<u32>().await.unwrap(), 81);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
        let error = again.fork(Fork::at("fourth"), "ops", "?").await.unwrap_err();
        assert!(matches!(error, Error::UnknownPlace { .. }), "{error}");
    });
}

#[test]
fn a_stop_reaches_the_items_of_a_foreach() {
    on_every_store(|place| async move {
        let scene = place.scene("stop-items");
        let flow = {
            let scene = Arc::clone(&scene);
            let wait = move |ctx: Ctx, n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    if scene.note("in") == 2 {
                        scene.entered.notify_one();
                    }
                    ctx.cancelled().await;
                    scene.note("out");
                    ok(n)
                }
            };
            Flow::dag("items", |dag, all: Node<Vec<u32>>| {
                dag.for_each("each", all, move |dag, n| dag.node("wait", wait, n)).window(3)
            })
            .unwrap()
        };
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, (0..10).collect()).await.unwrap();
        scene.entered.notified().await;
        run.cancel("ops", "enough").await.unwrap();
        assert!(matches!(run.output().await.unwrap_err(), Error::RunStopped { .. }));
        assert_eq!((scene.count("in"), scene.count("out")), (3, 3), "what runs is waited for, and nothing new starts");
    });
}

#[test]
fn a_pause_while_something_rides_holds_what_follows_and_nothing_hangs() {
    on_every_store(|place| async move {
        let scene = place.scene("pause-rider");
        let step = |name: &'static str| {
            let scene = Arc::clone(&scene);
            move |n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    scene.note(name);
                    if name == "b" {
                        scene.entered.notify_one();
                        scene.go.notified().await;
                    }
                    ok(n + 1)
                }
            }
        };
        let flow = Flow::dag("riders", |dag, n: Node<u32>| {
            let a = dag.node("a", step("a"), n).durable(false);
            let b = dag.node("b", step("b"), a).durable(false);
            dag.node("c", step("c"), b)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, 0).await.unwrap();
        scene.entered.notified().await;
        run.pause("ops", "deploy").await.unwrap();
        scene.go.notify_one();
        while !ended(&run, 1).await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(scene.lines(), ["a", "b"], "what runs is recorded, and nothing starts");
        run.resume("ops", "done").await.unwrap();
        assert_eq!(run.output().await.unwrap(), 3);
    });
}

#[test]
fn a_kill_of_a_paused_run_reaches_its_items() {
    on_every_store(|place| async move {
        let scene = place.scene("kill-paused");
        let seen = Arc::clone(&scene);
        let wait = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&seen);
            async move {
                if scene.note("in") == 1 {
                    scene.entered.notify_one();
                }
                ctx.cancelled().await;
                if scene.note("told") == 1 {
                    scene.go.notify_one();
                }
                ok(n)
            }
        };
        let flow = Flow::dag("items", |dag, all: Node<Vec<u32>>| {
            dag.for_each("each", all, move |dag, n| dag.node("wait", wait, n))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.start(&flow, vec![1, 2]).await.unwrap();
        scene.entered.notified().await;
        run.pause("ops", "wait").await.unwrap();
        run.kill("ops", "no").await.unwrap();
        assert!(matches!(run.output().await.unwrap_err(), Error::RunStopped { .. }));
        scene.go.notified().await;
    });
}
