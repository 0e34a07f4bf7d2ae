//! What becomes of calls that fail, panic, or take too long.

use crate::support::{SECOND, Scene, TICK, fail, history, ok, on_every_store, recorded};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vastflow::prelude::*;
use vastflow::{Error, Event, Failure, FailureKind, Flow, Handler, RunOutcome, Timestamp};

/// A flow of one node, `work`, with options.
fn one<H, M: 'static>(
    name: &str,
    handler: H,
    options: impl for<'d> FnOnce(&'d vastflow::Dag, Node<'d, u32>) -> Node<'d, u32>,
) -> Flow<u32, u32>
where
    H: Handler<u32, M, Out = u32>,
{
    Flow::dag(name, |dag, n: Node<u32>| options(dag, dag.node("work", handler, n))).unwrap()
}

fn plain<'d>(_: &'d vastflow::Dag, node: Node<'d, u32>) -> Node<'d, u32> {
    node
}

/// Fails a number of times, then gives its input; notes each call.
fn weak(scene: &Arc<Scene>, fails: usize) -> impl Handler<u32, vastflow_sdk::Plain, Out = u32> {
    let scene = Arc::clone(scene);
    move |n: u32| std::future::ready(if scene.note("call") < fails { fail("not yet") } else { ok(n) })
}

async fn failure_of(run: &Run) -> Failure {
    match run.wait().await.unwrap().outcome.clone() {
        Some(RunOutcome::Failed(failure)) => failure.failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn panics_are_failures() {
    on_every_store(|place| async move {
        async fn later(_: u32) -> Result<u32> {
            panic!("in the future")
        }
        // The panic is not in the future but in what makes it.
        fn early(_: u32) -> std::future::Ready<Result<u32>> {
            panic!("{} the future", "before")
        }
        fn odd(_: u32) -> std::future::Ready<Result<u32>> {
            std::panic::panic_any(7_u8)
        }
        let builder = place
            .engine()
            .await
            .flow(one("later", later, plain))
            .flow(one("early", early, plain))
            .flow(one("odd", odd, plain));
        let engine = builder.flow(one("fine", |n: u32| async move { ok(n) }, plain)).start().await.unwrap();
        for (flow, says) in
            [("later", "in the future"), ("early", "before the future"), ("odd", "a value that is not a text")]
        {
            let run = engine.run(flow, 1_u32).await.unwrap();
            let failure = failure_of(&run).await;
            assert_eq!((failure.kind, &*failure.message), (FailureKind::Panic, says));
        }
        assert_eq!(engine.run("fine", 1_u32).await.unwrap().output::<u32>().await.unwrap(), 1, "the engine lives on");
    });
}

#[test]
fn panics_are_retried_like_errors() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let handler = move |n: u32| {
            assert!(noted.note("call") > 1, "too early");
            std::future::ready(ok(n))
        };
        let flow = one("panics", handler, |_, node| node.retry(5.times()));
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        assert_eq!(engine.run("panics", 3_u32).await.unwrap().output::<u32>().await.unwrap(), 3);
        assert_eq!(scene.count("call"), 3);
    });
}

/// Notes when it is dropped.
struct Dropped(Arc<Scene>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note("dropped");
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_dropped_and_tried_again() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let handler = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                scene.note(format!("call {}", ctx.attempt()));
                assert!(ctx.deadline().unwrap() > ctx.now());
                if ctx.attempt() == 1 {
                    let _dropped = Dropped(Arc::clone(&scene));
                    std::future::pending::<()>().await;
                }
                ok(n)
            }
        };
        let flow = one("slow", handler, |_, node| node.timeout(50.ms()).retry(1.times()));
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("slow", 3_u32).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 3);
        assert_eq!(scene.lines(), ["call 1", "dropped", "call 2"]);
        let timeouts = recorded(
            engine.store(),
            run.id(),
            |event| matches!(event, Event::AttemptFailed { failure, .. } if failure.kind == FailureKind::Timeout),
        );
        assert_eq!(timeouts.await, 1);
    });
}

