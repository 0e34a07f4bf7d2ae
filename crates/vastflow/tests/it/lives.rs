//! The lives of engines: how much they do at once, how they end, and what the next one takes over.

use crate::rivers::{Act, R1, R2, Script, Sea, again};
use crate::support::{Place, Scene, fail, history, ok, on_every_store, recorded, root};
use crate::watched::Watched;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use vastflow::prelude::*;
use vastflow::{Dag, Error, Event, Flow, RunStatus};

/// Counts calls that are under way at the same time.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    async fn through(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(1.ms()).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn no_more_calls_than_slots() {
    on_every_store(|place| async move {
        let gauge = Arc::new(Gauge::default());
        let through = {
            let gauge = Arc::clone(&gauge);
            move |n: u32| {
                let gauge = Arc::clone(&gauge);
                async move {
                    gauge.through().await;
                    ok(n)
                }
            }
        };
        let flow = Flow::dag("wide", |dag, n: Node<u32>| {
            let weak = |ctx: Ctx, n: u32| async move { if ctx.attempt() == 1 { fail("again") } else { ok(n) } };
            let all: Vec<_> = ["a", "b", "c"].map(|name| dag.node(name, through.clone(), n)).into();
            let sum = dag.node("sum", |all: Vec<u32>| async move { ok(all.iter().sum()) }, all);
            dag.node("weak", weak, dag.node("d", through.clone(), sum)).retry(1.times().every(5.ms()))
        })
        .unwrap();
        let engine = place.engine().await.concurrency(3).flow(flow).start().await.unwrap();
        let mut runs = Vec::new();
        for n in 0..50_u32 {
            runs.push(engine.run("wide", n).await.unwrap());
        }
        for (n, run) in (0..).zip(&runs) {
            assert_eq!(run.output::<u32>().await.unwrap(), 3 * n);
        }
        assert_eq!(gauge.most.load(Ordering::SeqCst), 3, "all slots, and never more");
    });
}

/// A node that passes its scene.
fn passing(scene: &Arc<Scene>) -> impl vastflow::Handler<u32, vastflow_sdk::WithCtx, Out = u32> + Clone {
    let scene = Arc::clone(scene);
    move |ctx: Ctx, n: u32| {
        let scene = Arc::clone(&scene);
        async move {
            scene.note(format!("{} {}", ctx.node(), ctx.attempt()));
            scene.pass().await;
            ok(n)
        }
    }
}

async fn same(n: u32) -> Result<u32> {
    Ok(n)
}

#[test]
fn timers_fire_and_rivers_wait_without_a_slot() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let holds = Flow::dag("holds", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let short = Flow::dag("short", |dag, n: Node<u32>| {
            dag.timeout(30.ms());
            dag.node("same", same, n)
        })
        .unwrap();
        let engine = place.engine().await.concurrency(1).flow(holds).flow(short).start().await.unwrap();

        let river = Andes::new("polls").stream(R1(Script::new().cycle(3, 20.ms(), [again("not yet"), Act::Done])));
        let river = engine.draw(river, Headwaters::new(place.id("no-slot"))).await.unwrap();
        let mut events = river.events();
        while !matches!(events.next().await.unwrap().unwrap().recorded.event, Event::Submitted { .. }) {}

        let hold = engine.run("holds", 1_u32).await.unwrap();
        scene.entered.notified().await;
        let short = engine.run("short", 1_u32).await.unwrap();
        let mut events = short.events();
        while !matches!(events.next().await.unwrap().unwrap().recorded.event, Event::RunTimedOut) {}
        assert_eq!(short.status().await.unwrap(), RunStatus::Stopping, "its time is up while the slot is taken");
        assert_eq!(hold.status().await.unwrap(), RunStatus::Running);
        scene.go.notify_one();
        assert_eq!(hold.output::<u32>().await.unwrap(), 1);
        assert_eq!(short.wait().await.unwrap().status, RunStatus::Failed);
        river.output::<()>().await.unwrap();
    });
}

/// Two nodes in a row, of which the first passes the scene.
fn two(scene: &Arc<Scene>) -> Flow<u32, u32> {
    Flow::dag("two", |dag, n: Node<u32>| {
        let first = dag.node("first", passing(scene), n);
        dag.node("second", same, first)
    })
    .unwrap()
}

