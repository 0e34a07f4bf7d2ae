//! Stores that fail, lose answers, hesitate and keep their hints: every run ends with the right output all the same.

use crate::support::{Place, Scene, fail, ok, on_every_store, recorded, root};
use crate::watched::Watched;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Notify;
use vastflow::prelude::*;
use vastflow::store::Store;
use vastflow::{Dag, Event, Flow};
use vastflow_testsuite::{Chances, Fault, Faults, Faulty, law2};

/// SplitMix64: the same seed, the same flow.
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % end as u64).unwrap()
    }
}

/// A random flow and what it gives for 1: each node sums its parents and adds its number; some fail once or twice.
fn random(seed: u64) -> (Flow<u64, u64>, u64) {
    let mut rng = Rng(seed);
    let mut values = Vec::new();
    let flow = Flow::dag(&format!("random-{seed}"), |dag: &Dag, n: Node<u64>| {
        let mut nodes = vec![n];
        values.push(1);
        for at in 1..=2 + rng.below(7) {
            let parents: Vec<usize> = (0..=rng.below(3)).map(|_| rng.below(nodes.len())).collect();
            let (fails, tries) = (u32::try_from(rng.below(3)).unwrap(), 2);
            let sum = move |ctx: Ctx, all: Vec<u64>| async move {
                if ctx.attempt() <= fails { fail("not yet") } else { ok(all.iter().sum::<u64>() + at as u64) }
            };
            let inputs: Vec<_> = parents.iter().map(|parent| nodes[*parent]).collect();
            let node = dag.node(&format!("n{at}"), sum, inputs).retry(tries.times().every(2.ms()));
            nodes.push(node.durable(rng.below(4) > 0));
            values.push(parents.iter().map(|parent| values[*parent]).sum::<u64>() + at as u64);
        }
        let all = nodes.clone();
        dag.node("all", |all: Vec<u64>| async move { ok(all.iter().sum()) }, all)
    });
    (flow.unwrap(), values.iter().sum())
}

/// Runs the random flows of these seeds at once on a store with faults.
async fn suffer(inner: Arc<dyn Store>, seeds: std::ops::Range<u64>, faults: Faults) -> Arc<Faulty> {
    let faulty: Arc<Faulty> = Arc::new(Faulty::new(Arc::clone(&inner), faults));
    let flows: Vec<_> = seeds.map(|seed| (seed, random(seed))).collect();
    let builder = Engine::on(faulty.clone());
    let engine = flows.iter().fold(builder, |builder, (_, (flow, _))| builder.flow(flow.clone()));
    let engine = engine.start().await.unwrap();
    let mut runs = Vec::new();
    for (seed, (flow, _)) in &flows {
        runs.push(engine.start(flow, 1).await.unwrap_or_else(|error| panic!("seed {seed}: {error}")));
    }
    for ((seed, (flow, expected)), run) in flows.iter().zip(runs) {
        let output = run.output().await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(output, *expected, "seed {seed}");
        let done = recorded(&inner, run.id(), |event| matches!(event, Event::NodeSucceeded { .. })).await;
        assert_eq!(done, flow.plan().len(), "seed {seed}: each node once");
        law2(&*inner, &[root(run.id())]).await.unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
    faulty
}

#[test]
fn two_hundred_random_flows_end_well() {
    on_every_store(|place| async move {
        // Half of them on each kind of store.
        let first = if place.name() == "memory" { 0 } else { 100 };
        let chances = Chances { before: 10, after: 10, delay: 10 };
        let faults = Faults::none().random(first, chances).delayed_by(2.ms());
        let faulty = suffer(place.open().await, first..first + 70, faults).await;
        for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Delay] {
            assert!(faulty.fired(fault) >= 1, "{fault:?} never fired");
        }
        let quiet = vastflow::open("memory:").await.unwrap();
        let faults = Faults::none().random(first + 1, chances).drop_hints();
        let faulty = suffer(quiet, first + 70..first + 100, faults).await;
        assert!(faulty.fired(Fault::DropHints) >= 1 && faulty.fired(Fault::FailAfter) >= 1);
    });
}