#[test]
fn a_handler_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    on_every_store(|place| async move {
        let handler = |ctx: Ctx, n: u32| async move {
            if ctx.attempt() == 1 {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            }
            ok(n)
        };
        let flow = one("bomb", handler, |_, node| node.timeout(20.ms()).retry(1.times()));
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        assert_eq!(engine.run("bomb", 3_u32).await.unwrap().output::<u32>().await.unwrap(), 3);
    });
}

/// A handler's future that panics when it is dropped, also after its end. It ends if there is something to say.
struct Sour(Option<u32>, Arc<Scene>);

impl Future for Sour {
    type Output = Result<u32>;
    fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<u32>> {
        self.1.entered.notify_one();
        self.0.map_or(std::task::Poll::Pending, |n| std::task::Poll::Ready(ok(n)))
    }
}

impl Drop for Sour {
    fn drop(&mut self) {
        self.1.note("dropped");
        panic!("sour");
    }
}

#[test]
fn a_future_that_panics_when_it_is_dropped_costs_nobody_else() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let sour = |name: &str, ends: bool| {
            let scene = Arc::clone(&scene);
            one(name, move |n: u32| Sour(ends.then_some(n), Arc::clone(&scene)), |_, node| node)
        };
        let engine = place.engine().await.flow(sour("ends", true)).flow(sour("hangs", false)).start().await.unwrap();
        let failure = failure_of(&engine.run("ends", 3_u32).await.unwrap()).await;
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Panic, "sour"));
        scene.entered.notified().await;
        drop(engine.run("hangs", 3_u32).await.unwrap());
        scene.entered.notified().await;
        // Its calls are ended at their next wait, wherever that is.
        drop(engine);
        while scene.count("dropped") < 2 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn all_attempts_together_have_a_limit() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = one("never", weak(&scene, usize::MAX), |_, node| {
            node.retry(1_000.times().every(100.ms())).total_timeout(1.secs())
        });
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("never", 3_u32).await.unwrap();
        let failure = failure_of(&run).await;
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Timeout, "not done within 1s"));
        assert!((2..=11).contains(&scene.count("call")), "{} calls", scene.count("call"));
    });
}

#[test]
fn a_call_is_told_that_its_node_is_out_of_time() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let handler = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                ctx.cancelled().await;
                scene.note("told");
                ok(n)
            }
        };
        let flow = one("told", handler, |_, node| node.total_timeout(30.ms()));
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("told", 3_u32).await.unwrap();
        assert_eq!(failure_of(&run).await.kind, FailureKind::Timeout, "what it gives then comes too late");
        engine.shutdown().await.unwrap();
        assert_eq!(scene.lines(), ["told"]);
    });
}

#[test]
fn a_run_has_a_limit() {
    on_every_store(|place| async move {
        let handler = |ctx: Ctx, n: u32| async move {
            ctx.cancelled().await;
            ok(n)
        };
        let limited = one("limited", handler, |dag, node| {
            dag.timeout(40.ms());
            node
        });
        let engine = place.engine().await.flow(limited).flow(one("open", handler, plain)).start().await.unwrap();
        let run = engine.run("limited", 3_u32).await.unwrap();
        let failure = failure_of(&run).await;
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Timeout, "the run did not end within 40ms"));

        let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let deadline = Timestamp::from_millis(now + 40);
        let run = engine.run("open", 3_u32).deadline(deadline).await.unwrap();
        let failure = failure_of(&run).await;
        assert_eq!((failure.kind, &*failure.message), (FailureKind::Timeout, "the run did not end by its deadline"));
        let end = history(engine.store(), run.id()).await.pop().unwrap();
        assert!(end.at >= deadline, "never early");
    });
}

#[test]
fn what_was_refused_does_not_turn_back_the_clock() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let first = move |n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                scene.entered.notify_one();
                tokio::time::sleep(1_500.ms()).await;
                ok(n)
            }
        };
        let flow = Flow::dag("clock", |dag, n: Node<u32>| {
            let first = dag.node("first", first, n);
            let second = |n: u32| async move {
                tokio::time::sleep(20.ms()).await;
                ok(n)
            };
            dag.node("second", second, first).total_timeout(1_400.ms())
        })
        .unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("clock", 3_u32).id("c").await.unwrap();
        scene.entered.notified().await;
        engine.run("clock", 3_u32).id("c").await.expect("the run that is there");
        assert_eq!(run.output::<u32>().await.unwrap(), 3, "the second node's time began when the first was done");
        let all = history(engine.store(), run.id()).await;
        // An engine comes to know the clock of a fleet's store better meanwhile, which may take some milliseconds off.
        assert!(all[1].at.since(all[0].at) >= 1_450.ms(), "{:?}", all[1].at.since(all[0].at));
    });
}