#[test]
fn shutting_down_waits_for_what_runs() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let probe = Flow::dag("probe", |dag, n: Node<u32>| dag.node("same", same, n)).unwrap();
        let engine = place.engine().await.flow(two(&scene)).flow(probe).start().await.unwrap();
        let run = engine.run("two", 1_u32).id("r").await.unwrap();
        scene.entered.notified().await;
        let other = engine.clone();
        let down = tokio::spawn(engine.shutdown());
        // The engine takes nothing new from when it is told on.
        while other.run("probe", 2_u32).await.map_or_else(|error| error.code(), |_| "") != "shutting-down" {
            tokio::task::yield_now().await;
        }
        assert!(!down.is_finished());
        scene.go.notify_one();
        down.await.unwrap().unwrap();
        assert_eq!(run.wait().await.unwrap_err().code(), "shutting-down");
        drop((run, other));

        let engine = place.engine().await.flow(two(&scene)).start().await.unwrap();
        let run = engine.handle("r").await.unwrap();
        assert_eq!(run.output::<u32>().await.unwrap(), 1, "the next engine goes on behind it");
        assert_eq!(scene.count("first 1"), 1, "what was waited for is not called again");
    });
}

#[test]
fn a_stuck_handler_does_not_hold_a_shutdown() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let engine = place.engine().await.flow(two(&scene)).start().await.unwrap();
        let run = engine.run("two", 1_u32).id("r").await.unwrap();
        scene.entered.notified().await;
        drop(run);
        let error = engine.shutdown_within(30.ms()).await.unwrap_err();
        assert!(matches!(error, Error::DrainTimeout { calls: 1, .. }), "{error}");
        assert!(error.to_string().contains("will run again at the next start"), "{error}");

        let engine = place.engine().await.flow(two(&scene)).start().await.unwrap();
        scene.go.notify_one();
        assert_eq!(engine.handle("r").await.unwrap().output::<u32>().await.unwrap(), 1);
        assert_eq!(scene.lines(), ["first 1", "first 1"], "the attempt is not spent");
    });
}

#[test]
fn a_stuck_handler_is_told_before_the_end() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let waits = move |ctx: Ctx, n: u32| {
            let scene = Arc::clone(&noted);
            async move {
                scene.entered.notify_one();
                ctx.cancelled().await;
                scene.note("told");
                ok(n)
            }
        };
        let flow = Flow::dag("told", |dag, n: Node<u32>| dag.node("waits", waits, n)).unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let (run, other) = (engine.run("told", 1_u32).await.unwrap(), engine.clone());
        scene.entered.notified().await;
        assert_eq!(engine.shutdown_within(20.ms()).await.unwrap_err().code(), "drain-timeout");
        while scene.count("told") == 0 {
            tokio::task::yield_now().await;
        }
        drop((run, other));
    });
}

/// Opens the store of an engine that was dropped a moment ago.
async fn reopened(place: &Place) -> vastflow::EngineBuilder {
    loop {
        let opened = tokio::spawn({
            let place = place.clone();
            async move { place.open().await }
        });
        match opened.await {
            Ok(store) => return Engine::on(store).lease(1.secs()),
            Err(_) => tokio::time::sleep(5.ms()).await,
        }
    }
}

#[test]
fn dropping_the_engine_is_like_a_crash() {
    on_every_store(|place| async move {
        struct Gone(Arc<Scene>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.note("gone");
            }
        }
        let scene = Scene::new();
        let flow = || {
            let scene = Arc::clone(&scene);
            let hangs = move |n: u32| {
                let scene = Arc::clone(&scene);
                async move {
                    if scene.note("call") == 0 {
                        let _gone = Gone(Arc::clone(&scene));
                        scene.entered.notify_one();
                        std::future::pending::<()>().await;
                    }
                    ok(n)
                }
            };
            Flow::dag("hangs", |dag, n: Node<u32>| dag.node("hang", hangs, n)).unwrap()
        };
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        let run = engine.run("hangs", 1_u32).id("r").await.unwrap();
        scene.entered.notified().await;
        drop(engine);
        assert_eq!(run.status().await.unwrap(), RunStatus::Running, "a handle keeps it alive");
        drop(run);
        let engine = reopened(&place).await.flow(flow()).start().await.unwrap();
        assert_eq!(engine.handle("r").await.unwrap().output::<u32>().await.unwrap(), 1);
        assert_eq!(scene.lines(), ["call", "gone", "call"], "nothing of the old engine is left");
    });
}

