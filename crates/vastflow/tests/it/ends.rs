//! How runs end: stopped, failed, with their hooks.

use crate::rivers::{Act, R1, R2, Script, Sea, again};
use crate::support::{SECOND, Scene, fail, ok, on_every_store, recorded, root, statuses};
use crate::watched::Watched;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vastflow::prelude::*;
use vastflow::store::{QueuedTask, TaskState};
use vastflow::{Error, Event, Flow, RunOutcome, RunStatus};
use vastflow_core::Task;

/// Three nodes in a row, of which the second waits until it is told to stop; with both hooks.
fn three(scene: &Arc<Scene>) -> Flow<u32, u32> {
    Flow::dag("three", |dag, n: Node<u32>| {
        let note = |name: &'static str| {
            let scene = Arc::clone(scene);
            move |n: u32| {
                scene.note(name);
                std::future::ready(ok(n))
            }
        };
        let noted = Arc::clone(scene);
        let wait = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                scene.entered.notify_one();
                ctx.cancelled().await;
                scene.note(format!("told: {}", ctx.outcome().unwrap()));
                scene.go.notified().await;
                ok(n)
            }
        };
        let hook = |name: &'static str| {
            let scene = Arc::clone(scene);
            move |outcome: RunOutcome| {
                scene.note(format!("{name}: {outcome}"));
                std::future::ready(ok(()))
            }
        };
        dag.on_failure(hook("on_failure"));
        dag.finally(hook("finally"));
        let first = dag.node("first", note("first"), n);
        dag.node("third", note("third"), dag.node("second", wait, first))
    })
    .unwrap()
}

#[test]
fn a_run_is_stopped_from_its_handle() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.flow(three(&scene)).start().await.unwrap();
        let run = engine.run("three", 1_u32).id("r").await.unwrap();
        scene.entered.notified().await;
        run.cancel("me", "enough").await.unwrap();
        engine.handle("r").await.unwrap().cancel("you", "twice").await.expect("asking again changes nothing");
        scene.go.notify_one();
        let summary = run.wait().await.unwrap();
        assert_eq!(summary.status, RunStatus::Stopped);
        let why = "stopped by me: enough";
        let expected = ["first", &format!("told: {why}"), &format!("on_failure: {why}"), &format!("finally: {why}")];
        assert_eq!(scene.lines(), expected, "the first reason counts, and each hook is called once");
        let asked = recorded(engine.store(), "r", |event| matches!(event, Event::CancelRequested { .. })).await;
        assert_eq!(asked, 1);
        assert_eq!(statuses(&run).await["third"], "dropped");

        let over = run.cancel("me", "again").await.unwrap_err();
        assert!(matches!(over, Error::RunEnded { status: RunStatus::Stopped, .. }), "{over}");
        assert!(over.to_string().contains("is over: it stopped"), "{over}");
        assert_eq!(scene.lines().len(), 4);
    });
}

#[test]
fn a_finished_run_cannot_be_stopped() {
    on_every_store(|place| async move {
        let flow = Flow::dag("quick", |dag, n: Node<u32>| dag.node("n", |n: u32| async move { ok(n) }, n)).unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.run("quick", 1_u32).id("r").await.unwrap();
        run.wait().await.unwrap();
        assert_eq!(run.cancel("me", "late").await.unwrap_err().code(), "run-ended");
        drop(run);
        engine.shutdown().await.unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.handle("r").await.unwrap();
        assert_eq!(run.cancel("me", "late").await.unwrap_err().code(), "run-ended", "also when it was loaded");
        assert_eq!(run.output::<u32>().await.unwrap(), 1, "and it is as it was");
    });
}

