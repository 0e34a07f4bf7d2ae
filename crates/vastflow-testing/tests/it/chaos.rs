//! Anything at any moment: faults, operators and crashes by chance. Every run comes to an end, and what was done by a run
//! that failed is taken back.

use crate::support::{Log, lines, note, ok};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::RunStatus;
use vastflow_core::event::Choice;
use vastflow_core::retry::mixed;
use vastflow_sdk::{Ctx, DurationExt, Flow, Node, TimesExt, any, n_of};
use vastflow_testing::{Fault, History, Place, TestEngine, TestRun};

const SEEDS: u64 = 200;
const PLACES: [&str; 6] = ["each[*]/deep[]/x", "each[*]/deep[]/y", "p", "q", "total", "first"];

/// Items with basins in them, joins that do not wait for all, nodes that ride, and undo actions everywhere.
fn flow(log: &Log) -> Flow<Vec<u32>, u32> {
    let undo = {
        let log = Arc::clone(log);
        move |ctx: Ctx, _: Option<u32>| {
            note(&log, ctx.undone_key());
            async { ok(()) }
        }
    };
    let same = |n: u32| async move { ok(n) };
    let drawn = Flow::dag("chaos", |dag, all: Node<Vec<u32>>| {
        let inner = undo.clone();
        let each = dag.for_each("each", all, move |dag, n| {
            let inner = inner.clone();
            dag.basin("deep", n, move |dag, n| {
                let x = dag.node("x", same, n).undo(inner.clone()).retry(1.times().every(1.secs()));
                dag.node("y", same, dag.sleep("nap", 5.mins(), x)).undo(inner)
            })
        });
        let sum = |all: Vec<u32>| async move { ok(all.iter().sum::<u32>()) };
        let total = dag.node("total", sum, each.window(2)).durable(false);
        let p = dag.node("p", same, total).undo(undo.clone());
        let q = dag.node("q", same, dag.sleep("wait", 1.hours(), total)).undo(undo);
        let first = dag.node("first", same, any([p, q])).durable(false);
        let sum = |all: Vec<u32>| async move { ok(all.iter().sum::<u32>()) };
        dag.node("end", sum, n_of(2, [first, q, total]))
    });
    drawn.unwrap()
}

/// Numbers by chance.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0) % end
    }

    fn inject(&mut self, engine: &mut TestEngine) {
        let at = PLACES[usize::try_from(self.below(PLACES.len() as u64)).unwrap()];
        match (self.below(4), self.fault()) {
            // An undo action that hangs can only be killed.
            (0, fault) if fault != Fault::hang() => engine.inject(Place::undo(at), fault),
            (_, fault) => engine.inject(at, fault),
        }
    }

    fn fault(&mut self) -> Fault {
        match self.below(8) {
            0 => Fault::fail("by chance").times(1 + u32::try_from(self.below(3)).unwrap()),
            1 => Fault::panic("by chance"),
            2 => Fault::fatal("by chance"),
            3 => Fault::crash_before(),
            4 => Fault::crash_after(),
            5 => Fault::twice(),
            6 => Fault::hang(),
            _ => Fault::slow(Duration::from_secs(self.below(5_000))),
        }
    }

    /// What an operator does, who does not care whether it fits.
    fn operate(&mut self, engine: &mut TestEngine, run: &TestRun<u32>) {
        let done = match self.below(8) {
            0 => engine.pause(run, "ops", "?"),
            1 => engine.resume(run, "ops", "?"),
            2 => engine.cancel(run, "ops", "?"),
            3 if self.below(3) == 0 => engine.kill(run, "ops", "?"),
            4 | 5 => engine.crash(),
            _ => Ok(()),
        };
        let refused = done.err();
        assert!(refused.is_none_or(|error| error.as_engine().is_some()), "a refusal is one of an engine");
    }
}

/// The nodes that succeeded and were not taken back.
fn left(history: &History, undone: &[String]) -> Vec<String> {
    let done = history.events().filter(|(_, event)| event.name() == "NodeSucceeded").filter_map(|(scope, event)| {
        let plan = history.plan().of_scope(scope)?;
        let spec = plan.node(event.node()?)?;
        spec.undo.is_some().then(|| format!("{scope}/{}", spec.name))
    });
    done.filter(|key| !undone.contains(key)).collect()
}

/// Somebody resumes it, and decides where an operator has to.
async fn care(engine: &mut TestEngine, run: &TestRun<u32>) {
    for _ in 0..10 {
        if engine.status(run).unwrap() == RunStatus::Paused {
            engine.resume(run, "ops", "go on").unwrap();
        }
        engine.run_out().await.unwrap();
        for (at, _) in engine.attention(run).unwrap() {
            engine.resolve(run, &at, Choice::Retry, "again").unwrap();
        }
    }
}

async fn live(seed: u64) -> RunStatus {
    let (log, mut dice) = (Log::default(), Dice(seed));
    let flow = flow(&log);
    let mut engine = TestEngine::builder().flow(&flow).seed(seed).build().unwrap();
    for _ in 0..dice.below(4) {
        dice.inject(&mut engine);
    }
    let run = engine.start(&flow, vec![1, 2, 3]).unwrap();
    for _ in 0..dice.below(6) {
        engine.advance(Duration::from_secs(dice.below(1_000))).await.unwrap();
        dice.operate(&mut engine, &run);
    }
    care(&mut engine, &run).await;
    if !engine.status(&run).unwrap().is_final() {
        // A call without a limit that hangs.
        engine.cancel(&run, "ops", "it hangs").unwrap();
        care(&mut engine, &run).await;
    }
    let (status, history) = (engine.status(&run).unwrap(), engine.history(&run).unwrap());
    assert!(status.is_final(), "seed {seed}: {status}\n{}{history}", engine.view(&run).unwrap());
    let is_killed = history.events().any(|(_, event)| event.name() == "Killed");
    if status != RunStatus::Succeeded && !is_killed {
        assert_eq!(left(&history, &lines(&log)), Vec::<String>::new(), "seed {seed}: {status}\n{history}");
    }
    status
}

#[tokio::test]
async fn every_run_ends_and_leaves_nothing_behind() {
    let mut ends: BTreeMap<RunStatus, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        *ends.entry(live(seed).await).or_default() += 1;
    }
    let enough =
        [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Stopped].map(|end| ends.get(&end) > Some(&(SEEDS / 20)));
    assert_eq!(enough, [true; 3], "all kinds of ends were seen: {ends:?}");
}