#[test]
fn whatever_a_run_waits_for_the_next_engine_knows() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let builder = |builder: vastflow::EngineBuilder| {
            let weak = |ctx: Ctx, n: u32| async move { if ctx.attempt() == 1 { fail("again") } else { ok(n) } };
            let retries =
                Flow::dag("retries", |dag, n: Node<u32>| dag.node("weak", weak, n).retry(1.times().every(3.secs())));
            builder.concurrency(1).flow(two(&scene)).flow(retries.unwrap())
        };
        let engine = builder(place.engine().await).start().await.unwrap();
        // Long enough for all to be under way before the first is due.
        let script = Script::new().cycle(3, 3.secs(), [again("not yet"), Act::Done]);
        let andes = Andes::new("polls").stream(R1(script)).stream(R2::default()).atlantic(Sea::default());
        let river = engine.draw(andes, Headwaters::new(place.id("waits-for"))).await.unwrap();
        let retry = engine.run("retries", 2_u32).id("retry").await.unwrap();
        for (run, name) in [(&river, "Submitted"), (&retry, "AttemptFailed")] {
            let mut events = run.events();
            while events.next().await.unwrap().unwrap().recorded.event.name() != name {}
        }
        let call = engine.run("two", 1_u32).id("call").await.unwrap();
        scene.entered.notified().await;
        let queued = engine.run("two", 3_u32).id("queued").await.unwrap();
        let began: Vec<usize> = lens(&engine, &place).await;
        drop((river, retry, call, queued));
        engine.shutdown_within(1.ms()).await.unwrap_err();

        let passing = scene.let_all_pass();
        let next = builder(place.engine().await).river::<R1>().river::<R2>().atlantic::<Sea>();
        let next = next.start().await.unwrap();
        let of = |id: &str| {
            let (next, id) = (next.clone(), id.to_owned());
            async move { next.handle(&id).await.unwrap() }
        };
        assert_eq!(of("retry").await.output::<u32>().await.unwrap(), 2);
        assert_eq!(of("call").await.output::<u32>().await.unwrap(), 1);
        assert_eq!(of("queued").await.output::<u32>().await.unwrap(), 3);
        of(&place.id("waits-for")).await.output::<()>().await.unwrap();
        assert_eq!(place.scene("waits-for").count("r1 flow"), 1);
        assert_eq!(place.scene("waits-for").count("r1 cycle"), 2, "polls go on where they were");
        assert_eq!(began, [2, 2, 1, 1], "and all four were under way");
        passing.abort();
    });
}

async fn lens(engine: &Engine, place: &Place) -> Vec<usize> {
    let mut lens = Vec::new();
    for id in [&place.id("waits-for"), "retry", "call", "queued"] {
        lens.push(history(engine.store(), id).await.len());
    }
    lens
}