#[test]
fn a_run_is_stopped_from_inside() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let first = R1(Script::new().flow([Act::Cancel("I saw enough".into())]));
        let andes = Andes::new("inside").stream(first).stream(R2::default()).atlantic(Sea::default());
        let run = engine.draw(andes, Headwaters::new(place.id("inside"))).await.unwrap();
        let summary = run.wait().await.unwrap();
        let outcome = RunOutcome::Stopped { by: "r1".into(), why: "I saw enough".into() };
        assert_eq!(summary.outcome, Some(outcome));
        let expected = ["r1 flow", "r1 flow over", "fail: I saw enough"];
        assert_eq!(place.scene("inside").lines(), expected, "the call is finished, the next is not begun");
    });
}

#[test]
fn a_run_that_only_waits_is_stopped_at_once() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let script = Script::new().cycle(9, 1.hours(), [again("waiting")]);
        let andes = Andes::new("waits").stream(R1(script)).atlantic(Sea::default());
        let run = engine.draw(andes, Headwaters::new(place.id("waits"))).await.unwrap();
        let mut events = run.events();
        while !matches!(events.next().await.unwrap().unwrap().recorded.event, Event::Submitted { .. }) {}
        run.cancel("me", "enough").await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Stopped);
        assert_eq!(place.scene("waits").lines(), ["r1 flow", "fail: enough"]);
        assert_eq!(
            engine.store().tasks(&crate::support::root(&place.id("waits"))).await.unwrap(),
            [],
            "nothing is left"
        );
    });
}

#[test]
fn a_failure_tells_the_siblings() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let flow = Flow::dag("siblings", |dag, n: Node<u32>| {
            let waits = move |ctx: Ctx, n: u32| {
                let scene = Arc::clone(&noted);
                async move {
                    scene.entered.notify_one();
                    ctx.cancelled().await;
                    scene.note(format!("told: {}", ctx.outcome().unwrap()));
                    ok(n)
                }
            };
            let noted = Arc::clone(&scene);
            let fails = move |_: u32| {
                let scene = Arc::clone(&noted);
                async move {
                    scene.entered.notified().await;
                    fail::<u32>("boom")
                }
            };
            let both = (dag.node("waits", waits, n), dag.node("fails", fails, n));
            dag.node("join", |(a, b): (u32, u32)| async move { ok(a + b) }, both)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("siblings", 1_u32).await.unwrap();
        assert_eq!(
            run.output::<u32>().await.unwrap_err().to_string(),
            format!("run {:?} failed: fails: boom", run.id().as_str())
        );
        assert_eq!(scene.lines(), ["told: failed: fails: boom"]);
        let all = statuses(&run).await;
        assert_eq!((all["waits"].as_str(), all["join"].as_str()), ("succeeded", "dropped"), "it was waited for");
    });
}

#[test]
fn hooks_are_called_once_each() {
    on_every_store(|place| async move {
        let scenes = [Scene::new(), Scene::new()];
        let flow = |name: &str, scene: &Arc<Scene>, fails: bool| {
            Flow::dag(name, |dag, n: Node<u32>| {
                for (on_failure, name) in [(true, "on_failure"), (false, "finally")] {
                    let scene = Arc::clone(scene);
                    let hook = move |ctx: Ctx, outcome: RunOutcome| {
                        scene.note(format!("{name} {} {}", ctx.attempt(), outcome.status()));
                        std::future::ready(ok(()))
                    };
                    if on_failure { dag.on_failure(hook) } else { dag.finally(hook) }
                }
                dag.node("n", move |n: u32| async move { if fails { fail("boom") } else { ok(n) } }, n)
            })
            .unwrap()
        };
        let flows = (flow("good", &scenes[0], false), flow("bad", &scenes[1], true));
        let engine = place.engine().await.flow(flows.0).flow(flows.1).start().await.unwrap();
        for name in ["good", "bad"] {
            engine.run(name, 1_u32).id(name).await.unwrap().wait().await.unwrap();
            let ended = recorded(engine.store(), name, |event| matches!(event, Event::RunEnded { .. })).await;
            assert_eq!(ended, 1);
        }
        assert_eq!(scenes[0].lines(), ["finally 1 succeeded"]);
        assert_eq!(scenes[1].lines(), ["on_failure 1 failed", "finally 1 failed"]);
    });
}

