//! What a differential test knows: the store, the model, and the runs as their workers see them.

use super::Tally;
use crate::fixture::{self, Story, T0};
use crate::harness::Harness;
use crate::model::Model;
use crate::probe::Probe;
use crate::rng::Rng;
use std::collections::HashMap;
use std::sync::Arc;
use vastflow_core::{Plan, ScopeId, Timestamp};
use vastflow_store::{Claimed, Commit, Committed, Durability, Turn, WorkerId};

/// How many workers there are.
const WORKERS: usize = 4;

pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) probe: Probe,
    pub(super) model: Model,
    pub(super) now: Timestamp,
    /// Moments to come at which something changes: timers, ends of leases.
    pub(super) moments: Vec<Timestamp>,
    pub(super) plans: Vec<Arc<Plan>>,
    pub(super) runs: Vec<Run>,
    /// How many runs were drawn.
    begun: usize,
    /// Claims, some of which are not current any more.
    pub(super) leases: Vec<Claimed>,
    /// The last turn of each worker.
    pub(super) turns: HashMap<WorkerId, Turn>,
    /// Whether claims are numbered, and some of their answers are lost.
    pub(super) loses_answers: bool,
    /// Commits that took effect.
    pub(super) past: Vec<Commit>,
    /// Whether the order of the queue is still one that the specification fixes.
    pub(super) order_is_known: bool,
    pub(super) survives_closing: bool,
    pub(super) trace: Vec<String>,
    pub(super) tally: Tally,
}

/// A run as its workers see it.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) story: Story,
    /// Its inner scopes with the lengths of their journals.
    pub(super) inner: Vec<(ScopeId, u64)>,
}

impl World {
    pub(super) async fn open(harness: Arc<dyn Harness>, seed: u64) -> Self {
        let probe = Probe::open(harness).await;
        let capabilities = probe.store().capabilities();
        let mut world = World {
            rng: Rng::new(seed),
            probe,
            model: Model::default(),
            now: T0,
            moments: Vec::new(),
            plans: vec![fixture::plan(), fixture::timed(), fixture::wide(1), fixture::wide(4)],
            runs: Vec::new(),
            begun: 0,
            leases: Vec::new(),
            turns: HashMap::new(),
            loses_answers: seed % 2 == 1,
            past: Vec::new(),
            order_is_known: true,
            survives_closing: capabilities.durability >= Durability::Synced,
            trace: Vec::new(),
            tally: Tally::default(),
        };
        for plan in world.plans.clone() {
            world.probe.put_plan(&plan).await;
            world.model.ledger.put_plan(plan);
        }
        world
    }

    pub(super) fn worker(&mut self) -> WorkerId {
        WorkerId(self.rng.below(WORKERS) as u64)
    }

    /// A number for a run that no other has, unless it never came to be.
    pub(super) fn next_run(&mut self) -> usize {
        self.begun += 1;
        self.begun
    }

    pub(super) fn note(&mut self, step: impl Into<String>) {
        self.trace.push(step.into());
    }

    /// All scopes that anything was ever said to.
    pub(super) fn scopes(&self) -> Vec<ScopeId> {
        let of = |run: &Run| {
            let inner = run.inner.iter().map(|(scope, _)| scope.clone());
            inner.chain([run.story.scope.clone()]).collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of).collect()
    }

    pub(super) fn count(&mut self, answer: &Result<Committed, String>) {
        let tally = &mut self.tally;
        let counter = match answer {
            Ok(Committed::Done { .. }) => &mut tally.done,
            Ok(Committed::Duplicate { .. }) => &mut tally.duplicate,
            Ok(Committed::Conflict { .. }) => &mut tally.conflict,
            Ok(Committed::Fenced) => &mut tally.fenced,
            Err(_) => &mut tally.invalid,
        };
        *counter += 1;
    }
}