#[test]
fn runs_wait_for_a_program_that_has_their_code() {
    on_every_store(|place| async move {
        let scene = place.scene("lacks");
        let first = R1(Script::new().flow([Act::Hang, Act::Done]));
        let andes = Andes::new("lacks").stream(first).stream(R2::default()).atlantic(Sea::default());
        let engine = place.engine().await.flow(two(&scene)).start().await.unwrap();
        let river = engine.draw(andes, Headwaters::new(place.id("lacks"))).await.unwrap();
        scene.entered.notified().await;
        let run = engine.run("two", 1_u32).id("two").await.unwrap();
        scene.entered.notified().await;
        drop(engine.run("two", 1_u32).id("unwanted").await.unwrap());
        scene.entered.notified().await;
        assert_eq!(engine.missing_code().await.unwrap(), [], "nothing is missing here");
        drop((river, run));
        engine.shutdown_within(1.ms()).await.unwrap_err();

        let lacking = place.engine().await.river::<R1>().start().await.unwrap();
        let missing: BTreeSet<String> = lacking.missing_code().await.unwrap().iter().map(ToString::to_string).collect();
        let text = missing.iter().cloned().collect::<Vec<_>>().join("; ");
        for part in ["flow \"lacks\"", "river \"r2\"", "Atlantic \"sea\"", "flow \"two\"", "node \"first\""] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
        assert!(!text.contains("river \"r1\""), "{text}");
        let report = lacking.report().await.unwrap();
        assert_eq!((report.flows.len(), report.plans, report.runs_waiting()), (0, 0, 3));
        let lines: BTreeSet<String> = report.waiting.iter().map(ToString::to_string).collect();
        let lacks = "1 run of flow \"lacks\" needs river \"r2\", Atlantic \"sea\" that this program lacks";
        let many = "2 runs of flow \"two\" need node \"first\", node \"second\" that this program lacks";
        assert_eq!(lines.iter().map(String::as_str).collect::<Vec<_>>(), [lacks, many]);
        let run = lacking.handle(&place.id("lacks")).await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
        let missing = run.missing_code().await.unwrap().unwrap();
        assert_eq!(missing.needs, ["river \"r2\"", "Atlantic \"sea\""]);
        let view = run.view().await.unwrap();
        assert_eq!(view.missing, missing.needs);
        while run.view().await.unwrap().took == view.took {
            tokio::time::sleep(1.ms()).await;
        }

        // It takes no code to stop a run, as soon as nobody else can be running some of it.
        let unwanted = lacking.handle("unwanted").await.unwrap();
        let ended = loop {
            let asked = unwanted.cancel("me", "cannot wait").await;
            if asked.is_err() {
                break asked;
            }
            tokio::time::sleep(5.ms()).await;
        };
        assert_eq!(ended.unwrap_err().code(), "run-ended");
        assert_eq!(unwanted.wait().await.unwrap().status, RunStatus::Stopped);
        assert_eq!(lacking.store().tasks(&root("unwanted")).await.unwrap(), []);
        assert!(tokio::time::timeout(1_200.ms(), run.wait()).await.is_err(), "it waits");
        assert_eq!(scene.count("r1 flow"), 1);

        // A drawing brings its rivers along; a run that waited for them goes on.
        let more = Andes::new("more").stream(R2::default()).atlantic(Sea::default());
        lacking.draw(more, Headwaters::new(place.id("more"))).await.unwrap();
        run.output::<()>().await.unwrap();
        assert_eq!(scene.count("success"), 1);
        drop(run);
        lacking.shutdown().await.unwrap();

        let engine = place.engine().await.flow(two(&scene)).start().await.unwrap();
        scene.go.notify_one();
        assert_eq!(engine.handle("two").await.unwrap().output::<u32>().await.unwrap(), 1);
    });
}

/// Forty siblings between two nodes; each call tells which engine made it.
fn forty(who: &'static str, calls: &Arc<Mutex<Vec<&'static str>>>) -> Flow<u32, u32> {
    Flow::dag("forty", |dag: &Dag, n: Node<u32>| {
        let tell = {
            let calls = Arc::clone(calls);
            move |n: u32| {
                let calls = Arc::clone(&calls);
                async move {
                    calls.lock().unwrap().push(who);
                    tokio::time::sleep(1.ms()).await;
                    ok(n + 1)
                }
            }
        };
        let first = dag.node("first", tell.clone(), n);
        let all: Vec<_> = (0..40).map(|at| dag.node(&format!("n{at}"), tell.clone(), first)).collect();
        dag.node("join", |all: Vec<u32>| async move { ok(all.into_iter().sum()) }, all)
    })
    .unwrap()
}