#[test]
fn a_hook_that_fails_is_no_success() {
    on_every_store(|place| async move {
        let flow = Flow::dag("rough", |dag, n: Node<u32>| {
            dag.finally(|_: RunOutcome| async { fail::<()>("no line") });
            dag.node("n", |n: u32| async move { ok(n) }, n)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("rough", 1_u32).await.unwrap();
        let error = run.output::<u32>().await.unwrap_err();
        assert_eq!((error.code(), error.to_string().contains("failed in handler: no line")), ("run-failed", true));

        let andes = |sea: Sea| Andes::new("sea").stream(R1::default()).atlantic(sea);
        let sea = Sea { fails: 2, retries: 2 };
        let run = engine.draw(andes(sea), Headwaters::new(place.id("calmed"))).await.unwrap();
        run.output::<()>().await.expect("it was retried");
        assert_eq!(place.scene("calmed").count("success"), 3);
        let sea = Sea { fails: 9, retries: 1 };
        let run = engine.draw(andes(sea), Headwaters::new(place.id("rough"))).await.unwrap();
        let error = run.output::<()>().await.unwrap_err().to_string();
        assert!(error.contains("failed in handler: the sea is rough"), "{error}");
        assert_eq!(place.scene("rough").lines(), ["r1 flow", "success", "success"], "and never the other call");
    });
}

#[test]
fn a_river_is_polled_no_more_when_it_is_stopped_in_its_poll() {
    on_every_store(|place| async move {
        let engine = place.engine().await.start().await.unwrap();
        let script = Script::new().cycle(9, SECOND / 5, [again("not yet"), Act::UntilStopped, Act::Done]);
        let andes = Andes::new("polls").stream(R1(script)).stream(R2::default()).atlantic(Sea::default());
        let run = engine.draw(andes, Headwaters::new(place.id("polls"))).await.unwrap();
        let scene = place.scene("polls");
        scene.entered.notified().await;
        run.cancel("me", "enough").await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Stopped);
        assert_eq!((scene.count("r1 cycle"), scene.count("r2 flow"), scene.count("fail: enough")), (2, 0, 1));
    });
}

/// An Atlantic whose first call never ends.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct DeadSea;

impl Atlantic for DeadSea {
    const NAME: &'static str = "dead-sea";

    fn retry(&self) -> vastflow::Retry {
        1.times()
    }

    fn timeout(&self) -> std::time::Duration {
        20.ms()
    }

    async fn success(&self, hw: &Headwaters) -> Result<(), vastflow::BoxError> {
        if crate::support::scene(hw.request_id()).note("success") == 0 {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn fail(&self, _: &Headwaters) -> Result<(), vastflow::BoxError> {
        Ok(())
    }
}

#[test]
fn a_hook_that_hangs_is_given_up() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = |name: &str, fails: bool| {
            Flow::dag(name, |dag, n: Node<u32>| {
                dag.hook_timeout(20.ms());
                let noted = Arc::clone(&scene);
                dag.on_failure(move |ctx: Ctx, _: RunOutcome| {
                    assert_eq!(ctx.deadline().unwrap().since(ctx.now()), 20.ms());
                    noted.note("on_failure");
                    std::future::pending::<Result<()>>()
                });
                let noted = Arc::clone(&scene);
                dag.finally(move |_: RunOutcome| {
                    noted.note("finally");
                    std::future::pending::<Result<()>>()
                });
                dag.node("n", move |n: u32| async move { if fails { fail("boom") } else { ok(n) } }, n)
            })
            .unwrap()
        };
        let engine = place.engine().await.flow(flow("good", false)).flow(flow("bad", true)).start().await.unwrap();
        let error = engine.run("good", 1_u32).await.unwrap().output::<u32>().await.unwrap_err().to_string();
        assert!(error.ends_with("failed in handler: no answer within 20ms"), "{error}");
        let error = engine.run("bad", 1_u32).await.unwrap().output::<u32>().await.unwrap_err().to_string();
        assert!(error.ends_with("n: boom"), "{error}");
        assert_eq!(scene.lines(), ["finally", "on_failure", "finally"]);

        let andes = Andes::new("dead").stream(R1::default()).atlantic(DeadSea);
        let run = engine.draw(andes, Headwaters::new(place.id("dead"))).await.unwrap();
        run.output::<()>().await.expect("it was tried again");
        assert_eq!(place.scene("dead").count("success"), 2);
    });
}