#[test]
fn retries_are_counted_and_spaced() {
    on_every_store(|place| async move {
        let (enough, few) = (Scene::new(), Scene::new());
        let flow = one("enough", weak(&enough, 3), |_, node| node.retry(3.times().exponential(10.ms())));
        let builder = place.engine().await.flow(flow);
        let engine = builder.flow(one("few", weak(&few, 3), |_, node| node.retry(2.times()))).start().await.unwrap();
        let run = engine.run("enough", 3_u32).await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 3);
        let calls = enough.times("call");
        let waits: Vec<_> = calls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // On a fleet an engine's clock is behind that of the store by as much as an answer takes, and a retry counts from it.
        let behind = if engine.store().capabilities().fleet { Duration::from_millis(20) } else { TICK };
        let least = [10, 20, 40].map(|millis| Duration::from_millis(millis).saturating_sub(behind));
        assert!(waits.iter().zip(least).all(|(wait, least)| *wait >= least), "{waits:?}");
        let failed = recorded(engine.store(), run.id(), |event| matches!(event, Event::AttemptFailed { .. }));
        assert_eq!((failed.await, calls.len()), (3, 4));

        let run = engine.run("few", 3_u32).await.unwrap();
        assert_eq!(&*failure_of(&run).await.message, "not yet");
        assert_eq!(few.count("call"), 3, "two retries are three calls");
    });
}

#[test]
fn a_flow_can_say_how_all_of_its_nodes_are_retried() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = one("all", weak(&scene, 2), |dag, node| {
            dag.retry(2.times());
            node
        });
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        assert_eq!(engine.run("all", 3_u32).await.unwrap().output::<u32>().await.unwrap(), 3);
    });
}

#[test]
fn not_every_failure_is_retried() {
    on_every_store(|place| async move {
        let (asked, fatal) = (Scene::new(), Scene::new());
        let noted = Arc::clone(&asked);
        let moody = move |_: u32| std::future::ready(fail(if noted.note("call") == 0 { "busy" } else { "broken" }));
        let flow = one("moody", moody, |_, node| node.retry(9.times()).retry_if(|failure| &*failure.message == "busy"));
        let noted = Arc::clone(&fatal);
        let hopeless = move |_: u32| {
            noted.note("call");
            std::future::ready(Err::<u32, _>(NodeError::fatal("hopeless")))
        };
        let flows = (flow, one("hopeless", hopeless, |_, node| node.retry(9.times())));
        let engine = place.engine().await.flow(flows.0).flow(flows.1).start().await.unwrap();
        let run = engine.run("moody", 1_u32).await.unwrap();
        assert_eq!((&*failure_of(&run).await.message, asked.count("call")), ("broken", 2));
        let run = engine.run("hopeless", 1_u32).await.unwrap();
        assert_eq!((&*failure_of(&run).await.message, fatal.count("call")), ("hopeless", 1));
    });
}

#[test]
fn a_value_over_the_limit_fails_its_node_at_once() {
    on_every_store(|place| async move {
        let limit = vastflow_core::limits::MAX_PAYLOAD_BYTES;
        let (out, put) = (Scene::new(), Scene::new());
        let noted = Arc::clone(&out);
        let large = move |n: u32| {
            noted.note("call");
            std::future::ready(ok(Bytes::from(vec![b'x'; limit + n as usize])))
        };
        let gives = Flow::dag("gives", |dag, n: Node<u32>| dag.node("work", large, n).retry(9.times())).unwrap();
        let noted = Arc::clone(&put);
        let puts = move |ctx: Ctx, n: u32| {
            noted.note("call");
            ctx.put_bytes("large", vec![b'x'; limit + n as usize].into());
            std::future::ready(ok(n))
        };
        let puts = one("puts", puts, |_, node| node.retry(9.times()));
        let engine = place.engine().await.flow(gives).flow(puts).start().await.unwrap();
        assert_eq!(engine.run("gives", 0_u32).await.unwrap().output::<Bytes>().await.unwrap().len(), limit);
        for (flow, scene, calls) in [("gives", &out, 2), ("puts", &put, 1)] {
            let run = engine.run(flow, 1_u32).await.unwrap();
            let failure = failure_of(&run).await;
            let says = format!("the value has {} bytes, the limit is {limit} (MAX_PAYLOAD_BYTES)", limit + 1);
            assert!(failure.message.starts_with(&says), "{failure}");
            assert_eq!((failure.kind, scene.count("call")), (FailureKind::Engine, calls), "no retry helps");
        }
        let refused = engine.run("gives", "x".repeat(limit)).await.unwrap_err();
        assert!(matches!(refused, Error::Data(_)) && refused.to_string().contains("MAX_PAYLOAD_BYTES"), "{refused}");
    });
}