/// Two engines with four slots each on one store share the work of a few runs; the runs are started on the first.
async fn share(place: &Place, runs: u32) {
    let (store, calls) = (place.open().await, Arc::default());
    let engine = |who| Engine::on(Arc::clone(&store)).concurrency(4).flow(forty(who, &calls)).start();
    let (a, b) = (engine("a").await.unwrap(), engine("b").await.unwrap());
    let mut started = Vec::new();
    for n in 0..runs {
        started.push(a.run("forty", n).id(&format!("r{n}")).await.unwrap());
    }
    for (n, run) in (0..).zip(&started) {
        assert_eq!(run.output::<u32>().await.unwrap(), 40 * (n + 2));
        let there = b.handle(run.id()).await.unwrap();
        assert_eq!(there.output::<u32>().await.unwrap(), 40 * (n + 2), "told by the other engine too");
        let done = recorded(&store, run.id(), |event| matches!(event, Event::NodeSucceeded { .. })).await;
        assert_eq!(done, 42, "each node once");
        assert_eq!(store.tasks(&root(run.id())).await.unwrap(), []);
    }
    let calls = calls.lock().unwrap();
    for who in ["a", "b"] {
        assert!(calls.contains(&who), "{who} did nothing");
    }
    assert_eq!(calls.len() as u32, runs * 41, "without a crash each handler is called once");
}

#[test]
fn two_engines_share_runs() {
    on_every_store(|place| async move { share(&place, 8).await });
}

#[test]
fn two_engines_share_runs_on_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shared = async { share(&Place::memory().await, 8).await };
        tokio::time::timeout(Duration::from_secs(20), shared).await.expect("it hangs");
    });
}

/// A flow whose only node waits until it is told to stop, and notes that it was.
fn until_told(scene: &Arc<Scene>) -> Flow<u32, u32> {
    let scene = Arc::clone(scene);
    let waits = move |ctx: Ctx, n: u32| {
        let scene = Arc::clone(&scene);
        async move {
            scene.entered.notify_one();
            ctx.cancelled().await;
            scene.note("told");
            ok(n)
        }
    };
    Flow::dag("until-told", |dag, n: Node<u32>| dag.node("wait", waits.clone(), n)).unwrap()
}

#[test]
fn a_cancel_from_another_engine_reaches_a_running_handler() {
    on_every_store(|place| async move {
        let (store, scene) = (place.open().await, Scene::new());
        let engine = || Engine::on(Arc::clone(&store)).lease(1.secs()).flow(until_told(&scene)).start();
        let (a, b) = (engine().await.unwrap(), engine().await.unwrap());
        let run = a.run("until-told", 1_u32).await.unwrap();
        scene.entered.notified().await;
        b.handle(run.id().as_str()).await.unwrap().cancel("me", "enough").await.unwrap();
        let ended = tokio::time::timeout(20.secs(), run.wait()).await.expect("it is told");
        assert_eq!(ended.unwrap().status, RunStatus::Stopped);
        assert_eq!(scene.lines(), ["told"], "and its answer was waited for");
    });
}

#[test]
fn claimed_scopes_are_loaded_together() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = || Flow::dag("holds", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let engine = place.engine().await.concurrency(1).flow(flow()).start().await.unwrap();
        for n in 0..5_u32 {
            drop(engine.run("holds", n).id(&format!("r{n}")).await.unwrap());
        }
        scene.entered.notified().await;
        engine.shutdown_within(1.ms()).await.unwrap_err();

        // Only when four ask at once does anybody get an answer.
        let (store, tally) = Watched::over(place.open().await);
        tally.together.set(Barrier::new(4)).unwrap();
        let passing = scene.let_all_pass();
        let engine = Engine::on(store).lease(1.secs()).flow(flow()).start().await.unwrap();
        while scene.lines().len() < 5 {
            tokio::task::yield_now().await;
        }
        passing.abort();
        drop(engine);
    });
}

#[test]
fn a_poll_does_not_read_the_journal_again() {
    on_every_store(|place| async move {
        let (store, tally) = Watched::over(place.open().await);
        let engine = Engine::on(store).start().await.unwrap();
        let polls = (0..20).map(|_| again("not yet")).chain([Act::Done]);
        let andes = Andes::new("polls").stream(R1(Script::new().cycle(30, 1.ms(), polls)));
        let run = engine.draw(andes, Headwaters::new(place.id("no-refold"))).await.unwrap();
        run.output::<()>().await.unwrap();
        assert_eq!(place.scene("no-refold").count("r1 cycle"), 21);
        assert_eq!(tally.events_read.load(Ordering::SeqCst), 0, "the cell of a run that waits is kept");
        assert_eq!(tally.most_asked.load(Ordering::SeqCst), 256, "a claim does not hold all slots");
    });
}