#[test]
fn a_hook_has_a_limit_that_nobody_set() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let flow = Flow::dag("f", |dag, n: Node<u32>| {
            dag.finally(move |ctx: Ctx, _: RunOutcome| {
                noted.note(format!("{:?}", ctx.deadline().unwrap().since(ctx.now())));
                std::future::ready(ok(()))
            });
            dag.node("n", |n: u32| async move { ok(n) }, n)
        });
        let engine = place.engine().await.flow(flow.unwrap()).start().await.unwrap();
        engine.run("f", 1_u32).await.unwrap().output::<u32>().await.unwrap();
        assert_eq!(scene.lines(), ["600s"]);
    });
}

#[test]
fn a_retry_that_is_just_due_is_either_not_begun_or_waited_for() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let weak = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                if ctx.attempt() == 1 {
                    return fail("again");
                }
                scene.note("begun");
                ctx.cancelled().await;
                scene.note("ended");
                ok(n)
            }
        };
        let go = Arc::new([tokio::sync::Notify::new(), tokio::sync::Notify::new()]);
        let waits = |at: usize| {
            let go = Arc::clone(&go);
            move |n: u32| {
                let go = Arc::clone(&go);
                async move {
                    go[at].notified().await;
                    ok(n)
                }
            }
        };
        let flow = Flow::dag("f", |dag, n: Node<u32>| {
            let weak = dag.node("weak", weak, n).retry(1.times().every(300.ms()));
            let all = (weak, dag.node("b", waits(0), n), dag.node("c", waits(1), n));
            dag.node("join", |(a, b, c): (u32, u32, u32)| async move { ok(a + b + c) }, all)
        });
        let (store, tally) = Watched::over(place.open().await);
        let engine = Engine::on(Arc::clone(&store)).flow(flow.unwrap()).start().await.unwrap();
        let run = engine.run("f", 1_u32).await.unwrap();
        let mut events = run.events();
        while events.next().await.unwrap().unwrap().recorded.event.name() != "AttemptFailed" {}

        // A commit is on its way, something is gathered behind it, and only then the retry is due.
        tally.keep_back();
        let appends = tally.appends.load(Ordering::SeqCst);
        go[0].notify_one();
        while tally.appends.load(Ordering::SeqCst) == appends {
            tokio::task::yield_now().await;
        }
        go[1].notify_one();
        let is_claimed = |known: &QueuedTask| {
            matches!(known.task, Task::Attempt { attempt: 2, .. }) && matches!(known.state, TaskState::Claimed { .. })
        };
        while !store.tasks(&root(run.id().as_str())).await.unwrap().iter().any(is_claimed) {
            tokio::time::sleep(1.ms()).await;
        }
        // Whoever is wrong begins it now.
        tokio::time::sleep(10.ms()).await;
        let stop = tokio::spawn(async move {
            run.cancel("me", "enough").await.unwrap();
            run.wait().await.unwrap().status
        });
        tokio::time::sleep(10.ms()).await;
        tally.let_go();
        assert_eq!(stop.await.unwrap(), RunStatus::Stopped);
        assert_eq!(scene.count("begun"), scene.count("ended"), "what began was told, and waited for");
    });
}