#[test]
fn a_calls_deadline_is_the_earliest_of_all_limits() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = |name: &str, limits: [Option<u32>; 3]| {
            let noted = Arc::clone(&scene);
            let tell = move |ctx: Ctx, n: u32| {
                let left = ctx.deadline().map(|deadline| (deadline.since(ctx.now()).as_secs_f64() / 60.0).round());
                noted.note(left.map_or("none".into(), |left| format!("{left}")));
                std::future::ready(ok(n))
            };
            one(name, tell, |dag, mut node| {
                limits[0].into_iter().for_each(|limit| node = node.timeout(limit.mins()));
                limits[1].into_iter().for_each(|limit| node = node.total_timeout(limit.mins()));
                limits[2].into_iter().for_each(|limit| dag.timeout(limit.mins()));
                node
            })
        };
        let limits = [
            ("none", [None; 3]),
            ("attempt", [Some(1), Some(2), Some(3)]),
            ("node", [Some(3), Some(1), Some(2)]),
            ("run", [Some(2), Some(3), Some(1)]),
            ("alone", [None, None, Some(4)]),
        ];
        let add = |engine: vastflow::EngineBuilder, (name, limits): &(&str, _)| engine.flow(flow(name, *limits));
        let engine = limits.iter().fold(place.engine().await, add).start().await.unwrap();
        for (name, _) in limits {
            engine.run(name, 1_u32).await.unwrap().output::<u32>().await.unwrap();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let in_two_minutes = Timestamp::from_millis(u64::try_from(now).unwrap() + 120_000);
        engine.run("alone", 1_u32).deadline(in_two_minutes).await.unwrap().output::<u32>().await.unwrap();
        assert_eq!(scene.lines(), ["none", "1", "1", "1", "4", "2"], "minutes, but for what it took until now");
    });
}

#[test]
fn a_retry_does_not_wait_for_what_rides_on_a_node_that_is_not_durable() {
    on_every_store(|place| async move {
        let scene = place.scene("retry-and-riders");
        let (a, b, c) = (Arc::clone(&scene), Arc::clone(&scene), Arc::clone(&scene));
        let flow = Flow::dag("riders", |dag, n: Node<u32>| {
            let quick = move |n: u32| {
                let scene = Arc::clone(&a);
                // Ends when the other has failed, so that its retry is due later than this is told.
                async move {
                    scene.entered.notified().await;
                    tokio::time::sleep(SECOND).await;
                    ok(n)
                }
            };
            let long = move |n: u32| {
                let scene = Arc::clone(&b);
                async move {
                    scene.go.notified().await;
                    ok(n)
                }
            };
            let weak = move |ctx: Ctx, n: u32| {
                let scene = Arc::clone(&c);
                async move {
                    if ctx.attempt() == 1 {
                        scene.entered.notify_one();
                        return fail("not yet");
                    }
                    scene.go.notify_one();
                    ok(n)
                }
            };
            let long = dag.node("long", long, dag.node("quick", quick, n).durable(false));
            let weak = dag.node("weak", weak, n).retry(1.times().every(4 * SECOND));
            dag.node("sum", |(a, b): (u32, u32)| async move { ok(a + b) }, (long, weak))
        });
        let flow = flow.unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        // The retry is what lets the long one end.
        assert_eq!(engine.start(&flow, 1).await.unwrap().output().await.unwrap(), 2);
    });
}