#[test]
fn a_call_that_was_given_up_and_claimed_again_here_is_not_made_twice() {
    on_every_store(|place| async move {
        let (store, there) = (place.open().await, place.clone());
        // A scene each: a call that is made anew says once more that it is there.
        let scene_of = |place: &Place, n: u32| place.scene(&format!("given-up-{n}"));
        let hold = move |n: u32| {
            let scene = scene_of(&there, n);
            async move {
                scene.note("call");
                scene.pass().await;
                ok(n)
            }
        };
        let flow = Flow::dag("hold", |dag, n: Node<u32>| dag.node("hold", hold, n)).unwrap();
        let engine = Engine::on(Arc::clone(&store)).flow(flow).start().await.unwrap();
        for n in 1..=20_u32 {
            let (before, scene) = (engine.stats().leases_lost, scene_of(&place, n));
            let run = engine.run("hold", n).await.unwrap();
            scene.entered.notified().await;
            // As if the engine had been out of breath for longer than its lease.
            place.give_all_up(&*store).await;
            while store.tasks(&root(run.id().as_str())).await.unwrap()[0].token.0 < 2 {
                tokio::task::yield_now().await;
            }
            let passing = scene.let_all_pass();
            assert_eq!(run.output::<u32>().await.unwrap(), n);
            passing.abort();
            // A sign of life between the two tells the engine that it was given up; then it makes all calls anew.
            if engine.stats().leases_lost == before {
                assert_eq!(scene.count("call"), 1, "the call answers the younger claim");
                return;
            }
        }
        panic!("a sign of life came first each time");
    });
}

#[test]
fn who_waits_is_woken_only_where_others_may_have_done_something() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let (store, tally) = Watched::over(place.open().await);
        let engine = || Engine::on(Arc::clone(&store)).lease(1.secs()).flow(until_told(&scene)).start();
        let beats = async |count| {
            let end = tally.beats.load(Ordering::SeqCst) + count;
            while tally.beats.load(Ordering::SeqCst) < end {
                tokio::time::sleep(1.ms()).await;
            }
        };
        let alone = engine().await.unwrap();
        beats(3).await;
        let run = alone.run("until-told", 1_u32).await.unwrap();
        let id = run.id().to_string();
        scene.entered.notified().await;
        let waiting = tokio::spawn(async move { run.wait().await.unwrap().status });
        beats(4).await;
        assert_eq!(tally.looks.load(Ordering::SeqCst), 0, "nobody else can have done anything");

        let other = engine().await.unwrap();
        while tally.looks.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        other.handle(&id).await.unwrap().cancel("me", "enough").await.unwrap();
        assert_eq!(waiting.await.unwrap(), RunStatus::Stopped);
    });
}