#[test]
fn claims_that_fail_are_not_made_without_end() {
    on_every_store(|place| async move {
        let (store, tally) = Watched::over(place.open().await);
        let flow = Flow::dag("weak", |dag, n: Node<u64>| {
            let weak = |ctx: Ctx, n: u64| async move { if ctx.attempt() == 1 { fail("not yet") } else { ok(n) } };
            dag.node("weak", weak, n).retry(1.times().every(1.ms()))
        });
        let engine = Engine::on(store).flow(flow.unwrap()).start().await.unwrap();
        tally.no_claims.store(true, Ordering::SeqCst);
        let run = engine.run("weak", 1_u64).await.unwrap();
        let before = tally.claims.load(Ordering::SeqCst);
        assert!(tokio::time::timeout(Duration::from_millis(300), run.wait()).await.is_err(), "it cannot be claimed");
        let claims = tally.claims.load(Ordering::SeqCst) - before;
        assert!(claims <= 10, "{claims} claims in 300 ms");
        tally.no_claims.store(false, Ordering::SeqCst);
        assert_eq!(run.output::<u64>().await.unwrap(), 1, "and it goes on when it can");
    });
}

/// What a claim gave whose answer was lost is claimed again, by the same worker, while it lives.
#[test]
fn claims_whose_answers_are_lost_hold_nothing_up() {
    on_every_store(|place| async move {
        let faults = Faults::none().lose_claims(2);
        let faulty = suffer(place.open().await, 300..330, faults).await;
        assert!(faulty.fired(Fault::LoseClaim) >= 3, "{}", faulty.fired(Fault::LoseClaim));
    });
}

/// What was claimed and could not be begun is given back, also when the store does not hear it the first time.
#[test]
fn what_cannot_be_begun_is_given_back_until_the_store_hears_it() {
    on_every_store(|place| async move {
        let store = place.open().await;
        let (flow, expected) = random(1_000);
        let first = Engine::on(Arc::clone(&store)).flow(flow.clone()).concurrency(0).start().await.unwrap();
        let id = first.start(&flow, 1).await.unwrap().id().clone();
        drop(first);
        let faults = Faults::none().fail_histories(1).fail_releases(2);
        let faulty = Arc::new(Faulty::new(Arc::clone(&store), faults));
        let second = Engine::on(faulty.clone()).flow(flow).start().await.unwrap();
        let run = second.handle(&id).await.unwrap();
        assert_eq!(run.output::<u64>().await.unwrap(), expected);
        assert_eq!((faulty.fired(Fault::FailHistory), faulty.fired(Fault::FailRelease)), (1, 2));
    });
}

/// What a store cannot keep is the matter of one run, or of one who starts it.
#[test]
fn what_a_store_cannot_keep_stops_no_other_run() {
    on_every_store(|place| async move {
        let (store, tally) = Watched::over(place.open().await);
        tally.unfit.set("poison").unwrap();
        let taste = |n: u64| async move { if n == 0 { fail("poison") } else { ok(n) } };
        let flow = Flow::dag("taste", |dag, n: Node<u64>| dag.node("taste", taste, n).retry(3.times())).unwrap();
        let engine = Engine::on(store).flow(flow).start().await.unwrap();
        let bad = engine.run("taste", 0_u64).await.unwrap();
        let error = bad.output::<u64>().await.unwrap_err().to_string();
        assert!(error.contains("cannot be recorded") && error.contains("does not fit"), "{error}");
        let refused = engine.run("taste", 1_u64).label("drink", "poison").await.unwrap_err();
        assert_eq!(refused.code(), "store-invalid-commit");
        assert_eq!(engine.run("taste", 7_u64).await.unwrap().output::<u64>().await.unwrap(), 7);
    });
}

#[test]
fn a_worker_that_was_given_up_does_no_harm() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let noted = Arc::clone(&scene);
        let waits = move |n: u64| {
            let scene = Arc::clone(&noted);
            async move {
                scene.note("call");
                scene.pass().await;
                ok(n)
            }
        };
        let flow = Flow::dag("waits", |dag, n: Node<u64>| dag.node("wait", waits, n)).unwrap();
        let engine = place.engine().await.flow(flow).start().await.unwrap();
        let run = engine.run("waits", 1_u64).await.unwrap();
        scene.entered.notified().await;
        place.give_all_up(&**engine.store()).await;
        let passing = scene.let_all_pass();
        assert_eq!(run.output::<u64>().await.unwrap(), 1);
        passing.abort();
        let done = recorded(engine.store(), run.id(), |event| matches!(event, Event::NodeSucceeded { .. })).await;
        assert_eq!(done, 1, "what came too late is not recorded");
        assert_eq!(engine.store().tasks(&root(run.id())).await.unwrap(), []);
    });
}

/// Chains of nodes of which only the last is durable, side by side, on two engines.
#[test]
fn nodes_that_are_not_durable_survive_company() {
    on_every_store(|place| async move { company(&place).await });
}