#[test]
fn what_another_engine_ended_before_anybody_waited_is_known_at_once() {
    on_every_store(|place| async move {
        let (store, scene) = (place.open().await, Scene::new());
        let flow = Flow::dag("hold", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let (watched, tally) = Watched::over(Arc::clone(&store));
        let works = Engine::on(store).flow(flow.clone()).start().await.unwrap();
        let (mut there, mut here) = (Vec::new(), Vec::new());
        for n in 0..8_u32 {
            there.push(works.run("hold", n).id(&format!("r{n}")).await.unwrap());
            scene.entered.notified().await;
        }
        let other = Engine::on(watched).flow(flow).start().await.unwrap();
        for run in &there {
            here.push(other.handle(run.id().as_str()).await.unwrap());
        }
        let passing = scene.let_all_pass();
        for run in &there {
            run.wait().await.unwrap();
        }
        passing.abort();
        // It looks around once a second, and nobody waits there yet.
        tokio::time::sleep(2_500.ms()).await;
        for run in &here {
            let before = tally.looks.load(Ordering::SeqCst);
            let mut waiting = std::pin::pin!(run.wait());
            // It is known already, or else asked for as soon as somebody waits.
            let known = tokio::select! {
                biased;
                ended = &mut waiting => Some(ended),
                () = std::future::ready(()) => None,
            };
            assert!(known.is_some() || tally.looks.load(Ordering::SeqCst) > before, "it waits for the next time");
            match known {
                Some(ended) => ended.unwrap(),
                None => waiting.await.unwrap(),
            };
        }
    });
}

#[test]
fn who_waits_goes_on_waiting_while_the_store_cannot_be_asked() {
    on_every_store(|place| async move {
        let (store, scene) = (place.open().await, Scene::new());
        let flow = Flow::dag("hold", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let works = Engine::on(Arc::clone(&store)).lease(1.secs()).flow(flow.clone()).start().await.unwrap();
        let run = works.run("hold", 1_u32).id("r").await.unwrap();
        scene.entered.notified().await;
        let (watched, tally) = Watched::over(store);
        let other = Engine::on(watched).lease(1.secs()).flow(flow).start().await.unwrap();
        let there = other.handle("r").await.unwrap();
        tally.no_looks.store(true, Ordering::SeqCst);
        let before = tally.looks.load(Ordering::SeqCst);
        let waiting = tokio::spawn(async move { there.wait().await.map(|summary| summary.status) });
        while tally.looks.load(Ordering::SeqCst) < before + 2 {
            tokio::time::sleep(1.ms()).await;
        }
        scene.go.notify_one();
        run.wait().await.unwrap();
        tally.no_looks.store(false, Ordering::SeqCst);
        assert_eq!(waiting.await.unwrap().unwrap(), RunStatus::Succeeded);
    });
}

#[test]
fn a_refusal_waits_for_what_it_follows_from() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let (store, tally) = Watched::over(place.open().await);
        let flow = Flow::dag("holds", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let engine = Engine::on(store).flow(flow).start().await.unwrap();
        let run = Arc::new(engine.run("holds", 1_u32).await.unwrap());
        scene.entered.notified().await;
        tally.keep_back();
        let appends = tally.appends.load(Ordering::SeqCst);
        let cancel = || {
            let run = Arc::clone(&run);
            tokio::spawn(async move { run.cancel("me", "enough").await })
        };
        let first = cancel();
        while tally.appends.load(Ordering::SeqCst) == appends {
            tokio::task::yield_now().await;
        }
        // "It is stopping already" is not true before the stop is durable.
        let mut second = cancel();
        assert!(tokio::time::timeout(20.ms(), &mut second).await.is_err(), "answered too early");
        tally.let_go();
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        scene.go.notify_one();
        run.wait().await.unwrap();
    });
}

#[test]
fn what_a_draining_engine_loads_does_not_hold_it() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let flow = || Flow::dag("holds", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let probe = Flow::dag("probe", |dag, n: Node<u32>| dag.node("same", same, n)).unwrap();
        let engine = place.engine().await.flow(flow()).start().await.unwrap();
        drop(engine.run("holds", 1_u32).id("r").await.unwrap());
        scene.entered.notified().await;
        engine.shutdown_within(1.ms()).await.unwrap_err();

        let (store, tally) = Watched::over(place.open().await);
        tally.together.set(Barrier::new(2)).unwrap();
        let engine = Engine::on(store).lease(1.secs()).flow(flow()).flow(probe).start().await.unwrap();
        while tally.waiting.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        // The engine is loading what it claimed, and is told to end.
        let other = engine.clone();
        let ending = tokio::spawn(engine.shutdown_within(20.secs()));
        while other.run("probe", 2_u32).await.map_or_else(|error| error.code(), |_| "") != "shutting-down" {
            tokio::task::yield_now().await;
        }
        drop(other);
        tally.together.get().unwrap().wait().await;
        ending.await.unwrap().unwrap();
        assert_eq!(scene.lines(), ["hold 1"], "and nothing of it was begun");
    });
}

#[test]
fn nothing_starts_after_the_end() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let (store, tally) = Watched::over(place.open().await);
        let flow = Flow::dag("holds", |dag, n: Node<u32>| dag.node("hold", passing(&scene), n)).unwrap();
        let engine = Engine::on(Arc::clone(&store)).flow(flow).start().await.unwrap();
        tally.keep_back();
        let starting = tokio::spawn(engine.run("holds", 1_u32).id("r").into_future());
        while tally.appends.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        engine.shutdown_within(1.ms()).await.ok();
        // The start is recorded, and this is the answer; the next engine goes on with it.
        tally.let_go();
        drop(starting.await.unwrap());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(scene.lines().is_empty());
    });
}