async fn company(place: &Place) {
    let store = place.open().await;
    let flow = Flow::dag("riders", |dag: &Dag, n: Node<u64>| {
        let next = |n: u64| async move {
            tokio::time::sleep(1.ms()).await;
            ok(n + 1)
        };
        let chain = |at: usize| {
            let first = dag.node(&format!("a{at}"), next, n).durable(at.is_multiple_of(3));
            let second = dag.node(&format!("b{at}"), next, first).durable(false);
            dag.node(&format!("c{at}"), next, second)
        };
        let ends: Vec<_> = (0..20).map(chain).collect();
        dag.node("sum", |all: Vec<u64>| async move { ok(all.iter().sum::<u64>()) }, ends)
    })
    .unwrap();
    let start = || Engine::on(Arc::clone(&store)).concurrency(6).flow(flow.clone()).start();
    let (a, b) = (start().await.unwrap(), start().await.unwrap());
    let mut runs = Vec::new();
    for n in 0..10_u64 {
        runs.push(a.run("riders", n).id(&format!("r{n}")).await.unwrap());
    }
    for (n, run) in (0..).zip(&runs) {
        assert_eq!(run.output::<u64>().await.unwrap(), 20 * (n + 3));
        let done = recorded(&store, run.id(), |event| matches!(event, Event::NodeSucceeded { .. })).await;
        assert_eq!(done, 61, "each once");
        assert_eq!(store.tasks(&root(run.id())).await.unwrap(), []);
    }
    drop(b);
}

/// While an engine mends a conflict it claims another task of the run and is done with it: what it read of the tasks
/// before that says nothing against its answer.
#[test]
fn an_answer_to_a_task_that_was_claimed_during_a_conflict_counts() {
    on_every_store(|place| async move {
        let (inner, scene) = (place.open().await, Scene::new());
        let flow = |who: &'static str| {
            let node = |name: &'static str| {
                let scene = Arc::clone(&scene);
                move |n: u64| {
                    let scene = Arc::clone(&scene);
                    async move {
                        scene.note(format!("{name} on {who}"));
                        match (name, who) {
                            ("first", _) => scene.go.notified().await,
                            (_, "b") => scene.entered.notified().await,
                            _ => {}
                        }
                        ok(n)
                    }
                }
            };
            Flow::dag("three", |dag: &Dag, n: Node<u64>| {
                let all = ["first", "second", "third"].map(|name| dag.node(name, node(name), n));
                dag.node("sum", |all: Vec<u64>| async move { ok(all.iter().sum::<u64>()) }, all.to_vec())
            })
            .unwrap()
        };
        let ((a, mine), (b, theirs)) = (Watched::over(Arc::clone(&inner)), Watched::over(inner));
        let start = |store, who| Engine::on(store).concurrency(1).flow(flow(who)).start();
        // Otherwise it may see what the other has done before it meets the conflict.
        mine.seems_alone.store(true, Ordering::SeqCst);
        // A claim holds the slot while it is under way, and the first task is not kept.
        mine.no_claims.store(true, Ordering::SeqCst);
        let a = start(a, "a").await.unwrap();
        while mine.claims.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        tokio::time::sleep(5.ms()).await;
        let run = a.run("three", 1_u64).await.unwrap();
        let b = start(b, "b").await.unwrap();
        let until = async |line: &str| {
            while scene.count(line) == 0 {
                tokio::time::sleep(1.ms()).await;
            }
        };
        until("first on a").await;
        // A server passes over what another just looks at, so it may be either.
        while scene.count("second on b") + scene.count("third on b") == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        let left = if scene.count("second on b") == 0 { "second on a" } else { "third on a" };
        theirs.no_claims.store(true, Ordering::SeqCst);
        scene.entered.notify_one();
        while theirs.appends.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        // Now a meets a conflict, and claims while it mends it. If it claimed before, it would learn what b has done.
        mine.late_tasks.set(Notify::new()).unwrap();
        scene.go.notify_one();
        while mine.waiting.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(1.ms()).await;
        }
        mine.no_claims.store(false, Ordering::SeqCst);
        until(left).await;
        tokio::time::sleep(5.ms()).await;
        let released = tokio::spawn(async move {
            loop {
                mine.late_tasks.get().unwrap().notify_one();
                tokio::time::sleep(1.ms()).await;
            }
        });
        assert_eq!(run.output::<u64>().await.unwrap(), 3);
        assert_eq!(scene.count(left), 1, "it was called once");
        released.abort();
        drop(b);
    });
}
